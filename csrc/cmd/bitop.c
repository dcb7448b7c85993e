/* bitop.c - BITOP: strings combined bit by bit, the shorter ones going on with zeros.
 *
 * A block of all sources is worked through before the next, so that it stays in the nearest cache.
 */
#include "cmd/bitmap.h"
#include "ds/bulk.h"

enum operation { AND, OR, XOR, NOT, DIFF, DIFF1, ANDOR, ONE };

#define BLOCK 4096u

struct bitop {
    enum operation op;
    const char *word;
    int n;
    struct str *sources;
    const uint8_t **bytes; /* of the sources */
    char (*texts)[24];     /* of sources that are integers */
    size_t longest, shortest;
};

static const struct {
    const char *word;
    int least; /* sources */
} operations[] = { { "AND", 1 },  { "OR", 1 },    { "XOR", 1 },   { "NOT", 1 },
                   { "DIFF", 2 }, { "DIFF1", 2 }, { "ANDOR", 2 }, { "ONE", 1 } };
#define OPERATIONS (int)(sizeof operations / sizeof *operations)

static bool parse(struct call *c, struct bitop *b) {
    int op = 0;
    while (op < OPERATIONS && !arg_is(c, 1, operations[op].word)) op++;
    if (op == OPERATIONS) {
        call_syntax_error(c);
        return false;
    }
    b->op = (enum operation)op;
    b->n = c->argc - 3;
    if (b->op == NOT && b->n != 1) {
        reply_error(c->out, "ERR BITOP NOT must be called with a single source key.");
        return false;
    }
    if (b->n < operations[op].least) {
        reply_errorf(c->out, "ERR BITOP %s must be called with at least two source keys.",
                     operations[op].word);
        return false;
    }
    return true;
}

/* argv[3 …]; false: wrong type, replied. */
static bool open_sources(struct call *c, struct bitop *b) {
    b->sources = calloc((size_t)b->n, sizeof *b->sources);
    b->texts = calloc((size_t)b->n, sizeof *b->texts);
    b->bytes = calloc((size_t)b->n, sizeof *b->bytes);
    b->shortest = SIZE_MAX;
    ASSERT(b->sources && b->texts && b->bytes);
    for (int i = 0; i < b->n; i++) {
        struct key k;
        if (!call_read(c, 3 + i, TYPE_STRING, &k)) return false;
        b->sources[i] = bitmap_bytes(c, &k, b->texts[i]);
        b->bytes[i] = (const uint8_t *)b->sources[i].p;
        if (b->sources[i].n > b->longest) b->longest = b->sources[i].n;
        if (b->sources[i].n < b->shortest) b->shortest = b->sources[i].n;
    }
    return true;
}

/* --- one block --- */

/* The source's bytes of a block; fewer than asked for, maybe none, at its end. */
static struct str part(struct str s, size_t at, size_t n) {
    if (at >= s.n) return (struct str){ "", 0 };
    return (struct str){ s.p + at, s.n - at < n ? s.n - at : n };
}

/* to = to op all sources but the first. */
static void combine_rest(const struct bitop *b, enum bulk_op op, uint8_t *to, size_t at, size_t n) {
    for (int i = 1; i < b->n; i++) {
        struct str s = part(b->sources[i], at, n);
        bulk_combine(op, to, (const uint8_t *)s.p, s.n);
        if (op == BULK_AND) memset(to + s.n, 0, n - s.n);
    }
}

/* to = the first source, zeros behind it. */
static void copy_first(const struct bitop *b, uint8_t *to, size_t at, size_t n) {
    struct str first = part(b->sources[0], at, n);
    memcpy(to, first.p, first.n);
    memset(to + first.n, 0, n - first.n);
}

/* to = the first source op the union of the others. */
static void combine_union(const struct bitop *b, enum bulk_op op, uint8_t *to, size_t at,
                          size_t n) {
    uint8_t others[BLOCK] = { 0 };
    combine_rest(b, BULK_OR, others, at, n);
    copy_first(b, to, at, n);
    bulk_combine(op, to, others, n);
}

/* Bits that exactly one source has. */
static void combine_one(const struct bitop *b, uint8_t *to, size_t at, size_t n) {
    uint8_t more[BLOCK] = { 0 };
    copy_first(b, to, at, n);
    for (int i = 1; i < b->n; i++) {
        struct str s = part(b->sources[i], at, n);
        bulk_tally(to, more, (const uint8_t *)s.p, s.n);
    }
    bulk_combine(BULK_AND_NOT, to, more, n);
}

/* What each of them does with the first source and another one, or the union of the others. */
static const enum bulk_op plain_ops[] = {
    [AND] = BULK_AND,      [OR] = BULK_OR,         [XOR] = BULK_XOR,
    [DIFF] = BULK_AND_NOT, [DIFF1] = BULK_NOT_AND, [ANDOR] = BULK_AND
};

static void combine_block(const struct bitop *b, uint8_t *to, size_t at, size_t n) {
    switch (b->op) {
    case NOT: bulk_not(to, (const uint8_t *)b->sources[0].p + at, n); break;
    case ONE: combine_one(b, to, at, n); break;
    case DIFF:
    case DIFF1:
    case ANDOR: combine_union(b, plain_ops[b->op], to, at, n); break;
    default: copy_first(b, to, at, n); combine_rest(b, plain_ops[b->op], to, at, n);
    }
}

/* --- the command --- */

static void fill(void *ctx, char *to, size_t length) {
    const struct bitop *b = ctx;
    size_t at = 0;
    if (b->n > 1 && b->op <= XOR) { /* what all of them have */
        at = b->shortest;
        bulk_combine_all(plain_ops[b->op], (uint8_t *)to, b->bytes, b->n, at);
    }
    for (; at < length; at += BLOCK)
        combine_block(b, (uint8_t *)to + at, at, length - at < BLOCK ? length - at : BLOCK);
}

static void store(struct call *c, struct bitop *b) {
    struct key k;
    call_find(c, 2, KEY_WRITE, &k);
    if (!call_ok(c, key_fill_plain(c->eng, &k, b->longest, fill, b))) return;
    call_changed(c, &k, NOTIFY_STRING, "set", 1);
    reply_int(c->out, (int64_t)b->longest);
}

static void delete_target(struct call *c) {
    struct key k;
    if (call_find(c, 2, KEY_WRITE, &k)) {
        key_delete(c->eng, &k, c->eng->config.lazyfree_lazy_server_del);
        call_changed(c, &k, NOTIFY_GENERIC, "del", 1);
    }
    reply_int(c->out, 0);
}

static void cmd_bitop(struct call *c) {
    struct bitop b = { 0 };
    if (!parse(c, &b)) return;
    if (open_sources(c, &b)) {
        if (b.longest)
            store(c, &b);
        else
            delete_target(c);
    }
    free(b.sources);
    free(b.texts);
    free(b.bytes);
}

static const struct command bitop_rows[] = {
    { "BITOP",
      -4,
      CMD_WRITE | CMD_DENYOOM,
      "bitmap",
      cmd_bitop,
      { KEY(2, KF_OW | KF_UPDATE), KEYS(3, -1, 1, KF_RO | KF_ACCESS) } },
};
COMMAND_GROUP(bitop_commands, "bitmap", bitop_rows);
