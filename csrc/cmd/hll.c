/* hll.c - HyperLogLogs, which are strings of a certain form: ds/hll.h. */
#include "ds/hll.h"

#include "cmd/bitmap.h"

/* --- strings that are HyperLogLogs --- */

static bool check_form(struct call *c, const struct key *k, struct str s) {
    if (!k->entry || (entry_encoding(k->entry) != ENC_INT && hll_is_one(s))) return true;
    reply_error(c->out, "WRONGTYPE Key is not a valid HyperLogLog string value.");
    return false;
}

static void reply_broken(struct call *c) {
    reply_error(c->out, "INVALIDOBJ Corrupted HLL object detected");
}

/* argv[i]; s has no bytes if the key is missing. False: replied. */
static bool open_read(struct call *c, int i, struct key *k, struct str *s) {
    char unused[24]; /* an integer is none */
    if (!call_read(c, i, TYPE_STRING, k)) return false;
    *s = bitmap_bytes(c, k, unused);
    return check_form(c, k, *s);
}

/* A copy of argv[i] to change, empty if the key is missing. */
static bool open_write(struct call *c, int i, struct key *k, struct hll *h) {
    char buf[24];
    if (!call_write(c, i, TYPE_STRING, k)) return false;
    struct str s = bitmap_bytes(c, k, buf);
    if (!check_form(c, k, s)) return false;
    hll_open(h, s, (size_t)c->eng->config.hll_sparse_max_bytes);
    return true;
}

/* Puts the copy in the place of the string. */
static bool store(struct call *c, struct key *k, const struct hll *h) {
    char buf[24], *bytes;
    size_t old = bitmap_bytes(c, k, buf).n;
    if (!call_ok(c, key_grow_string(c->eng, k, old > h->n ? old : h->n, &bytes))) return false;
    memcpy(bytes, h->p, h->n);
    if (old > h->n) key_cut_string(c->eng, k, h->n);
    return true;
}

/* --- PFADD --- */

/* A dense one is changed where it lies. */
static void add_in_place(struct call *c, struct key *k, size_t n) {
    char *bytes;
    uint64_t changes = 0;
    if (!call_ok(c, key_grow_string(c->eng, k, n, &bytes))) return;
    struct hll h = { .p = (uint8_t *)bytes, .n = n, .room = n };
    for (int i = 2; i < c->argc; i++) changes += hll_add(&h, c->argv[i]) == HLL_CHANGED;
    if (changes) {
        hll_invalidate(&h);
        call_changed(c, k, NOTIFY_STRING, "pfadd", changes);
    }
    reply_int(c->out, changes != 0);
}

/* A sparse or new one is changed as a copy. */
static void add_to_copy(struct call *c, struct key *k, struct hll *h) {
    uint64_t changes = !k->entry;
    for (int i = 2; i < c->argc; i++) {
        enum hll_change change = hll_add(h, c->argv[i]);
        if (change == HLL_BROKEN) {
            reply_broken(c);
            return;
        }
        changes += change == HLL_CHANGED;
    }
    if (changes) {
        hll_invalidate(h);
        if (!store(c, k, h)) return;
        call_changed(c, k, NOTIFY_STRING, "pfadd", changes);
    }
    reply_int(c->out, changes != 0);
}

static void cmd_pfadd(struct call *c) {
    struct key k;
    struct hll h;
    char buf[24];
    if (!call_write(c, 1, TYPE_STRING, &k)) return;
    struct str s = bitmap_bytes(c, &k, buf);
    if (!check_form(c, &k, s)) return;
    if (k.entry && hll_is_dense(s)) {
        add_in_place(c, &k, s.n);
        return;
    }
    hll_open(&h, s, (size_t)c->eng->config.hll_sparse_max_bytes);
    add_to_copy(c, &k, &h);
    hll_close(&h);
}

/* --- PFCOUNT --- */

/* Merges argv[from …]; `dense`: one of them is. False: replied. */
static bool merge_all(struct call *c, int from, uint8_t registers[HLL_REGISTERS], bool *dense) {
    for (int i = from; i < c->argc; i++) {
        struct key k;
        struct str s;
        if (!open_read(c, i, &k, &s)) return false;
        if (!k.entry) continue;
        *dense |= hll_is_dense(s);
        if (hll_merge(registers, s)) continue;
        reply_broken(c);
        return false;
    }
    return true;
}

/* The estimate of one is kept in its header, which is a change like any other. */
static void count_one(struct call *c) {
    struct key k;
    struct str s;
    uint64_t count = 0;
    char *bytes;
    if (!open_read(c, 1, &k, &s)) return;
    if (k.entry && !hll_cached(s, &count)) {
        if (!hll_count(s, &count)) {
            reply_broken(c);
            return;
        }
        if (!call_ok(c, key_grow_string(c->eng, &k, s.n, &bytes))) return;
        hll_cache(bytes, count);
        call_changed(c, &k, NOTIFY_STRING, NULL, 1);
    }
    reply_int(c->out, (int64_t)count);
}

static void cmd_pfcount(struct call *c) {
    uint8_t registers[HLL_REGISTERS] = { 0 };
    bool dense = false;
    if (c->argc == 2)
        count_one(c);
    else if (merge_all(c, 1, registers, &dense))
        reply_int(c->out, (int64_t)hll_estimate(registers));
}

/* --- PFMERGE --- */

/* Dense if one of the sources is; false: replied. */
static bool raise_all(struct call *c, struct hll *h, const uint8_t registers[HLL_REGISTERS],
                      bool dense) {
    bool whole = hll_raise_all(h, registers, dense);
    if (!whole) reply_broken(c);
    return whole;
}

static void cmd_pfmerge(struct call *c) {
    uint8_t registers[HLL_REGISTERS] = { 0 };
    bool dense = false;
    struct key k;
    struct hll h;
    if (!merge_all(c, 1, registers, &dense) || !open_write(c, 1, &k, &h)) return;
    if (raise_all(c, &h, registers, dense)) {
        hll_invalidate(&h);
        if (store(c, &k, &h)) {
            call_changed(c, &k, NOTIFY_STRING, "pfadd", 1);
            reply_ok(c->out);
        }
    }
    hll_close(&h);
}

/* --- PFDEBUG --- */

static void reply_registers(struct call *c, const struct hll *h) {
    uint8_t registers[HLL_REGISTERS] = { 0 };
    hll_merge(registers, (struct str){ (const char *)h->p, h->n });
    reply_array(c->out, HLL_REGISTERS);
    for (uint32_t i = 0; i < HLL_REGISTERS; i++) reply_int(c->out, registers[i]);
}

/* Makes it dense; false: it was, or an error is replied. */
static bool make_dense(struct call *c, struct key *k, struct hll *h, bool *failed) {
    if (hll_is_dense((struct str){ (const char *)h->p, h->n })) return false;
    *failed = !hll_make_dense(h);
    if (*failed)
        reply_broken(c);
    else
        *failed = !store(c, k, h);
    if (!*failed) call_changed(c, k, NOTIFY_STRING, NULL, 1);
    return !*failed;
}

static void debug_getreg(struct call *c, struct key *k, struct hll *h) {
    bool failed = false;
    make_dense(c, k, h, &failed);
    if (!failed) reply_registers(c, h);
}

static void debug_todense(struct call *c, struct key *k, struct hll *h) {
    bool failed = false, done = make_dense(c, k, h, &failed);
    if (!failed) reply_int(c->out, done);
}

static void debug_encoding(struct call *c, struct key *k, struct hll *h) {
    (void)k;
    reply_simple(c->out,
                 hll_is_dense((struct str){ (const char *)h->p, h->n }) ? "dense" : "sparse");
}

/* z: a short run of zeros, Z: a long one, v: values. */
static void debug_decode(struct call *c, struct key *k, struct hll *h) {
    (void)k;
    if (hll_is_dense((struct str){ (const char *)h->p, h->n })) {
        reply_error(c->out, "ERR HLL encoding is not sparse");
        return;
    }
    char *text = malloc(16 * h->n);
    ASSERT(text);
    size_t n = 0;
    struct hll_run run;
    for (const uint8_t *p = h->p + HLL_HEADER; hll_read_run(p, h->p + h->n, &run); p += run.bytes) {
        if (run.value)
            n += (size_t)sprintf(text + n, "v:%u,%u ", run.value, run.length);
        else
            n += (size_t)sprintf(text + n, "%c:%u ", run.bytes == 1 ? 'z' : 'Z', run.length);
    }
    reply_bulk(c->out, (struct str){ text, n ? n - 1 : 0 });
    free(text);
}

static void cmd_pfdebug(struct call *c) {
    static const struct {
        const char *word;
        void (*run)(struct call *c, struct key *k, struct hll *h);
    } subcommands[] = { { "GETREG", debug_getreg },
                        { "DECODE", debug_decode },
                        { "ENCODING", debug_encoding },
                        { "TODENSE", debug_todense } };
    struct key k;
    struct hll h;
    if (!call_find(c, 2, KEY_WRITE, &k)) {
        reply_error(c->out, "ERR The specified key does not exist");
        return;
    }
    if (!open_write(c, 2, &k, &h)) return;
    int i = 0;
    while (i < 4 && !arg_is(c, 1, subcommands[i].word)) i++;
    if (i < 4)
        subcommands[i].run(c, &k, &h);
    else
        reply_errorf(c->out, "ERR Unknown PFDEBUG subcommand '%.*s'", (int)(c->argv[1].n % 128),
                     c->argv[1].p);
    hll_close(&h);
}

/* --- PFSELFTEST --- */

/* Adds the numbers below n to a sparse and to a dense one: their estimates are equal, and not
 * further from the truth than five standard errors. */
static bool test_estimate(uint32_t n) {
    struct hll sparse, dense;
    uint64_t a = 0, b = 0;
    hll_open(&sparse, (struct str){ NULL, 0 }, 3000);
    hll_open(&dense, (struct str){ NULL, 0 }, 3000);
    bool good = hll_make_dense(&dense);
    for (uint32_t i = 0; good && i < n; i++) {
        char text[24];
        struct str element = { text, i64_to_text(text, i) };
        good = hll_add(&sparse, element) == hll_add(&dense, element);
    }
    good = good && hll_count((struct str){ (const char *)sparse.p, sparse.n }, &a) &&
           hll_count((struct str){ (const char *)dense.p, dense.n }, &b) && a == b;
    double error = 1.04 / 128, wrong = (double)a - n;
    hll_close(&sparse);
    hll_close(&dense);
    return good && (wrong < 0 ? -wrong : wrong) <= 5 * error * n + 1;
}

static void cmd_pfselftest(struct call *c) {
    for (uint32_t n = 1; n <= 100000; n *= 10) {
        if (test_estimate(n)) continue;
        reply_errorf(c->out, "TESTFAILED Estimate of %u elements", n);
        return;
    }
    reply_ok(c->out);
}

#define H "hyperloglog"
static const struct command hll_rows[] = {
    { "PFADD",
      -2,
      CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      H,
      cmd_pfadd,
      { KEY(1, KF_RW | KF_INSERT) } },
    { "PFCOUNT",
      -2,
      CMD_READ | CMD_MAY_REPLICATE,
      H,
      cmd_pfcount,
      { KEYS(1, -1, 1, KF_RW | KF_ACCESS) } },
    { "PFMERGE",
      -2,
      CMD_WRITE | CMD_DENYOOM,
      H,
      cmd_pfmerge,
      { KEY(1, KF_RW | KF_ACCESS | KF_INSERT), KEYS(2, -1, 1, KF_RO | KF_ACCESS) } },
    { "PFDEBUG",
      3,
      CMD_WRITE | CMD_DENYOOM | CMD_ADMIN,
      H,
      cmd_pfdebug,
      { KEY(2, KF_RW | KF_ACCESS) } },
    { "PFSELFTEST", 1, CMD_ADMIN, H, cmd_pfselftest, { { 0 } } },
};
COMMAND_GROUP(hll_commands, "hyperloglog", hll_rows);
