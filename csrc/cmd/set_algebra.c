/* set_algebra.c - several sets: intersection, union, difference, stored or counted. */
#include "cmd/set.h"

/* The operands; missing keys have no root. */
struct operands {
    struct value *sets;
    int n;
};

/* Opens argv[first] … argv[first + n - 1]; false: wrong type, replied. */
static bool open_all(struct call *c, int first, int n, struct operands *o) {
    o->n = n;
    o->sets = calloc((size_t)n + 1, sizeof *o->sets);
    ASSERT(o->sets);
    for (int i = 0; i < n; i++) {
        struct set s;
        if (!set_open_read(c, first + i, &s)) {
            free(o->sets);
            return false;
        }
        if (s.key.entry) o->sets[i] = s.value;
    }
    return true;
}

static uint64_t length_of(const struct call *c, const struct value *v) {
    return v->root ? set_length(&c->eng->arena, v) : 0;
}

static bool contains(const struct call *c, const struct value *v, struct str s) {
    return v->root && set_contains(&c->eng->arena, v, s);
}

/* Where results go: a reply, a counter, or a new set. */
struct sink {
    struct call *c;
    const struct operands *o;
    set_visit_fn emit; /* false: enough */
    void *ctx;
};

/* --- the three operations --- */

/* Smallest first, so that the fewest members are looked up. */
static void sort_by_length(const struct call *c, struct operands *o) {
    for (int i = 1; i < o->n; i++)
        for (int j = i; j > 0 && length_of(c, &o->sets[j]) < length_of(c, &o->sets[j - 1]); j--) {
            struct value swap = o->sets[j];
            o->sets[j] = o->sets[j - 1];
            o->sets[j - 1] = swap;
        }
}

static bool emit_if_in_all(void *ctx, struct str member) {
    struct sink *s = ctx;
    for (int i = 1; i < s->o->n; i++)
        if (!contains(s->c, &s->o->sets[i], member)) return true;
    return s->emit(s->ctx, member);
}

static void intersect(struct sink *s, struct operands *o) {
    sort_by_length(s->c, o);
    if (o->sets[0].root) set_each(&s->c->eng->arena, &o->sets[0], emit_if_in_all, s);
}

static bool emit_if_in_none(void *ctx, struct str member) {
    struct sink *s = ctx;
    for (int i = 1; i < s->o->n; i++)
        if (contains(s->c, &s->o->sets[i], member)) return true;
    return s->emit(s->ctx, member);
}

static void subtract(struct sink *s, struct operands *o) {
    if (o->sets[0].root) set_each(&s->c->eng->arena, &o->sets[0], emit_if_in_none, s);
}

/* A new set that grows by what is emitted. */
struct building {
    struct call *c;
    struct value v; /* root REF_NULL: nothing yet */
    status st;
    uint64_t limit; /* members after which it is enough; 0: none */
};

static bool build(void *ctx, struct str member) {
    struct building *b = ctx;
    bool added;
    if (!b->v.root) b->st = set_create(b->c->eng, &b->v, member, 1);
    if (b->st == ST_OK) b->st = set_add(b->c->eng, &b->v, member, &added);
    return b->st == ST_OK && (!b->limit || length_of(b->c, &b->v) < b->limit);
}

static void free_building(struct building *b) {
    if (b->v.root) value_free(b->c->eng, b->v, true);
}

static void unite(struct building *b, const struct operands *o) {
    for (int i = 0; i < o->n && b->st == ST_OK; i++) {
        if (b->limit && length_of(b->c, &b->v) >= b->limit) return;
        if (o->sets[i].root) set_each(&b->c->eng->arena, &o->sets[i], build, b);
    }
}

enum operation { INTER, UNION, DIFF };

static void combine(struct call *c, enum operation op, struct operands *o, struct building *b) {
    struct sink s = { .c = c, .o = o, .emit = build, .ctx = b };
    if (op == UNION)
        unite(b, o);
    else if (op == INTER)
        intersect(&s, o);
    else
        subtract(&s, o);
}

/* --- replies --- */

static void reply_result(struct call *c, enum operation op) {
    struct operands o;
    struct building b = { .c = c };
    struct member_reply r = { .out = c->out };
    if (!open_all(c, 1, c->argc - 1, &o)) return;
    combine(c, op, &o, &b);
    if (call_ok(c, b.st)) {
        reply_set(c->out, (size_t)length_of(c, &b.v));
        if (b.v.root) set_each(&c->eng->arena, &b.v, reply_member, &r);
    }
    free_building(&b);
    free(o.sets);
}

static void cmd_sinter(struct call *c) {
    reply_result(c, INTER);
}
static void cmd_sunion(struct call *c) {
    reply_result(c, UNION);
}
static void cmd_sdiff(struct call *c) {
    reply_result(c, DIFF);
}

/* --- storing --- */

static void store_result(struct call *c, enum operation op, const char *event) {
    struct operands o;
    struct building b = { .c = c };
    struct key k;
    if (!open_all(c, 2, c->argc - 2, &o)) return;
    combine(c, op, &o, &b);
    free(o.sets);
    if (!call_ok(c, b.st)) {
        free_building(&b);
        return;
    }
    call_find(c, 1, KEY_WRITE, &k);
    int64_t n = (int64_t)length_of(c, &b.v);
    if (n) {
        status st = key_replace(c->eng, &k, &b.v);
        if (st != ST_OK) free_building(&b);
        if (!call_ok(c, st)) return;
        call_changed(c, &k, NOTIFY_SET, event, (uint64_t)n);
    } else if (k.entry) {
        key_delete(c->eng, &k, c->eng->config.lazyfree_lazy_server_del);
        call_changed(c, &k, NOTIFY_GENERIC, "del", 1);
    }
    reply_int(c->out, n);
}

static void cmd_sinterstore(struct call *c) {
    store_result(c, INTER, "sinterstore");
}
static void cmd_sunionstore(struct call *c) {
    store_result(c, UNION, "sunionstore");
}
static void cmd_sdiffstore(struct call *c) {
    store_result(c, DIFF, "sdiffstore");
}

/* --- counting --- */

struct counter {
    uint64_t n, limit;
};

static bool count_one(void *ctx, struct str member) {
    struct counter *k = ctx;
    (void)member;
    return ++k->n < k->limit || !k->limit;
}

/* numkeys, keys, LIMIT and (SUNIONCARD) APPROX; false: replied. */
static bool parse_card(struct call *c, bool approx_allowed, int *keys, int64_t *limit) {
    int64_t n;
    *limit = 0;
    if (!arg_range(c, 1, 1, INT64_MAX, &n, "ERR numkeys should be greater than 0")) return false;
    if (n > c->argc - 2) {
        reply_error(c->out, "ERR Number of keys can't be greater than number of args");
        return false;
    }
    *keys = (int)n;
    for (int i = 2 + *keys; i < c->argc; i++) {
        if (arg_is(c, i, "LIMIT") && i + 1 < c->argc) {
            if (!arg_range(c, ++i, 0, INT64_MAX, limit, "ERR LIMIT can't be negative"))
                return false;
        } else if (!approx_allowed || !arg_is(c, i, "APPROX")) {
            call_syntax_error(c);
            return false;
        }
    }
    return true;
}

/* APPROX allows an estimate; the exact number is the best one. */
static void count_result(struct call *c, enum operation op) {
    struct operands o;
    int keys;
    int64_t limit;
    if (!parse_card(c, op == UNION, &keys, &limit) || !open_all(c, 2, keys, &o)) return;
    struct counter k = { .limit = (uint64_t)limit };
    struct sink s = { .c = c, .o = &o, .emit = count_one, .ctx = &k };
    struct building b = { .c = c, .limit = (uint64_t)limit };
    if (op == INTER) intersect(&s, &o);
    if (op == DIFF) subtract(&s, &o);
    if (op == UNION) {
        unite(&b, &o);
        k.n = length_of(c, &b.v);
    }
    free_building(&b);
    free(o.sets);
    if (call_ok(c, b.st)) reply_int(c->out, (int64_t)k.n);
}

static void cmd_sintercard(struct call *c) {
    count_result(c, INTER);
}
static void cmd_sunioncard(struct call *c) {
    count_result(c, UNION);
}
static void cmd_sdiffcard(struct call *c) {
    count_result(c, DIFF);
}

#define S "set"
#define SOURCES KEYS(1, -1, 1, KF_RO | KF_ACCESS)
#define STORES                                                                                     \
    { KEY(1, KF_OW | KF_UPDATE), KEYS(2, -1, 1, KF_RO | KF_ACCESS) }
#define COUNTED                                                                                    \
    { KEYNUM(1, KF_RO | KF_ACCESS) }
#define STORE_FLAGS CMD_WRITE | CMD_DENYOOM
#define COUNT_FLAGS CMD_READ | CMD_MOVABLE_KEYS | CMD_BUILDS
static const struct command set_algebra_rows[] = {
    { "SINTER", -2, CMD_READ | CMD_BUILDS, S, cmd_sinter, { SOURCES } },
    { "SUNION", -2, CMD_READ | CMD_BUILDS, S, cmd_sunion, { SOURCES } },
    { "SDIFF", -2, CMD_READ | CMD_BUILDS, S, cmd_sdiff, { SOURCES } },
    { "SINTERSTORE", -3, STORE_FLAGS, S, cmd_sinterstore, STORES },
    { "SUNIONSTORE", -3, STORE_FLAGS, S, cmd_sunionstore, STORES },
    { "SDIFFSTORE", -3, STORE_FLAGS, S, cmd_sdiffstore, STORES },
    { "SINTERCARD", -3, COUNT_FLAGS, S, cmd_sintercard, COUNTED },
    { "SUNIONCARD", -3, COUNT_FLAGS, S, cmd_sunioncard, COUNTED },
    { "SDIFFCARD", -3, COUNT_FLAGS, S, cmd_sdiffcard, COUNTED },
};
COMMAND_GROUP(set_algebra_commands, "set", set_algebra_rows);
