/* stream_claim.c - pending entries that change hands: XCLAIM, XAUTOCLAIM. */
#include "cmd/stream.h"

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
    stream_consumer_at(a, x->g, x->consumer)->active_ms = engine_wall_ms(c->eng);
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
    if (pending && !stream_idle_enough(x->c, &p, x->min_idle_ms)) return ST_OK;
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
        if (__builtin_sub_overflow((int64_t)engine_wall_ms(c->eng), number, &x->claim.time_ms))
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
    int64_t now = (int64_t)engine_wall_ms(c->eng);
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
    if (c->dirty) engine_regrouped(c->eng, k->key.name, k->key.db);
    if (st == ST_OK)
        reply_set_deferred_array(c->out, mark, claim->replied);
    else
        claim_failed(c, mark, st, created);
}

static void cmd_xclaim(struct call *c) {
    struct xclaim x;
    struct stream_key k;
    struct stream_group *g;
    call_find(c, 1, KEY_UPDATE, &k.key); /* for its miss */
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
        .count = 100,
        .claim = { .c = c, .time_ms = (int64_t)engine_wall_ms(c->eng), .retrycount = -1 }
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
        } else if (stream_idle_enough(claim->c, &p, claim->min_idle_ms)) {
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
    if (c->dirty) engine_regrouped(c->eng, k->key.name, k->key.db);
    if (st != ST_OK) claim_failed(c, begun, st, created);
}

static void cmd_xautoclaim(struct call *c) {
    struct xautoclaim x;
    struct stream_key k;
    call_find(c, 1, KEY_UPDATE, &k.key); /* a miss counts even if the options are wrong */
    if (!parse_xautoclaim(c, &x) || !stream_open_group(c, 1, &k, &x.claim.g)) return;
    x.claim.k = &k;
    autoclaim(c, &x, &k);
}

#define W CMD_WRITE | CMD_FAST
static const struct command stream_claim_rows[] = {
    { "XCLAIM", -6, W, "stream", cmd_xclaim, { KEY(1, KF_RW | KF_UPDATE) } },
    { "XAUTOCLAIM", -6, W, "stream", cmd_xautoclaim, { KEY(1, KF_RW | KF_DELETE) } },
};
COMMAND_GROUP(stream_claim_commands, "stream", stream_claim_rows);
