/* array_range.c - ranges of arrays: read, scanned, computed over; and how an array is built. */
#include "cmd/array.h"

#include <math.h>

#define RANGE_MAX 1000000u

/* --- reading --- */

static void reply_nulls(struct call *c, uint64_t n) {
    while (n-- > 0) reply_null(c->out);
}

static void cmd_argetrange(struct call *c) {
    struct array_key k;
    struct array_walk w;
    struct str s;
    uint64_t from, to, index;
    if (!arg_range_ends(c, 2, &from, &to) || !array_open_read(c, &k)) return;
    uint64_t span = from < to ? to - from : from - to, done = 0;
    if (span >= RANGE_MAX) {
        reply_errorf(c->out, "ERR range exceeds maximum of %u items", RANGE_MAX);
        return;
    }
    reply_array(c->out, (size_t)span + 1);
    if (k.r) {
        array_seek(&c->eng->arena, k.r, from, to, &w);
        while (array_next(&w, &index, &s)) {
            uint64_t at = from < to ? index - from : from - index;
            reply_nulls(c, at - done);
            reply_bulk(c->out, s);
            done = at + 1;
        }
    }
    reply_nulls(c, span + 1 - done);
}

static void cmd_arscan(struct call *c) {
    struct array_key k;
    struct array_walk w;
    struct str s;
    uint64_t from, to, index, limit = UINT64_MAX;
    if (!arg_range_ends(c, 2, &from, &to)) return;
    if (c->argc != 4 && c->argc != 6) {
        call_arity_error(c);
        return;
    }
    if (c->argc == 6 && !arg_is(c, 4, "LIMIT")) {
        call_syntax_error(c);
        return;
    }
    if ((c->argc == 6 && !arg_limit(c, 5, &limit)) || !array_open_read(c, &k)) return;
    size_t mark = reply_defer(c->out), n = 0;
    if (k.r) array_seek(&c->eng->arena, k.r, from, to, &w);
    for (; k.r && n < limit && array_next(&w, &index, &s); n++) {
        reply_array(c->out, 2);
        reply_index(c->out, index);
        reply_bulk(c->out, s);
    }
    reply_set_deferred_array(c->out, mark, n);
}

/* --- computing --- */

struct tally {
    struct str wanted; /* MATCH */
    long double number;
    int64_t bits;
    uint64_t n; /* elements that counted */
};
struct operation {
    const char *word;
    void (*take)(struct tally *t, struct str s);
    enum { ANSWER_NUMBER, ANSWER_BITS, ANSWER_COUNT } answer;
};

static bool as_number(struct str s, long double *v) {
    int64_t i;
    if (!str_to_i64(s, &i)) return str_to_long_double(s, v);
    *v = (long double)i;
    return true;
}

/* The integer part of a number that an int64 can hold. */
static bool as_bits(struct str s, int64_t *bits) {
    long double v;
    if (!as_number(s, &v) || !(v >= -0x1p63L && v < 0x1p63L)) return false;
    *bits = (int64_t)v;
    return true;
}

static void take_sum(struct tally *t, struct str s) {
    long double v;
    if (as_number(s, &v)) t->number = t->n++ ? t->number + v : v;
}
static void take_min(struct tally *t, struct str s) {
    long double v;
    if (as_number(s, &v) && (t->n++ == 0 || v < t->number)) t->number = v;
}
static void take_max(struct tally *t, struct str s) {
    long double v;
    if (as_number(s, &v) && (t->n++ == 0 || v > t->number)) t->number = v;
}
static void take_and(struct tally *t, struct str s) {
    int64_t v;
    if (as_bits(s, &v)) t->bits = t->n++ ? t->bits & v : v;
}
static void take_or(struct tally *t, struct str s) {
    int64_t v;
    if (as_bits(s, &v)) t->bits |= v, t->n++;
}
static void take_xor(struct tally *t, struct str s) {
    int64_t v;
    if (as_bits(s, &v)) t->bits ^= v, t->n++;
}
static void take_equal(struct tally *t, struct str s) {
    t->n += str_eq(s, t->wanted);
}
static void take_any(struct tally *t, struct str s) {
    (void)s;
    t->n++;
}

static const struct operation operations[] = {
    { "SUM", take_sum, ANSWER_NUMBER }, { "MIN", take_min, ANSWER_NUMBER },
    { "MAX", take_max, ANSWER_NUMBER }, { "AND", take_and, ANSWER_BITS },
    { "OR", take_or, ANSWER_BITS },     { "XOR", take_xor, ANSWER_BITS },
    { "USED", take_any, ANSWER_COUNT }, { "MATCH", take_equal, ANSWER_COUNT },
};
#define OPERATIONS (sizeof operations / sizeof operations[0])

static void reply_number(struct reply *r, long double v) {
    char text[64];
    int n =
        isnan(v) ? snprintf(text, sizeof text, "nan") : snprintf(text, sizeof text, "%.17Lg", v);
    reply_bulk(r, (struct str){ text, (size_t)n });
}

static void reply_tally(struct call *c, const struct operation *op, const struct tally *t) {
    if (op->answer == ANSWER_COUNT)
        reply_int(c->out, (int64_t)t->n);
    else if (t->n == 0)
        reply_null(c->out);
    else if (op->answer == ANSWER_BITS)
        reply_int(c->out, t->bits);
    else
        reply_number(c->out, t->number);
}

/* The operation of argv[4]; NULL: replied. */
static const struct operation *arg_operation(struct call *c) {
    const struct operation *op = operations, *end = op + OPERATIONS;
    while (op < end && !arg_is(c, 4, op->word)) op++;
    bool valued = op < end && op->take == take_equal;
    if (op == end)
        reply_error(c->out, "ERR unknown operation");
    else if (valued && c->argc == 5)
        reply_error(c->out, "ERR MATCH requires a value argument");
    else if (c->argc != (valued ? 6 : 5))
        call_arity_error(c);
    else
        return op;
    return NULL;
}

static void cmd_arop(struct call *c) {
    struct array_key k;
    struct array_walk w;
    struct tally t = { 0 };
    struct str s;
    uint64_t from, to, index;
    if (!arg_range_ends(c, 2, &from, &to)) return;
    const struct operation *op = arg_operation(c);
    if (!op || !array_open_read(c, &k)) return;
    if (c->argc == 6) t.wanted = c->argv[5];
    if (k.r) {
        array_seek(&c->eng->arena, k.r, from < to ? from : to, from < to ? to : from, &w);
        while (array_next(&w, &index, &s)) op->take(&t, s);
    }
    reply_tally(c, op, &t);
}

/* --- how it is built --- */

static void reply_figure(struct call *c, const char *name, uint64_t v) {
    reply_cstr(c->out, name);
    reply_index(c->out, v);
}

static void reply_ratio(struct call *c, const char *name, uint64_t part, uint64_t whole) {
    reply_cstr(c->out, name);
    reply_double(c->out, whole ? (double)part / (double)whole : 0);
}

static void reply_slices(struct call *c, const struct array *r) {
    struct array_figures f;
    array_measure(&c->eng->arena, r, &f);
    reply_figure(c, "dense-slices", f.dense);
    reply_figure(c, "sparse-slices", f.sparse);
    reply_ratio(c, "avg-dense-size", f.dense_room, f.dense);
    reply_ratio(c, "avg-dense-fill", f.dense_elements, f.dense_room);
    reply_ratio(c, "avg-sparse-size", f.sparse_room, f.sparse);
}

static void cmd_arinfo(struct call *c) {
    struct array_key k;
    bool whole = c->argc == 3 && arg_is(c, 2, "FULL");
    if (c->argc > 3 || (c->argc == 3 && !whole)) {
        call_syntax_error(c);
        return;
    }
    if (!array_open_read(c, &k)) return;
    if (!k.r) {
        reply_status(c->out, ST_NOT_FOUND);
        return;
    }
    const struct array *r = k.r;
    reply_map(c->out, whole ? 12 : 7);
    reply_figure(c, "count", r->count);
    reply_figure(c, "len", array_length(&c->eng->arena, r));
    reply_figure(c, "next-insert-index", r->last == ARRAY_INDEX_MAX ? 0 : r->last + 1);
    reply_figure(c, "slices", r->slices.count);
    reply_figure(c, "directory-size", array_directory(&c->eng->arena, r));
    reply_figure(c, "super-dir-entries", r->group_room ? r->groups : 0);
    reply_figure(c, "slice-size", r->size);
    if (whole) reply_slices(c, r);
}

#define A "array"
#define READS                                                                                      \
    { KEY(1, KF_RO | KF_ACCESS) }
static const struct command array_range_rows[] = {
    { "ARGETRANGE", 4, CMD_READ, A, cmd_argetrange, READS },
    { "ARSCAN", -4, CMD_READ, A, cmd_arscan, READS },
    { "AROP", -5, CMD_READ, A, cmd_arop, READS },
    { "ARINFO", -2, CMD_READ, A, cmd_arinfo, READS },
};
COMMAND_GROUP(array_range_commands, "array", array_range_rows);
