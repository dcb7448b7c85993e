/* keyspace.c - commands on whole databases: KEYS, SCAN, FLUSHALL, SWAPDB, DBSIZE, MEMORY USAGE. */
#include "cmd/call.h"

/* --- walking --- */

struct walk {
    struct call *c;
    struct scan_options o;
    size_t found;
};

static bool wanted(const struct walk *w, const struct entry *e) {
    if (key_expired(w->c->eng, e)) return false;
    if (w->o.type.p && !str_is(w->o.type, type_of(entry_type(e))->name)) return false;
    return scan_matches(&w->o, entry_key(e));
}

static void visit(void *ctx, ref_t *place) {
    struct walk *w = ctx;
    const struct entry *e = arena_ptr(&w->c->eng->arena, *place);
    if (!wanted(w, e)) return;
    reply_bulk(w->c->out, entry_key(e));
    w->found++;
}

static void cmd_keys(struct call *c) {
    struct walk w = { .c = c };
    if (!str_eq(c->argv[1], STR("*"))) w.o.pattern = c->argv[1];
    size_t mark = reply_defer(c->out);
    const struct dict *keys = &engine_db(c->eng, c->db)->keys;
    dict_scan(&c->eng->arena, keys, 0, SIZE_MAX, visit, &w);
    reply_set_deferred_array(c->out, mark, w.found);
}

/* The cursor's upper half says which worker's keys it is about; a worker that is done passes it on
 * to the next. */
static uint64_t next_cursor(const struct engine *eng, uint64_t cursor) {
    uint64_t worker = (uint64_t)eng->worker + !cursor;
    return worker < (uint64_t)eng->workers || cursor ? worker << 32 | cursor : 0;
}

static void cmd_scan(struct call *c) {
    struct walk w = { .c = c };
    uint64_t cursor;
    if (!arg_cursor(c, 1, &cursor) || !arg_scan_options(c, 2, SCAN_TYPE, &w.o)) return;
    reply_array(c->out, 2);
    size_t cursor_mark = c->out->n;
    size_t mark = reply_defer(c->out);
    const struct dict *keys = &engine_db(c->eng, c->db)->keys;
    cursor = dict_scan(&c->eng->arena, keys, cursor & UINT32_MAX, (size_t)w.o.count, visit, &w);
    reply_set_deferred_array(c->out, mark, w.found);
    reply_insert_cursor(c->out, cursor_mark, next_cursor(c->eng, cursor));
}

static void cmd_dbsize(struct call *c) {
    reply_int(c->out, (int64_t)keyspace_count(c->eng, c->db));
}

/* --- emptying and exchanging --- */

static bool arg_flush_mode(struct call *c, bool *lazy) {
    *lazy = c->eng->config.lazyfree_lazy_user_flush;
    if (c->argc == 1) return true;
    bool async = arg_is(c, 1, "ASYNC");
    if (c->argc > 2 || (!async && !arg_is(c, 1, "SYNC"))) {
        call_syntax_error(c);
        return false;
    }
    *lazy = async;
    return true;
}

/* Logged even when nothing was there: a replica may have more. */
static void cmd_flushdb(struct call *c) {
    bool lazy;
    if (!arg_flush_mode(c, &lazy)) return;
    c->dirty += keyspace_count(c->eng, c->db);
    keyspace_flush(c->eng, c->db, lazy);
    call_propagate(c, c->argc, c->argv);
    if (c->eng->hooks.flushed) c->eng->hooks.flushed(c->eng);
    reply_ok(c->out);
}

static void cmd_flushall(struct call *c) {
    bool lazy;
    if (!arg_flush_mode(c, &lazy)) return;
    for (int db = 0; db < c->eng->databases; db++) {
        c->dirty += keyspace_count(c->eng, db);
        keyspace_flush(c->eng, db, lazy);
    }
    call_propagate(c, c->argc, c->argv);
    if (c->eng->hooks.emptied) c->eng->hooks.emptied(c->eng, c->dirty);
    if (c->eng->hooks.flushed) c->eng->hooks.flushed(c->eng);
    reply_ok(c->out);
}

static void cmd_swapdb(struct call *c) {
    int64_t a, b;
    if (!arg_range(c, 1, INT32_MIN, INT32_MAX, &a, "ERR invalid first DB index") ||
        !arg_range(c, 2, INT32_MIN, INT32_MAX, &b, "ERR invalid second DB index"))
        return;
    if (a < 0 || b < 0 || a >= c->eng->databases || b >= c->eng->databases) {
        reply_status(c->out, ST_DB_INDEX);
        return;
    }
    keyspace_swap(c->eng, (int)a, (int)b);
    c->dirty++;
    reply_ok(c->out);
}

/* --- memory of one key --- */

static void cmd_memory_usage(struct call *c) {
    int64_t samples = 5;
    struct key k;
    for (int i = 3; i < c->argc; i++) {
        if (!arg_is(c, i, "SAMPLES") || i + 1 == c->argc) {
            call_syntax_error(c);
            return;
        }
        if (!arg_i64(c, ++i, &samples)) return;
        if (samples < 0) {
            call_syntax_error(c);
            return;
        }
    }
    if (!call_find(c, 2, KEY_PEEK, &k)) {
        reply_null(c->out);
        return;
    }
    struct value v = entry_value(k.entry);
    size_t bytes = heap_usable(&c->eng->arena, *k.place) + sizeof(ref_t) + 1;
    if (v.root) bytes += type_of(v.type)->memory(&c->eng->arena, &v, (size_t)samples);
    reply_int(c->out, (int64_t)bytes);
}

#define FLUSH_FLAGS CMD_WRITE | CMD_DANGEROUS
static const struct command keyspace_rows[] = {
    { "KEYS", 2, CMD_READ | CMD_DANGEROUS, "keyspace", cmd_keys, { { 0 } } },
    { "SCAN", -2, CMD_READ, "keyspace", cmd_scan, { { 0 } } },
};
COMMAND_GROUP(keyspace_commands, "generic", keyspace_rows);

static const struct command database_rows[] = {
    { "DBSIZE", 1, CMD_READ | CMD_FAST, "keyspace", cmd_dbsize, { { 0 } } },
    { "FLUSHDB", -1, FLUSH_FLAGS, "keyspace", cmd_flushdb, { { 0 } } },
    { "FLUSHALL", -1, FLUSH_FLAGS, "keyspace", cmd_flushall, { { 0 } } },
    { "SWAPDB", 3, CMD_WRITE | CMD_FAST | CMD_DANGEROUS, "keyspace", cmd_swapdb, { { 0 } } },
    { "MEMORY", -2, CMD_CONTAINER, "", NULL, { { 0 } } },
    { "MEMORY|USAGE", -3, CMD_READ, "", cmd_memory_usage, { KEY(2, KF_RO) } },
};
COMMAND_GROUP(database_commands, "server", database_rows);
