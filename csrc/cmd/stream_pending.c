/* stream_pending.c - pending entries: XACK, XNACK, XPENDING. */
#include "cmd/stream.h"

static bool fail(struct call *c, const char *line) {
    reply_error(c->out, line);
    return false;
}

/* --- XACK --- */

static void cmd_xack(struct call *c) {
    struct stream_key k;
    int64_t acked = 0;
    if (!stream_open_update(c, 1, &k)) return;
    struct arena *a = &c->eng->arena;
    struct stream_group *g = k.s ? stream_group_find(a, k.s, c->argv[2]) : NULL;
    if (g) {
        struct stream_id *ids = arg_stream_ids(c, 3, c->argc - 3);
        if (!ids) return;
        for (int i = 0; i < c->argc - 3; i++) acked += stream_acknowledge(a, g, ids[i]);
        free(ids);
    }
    if (acked) call_regrouped(c, &k.key, NULL, (uint64_t)acked);
    reply_int(c->out, acked);
}

/* --- XNACK --- */

enum nack_mode { NACK_SILENT, NACK_FAIL, NACK_FATAL };

struct xnack {
    enum nack_mode mode;
    bool force;
    int64_t retrycount; /* -1: not given */
    struct stream_id *ids;
    int n;
};

static const struct stream_ids_texts nack_texts = { "ERR numids must be a positive integer",
                                                    "ERR number of IDs doesn't match numids",
                                                    INT32_MAX };

static bool parse_nack_option(struct call *c, int *i, struct xnack *x) {
    if (arg_is(c, *i, "FORCE")) {
        x->force = true;
        ++*i;
        return true;
    }
    if (*i + 1 < c->argc && arg_is(c, *i, "IDS")) {
        free(x->ids);
        x->ids = NULL;
        if (!arg_stream_numids(c, i, &nack_texts, &x->n)) return false;
        x->ids = arg_stream_ids(c, *i - x->n, x->n);
        return x->ids;
    }
    if (*i + 1 < c->argc && arg_is(c, *i, "RETRYCOUNT")) {
        if (!arg_i64(c, *i + 1, &x->retrycount)) return false;
        *i += 2;
        return x->retrycount >= 0 || fail(c, "ERR Invalid RETRYCOUNT value, must be >= 0");
    }
    reply_errorf(c->out, "ERR Unrecognized XNACK option '%.*s'", (int)c->argv[*i].n, c->argv[*i].p);
    return false;
}

/* False: replied. x->ids is to be freed either way. */
static bool parse_xnack(struct call *c, struct xnack *x) {
    *x = (struct xnack){ .retrycount = -1 };
    if (arg_is(c, 3, "SILENT"))
        x->mode = NACK_SILENT;
    else if (arg_is(c, 3, "FAIL"))
        x->mode = NACK_FAIL;
    else if (arg_is(c, 3, "FATAL"))
        x->mode = NACK_FATAL;
    else
        return fail(c, "ERR mode must be SILENT, FAIL, or FATAL");
    for (int i = 4; i < c->argc;)
        if (!parse_nack_option(c, &i, x)) return false;
    if (!x->ids) call_syntax_error(c);
    return x->ids;
}

static uint64_t count_after_nack(const struct xnack *x, uint64_t count) {
    if (x->retrycount >= 0) return (uint64_t)x->retrycount;
    if (x->mode == NACK_FATAL) return INT64_MAX;
    return x->mode == NACK_SILENT && count > 0 ? count - 1 : count;
}

/* Memory ran out after the first n ids: those are what is to be logged. */
static void propagate_first(struct call *c, struct xnack *x, int n) {
    char(*texts)[STREAM_ID_TEXT] = malloc(((size_t)n + 2) * sizeof *texts);
    struct str *argv = malloc(((size_t)n + 9) * sizeof *argv);
    int argc = 6;
    ASSERT(texts && argv);
    memcpy(argv, c->argv, 4 * sizeof *argv);
    argv[4] = STR("IDS");
    argv[5] = (struct str){ texts[n], u64_to_text(texts[n], (uint64_t)n) };
    for (int i = 0; i < n; i++)
        argv[argc++] = (struct str){ texts[i], stream_id_text(texts[i], x->ids[i]) };
    if (x->force) argv[argc++] = STR("FORCE");
    if (x->retrycount >= 0) {
        argv[argc++] = STR("RETRYCOUNT");
        argv[argc++] =
            (struct str){ texts[n + 1], u64_to_text(texts[n + 1], (uint64_t)x->retrycount) };
    }
    call_propagate(c, argc, argv);
    free(argv);
    free(texts);
}

static void cmd_xnack(struct call *c) {
    struct stream_key k;
    struct stream_group *g;
    struct xnack x;
    status st = ST_OK;
    int64_t released = 0;
    int i = 0;
    if (!stream_open_write(c, 1, &k)) return;
    g = k.s ? stream_group_find(&c->eng->arena, k.s, c->argv[2]) : NULL;
    if (!g) {
        stream_no_group(c, c->argv[1], c->argv[2]);
        return;
    }
    if (parse_xnack(c, &x)) {
        struct arena *a = &c->eng->arena;
        for (; i < x.n && st == ST_OK; i++) {
            struct stream_pending p = { .count = 0 };
            bool pending = stream_pending_find(a, g, x.ids[i], &p);
            if (!pending && !(x.force && stream_has(a, k.s, x.ids[i]))) continue;
            st = stream_give_back(a, g, x.ids[i], count_after_nack(&x, p.count));
            released += st == ST_OK;
        }
        if (released) call_regrouped(c, &k.key, NULL, (uint64_t)released);
        if (st != ST_OK && released) propagate_first(c, &x, i - 1);
        if (call_ok(c, st)) reply_int(c->out, released);
    }
    free(x.ids);
}

/* --- XPENDING --- */

static void reply_summary(struct call *c, const struct stream_group *g) {
    const struct arena *a = &c->eng->arena;
    struct idtree_iter it;
    const uint8_t *first = idtree_first(a, &stream_pending_kind, &g->pending, &it);
    reply_array(c->out, 4);
    reply_int(c->out, (int64_t)g->pending.count);
    if (!first) {
        reply_null(c->out);
        reply_null(c->out);
        reply_null_array(c->out);
        return;
    }
    reply_stream_id(c->out, (struct stream_id){ idtree_word(first, 0), idtree_word(first, 1) });
    const uint8_t *last = idtree_last(a, &stream_pending_kind, &g->pending, &it);
    reply_stream_id(c->out, (struct stream_id){ idtree_word(last, 0), idtree_word(last, 1) });
    size_t mark = reply_defer(c->out), n = 0;
    for (uint32_t i = 0; i < g->consumers.count; i++) {
        const struct stream_consumer *one =
            stream_consumer_at(a, g, stream_consumer_number(a, g, i));
        if (!one->pending.count) continue;
        reply_array(c->out, 2);
        reply_bulk(c->out, stream_consumer_name(one));
        reply_bulk_i64(c->out, (int64_t)one->pending.count);
        n++;
    }
    reply_set_deferred_array(c->out, mark, n);
}

struct xpending {
    struct stream_id start, end;
    int64_t count, min_idle_ms;
    int consumer_at; /* 0: all consumers */
};

static bool parse_xpending(struct call *c, struct xpending *x) {
    int at = 3;
    *x = (struct xpending){ 0 };
    if (c->argc < 6) return call_syntax_error(c), false;
    if (arg_is(c, 3, "IDLE")) {
        if (!arg_i64(c, 4, &x->min_idle_ms)) return false;
        if (c->argc < 8) return call_syntax_error(c), false;
        at = 5;
    }
    if (!arg_i64(c, at + 2, &x->count)) return false;
    if (x->count < 0) x->count = 0;
    if (!arg_stream_start(c, at, &x->start) || !arg_stream_end(c, at + 1, &x->end)) return false;
    x->consumer_at = c->argc > at + 3 ? at + 3 : 0;
    return true;
}

static void reply_pending(struct call *c, const struct stream_group *g,
                          const struct stream_pending *p) {
    struct str nobody = { "", 0 };
    uint64_t now = c->eng->now_ms, time = pending_time(p);
    bool given_back = p->consumer == ROSTER_NONE;
    reply_array(c->out, 4);
    reply_stream_id(c->out, p->id);
    reply_bulk(c->out, given_back ? nobody
                                  : stream_consumer_name(
                                        stream_consumer_at(&c->eng->arena, g, p->consumer)));
    reply_int(c->out, given_back ? -1 : now > time ? (int64_t)(now - time) : 0);
    reply_int(c->out, (int64_t)p->count);
}

/* Pending entries of a range: of the group, or of one consumer. */
static void reply_pending_range(struct call *c, const struct stream_group *g,
                                const struct xpending *x, const struct stream_consumer *only) {
    const struct arena *a = &c->eng->arena;
    const struct idtree_kind *kind = only ? &stream_ids_kind : &stream_pending_kind;
    const struct idtree *tree = only ? &only->pending : &g->pending;
    struct idtree_iter it;
    size_t mark = reply_defer(c->out), n = 0;
    const uint8_t *record =
        idtree_seek(a, kind, tree, (uint64_t[]){ x->start.ms, x->start.seq }, &it);
    for (; record && n < (size_t)x->count; record = idtree_next(a, kind, &it)) {
        struct stream_pending p;
        struct stream_id id = { idtree_word(record, 0), idtree_word(record, 1) };
        if (stream_id_cmp(id, x->end) > 0) break;
        stream_pending_find(a, g, id, &p);
        if (!stream_idle_enough(c, &p, x->min_idle_ms)) continue;
        reply_pending(c, g, &p);
        n++;
    }
    reply_set_deferred_array(c->out, mark, n);
}

static void cmd_xpending(struct call *c) {
    struct xpending x;
    struct stream_key k;
    if (c->argc > 9) {
        call_syntax_error(c);
        return;
    }
    if (c->argc > 3 && !parse_xpending(c, &x)) return;
    if (!stream_open_read(c, 1, &k)) return;
    const struct arena *a = &c->eng->arena;
    struct stream_group *g = k.s ? stream_group_find(a, k.s, c->argv[2]) : NULL;
    if (!g) {
        stream_no_group(c, c->argv[1], c->argv[2]);
        return;
    }
    if (c->argc == 3) {
        reply_summary(c, g);
        return;
    }
    if (!x.consumer_at) {
        reply_pending_range(c, g, &x, NULL);
        return;
    }
    uint32_t number = stream_consumer_find(a, g, c->argv[x.consumer_at]);
    if (number == ROSTER_NONE)
        reply_array(c->out, 0);
    else
        reply_pending_range(c, g, &x, stream_consumer_at(a, g, number));
}

#define S "stream"
#define UPDATES KEY(1, KF_RW | KF_UPDATE)
#define W CMD_WRITE | CMD_FAST
static const struct command stream_pending_rows[] = {
    { "XACK", -4, W, S, cmd_xack, { UPDATES } },
    { "XNACK", -7, W, S, cmd_xnack, { UPDATES } },
    { "XPENDING", -3, CMD_READ, S, cmd_xpending, { KEY(1, KF_RO | KF_ACCESS) } },
};
COMMAND_GROUP(stream_pending_commands, "stream", stream_pending_rows);
