/* zset_algebra.c - several sorted sets, or plain sets: union, intersection, difference. */
#include "cmd/zset.h"
#include "db/type_set.h"
#include "db/zset_build.h"

enum operation { UNION, INTER, DIFF };
enum aggregate { SUM, MIN, MAX, COUNT };

/* An operand; members of a plain set have the score 1. */
struct operand {
    struct value v; /* no root: the key is missing */
    double weight;
};

struct algebra {
    struct call *c;
    enum operation op;
    enum aggregate how;
    bool scores; /* WITHSCORES */
    uint64_t limit;
    int n;
    struct operand *of;

    struct zset_builder result;
    uint64_t matches; /* when they are only counted */
    bool counting;
    const struct operand *current;
    status st;
};

/* --- operands --- */

static uint64_t operand_length(const struct algebra *g, const struct operand *o) {
    const struct arena *a = &g->c->eng->arena;
    if (!o->v.root) return 0;
    return o->v.type == TYPE_SET ? set_length(a, &o->v) : zset_length(a, &o->v);
}

static bool operand_score(const struct algebra *g, const struct operand *o, struct str member,
                          double *score) {
    const struct arena *a = &g->c->eng->arena;
    *score = 1;
    if (!o->v.root) return false;
    return o->v.type == TYPE_SET ? set_contains(a, &o->v, member)
                                 : zset_score(a, &o->v, member, score);
}

struct plain {
    zset_visit_fn visit;
    void *ctx;
};

static bool visit_plain(void *ctx, struct str member) {
    const struct plain *p = ctx;
    return p->visit(p->ctx, member, 1);
}

static void operand_each(struct algebra *g, const struct operand *o, zset_visit_fn visit) {
    const struct arena *a = &g->c->eng->arena;
    struct plain p = { visit, g };
    g->current = o;
    if (!o->v.root) return;
    if (o->v.type == TYPE_SET)
        set_each(a, &o->v, visit_plain, &p);
    else
        zset_each(a, &o->v, 0, UINT64_MAX, false, visit, g);
}

/* argv[first …] by g->n; false: wrong type, replied. */
static bool open_operands(struct algebra *g, int first) {
    g->of = calloc((size_t)g->n, sizeof *g->of);
    ASSERT(g->of);
    for (int i = 0; i < g->n; i++) {
        struct key k;
        g->of[i].weight = 1;
        if (!call_find(g->c, first + i, KEY_READ, &k)) continue;
        g->of[i].v = entry_value(k.entry);
        if (g->of[i].v.type == TYPE_ZSET || g->of[i].v.type == TYPE_SET) continue;
        reply_status(g->c->out, ST_WRONG_TYPE);
        return false;
    }
    return true;
}

/* Smallest first: the fewest members are looked up. Ties keep their order. */
static void sort_operands(struct algebra *g) {
    for (int i = 1; i < g->n; i++)
        for (int j = i; j > 0 && operand_length(g, &g->of[j]) < operand_length(g, &g->of[j - 1]);
             j--) {
            struct operand swap = g->of[j];
            g->of[j] = g->of[j - 1];
            g->of[j - 1] = swap;
        }
}

/* --- scores --- */

static double weighted(const struct algebra *g, const struct operand *o, double score) {
    if (g->how == COUNT) return o->weight;
    double product = o->weight * score;
    return product == product ? product : 0; /* 0 times infinity */
}

static double aggregated(enum aggregate how, double x, double y) {
    if (how == MIN) return y < x ? y : x;
    if (how == MAX) return y > x ? y : x;
    double sum = x + y;
    return sum == sum ? sum : 0; /* infinity less infinity */
}

/* --- the three operations --- */

/* A member of the result; false: enough. */
static bool emit(struct algebra *g, struct str member, double score) {
    double *place;
    bool fresh;
    if (g->counting) return ++g->matches < g->limit || !g->limit;
    g->st = zset_builder_put(&g->result, member, &place, &fresh);
    if (g->st == ST_OK) *place = fresh ? score : aggregated(g->how, *place, score);
    return g->st == ST_OK;
}

static bool unite_member(void *ctx, struct str member, double score) {
    struct algebra *g = ctx;
    return emit(g, member, weighted(g, g->current, score));
}

static bool intersect_member(void *ctx, struct str member, double score) {
    struct algebra *g = ctx;
    double total = weighted(g, g->current, score), other;
    for (int i = 1; i < g->n; i++) {
        if (!operand_score(g, &g->of[i], member, &other)) return true;
        total = aggregated(g->how, total, weighted(g, &g->of[i], other));
    }
    return emit(g, member, total);
}

static bool subtract_member(void *ctx, struct str member, double score) {
    struct algebra *g = ctx;
    double other;
    for (int i = 1; i < g->n; i++)
        if (operand_score(g, &g->of[i], member, &other)) return true;
    return emit(g, member, score);
}

static void combine(struct algebra *g) {
    if (g->op != DIFF) sort_operands(g);
    if (g->op == DIFF)
        operand_each(g, &g->of[0], subtract_member);
    else if (g->op == INTER)
        operand_each(g, &g->of[0], intersect_member);
    else
        for (int i = 0; i < g->n && g->st == ST_OK; i++) operand_each(g, &g->of[i], unite_member);
}

/* --- parsing --- */

static bool parse_weights(struct algebra *g, int first) {
    for (int i = 0; i < g->n; i++)
        if (!arg_double(g->c, first + i, &g->of[i].weight, "ERR weight value is not a float"))
            return false;
    return true;
}

static bool parse_aggregate(struct algebra *g, int i) {
    static const char *const words[] = { "SUM", "MIN", "MAX", "COUNT" };
    for (int k = 0; k < 4; k++) {
        if (!arg_is(g->c, i, words[k])) continue;
        g->how = (enum aggregate)k;
        return true;
    }
    call_syntax_error(g->c);
    return false;
}

enum options { WEIGHTED = 1, WITH_SCORES = 2, LIMITED = 4 };

/* Options from argv[i] on; false: error replied. */
static bool parse_options(struct algebra *g, int i, unsigned allowed) {
    struct call *c = g->c;
    int64_t limit;
    for (; i < c->argc; i++) {
        if (allowed & WEIGHTED && arg_is(c, i, "WEIGHTS") && c->argc - i > g->n) {
            if (!parse_weights(g, i + 1)) return false;
            i += g->n;
        } else if (allowed & WEIGHTED && arg_is(c, i, "AGGREGATE") && i + 1 < c->argc) {
            if (!parse_aggregate(g, ++i)) return false;
        } else if (allowed & WITH_SCORES && arg_is(c, i, "WITHSCORES")) {
            g->scores = true;
        } else if (allowed & LIMITED && arg_is(c, i, "LIMIT") && i + 1 < c->argc) {
            if (!arg_range(c, ++i, 0, INT64_MAX, &limit, "ERR LIMIT can't be negative"))
                return false;
            g->limit = (uint64_t)limit;
        } else {
            call_syntax_error(c);
            return false;
        }
    }
    return true;
}

/* numkeys at argv[at], the keys, and options; false: error replied. Operands are open then. */
static bool parse(struct algebra *g, int at, unsigned allowed) {
    struct call *c = g->c;
    int64_t n;
    if (!arg_i64(c, at, &n)) return false;
    if (n < 1) {
        char name[32] = "";
        for (size_t i = 0; c->cmd->name[i] && i < sizeof name - 1; i++)
            name[i] = (char)(c->cmd->name[i] | 0x20);
        reply_errorf(c->out, "ERR at least 1 input key is needed for '%s' command", name);
        return false;
    }
    if (n > c->argc - at - 1) {
        call_syntax_error(c);
        return false;
    }
    g->n = (int)n;
    return open_operands(g, at + 1) && parse_options(g, at + 1 + g->n, allowed);
}

/* --- commands --- */

static void end(struct algebra *g) {
    zset_builder_free(&g->result);
    free(g->of);
}

static void reply_result(struct call *c, enum operation op) {
    struct algebra g = { .c = c, .op = op, .result.a = &c->eng->arena };
    unsigned allowed = op == DIFF ? WITH_SCORES : WEIGHTED | WITH_SCORES;
    struct value v = { 0 };
    if (!parse(&g, 1, allowed)) {
        end(&g);
        return;
    }
    combine(&g);
    if (g.st == ST_OK && g.result.members.count) g.st = zset_builder_finish(&g.result, &v);
    if (call_ok(c, g.st)) {
        size_t n = v.root ? (size_t)zset_length(&c->eng->arena, &v) : 0;
        struct score_reply r = score_reply(c, g.scores);
        reply_array(c->out, score_reply_length(&r, n));
        if (n) zset_each(&c->eng->arena, &v, 0, n, false, reply_scored, &r);
    }
    if (v.root) value_free(c->eng, v, true);
    end(&g);
}

static void cmd_zunion(struct call *c) {
    reply_result(c, UNION);
}
static void cmd_zinter(struct call *c) {
    reply_result(c, INTER);
}
static void cmd_zdiff(struct call *c) {
    reply_result(c, DIFF);
}

static void store_result(struct call *c, enum operation op, const char *event) {
    struct algebra g = { .c = c, .op = op, .result.a = &c->eng->arena };
    struct value v = { 0 };
    size_t longest;
    if (!parse(&g, 2, op == DIFF ? 0 : WEIGHTED)) {
        end(&g);
        return;
    }
    combine(&g);
    longest = g.result.longest;
    if (g.st == ST_OK && g.result.members.count) g.st = zset_builder_finish(&g.result, &v);
    end(&g);
    if (!call_ok(c, g.st)) return;
    if (v.root) zset_compact(c->eng, &v, longest);
    zset_store(c, 1, &v, event);
}

static void cmd_zunionstore(struct call *c) {
    store_result(c, UNION, "zunionstore");
}
static void cmd_zinterstore(struct call *c) {
    store_result(c, INTER, "zinterstore");
}
static void cmd_zdiffstore(struct call *c) {
    store_result(c, DIFF, "zdiffstore");
}

static void cmd_zintercard(struct call *c) {
    struct algebra g = { .c = c, .op = INTER, .counting = true, .result.a = &c->eng->arena };
    if (parse(&g, 1, LIMITED)) {
        combine(&g);
        reply_int(c->out, (int64_t)g.matches);
    }
    end(&g);
}

#define Z "sortedset"
#define READS                                                                                      \
    { KEYNUM(1, KF_RO | KF_ACCESS) }
#define STORES                                                                                     \
    { KEY(1, KF_OW | KF_UPDATE), KEYNUM(2, KF_RO | KF_ACCESS) }
#define READ_FLAGS CMD_READ | CMD_MOVABLE_KEYS | CMD_BUILDS
#define STORE_FLAGS CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS
static const struct command zset_algebra_rows[] = {
    { "ZUNION", -3, READ_FLAGS, Z, cmd_zunion, READS },
    { "ZINTER", -3, READ_FLAGS, Z, cmd_zinter, READS },
    { "ZDIFF", -3, READ_FLAGS, Z, cmd_zdiff, READS },
    { "ZINTERCARD", -3, READ_FLAGS, Z, cmd_zintercard, READS },
    { "ZUNIONSTORE", -4, STORE_FLAGS, Z, cmd_zunionstore, STORES },
    { "ZINTERSTORE", -4, STORE_FLAGS, Z, cmd_zinterstore, STORES },
    { "ZDIFFSTORE", -4, STORE_FLAGS, Z, cmd_zdiffstore, STORES },
};
COMMAND_GROUP(zset_algebra_commands, "sorted-set", zset_algebra_rows);
