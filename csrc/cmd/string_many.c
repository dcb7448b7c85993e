/* string_many.c - strings, several keys at a time: MGET, MSET and their like. */
#include "cmd/call.h"

static void cmd_mget(struct call *c) {
    reply_array(c->out, (size_t)c->argc - 1);
    for (int i = 1; i < c->argc; i++) {
        struct key k;
        char buf[24];
        call_load_keys(c, 1, i, c->argc, 1);
        if (call_find(c, i, KEY_READ, &k) && entry_type(k.entry) == TYPE_STRING)
            reply_bulk(c->out, entry_string(&c->eng->arena, k.entry, buf));
        else
            reply_null(c->out);
    }
}

/* Sets the pairs argv[first], argv[first + 1] …; returns how many are in. When the arena is full
 * after some of them, those stay, and the caller logs them. */
static int set_pairs(struct call *c, int first, int pairs, uint64_t expiry, bool expires,
                     status *st) {
    *st = ST_OK;
    for (int i = 0; i < pairs; i++) {
        struct key k;
        call_load_keys(c, first, first + 2 * i, first + 2 * pairs, 2);
        call_find(c, first + 2 * i, KEY_WRITE, &k);
        *st = key_set_string(c->eng, &k, c->argv[first + 2 * i + 1], expiry);
        if (*st != ST_OK) return i;
        if (expires) engine_notify(c->eng, NOTIFY_GENERIC, "expire", k.name, k.db);
        call_changed(c, &k, NOTIFY_STRING, "set", 1);
    }
    return pairs;
}

/* All pairs of MSET or MSETNX; false: the error is the reply. */
static bool set_all(struct call *c) {
    status st;
    int pairs = c->argc / 2, done = set_pairs(c, 1, pairs, EXPIRY_NONE, false, &st);
    if (done > 0 && done < pairs) {
        struct str name = c->argv[0];
        c->argv[0] = STR("MSET");
        call_propagate(c, 1 + 2 * done, c->argv);
        c->argv[0] = name;
    }
    return call_ok(c, st);
}

static bool any_exists(struct call *c, int first, int pairs) {
    for (int i = 0; i < pairs; i++) {
        struct key k;
        if (call_find(c, first + 2 * i, KEY_WRITE, &k)) return true;
    }
    return false;
}

static bool all_exist(struct call *c, int first, int pairs) {
    for (int i = 0; i < pairs; i++) {
        struct key k;
        if (!call_find(c, first + 2 * i, KEY_WRITE, &k)) return false;
    }
    return true;
}

static void cmd_mset(struct call *c) {
    if (c->argc % 2 == 0)
        call_arity_error(c);
    else if (set_all(c))
        reply_ok(c->out);
}

static void cmd_msetnx(struct call *c) {
    if (c->argc % 2 == 0)
        call_arity_error(c);
    else if (any_exists(c, 1, c->argc / 2))
        reply_int(c->out, 0);
    else if (set_all(c))
        reply_int(c->out, 1);
}

/* --- MSETEX --- */

struct msetex {
    int pairs;
    bool nx, xx, keep;
    struct expiry_option time;
    uint64_t expiry;
};

/* One word behind the pairs; a word may be repeated. */
static bool take_msetex_option(struct call *c, int *i, struct msetex *o) {
    if (!o->xx && arg_is(c, *i, "NX")) return o->nx = true;
    if (!o->nx && arg_is(c, *i, "XX")) return o->xx = true;
    if (!o->time.word && arg_is(c, *i, "KEEPTTL")) return o->keep = true;
    return !o->keep && take_expiry(c, i, &o->time);
}

static bool parse_msetex(struct call *c, struct msetex *o) {
    int64_t n;
    *o = (struct msetex){ 0 };
    if (!arg_range(c, 1, 1, INT32_MAX, &n, "ERR invalid numkeys value")) return false;
    if (n > (c->argc - 2) / 2) {
        reply_error(c->out, "ERR wrong number of key-value pairs");
        return false;
    }
    o->pairs = (int)n;
    for (int i = 2 + 2 * o->pairs; i < c->argc; i++)
        if (!take_msetex_option(c, &i, o)) return call_syntax_error(c), false;
    if (o->keep) o->expiry = EXPIRY_KEEP;
    return read_expiry(c, &o->time, &o->expiry);
}

/* The first pairs and all options, a relative time as an absolute one. */
static void propagate_msetex(struct call *c, const struct msetex *o, int pairs) {
    char count[24], time[24];
    int argc = 2 + 2 * pairs, options = 2 + 2 * o->pairs;
    struct str *argv = malloc((size_t)c->argc * sizeof *argv);
    ASSERT(argv);
    memcpy(argv, c->argv, (size_t)argc * sizeof *argv);
    argv[1] = (struct str){ count, i64_to_text(count, pairs) };
    bool relative =
        o->time.word && (arg_is(c, o->time.at - 1, "EX") || arg_is(c, o->time.at - 1, "PX"));
    for (int i = options; i < c->argc; i++) {
        argv[argc] = c->argv[i];
        if (relative && i == o->time.at - 1) argv[argc] = STR("PXAT");
        if (relative && i == o->time.at)
            argv[argc] = (struct str){ time, i64_to_text(time, (int64_t)o->expiry) };
        argc++;
    }
    call_propagate(c, argc, argv);
    free(argv);
}

static void cmd_msetex(struct call *c) {
    struct msetex o;
    if (!parse_msetex(c, &o)) return;
    if ((o.nx && any_exists(c, 2, o.pairs)) || (o.xx && !all_exist(c, 2, o.pairs))) {
        reply_int(c->out, 0);
        return;
    }
    status st;
    int done = set_pairs(c, 2, o.pairs, o.expiry, o.time.word, &st);
    if (done) propagate_msetex(c, &o, done);
    if (call_ok(c, st)) reply_int(c->out, 1);
}

static const struct command string_many_rows[] = {
    { "MGET", -2, CMD_READ | CMD_FAST, "string", cmd_mget, { KEYS(1, -1, 1, KF_RO | KF_ACCESS) } },
    { "MSET",
      -3,
      CMD_WRITE | CMD_DENYOOM,
      "string",
      cmd_mset,
      { KEYS(1, -1, 2, KF_OW | KF_UPDATE) } },
    { "MSETNX",
      -3,
      CMD_WRITE | CMD_DENYOOM,
      "string",
      cmd_msetnx,
      { KEYS(1, -1, 2, KF_OW | KF_INSERT) } },
    { "MSETEX",
      -4,
      CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS,
      "string",
      cmd_msetex,
      { { .flags = KF_OW | KF_UPDATE,
          .begin = 'i',
          .find = 'n',
          .at = 1,
          .a = 0,
          .b = 1,
          .c = 2 } } },
};
COMMAND_GROUP(string_many_commands, "string", string_many_rows);
