/* bitop.c - BITOP: strings combined bit by bit, the shorter ones going on with zeros.
 *
 * A block of all sources is worked through before the next, so that it stays in the nearest cache;
 * the loops are plain so that the compiler makes vectors of them.
 */
#include "cmd/bitmap.h"

enum operation { AND, OR, XOR, NOT, DIFF, DIFF1, ANDOR, ONE };

#define BLOCK 4096u

struct bitop {
    enum operation op;
    const char *word;
    int n;
    struct str *sources;
    char (*texts)[24]; /* of sources that are integers */
    size_t longest;
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
    ASSERT(b->sources && b->texts);
    for (int i = 0; i < b->n; i++) {
        struct key k;
        if (!call_read(c, 3 + i, TYPE_STRING, &k)) return false;
        b->sources[i] = bitmap_bytes(c, &k, b->texts[i]);
        if (b->sources[i].n > b->longest) b->longest = b->sources[i].n;
    }
    return true;
}

/* --- one block --- */

/* The source's bytes of a block; fewer than asked for, maybe none, at its end. */
static struct str part(struct str s, size_t at, size_t n) {
    if (at >= s.n) return (struct str){ "", 0 };
    return (struct str){ s.p + at, s.n - at < n ? s.n - at : n };
}

/* `once` has the bits of the first source, then what the operation makes of it; `others` is the
 * union of the others, or, for ONE, what has been seen more than once. */
struct block {
    uint8_t once[BLOCK], others[BLOCK];
};

static void add_source(struct block *k, enum operation op, struct str s, size_t n) {
    const uint8_t *p = (const uint8_t *)s.p;
    switch (op) {
    case AND:
        for (size_t i = 0; i < s.n; i++) k->once[i] &= p[i];
        memset(k->once + s.n, 0, n - s.n);
        break;
    case OR:
        for (size_t i = 0; i < s.n; i++) k->once[i] |= p[i];
        break;
    case XOR:
        for (size_t i = 0; i < s.n; i++) k->once[i] ^= p[i];
        break;
    case ONE:
        for (size_t i = 0; i < s.n; i++) {
            k->others[i] |= k->once[i] & p[i];
            k->once[i] |= p[i];
        }
        break;
    default:
        for (size_t i = 0; i < s.n; i++) k->others[i] |= p[i];
    }
}

static void finish_block(struct block *k, enum operation op, size_t n) {
    switch (op) {
    case NOT:
        for (size_t i = 0; i < n; i++) k->once[i] = (uint8_t)~k->once[i];
        break;
    case DIFF:
    case ONE:
        for (size_t i = 0; i < n; i++) k->once[i] &= (uint8_t)~k->others[i];
        break;
    case DIFF1:
        for (size_t i = 0; i < n; i++) k->once[i] = k->others[i] & (uint8_t)~k->once[i];
        break;
    case ANDOR:
        for (size_t i = 0; i < n; i++) k->once[i] &= k->others[i];
        break;
    default: break;
    }
}

static void combine_block(const struct bitop *b, struct block *k, size_t at, size_t n) {
    struct str first = part(b->sources[0], at, n);
    memcpy(k->once, first.p, first.n);
    memset(k->once + first.n, 0, n - first.n);
    memset(k->others, 0, n);
    for (int i = 1; i < b->n; i++) add_source(k, b->op, part(b->sources[i], at, n), n);
    finish_block(k, b->op, n);
}

/* --- the command --- */

static void store(struct call *c, const struct bitop *b) {
    struct key k;
    struct block block;
    char *result = malloc(b->longest);
    ASSERT(result);
    for (size_t at = 0; at < b->longest; at += BLOCK) {
        size_t n = b->longest - at < BLOCK ? b->longest - at : BLOCK;
        combine_block(b, &block, at, n);
        memcpy(result + at, block.once, n);
    }
    call_find(c, 2, KEY_WRITE, &k);
    status st = key_set_plain(c->eng, &k, (struct str){ result, b->longest });
    free(result);
    if (!call_ok(c, st)) return;
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
