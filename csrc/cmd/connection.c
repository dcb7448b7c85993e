/* connection.c - the commands of a connection that need no Python: PING, ECHO, SELECT. */
#include "cmd/call.h"
#include "core_session.h"

/* In RESP2 it has to look like a message. */
static void ping_subscriber(struct call *c) {
    reply_array(c->out, 2);
    reply_cstr(c->out, "pong");
    reply_bulk(c->out, c->argc == 2 ? c->argv[1] : STR(""));
}

static void cmd_ping(struct call *c) {
    if (c->argc > 2)
        call_arity_error(c);
    else if (c->session && session_is_subscribed(c->session))
        ping_subscriber(c);
    else if (c->argc == 2)
        reply_bulk(c->out, c->argv[1]);
    else
        reply_simple(c->out, "PONG");
}

static void cmd_echo(struct call *c) {
    reply_bulk(c->out, c->argv[1]);
}

static void cmd_select(struct call *c) {
    int db;
    if (!arg_db(c, 1, &db)) return;
    if (c->session) session_set_db(c->session, db);
    reply_ok(c->out);
}

static const struct command connection_rows[] = {
    { "PING", -1, CMD_FAST, "connection", cmd_ping, { { 0 } } },
    { "ECHO", 2, CMD_LOADING | CMD_STALE | CMD_FAST, "connection", cmd_echo, { { 0 } } },
    { "SELECT", 2, CMD_LOADING | CMD_STALE | CMD_FAST, "connection", cmd_select, { { 0 } } },
};
COMMAND_GROUP(connection_commands, "connection", connection_rows);
