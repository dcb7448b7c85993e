/* zset_range.c - ranges of ranks, scores and members: replied, stored, counted, deleted. */
#include "cmd/zset.h"

enum range_kind { BY_RANK, BY_SCORE, BY_MEMBER };

/* One end of a range as it was given. */
struct limit {
    struct btree_bound bound;
    bool nothing_below, all_below; /* "-", "+" */
};

struct range {
    enum range_kind kind;
    int64_t start, stop; /* BY_RANK: as given, may be negative */
    struct limit from, to;
};

/* Ranks, all in range. */
struct span {
    uint64_t rank, n;
};

/* --- parsing --- */

/* As strtod reads it: leading spaces are skipped, no text at all is 0. */
static bool parse_score(struct str s, double *out) {
    *out = 0;
    if (s.n == 0) return true;
    while (s.n && (*s.p == ' ' || (*s.p >= '\t' && *s.p <= '\r'))) s.p++, s.n--;
    return str_to_double_limit(s, out);
}

/* The bound that has exactly the members outside the range below it (or, for the upper end, exactly
 * those inside and below). */
static bool parse_score_limit(struct str s, bool upper, struct limit *out) {
    bool exclusive = s.n && *s.p == '(';
    if (exclusive) s.p++, s.n--;
    *out = (struct limit){ .bound.kind = exclusive == upper ? BOUND_SCORE : BOUND_AFTER_SCORE };
    return parse_score(s, &out->bound.score);
}

static bool parse_member_limit(struct str s, bool upper, struct limit *out) {
    *out = (struct limit){ .nothing_below = str_eq(s, STR("-")), .all_below = str_eq(s, STR("+")) };
    if (out->nothing_below || out->all_below) return true;
    if (!s.n || (*s.p != '(' && *s.p != '[')) return false;
    bool exclusive = *s.p == '(';
    out->bound.kind = exclusive == upper ? BOUND_MEMBER : BOUND_AFTER_MEMBER;
    out->bound.member = (struct str){ s.p + 1, s.n - 1 };
    return true;
}

/* argv[from] and argv[to] by r->kind; false: error replied. */
static bool parse_range(struct call *c, int from, int to, struct range *r) {
    struct str low = c->argv[from], high = c->argv[to];
    if (r->kind == BY_RANK) return arg_i64(c, from, &r->start) && arg_i64(c, to, &r->stop);
    if (r->kind == BY_SCORE) {
        if (parse_score_limit(low, false, &r->from) && parse_score_limit(high, true, &r->to))
            return true;
        reply_error(c->out, "ERR min or max is not a float");
        return false;
    }
    if (parse_member_limit(low, false, &r->from) && parse_member_limit(high, true, &r->to))
        return true;
    reply_error(c->out, "ERR min or max not valid string range item");
    return false;
}

/* --- ranks --- */

static uint64_t count_below(const struct call *c, const struct value *v, const struct limit *l) {
    if (l->nothing_below) return 0;
    if (l->all_below) return zset_length(&c->eng->arena, v);
    return zset_count_below(&c->eng->arena, v, &l->bound);
}

static struct span span_of_ranks(uint64_t length, int64_t start, int64_t stop) {
    int64_t n = (int64_t)length;
    if (start < 0) start += n;
    if (start < 0) start = 0;
    if (stop < 0) stop += n;
    if (stop >= n) stop = n - 1;
    if (start > stop) return (struct span){ 0, 0 };
    return (struct span){ (uint64_t)start, (uint64_t)(stop - start + 1) };
}

/* The members in the range, counted from the lowest. */
static struct span span_of(const struct call *c, const struct value *v, const struct range *r) {
    if (r->kind == BY_RANK) return span_of_ranks(zset_length(&c->eng->arena, v), r->start, r->stop);
    uint64_t from = count_below(c, v, &r->from), to = count_below(c, v, &r->to);
    return (struct span){ from, to > from ? to - from : 0 };
}

/* --- ZRANGE and its relatives --- */

struct query {
    struct range range;
    bool by_given;      /* the kind may not be chosen by an option */
    bool reverse_given; /* nor the direction */
    bool reverse;
    bool scores;
    int64_t offset, count; /* LIMIT; a negative count is no limit */
};

/* One option at argv[*i]; false: error replied. */
static bool parse_option(struct call *c, int *i, bool store, struct query *q) {
    if (!store && arg_is(c, *i, "WITHSCORES")) {
        q->scores = true;
    } else if (arg_is(c, *i, "LIMIT") && *i + 2 < c->argc) {
        if (!arg_i64(c, *i + 1, &q->offset) || !arg_i64(c, *i + 2, &q->count)) return false;
        *i += 2;
    } else if (!q->reverse_given && arg_is(c, *i, "REV")) {
        q->reverse = q->reverse_given = true;
    } else if (!q->by_given && (arg_is(c, *i, "BYLEX") || arg_is(c, *i, "BYSCORE"))) {
        q->range.kind = arg_is(c, *i, "BYLEX") ? BY_MEMBER : BY_SCORE;
        q->by_given = true;
    } else {
        call_syntax_error(c);
        return false;
    }
    return true;
}

/* Options from argv[first + 2] on, then the range in argv[first] and argv[first + 1]. */
static bool parse_query(struct call *c, int first, bool store, struct query *q) {
    q->count = -1;
    for (int i = first + 2; i < c->argc; i++)
        if (!parse_option(c, &i, store, q)) return false;
    const char *problem = NULL;
    if (q->count != -1 && q->range.kind == BY_RANK)
        problem = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or "
                  "BYLEX";
    else if (q->scores && q->range.kind == BY_MEMBER)
        problem = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
    if (problem) {
        reply_error(c->out, problem);
        return false;
    }
    bool swapped = q->reverse && q->range.kind != BY_RANK;
    return parse_range(c, swapped ? first + 1 : first, swapped ? first : first + 1, &q->range);
}

/* The first member of the answer and how many come, in the direction of the query. */
static struct span answer_of(const struct call *c, const struct value *v, const struct query *q) {
    struct span s = span_of(c, v, &q->range);
    uint64_t skip = (uint64_t)q->offset; /* a negative offset skips everything */
    if (q->range.kind == BY_RANK) {
        skip = 0;
        if (q->reverse) s.rank = zset_length(&c->eng->arena, v) - s.rank - s.n;
    }
    if (skip >= s.n) return (struct span){ 0, 0 };
    uint64_t first = q->reverse ? s.rank + s.n - 1 - skip : s.rank + skip, n = s.n - skip;
    if (q->count >= 0 && (uint64_t)q->count < n) n = (uint64_t)q->count;
    return (struct span){ first, n };
}

static void reply_query(struct call *c, struct query *q) {
    struct zset z;
    if (!parse_query(c, 2, false, q) || !zset_open_read(c, 1, &z)) return;
    struct span s = z.key.entry ? answer_of(c, &z.value, q) : (struct span){ 0, 0 };
    struct score_reply r = score_reply(c, q->scores);
    reply_array(c->out, score_reply_length(&r, (size_t)s.n));
    if (s.n) zset_each(&c->eng->arena, &z.value, s.rank, s.n, q->reverse, reply_scored, &r);
}

static void cmd_zrange(struct call *c) {
    reply_query(c, &(struct query){ .range.kind = BY_RANK });
}
static void cmd_zrevrange(struct call *c) {
    reply_query(
        c, &(struct query){
               .range.kind = BY_RANK, .by_given = true, .reverse_given = true, .reverse = true });
}
static void cmd_zrangebyscore(struct call *c) {
    reply_query(c,
                &(struct query){ .range.kind = BY_SCORE, .by_given = true, .reverse_given = true });
}
static void cmd_zrevrangebyscore(struct call *c) {
    reply_query(
        c, &(struct query){
               .range.kind = BY_SCORE, .by_given = true, .reverse_given = true, .reverse = true });
}
static void cmd_zrangebylex(struct call *c) {
    reply_query(
        c, &(struct query){ .range.kind = BY_MEMBER, .by_given = true, .reverse_given = true });
}
static void cmd_zrevrangebylex(struct call *c) {
    reply_query(
        c, &(struct query){
               .range.kind = BY_MEMBER, .by_given = true, .reverse_given = true, .reverse = true });
}

/* --- ZRANGESTORE --- */

struct copying {
    struct call *c;
    struct value v;
    status st;
};

static bool copy_member(void *ctx, struct str member, double score) {
    struct copying *k = ctx;
    struct zset_outcome o;
    k->st = zset_put(k->c->eng, &k->v, member, score, 0, &o);
    return k->st == ST_OK;
}

static void cmd_zrangestore(struct call *c) {
    struct query q = { .range.kind = BY_RANK };
    struct zset from;
    struct copying k = { .c = c };
    if (!parse_query(c, 3, true, &q) || !zset_open_read(c, 2, &from)) return;
    struct span s = from.key.entry ? answer_of(c, &from.value, &q) : (struct span){ 0, 0 };
    if (s.n) {
        if (!call_ok(c, zset_create(c->eng, &k.v, (size_t)s.n, 0))) return;
        zset_each(&c->eng->arena, &from.value, s.rank, s.n, q.reverse, copy_member, &k);
        if (k.st != ST_OK) value_free(c->eng, k.v, false);
        if (!call_ok(c, k.st)) return;
    }
    zset_store(c, 1, &k.v, "zrangestore");
}

/* --- counted, deleted --- */

static void reply_count(struct call *c, enum range_kind kind) {
    struct range r = { .kind = kind };
    struct zset z;
    if (!parse_range(c, 2, 3, &r) || !zset_open_read(c, 1, &z)) return;
    reply_int(c->out, z.key.entry ? (int64_t)span_of(c, &z.value, &r).n : 0);
}

static void cmd_zcount(struct call *c) {
    reply_count(c, BY_SCORE);
}
static void cmd_zlexcount(struct call *c) {
    reply_count(c, BY_MEMBER);
}

static void delete_range(struct call *c, enum range_kind kind, const char *event) {
    struct range r = { .kind = kind };
    struct zset z;
    if (!parse_range(c, 2, 3, &r) || !zset_open_write(c, 1, &z)) return;
    struct span s = z.key.entry ? span_of(c, &z.value, &r) : (struct span){ 0, 0 };
    if (s.n) {
        zset_remove_range(&c->eng->arena, &z.value, s.rank, s.n);
        call_changed(c, &z.key, NOTIFY_ZSET, event, s.n);
        zset_close(c, &z);
    }
    reply_int(c->out, (int64_t)s.n);
}

static void cmd_zremrangebyrank(struct call *c) {
    delete_range(c, BY_RANK, "zremrangebyrank");
}
static void cmd_zremrangebyscore(struct call *c) {
    delete_range(c, BY_SCORE, "zremrangebyscore");
}
static void cmd_zremrangebylex(struct call *c) {
    delete_range(c, BY_MEMBER, "zremrangebylex");
}

#define Z "sortedset"
#define READS KEY(1, KF_RO | KF_ACCESS)
#define DELETES KEY(1, KF_RW | KF_DELETE)
static const struct command zset_range_rows[] = {
    { "ZRANGE", -4, CMD_READ, Z, cmd_zrange, { READS } },
    { "ZREVRANGE", -4, CMD_READ, Z, cmd_zrevrange, { READS } },
    { "ZRANGEBYSCORE", -4, CMD_READ, Z, cmd_zrangebyscore, { READS } },
    { "ZREVRANGEBYSCORE", -4, CMD_READ, Z, cmd_zrevrangebyscore, { READS } },
    { "ZRANGEBYLEX", -4, CMD_READ, Z, cmd_zrangebylex, { READS } },
    { "ZREVRANGEBYLEX", -4, CMD_READ, Z, cmd_zrevrangebylex, { READS } },
    { "ZRANGESTORE",
      -5,
      CMD_WRITE | CMD_DENYOOM,
      Z,
      cmd_zrangestore,
      { KEY(1, KF_OW | KF_UPDATE), KEY(2, KF_RO | KF_ACCESS) } },
    { "ZCOUNT", 4, CMD_READ | CMD_FAST, Z, cmd_zcount, { READS } },
    { "ZLEXCOUNT", 4, CMD_READ | CMD_FAST, Z, cmd_zlexcount, { READS } },
    { "ZREMRANGEBYRANK", 4, CMD_WRITE, Z, cmd_zremrangebyrank, { DELETES } },
    { "ZREMRANGEBYSCORE", 4, CMD_WRITE, Z, cmd_zremrangebyscore, { DELETES } },
    { "ZREMRANGEBYLEX", 4, CMD_WRITE, Z, cmd_zremrangebylex, { DELETES } },
};
COMMAND_GROUP(zset_range_commands, "sorted-set", zset_range_rows);
