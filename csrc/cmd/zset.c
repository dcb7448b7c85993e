/* zset.c - one sorted set: members in, out, scored, ranked, drawn. */
#include "cmd/zset.h"

/* --- open and close --- */

bool zset_open_read(struct call *c, int i, struct zset *z) {
    if (!call_read(c, i, TYPE_ZSET, &z->key)) return false;
    if (z->key.entry) z->value = entry_value(z->key.entry);
    return true;
}

bool zset_open_write(struct call *c, int i, struct zset *z) {
    if (!call_write(c, i, TYPE_ZSET, &z->key)) return false;
    if (z->key.entry) z->value = entry_value(z->key.entry);
    return true;
}

void zset_close(struct call *c, struct zset *z) {
    key_store(c->eng, &z->key, &z->value);
    call_delete_if(c, &z->key, zset_length(&c->eng->arena, &z->value) == 0);
}

void zset_store(struct call *c, int i, struct value *v, const char *event) {
    struct key k;
    int64_t n = v->root ? (int64_t)zset_length(&c->eng->arena, v) : 0;
    call_find(c, i, KEY_WRITE, &k);
    if (n) {
        status st = key_replace(c->eng, &k, v);
        if (st != ST_OK) value_free(c->eng, *v, true);
        if (!call_ok(c, st)) return;
        call_changed(c, &k, NOTIFY_ZSET, event, (uint64_t)n);
    } else if (k.entry) {
        key_delete(c->eng, &k, c->eng->config.lazyfree_lazy_server_del);
        call_changed(c, &k, NOTIFY_GENERIC, "del", 1);
    }
    reply_int(c->out, n);
}

/* --- replies --- */

bool reply_scored(void *ctx, struct str member, double score) {
    struct score_reply *r = ctx;
    if (r->nested) reply_array(r->out, 2);
    reply_bulk(r->out, member);
    if (r->scores) reply_double(r->out, score);
    r->n++;
    return true;
}

struct score_reply score_reply(struct call *c, bool scores) {
    return (struct score_reply){ .out = c->out,
                                 .scores = scores,
                                 .nested = scores && c->out->resp >= 3 };
}

size_t score_reply_length(const struct score_reply *r, size_t n) {
    return r->scores && !r->nested ? 2 * n : n;
}

/* --- members in --- */

struct zadd {
    unsigned flags;
    bool changed; /* CH */
    int first;    /* argument of the first score */
    int pairs;
    double *scores;
};

static const char *incompatible(unsigned flags) {
    if (flags & ZSET_NX && flags & ZSET_XX)
        return "ERR XX and NX options at the same time are not compatible";
    int others = !!(flags & ZSET_GT) + !!(flags & ZSET_LT) + !!(flags & ZSET_NX);
    return others > 1 ? "ERR GT, LT, and/or NX options at the same time are not compatible" : NULL;
}

static void parse_zadd_options(struct call *c, struct zadd *z) {
    static const struct {
        const char *word;
        unsigned flag;
    } options[] = { { "NX", ZSET_NX }, { "XX", ZSET_XX },     { "GT", ZSET_GT },
                    { "LT", ZSET_LT }, { "INCR", ZSET_INCR }, { "CH", 0 } };
    for (z->first = 2; z->first < c->argc; z->first++) {
        size_t i = 0;
        while (i < 6 && !arg_is(c, z->first, options[i].word)) i++;
        if (i == 6) return;
        z->flags |= options[i].flag;
        z->changed |= !options[i].flag;
    }
}

/* False: error replied. */
static bool parse_zadd(struct call *c, struct zadd *z) {
    parse_zadd_options(c, z);
    int words = c->argc - z->first;
    z->pairs = words / 2;
    const char *problem = incompatible(z->flags);
    if (words % 2 || !words) problem = "ERR syntax error";
    if (!problem && z->flags & ZSET_INCR && z->pairs > 1)
        problem = "ERR INCR option supports a single increment-element pair";
    if (problem) {
        reply_error(c->out, problem);
        return false;
    }
    z->scores = malloc((size_t)z->pairs * sizeof *z->scores);
    ASSERT(z->scores);
    for (int i = 0; i < z->pairs; i++)
        if (!arg_double(c, z->first + 2 * i, &z->scores[i], NULL)) return false;
    return true;
}

/* The sorted set to add to; false: replied. It stays missing if nothing may be added. */
static bool open_to_add(struct call *c, const struct zadd *how, struct zset *z) {
    if (!zset_open_write(c, 1, z)) return false;
    if (z->key.entry || how->flags & ZSET_XX) return true;
    size_t longest = c->argv[how->first + 1].n; /* others change the encoding when they come */
    if (!call_ok(c, zset_create(c->eng, &z->value, (size_t)how->pairs, longest))) return false;
    status st = key_add(c->eng, &z->key, &z->value);
    if (st != ST_OK) value_free(c->eng, z->value, false);
    return call_ok(c, st);
}

static void reply_zadd(struct call *c, const struct zadd *how, int64_t n,
                       const struct zset_outcome *last) {
    if (!(how->flags & ZSET_INCR))
        reply_int(c->out, n);
    else if (last->refused)
        reply_null(c->out);
    else
        reply_double(c->out, last->score);
}

static void add_pairs(struct call *c, const struct zadd *how, struct zset *z) {
    struct zset_outcome o = { .refused = true };
    int64_t added = 0, updated = 0;
    status st = ST_OK;
    int i = 0;
    for (; z->key.entry && i < how->pairs && st == ST_OK; i++) {
        st = zset_put(c->eng, &z->value, c->argv[how->first + 2 * i + 1], how->scores[i],
                      how->flags, &o);
        added += o.added;
        updated += o.updated;
    }
    if (added || updated) {
        call_changed(c, &z->key, NOTIFY_ZSET, how->flags & ZSET_INCR ? "zincr" : "zadd",
                     (uint64_t)(added + updated));
        if (st != ST_OK) call_propagate(c, how->first + 2 * (i - 1), c->argv);
    }
    if (z->key.entry) zset_close(c, z);
    if (call_ok(c, st)) reply_zadd(c, how, how->changed ? added + updated : added, &o);
}

static void add_with(struct call *c, unsigned flags) {
    struct zadd how = { .flags = flags };
    struct zset z;
    if (parse_zadd(c, &how) && open_to_add(c, &how, &z)) add_pairs(c, &how, &z);
    free(how.scores);
}

void zset_add(struct call *c) {
    add_with(c, 0);
}

/* Words of ZADD are seen as such, and then leave no pair. */
static void cmd_zincrby(struct call *c) {
    add_with(c, ZSET_INCR);
}

/* --- members out --- */

static void cmd_zrem(struct call *c) {
    struct zset z;
    int64_t n = 0;
    if (!zset_open_write(c, 1, &z)) return;
    for (int i = 2; z.key.entry && i < c->argc; i++) {
        n += zset_remove(&c->eng->arena, &z.value, c->argv[i]);
        if (zset_length(&c->eng->arena, &z.value) == 0) break;
    }
    if (n) {
        call_changed(c, &z.key, NOTIFY_ZSET, "zrem", (uint64_t)n);
        zset_close(c, &z);
    }
    reply_int(c->out, n);
}

/* --- looking --- */

static void cmd_zcard(struct call *c) {
    struct zset z;
    if (!zset_open_read(c, 1, &z)) return;
    reply_int(c->out, z.key.entry ? (int64_t)zset_length(&c->eng->arena, &z.value) : 0);
}

static void reply_score(struct call *c, const struct zset *z, struct str member) {
    double score;
    if (z->key.entry && zset_score(&c->eng->arena, &z->value, member, &score))
        reply_double(c->out, score);
    else
        reply_null(c->out);
}

static void cmd_zscore(struct call *c) {
    struct zset z;
    if (zset_open_read(c, 1, &z)) reply_score(c, &z, c->argv[2]);
}

static void cmd_zmscore(struct call *c) {
    struct zset z;
    if (!zset_open_read(c, 1, &z)) return;
    reply_array(c->out, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) reply_score(c, &z, c->argv[i]);
}

static void reply_rank(struct call *c, bool reverse) {
    struct zset z;
    uint64_t rank;
    double score;
    bool with_score = c->argc == 4;
    if (c->argc > 4) {
        call_arity_error(c);
        return;
    }
    if (with_score && !arg_is(c, 3, "WITHSCORE")) {
        call_syntax_error(c);
        return;
    }
    if (!zset_open_read(c, 1, &z)) return;
    if (!z.key.entry || !zset_rank(&c->eng->arena, &z.value, c->argv[2], &rank, &score)) {
        if (with_score)
            reply_null_array(c->out);
        else
            reply_null(c->out);
        return;
    }
    if (reverse) rank = zset_length(&c->eng->arena, &z.value) - 1 - rank;
    if (with_score) reply_array(c->out, 2);
    reply_int(c->out, (int64_t)rank);
    if (with_score) reply_double(c->out, score);
}

static void cmd_zrank(struct call *c) {
    reply_rank(c, false);
}
static void cmd_zrevrank(struct call *c) {
    reply_rank(c, true);
}

struct scan {
    struct score_reply r;
    struct scan_options o;
    bool exact; /* of a table: all 17 digits */
};

static bool scan_member(void *ctx, struct str member, double score) {
    struct scan *s = ctx;
    char text[64];
    if (!scan_matches(&s->o, member)) return true;
    reply_bulk(s->r.out, member);
    size_t n = s->exact ? (size_t)snprintf(text, sizeof text, "%.17g", score)
                        : double_to_text(text, score);
    reply_bulk(s->r.out, (struct str){ text, n });
    s->r.n += 2;
    return true;
}

static void cmd_zscan(struct call *c) {
    struct zset z;
    uint64_t cursor;
    struct scan s = { .r = { .out = c->out } };
    if (!arg_cursor(c, 2, &cursor) || !zset_open_read(c, 1, &z)) return;
    if (!z.key.entry) {
        reply_empty_scan(c);
        return;
    }
    if (!arg_scan_options(c, 3, 0, &s.o)) return;
    s.exact = z.value.enc == ENC_SKIPLIST;
    reply_array(c->out, 2);
    size_t cursor_mark = c->out->n, mark = reply_defer(c->out);
    cursor = zset_scan(&c->eng->arena, &z.value, cursor & UINT32_MAX, (size_t)s.o.count,
                       scan_member, &s);
    reply_set_deferred_array(c->out, mark, s.r.n);
    reply_insert_cursor(c->out, cursor_mark, cursor);
}

/* --- random members --- */

static bool parse_count(struct call *c, int64_t *count, bool *with_scores) {
    *with_scores = c->argc == 4;
    if (!arg_i64(c, 2, count)) return false;
    if (!arg_in(c, 2, -INT64_MAX, INT64_MAX, count)) return false;
    if (c->argc > 4 || (*with_scores && !arg_is(c, 3, "WITHSCORES"))) {
        call_syntax_error(c);
        return false;
    }
    if (*with_scores && (*count > INT64_MAX / 2 || *count < -(INT64_MAX / 2))) {
        reply_error(c->out, "ERR value is out of range");
        return false;
    }
    return true;
}

static void cmd_zrandmember(struct call *c) {
    struct zset z;
    int64_t count = 1;
    bool with_scores = false;
    if (c->argc > 2 && !parse_count(c, &count, &with_scores)) return;
    if (!zset_open_read(c, 1, &z)) return;
    struct score_reply r = score_reply(c, with_scores);
    if (c->argc == 2) {
        if (z.key.entry) zset_random(c->eng, &z.value, 1, false, reply_scored, &r);
        if (!r.n) reply_null(c->out);
        return;
    }
    size_t mark = reply_defer(c->out);
    bool repeat = count < 0;
    if (z.key.entry && count)
        zset_random(c->eng, &z.value, (size_t)(repeat ? -count : count), repeat, reply_scored, &r);
    reply_set_deferred_array(c->out, mark, score_reply_length(&r, r.n));
}

#define Z "sortedset"
#define READS KEY(1, KF_RO | KF_ACCESS)
#define READ_FAST CMD_READ | CMD_FAST
#define WRITE_FAST CMD_WRITE | CMD_DENYOOM | CMD_FAST
static const struct command zset_rows[] = {
    { "ZADD", -4, WRITE_FAST, Z, zset_add, { KEY(1, KF_RW | KF_UPDATE) } },
    { "ZINCRBY", 4, WRITE_FAST, Z, cmd_zincrby, { KEY(1, KF_RW | KF_ACCESS | KF_UPDATE) } },
    { "ZREM", -3, CMD_WRITE | CMD_FAST, Z, cmd_zrem, { KEY(1, KF_RW | KF_DELETE) } },
    { "ZCARD", 2, READ_FAST, Z, cmd_zcard, { KEY(1, KF_RO) } },
    { "ZSCORE", 3, READ_FAST, Z, cmd_zscore, { READS } },
    { "ZMSCORE", -3, READ_FAST, Z, cmd_zmscore, { READS } },
    { "ZRANK", -3, READ_FAST, Z, cmd_zrank, { READS } },
    { "ZREVRANK", -3, READ_FAST, Z, cmd_zrevrank, { READS } },
    { "ZSCAN", -3, CMD_READ, Z, cmd_zscan, { READS } },
    { "ZRANDMEMBER", -2, CMD_READ, Z, cmd_zrandmember, { READS } },
};
COMMAND_GROUP(zset_commands, "sorted-set", zset_rows);
