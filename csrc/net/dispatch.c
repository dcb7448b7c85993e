/* dispatch.c - resolving, admitting and running commands. */
#include "net/dispatch.h"

#include <ctype.h>

#include "cmd/propagate.h"
#include "db/clock.h"
#include "db/evict.h"
#include "db/latency.h"
#include "mem/share.h"
#include "net/behind.h"
#include "net/hotkeys.h"
#include "net/hub.h"
#include "net/multi.h"
#include "net/session.h"
#include "net/tracking.h"

#define ECHO_MAX 128u /* bytes of a name or of all arguments that an error repeats */

static void count_last_error(struct engine *eng, const struct reply *out, size_t from) {
    if (out->n > from && out->p[from] == '-')
        dispatch_count_error(eng, out->p + from, out->n - from);
}

/* An error that a script passes on was counted when its command ended. */
static bool is_passed_on(const struct engine *eng, const struct call *c, size_t from) {
    const char *inner = eng->hub->inside_error;
    size_t n = strlen(inner);
    return n && c->cmd->flags & CMD_INSIDE && c->out->n - from >= n &&
           !memcmp(c->out->p + from, inner, n);
}

/* Of a command inside: how the error begins. */
static void note_inside(struct hub *hub, const char *error, size_t n) {
    if (hub->inside_depth == 0 || n < 2) return;
    n -= 2; /* the line without its end */
    if (n > INSIDE_ERROR - 1) n = INSIDE_ERROR - 1;
    memcpy(hub->inside_error, error, n);
    hub->inside_error[n] = 0;
}

static void count_error_of(struct call *c, size_t from) {
    if (!is_passed_on(c->eng, c, from)) count_last_error(c->eng, c->out, from);
    note_inside(c->eng->hub, c->out->p + from, c->out->n - from);
}

void dispatch_count_error(struct engine *eng, const char *reply, size_t n) {
    eng->stats.error_replies++;
    registry_count_error(eng->registry, (struct str){ reply + 1, n - 1 });
}

static int clip(struct str s, size_t max) {
    return (int)(s.n < max ? s.n : max);
}

static void unknown_command(int argc, const struct str *argv, struct reply *out) {
    char args[ECHO_MAX + 160] = "";
    size_t n = 0;
    for (int i = 1; i < argc && n < ECHO_MAX; i++) {
        int room = (int)(ECHO_MAX - n);
        n += (size_t)snprintf(args + n, sizeof args - n, "'%.*s' ", clip(argv[i], (size_t)room),
                              argv[i].p);
    }
    if (argc > 1)
        reply_errorf(out, "ERR unknown command '%.*s', with args beginning with: %s",
                     clip(argv[0], ECHO_MAX), argv[0].p, args);
    else
        reply_errorf(out, "ERR unknown command '%.*s'", clip(argv[0], ECHO_MAX), argv[0].p);
}

static void unknown_subcommand(const struct command_row *container, struct str sub,
                               struct reply *out) {
    reply_errorf(out, "ERR unknown subcommand '%.*s'. Try %s HELP.", clip(sub, ECHO_MAX), sub.p,
                 container->cmd.name);
}

static void wrong_arity(const struct command_row *row, struct reply *out) {
    char name[64];
    size_t i = 0;
    for (; row->cmd.name[i]; i++) name[i] = (char)tolower((unsigned char)row->cmd.name[i]);
    name[i] = '\0';
    const char *prefix = multi_is_exec(row) ? "EXECABORT Transaction discarded because of:" : "ERR";
    reply_errorf(out, "%s wrong number of arguments for '%s' command", prefix, name);
}

struct command_row *dispatch_resolve(struct engine *eng, int argc, const struct str *argv,
                                     struct reply *out) {
    size_t mark = out->n;
    struct command_row *row = registry_find(eng->registry, argv[0]);
    if (row && row->cmd.flags & CMD_CONTAINER && argc > 1) {
        struct command_row *container = row;
        row = registry_find_sub(eng->registry, container, argv[1]);
        if (!row) unknown_subcommand(container, argv[1], out);
    } else if (!row || strchr(row->cmd.name, '|')) {
        row = NULL;
        unknown_command(argc, argv, out);
    }
    if (row) {
        int arity = row->cmd.arity;
        if (arity >= 0 ? argc == arity : argc >= -arity) return row;
        row->rejected++;
        wrong_arity(row, out);
    }
    count_last_error(eng, out, mark);
    return NULL;
}

struct command_row *dispatch_resolve_typed(struct engine *eng, int argc, const struct str *argv,
                                           struct reply *out) {
    if (LIKELY(registry_is_known(eng->registry, argv[0])))
        return dispatch_resolve(eng, argc, argv, out);
    size_t mark = out->n;
    unknown_command(argc, argv, out);
    count_last_error(eng, out, mark);
    return NULL;
}

uint32_t dispatch_effects(const struct command_row *row) {
    uint32_t effects = row->cmd.flags & (CMD_READ | CMD_WRITE | CMD_MAY_REPLICATE);
    const char *name = row->cmd.name;
    bool script = row->cmd.flags & (CMD_SKIP_MONITOR | CMD_INSIDE) &&
                  !(row->cmd.flags & (CMD_ADMIN | CMD_READ));
    if (script || !strcmp(name, "PUBLISH") || !strcmp(name, "SPUBLISH"))
        effects |= CMD_MAY_REPLICATE;
    return effects;
}

bool dispatch_refuse(struct engine *eng, struct command_row *row, struct reply *out,
                     const char *line) {
    size_t mark = out->n;
    reply_error(out, line);
    if (UNLIKELY(eng->hub->uncounted)) return false;
    row->rejected++;
    count_last_error(eng, out, mark);
    note_inside(eng->hub, out->p + mark, out->n - mark);
    return false;
}

bool dispatch_loaded(struct engine *eng, struct command_row *row, enum loading_state limit,
                     struct reply *out) {
    if (LIKELY(eng->config.loading < (int64_t)limit) || row->cmd.flags & CMD_LOADING) return true;
    return dispatch_refuse(eng, row, out, "LOADING Redis is loading the dataset in memory");
}

bool dispatch_has_memory(struct engine *eng) {
    return !eng->config.maxmemory || evict_to_limit(eng);
}

/* The log cannot be written: what would have to be logged is refused, and PING tells of it. */
static bool refuse_unlogged(struct engine *eng, struct command_row *row, struct reply *out) {
    char line[160];
    snprintf(line, sizeof line, "MISCONF Errors writing to the AOF file: %s",
             strerror(eng->log_error));
    return dispatch_refuse(eng, row, out, line);
}

/* While effects cannot be kept, writes are; and PING, so that whoever watches by it hears of it. */
static bool needs_persistence(const struct command_row *row) {
    return row->cmd.flags & CMD_WRITE || !strcmp(row->cmd.name, "PING");
}

bool dispatch_is_kept(struct engine *eng, struct command_row *row, struct reply *out) {
    if (UNLIKELY(eng->log_error) && needs_persistence(row)) return refuse_unlogged(eng, row, out);
    if (UNLIKELY(eng->config.save_failed) && needs_persistence(row))
        return dispatch_refuse(eng, row, out, status_text(ST_SAVE_FAILED));
    return true;
}

bool dispatch_admit(struct engine *eng, struct command_row *row, struct reply *out) {
    if (!dispatch_is_kept(eng, row, out)) return false;
    if (!dispatch_has_memory(eng) && row->cmd.flags & CMD_DENYOOM)
        return dispatch_refuse(eng, row, out, status_text(ST_MAXMEMORY));
    return true;
}

/* What the slow log and the latency monitor hear of a command that ran; `s` may be NULL. */
static void note_duration(struct engine *eng, const struct session *s,
                          const struct command_row *row, struct slow_command *slow) {
    bool logged = !(row->cmd.flags & CMD_SKIP_SLOWLOG) && slowlog_is_slow(eng, slow->usec);
    if (UNLIKELY(logged)) {
        if (s) session_describe(s, &slow->addr, &slow->name);
        bool told = !s && eng->remote && behind_tell(eng->remote, slow);
        if (!told) slowlog_add(eng, slow);
    }
    const char *event = row->cmd.flags & CMD_FAST ? "fast-command" : "command";
    latency_note(eng, event, slow->usec);
}

void dispatch_count(struct engine *eng, const struct executed *e) {
    struct command_row *row = registry_row(eng->registry, e->row->index);
    struct slow_command slow = { .argc = e->argc, .argv = e->argv, .usec = e->ns / 1000u };
    struct hot_command hot = { &row->cmd, e->argc, e->argv, e->ns, e->bytes };
    bool failed = e->reply.n && e->reply.p[0] == '-';
    registry_count_call(row, slow.usec, failed);
    eng->stats.commands++;
    if (failed) {
        dispatch_count_error(eng, e->reply.p, e->reply.n);
        note_inside(eng->hub, e->reply.p, e->reply.n);
    }
    if (UNLIKELY(eng->hotkeys && e->bytes)) hotkeys_add(eng, &hot);
    note_duration(eng, e->session, row, &slow);
}

/* Changes are this client's from here on; returns who acted before (a script, for its commands). */
static uint64_t begin_acting(const struct call *c) {
    struct hub *hub = c->eng->hub;
    uint64_t outer = hub->acting, client = c->session ? c->session->id : c->client;
    if (client) hub->acting = client;
    return outer;
}

uint64_t dispatch_run(struct call *c, struct command_row *row, uint64_t started_ns) {
    bool changes = row->cmd.flags & (CMD_WRITE | CMD_MAY_REPLICATE | CMD_BUILDS | CMD_INSIDE);
    size_t mark = c->out->n;
    uint64_t outer = begin_acting(c);
    c->out->errored = false;
    arena_enter(&c->eng->arena);
    if (changes) share_begin(&c->eng->arena);
    row->cmd.fn(c);
    if (c->dirty || c->rewritten) {
        c->eng->stats.dirty += c->dirty;
        call_flush_propagation(c); /* before others see it, and before the arena counts as whole */
        if (c->session) c->session->unsynced |= UINT64_C(1) << c->eng->worker;
    }
    if (changes) share_end(&c->eng->arena);
    arena_leave(&c->eng->arena);
    c->eng->hub->acting = outer;
    if (UNLIKELY(c->reader)) tracking_read(c);
    if (UNLIKELY(c->wish.wanted)) return clock_duration_ns(); /* it has not happened yet */
    if (UNLIKELY(c->eng->hub->uncounted)) return clock_duration_ns();
    if (UNLIKELY(c->out->errored)) count_error_of(c, mark);
    if (row->cmd.flags & CMD_INSIDE && c->eng->hub->inside_depth == 0)
        c->eng->hub->inside_error[0] = 0;
    uint64_t now_ns = clock_duration_ns();
    uint64_t usec = (now_ns - started_ns) / 1000u;
    registry_count_call(row, usec, c->out->errored);
    c->eng->stats.commands++;
    hotkeys_note(c, mark, now_ns - started_ns);
    struct slow_command slow = { .argc = c->argc, .argv = c->argv, .usec = usec };
    note_duration(c->eng, c->session, row, &slow);
    return now_ns;
}
