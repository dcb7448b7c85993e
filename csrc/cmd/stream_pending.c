/* stream_pending.c - pending entries: XACK, XNACK, XPENDING, XCLAIM, XAUTOCLAIM. */
#include "cmd/stream.h"

static bool fail(struct call *c, const char *line) {
    reply_error(c->out, line);
    return false;
}

/* --- XACK --- */

static void cmd_xack(struct call *c) {
    struct stream_key k;
    int64_t acked = 0;
    if (!stream_open_write(c, 1, &k)) return;
    struct arena *a = &c->eng->arena;
    struct stream_group *g = k.s ? stream_group_find(a, k.s, c->argv[2]) : NULL;
    if (g) {
        struct stream_id *ids = arg_stream_ids(c, 3, c->argc - 3);
        if (!ids) return;
        for (int i = 0; i < c->argc - 3; i++) acked += stream_acknowledge(a, g, ids[i]);
        free(ids);
    }
    if (acked) call_changed(c, &k.key, NOTIFY_STREAM, NULL, (uint64_t)acked);
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
                                                    "ERR number of IDs doesn't match numids" };

static bool parse_nack_option(struct call *c, int *i, struct xnack *x) {
    if (arg_is(c, *i, "FORCE")) {
        x->force = true;
        ++*i;
        return true;
    }
    if (*i + 1 < c->argc && arg_is(c, *i, "IDS")) {
        free(x->ids);
        x->ids = arg_stream_numids(c, i, &nack_texts, &x->n);
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
    if (!stream_open_group(c, 1, &k, &g)) return;
    if (parse_xnack(c, &x)) {
        struct arena *a = &c->eng->arena;
        for (; i < x.n && st == ST_OK; i++) {
            struct stream_pending p = { .count = 0 };
            bool pending = stream_pending_find(a, g, x.ids[i], &p);
            if (!pending && !(x.force && stream_has(a, k.s, x.ids[i]))) continue;
            st = stream_give_back(a, g, x.ids[i], count_after_nack(&x, p.count));
            released += st == ST_OK;
        }
        if (released) call_changed(c, &k.key, NOTIFY_STREAM, NULL, (uint64_t)released);
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

static bool idle_enough(const struct call *c, const struct stream_pending *p, int64_t min_ms) {
    uint64_t now = c->eng->now_ms, time = pending_time(p);
    return min_ms <= 0 || (now > time && now - time >= (uint64_t)min_ms);
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
        if (!idle_enough(c, &p, x->min_idle_ms)) continue;
        reply_pending(c, g, &p);
        n++;
    }
    reply_set_deferred_array(c->out, mark, n);
}

static void cmd_xpending(struct call *c) {
    struct xpending x;
    struct stream_key k;
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

/* --- claiming --- */

/* A claim under way. */
struct claim {
    struct call *c;
    struct stream_key *k;
    struct stream_group *g;
    uint32_t consumer;
    int64_t min_idle_ms;
    bool justid;
    bool force;
    int64_t time_ms;    /* of delivery */
    int64_t retrycount; /* -1: one more than before */
    size_t replied;
};

/* A pending entry that the stream has no more: gone from the group, and from its replicas, by a
 * claim of whoever had it, which finds nothing either. */
static void drop_vanished(struct claim *x, const struct stream_pending *p) {
    struct call *c = x->c;
    struct arena *a = &c->eng->arena;
    if (p->consumer != ROSTER_NONE) {
        struct str owner = stream_consumer_name(stream_consumer_at(a, x->g, p->consumer));
        stream_propagate_claim(c, c->argv[1], c->argv[2], owner, p, x->g->last);
    } else {
        char text[STREAM_ID_TEXT];
        struct str id = { text, stream_id_text(text, p->id) };
        call_propagatef(c, "XACK %b %b %b", &c->argv[1], &c->argv[2], &id);
    }
    stream_acknowledge(a, x->g, p->id);
    c->dirty++;
}

/* Gives an entry that is in the stream to the consumer, and replies it. `count` is how often it was
 * delivered before. */
static status take_entry(struct claim *x, struct stream_id id, uint64_t count) {
    struct call *c = x->c;
    struct arena *a = &c->eng->arena;
    struct stream_pending p;
    if (x->retrycount >= 0)
        count = (uint64_t)x->retrycount;
    else if (!x->justid)
        count = count_up(count);
    status st = stream_deliver(a, x->g, x->consumer, id, (uint64_t)x->time_ms, count);
    if (st != ST_OK) return st;
    if (x->justid)
        reply_stream_id(c->out, id);
    else
        reply_stream_entry_of(c, x->k->s, id, 0);
    x->replied++;
    stream_consumer_at(a, x->g, x->consumer)->active_ms = c->eng->now_ms;
    stream_pending_find(a, x->g, id, &p);
    stream_propagate_claim(c, c->argv[1], c->argv[2], c->argv[3], &p, x->g->last);
    c->dirty++;
    return ST_OK;
}

static status claim_one(struct claim *x, struct stream_id id) {
    struct arena *a = &x->c->eng->arena;
    struct stream_pending p = { .count = 1 }; /* that of one made by FORCE */
    bool pending = stream_pending_find(a, x->g, id, &p);
    if (!stream_has(a, x->k->s, id)) {
        if (pending) drop_vanished(x, &p);
        return ST_OK;
    }
    if (!pending && !x->force) return ST_OK;
    if (pending && !idle_enough(x->c, &p, x->min_idle_ms)) return ST_OK;
    return take_entry(x, id, p.count);
}

/* Memory ran out: what was claimed before stays so, and a consumer that was made is made. */
static void claim_failed(struct call *c, size_t mark, status st, bool created) {
    if (created && !c->dirty++)
        call_propagatef(c, "XGROUP CREATECONSUMER %b %b %b", &c->argv[1], &c->argv[2], &c->argv[3]);
    reply_fail(c->out, mark, st);
}

/* --- XCLAIM --- */

struct xclaim {
    struct claim claim;
    struct stream_id *ids, last;
    int n;
};

static bool claim_number(struct call *c, int i, int64_t *out, const char *option) {
    if (str_to_i64(c->argv[i], out)) return true;
    reply_errorf(c->out, "ERR Invalid %s option argument for XCLAIM", option);
    return false;
}

static bool parse_claim_option(struct call *c, int *i, struct xclaim *x) {
    int64_t number;
    bool more = *i + 1 < c->argc;
    if (arg_is(c, *i, "FORCE")) return x->claim.force = true;
    if (arg_is(c, *i, "JUSTID")) return x->claim.justid = true;
    if (more && arg_is(c, *i, "IDLE")) {
        if (!claim_number(c, ++*i, &number, "IDLE")) return false;
        if (__builtin_sub_overflow((int64_t)c->eng->now_ms, number, &x->claim.time_ms))
            x->claim.time_ms = -1;
        return true;
    }
    if (more && arg_is(c, *i, "TIME")) return claim_number(c, ++*i, &x->claim.time_ms, "TIME");
    if (more && arg_is(c, *i, "RETRYCOUNT"))
        return claim_number(c, ++*i, &x->claim.retrycount, "RETRYCOUNT");
    if (more && arg_is(c, *i, "LASTID")) return arg_stream_id(c, ++*i, 0, &x->last);
    reply_errorf(c->out, "ERR Unrecognized XCLAIM option '%.*s'", (int)c->argv[*i].n,
                 c->argv[*i].p);
    return false;
}

/* False: replied. x->ids is to be freed either way. */
static bool parse_xclaim(struct call *c, struct xclaim *x) {
    int64_t now = (int64_t)c->eng->now_ms;
    struct claim *claim = &x->claim;
    *x = (struct xclaim){ .claim = { .c = c, .time_ms = now, .retrycount = -1 } };
    if (!arg_i64_or(c, 4, &claim->min_idle_ms, "ERR Invalid min-idle-time argument for XCLAIM"))
        return false;
    x->ids = malloc((size_t)c->argc * sizeof *x->ids);
    ASSERT(x->ids);
    int i = 5;
    while (i < c->argc && stream_parse_id(c->argv[i], 0, &x->ids[x->n])) i++, x->n++;
    for (; i < c->argc; i++)
        if (!parse_claim_option(c, &i, x)) return false;
    if (claim->time_ms < 0 || claim->time_ms > now) claim->time_ms = now;
    return true;
}

static void claim_ids(struct call *c, struct xclaim *x, struct stream_key *k) {
    struct claim *claim = &x->claim;
    bool created, moved = stream_id_cmp(x->last, claim->g->last) > 0;
    status st = stream_consumer_open(c, &k->key, claim->g, c->argv[3], &claim->consumer, &created);
    if (!call_ok(c, st)) return;
    if (moved) claim->g->last = x->last;
    size_t mark = reply_defer(c->out);
    for (int i = 0; i < x->n && st == ST_OK; i++) st = claim_one(claim, x->ids[i]);
    bool logged = c->dirty > 0;
    if (moved) c->dirty++;
    if (moved && !logged) stream_propagate_setid(c, c->argv[1], c->argv[2], claim->g);
    if (c->dirty) engine_modified(c->eng, k->key.name, k->key.db);
    if (st == ST_OK)
        reply_set_deferred_array(c->out, mark, claim->replied);
    else
        claim_failed(c, mark, st, created);
}

static void cmd_xclaim(struct call *c) {
    struct xclaim x;
    struct stream_key k;
    struct stream_group *g;
    if (!stream_open_group(c, 1, &k, &g)) return;
    if (parse_xclaim(c, &x)) {
        x.claim.k = &k;
        x.claim.g = g;
        claim_ids(c, &x, &k);
    }
    free(x.ids);
}

/* --- XAUTOCLAIM --- */

#define ATTEMPTS 10 /* entries looked at for each that may be claimed */

struct xautoclaim {
    struct claim claim;
    struct stream_id start;
    int64_t count;
};

static bool parse_xautoclaim(struct call *c, struct xautoclaim *x) {
    *x = (struct xautoclaim){
        .count = 100, .claim = { .c = c, .time_ms = (int64_t)c->eng->now_ms, .retrycount = -1 }
    };
    if (!arg_i64_or(c, 4, &x->claim.min_idle_ms,
                    "ERR Invalid min-idle-time argument for XAUTOCLAIM"))
        return false;
    if (!arg_stream_start(c, 5, &x->start)) return false;
    for (int i = 6; i < c->argc; i++) {
        if (i + 1 < c->argc && arg_is(c, i, "COUNT")) {
            if (!arg_range(c, ++i, 1, INT64_MAX / ATTEMPTS, &x->count, "ERR COUNT must be > 0"))
                return false;
        } else if (arg_is(c, i, "JUSTID")) {
            x->claim.justid = true;
        } else {
            return call_syntax_error(c), false;
        }
    }
    return true;
}

/* Ids whose entries the stream has no more. */
struct vanished {
    struct stream_id *ids;
    size_t n, room;
};

static void note_vanished(struct vanished *v, struct stream_id id) {
    if (v->n == v->room) {
        v->room = v->room ? 2 * v->room : 16;
        v->ids = realloc(v->ids, v->room * sizeof *v->ids);
        ASSERT(v->ids);
    }
    v->ids[v->n++] = id;
}

/* Claims from x->start on, which moves to where to go on, 0-0 at the end. */
static status claim_range(struct xautoclaim *x, struct vanished *gone) {
    struct claim *claim = &x->claim;
    struct arena *a = &claim->c->eng->arena;
    status st = ST_OK;
    int64_t attempts = x->count * ATTEMPTS, left = x->count;
    for (; st == ST_OK; attempts--) {
        struct idtree_iter it;
        struct stream_pending p;
        const uint8_t *record = idtree_seek(a, &stream_pending_kind, &claim->g->pending,
                                            (uint64_t[]){ x->start.ms, x->start.seq }, &it);
        if (!record) {
            x->start = STREAM_ID_MIN;
            break;
        }
        stream_pending_read(record, &p);
        x->start = p.id;
        if (attempts == 0 || left == 0) break;
        if (!stream_has(a, claim->k->s, p.id)) {
            note_vanished(gone, p.id);
            drop_vanished(claim, &p);
            left--;
        } else if (idle_enough(claim->c, &p, claim->min_idle_ms)) {
            st = take_entry(claim, p.id, p.count);
            left--;
        }
        if (st == ST_OK && !stream_id_next(&x->start)) {
            x->start = STREAM_ID_MIN;
            break;
        }
    }
    return st;
}

/* The head of the reply, known last: three elements, the first being where to go on. */
static void insert_head(struct reply *r, size_t at, struct stream_id next) {
    char id[STREAM_ID_TEXT], head[STREAM_ID_TEXT + 16];
    size_t digits = stream_id_text(id, next);
    size_t n =
        (size_t)snprintf(head, sizeof head, "*3\r\n$%zu\r\n%.*s\r\n", digits, (int)digits, id);
    reply_room(r, n);
    memmove(r->p + at + n, r->p + at, r->n - at);
    memcpy(r->p + at, head, n);
    r->n += n;
}

static void autoclaim(struct call *c, struct xautoclaim *x, struct stream_key *k) {
    struct claim *claim = &x->claim;
    struct vanished gone = { 0 };
    bool created;
    status st = stream_consumer_open(c, &k->key, claim->g, c->argv[3], &claim->consumer, &created);
    if (!call_ok(c, st)) return;
    size_t begun = reply_defer(c->out);
    st = claim_range(x, &gone);
    reply_set_deferred_array(c->out, begun, claim->replied);
    insert_head(c->out, begun, x->start);
    reply_array(c->out, gone.n);
    for (size_t i = 0; i < gone.n; i++) reply_stream_id(c->out, gone.ids[i]);
    free(gone.ids);
    if (c->dirty) engine_modified(c->eng, k->key.name, k->key.db);
    if (st != ST_OK) claim_failed(c, begun, st, created);
}

static void cmd_xautoclaim(struct call *c) {
    struct xautoclaim x;
    struct stream_key k;
    if (!parse_xautoclaim(c, &x) || !stream_open_group(c, 1, &k, &x.claim.g)) return;
    x.claim.k = &k;
    autoclaim(c, &x, &k);
}

#define S "stream"
#define UPDATES KEY(1, KF_RW | KF_UPDATE)
#define W CMD_WRITE | CMD_FAST
static const struct command stream_pending_rows[] = {
    { "XACK", -4, W, S, cmd_xack, { UPDATES } },
    { "XNACK", -7, W, S, cmd_xnack, { UPDATES } },
    { "XPENDING", -3, CMD_READ, S, cmd_xpending, { KEY(1, KF_RO | KF_ACCESS) } },
    { "XCLAIM", -6, W, S, cmd_xclaim, { UPDATES } },
    { "XAUTOCLAIM", -6, W, S, cmd_xautoclaim, { KEY(1, KF_RW | KF_DELETE) } },
};
COMMAND_GROUP(stream_pending_commands, "stream", stream_pending_rows);
