/* hll.c - registers in and out of the two encodings, and the estimate.
 *
 * A sparse one is changed where it lies: the run that has the register is split in up to three, and
 * neighbours that became equal are joined. Which runs come out of that is part of the format here,
 * because dumps of the same elements are to be equal.
 */
#include "ds/hll.h"

#include <math.h>

#include "ds/hll_dense.h"

#define MAGIC "HYLL"
enum { DENSE = 0, SPARSE = 1 };

#define INDEX_BITS 14
#define ZERO_BITS (64 - INDEX_BITS)
#define STALE ((uint64_t)1 << 63)

#define ZEROS_SHORT 64u  /* registers of a short run of zeros, at most */
#define VALUES_LENGTH 4u /* of a run of values */
#define VALUES_MAX 32u

/* --- header --- */

bool hll_is_dense(struct str s) {
    return s.p[4] == DENSE;
}

bool hll_is_one(struct str s) {
    if (s.n < HLL_HEADER || memcmp(s.p, MAGIC, 4) != 0 || (uint8_t)s.p[4] > SPARSE) return false;
    return !hll_is_dense(s) || s.n == HLL_DENSE_BYTES;
}

bool hll_cached(struct str s, uint64_t *count) {
    *count = load_u64(s.p + 8);
    return !(*count & STALE);
}

void hll_cache(char *p, uint64_t count) {
    store_u64(p + 8, count);
}

void hll_invalidate(struct hll *h) {
    h->p[15] |= 0x80;
}

/* --- elements --- */

/* MurmurHash64A by Austin Appleby, public domain. */
static uint64_t hash_of(struct str s) {
    const uint64_t m = 0xc6a4a7935bd1e995u;
    const char *p = s.p;
    size_t n = s.n;
    uint64_t h = 0xadc83b19u ^ (n * m);
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t k = load_u64(p) * m;
        h = (h ^ (k ^ k >> 47) * m) * m;
    }
    if (n) {
        uint64_t rest = 0;
        memcpy(&rest, p, n);
        h = (h ^ rest) * m;
    }
    h = (h ^ h >> 47) * m;
    return h ^ h >> 47;
}

/* --- dense --- */

/* Byte and shift of a register; it may go on in the next byte. */
static uint8_t dense_get(const uint8_t *r, uint32_t index) {
    uint32_t bit = index * 6, shift = bit % 8;
    unsigned v = r[bit / 8] >> shift;
    if (shift > 2) v |= (unsigned)r[bit / 8 + 1] << (8 - shift);
    return v & 63;
}

static void dense_put(uint8_t *r, uint32_t index, uint8_t value) {
    uint32_t bit = index * 6, shift = bit % 8;
    uint8_t *p = r + bit / 8;
    p[0] = (uint8_t)((p[0] & ~(63u << shift)) | (unsigned)value << shift);
    if (shift > 2) p[1] = (uint8_t)((p[1] & ~(63u >> (8 - shift))) | value >> (8 - shift));
}

/* --- sparse --- */

bool hll_read_run(const uint8_t *p, const uint8_t *end, struct hll_run *run) {
    if (p >= end) return false;
    if (*p & 0x80) {
        *run = (struct hll_run){ (uint8_t)((*p >> 2 & 31) + 1), 1, (*p & 3u) + 1 };
    } else if (*p & 0x40) {
        if (p + 1 == end) return false;
        *run = (struct hll_run){ 0, 2, ((*p & 63u) << 8 | p[1]) + 1 };
    } else {
        *run = (struct hll_run){ 0, 1, (*p & 63u) + 1 };
    }
    return true;
}

/* Writes a run; nothing for no registers. */
static uint8_t *write_run(uint8_t *p, uint8_t value, uint32_t length) {
    if (!length) return p;
    uint32_t n = length - 1;
    if (value) {
        *p++ = (uint8_t)(0x80u | (value - 1u) << 2 | n);
    } else if (length <= ZEROS_SHORT) {
        *p++ = (uint8_t)n;
    } else {
        *p++ = (uint8_t)(0x40u | n >> 8);
        *p++ = (uint8_t)n;
    }
    return p;
}

static bool sparse_merge(uint8_t registers[HLL_REGISTERS], struct str s) {
    const uint8_t *p = (const uint8_t *)s.p + HLL_HEADER, *end = (const uint8_t *)s.p + s.n;
    struct hll_run run;
    uint32_t at = 0;
    for (; hll_read_run(p, end, &run); p += run.bytes) {
        if (run.length > HLL_REGISTERS - at) return false;
        for (uint32_t i = at; run.value && i < at + run.length; i++)
            if (run.value > registers[i]) registers[i] = run.value;
        at += run.length;
    }
    return at == HLL_REGISTERS && p == end;
}

/* --- estimate --- */

static double sigma(double x) {
    if (x == 1) return INFINITY;
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double tau(double x) {
    if (x == 0 || x == 1) return 0;
    double y = 1, z = 1 - x, before;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= pow(1 - x, 2) * y;
    } while (z != before);
    return z / 3;
}

static uint64_t estimate(const uint32_t histogram[64]) {
    const double m = HLL_REGISTERS, alpha = 0.721347520444481703680; /* 1 / (2 ln 2) */
    double z = m * tau((m - histogram[ZERO_BITS + 1]) / m);
    for (int i = ZERO_BITS; i >= 1; i--) z = (z + histogram[i]) * 0.5;
    z += m * sigma(histogram[0] / m);
    return (uint64_t)llround(alpha * m * m / z);
}

/* Four histograms, so that equal neighbours do not wait for each other. */
uint64_t hll_estimate(const uint8_t registers[HLL_REGISTERS]) {
    uint32_t parts[4][64] = { 0 }, histogram[64];
    for (uint32_t i = 0; i < HLL_REGISTERS; i += 4)
        for (uint32_t j = 0; j < 4; j++) parts[j][registers[i + j] & 63]++;
    for (int v = 0; v < 64; v++)
        histogram[v] = parts[0][v] + parts[1][v] + parts[2][v] + parts[3][v];
    return estimate(histogram);
}

bool hll_merge(uint8_t registers[HLL_REGISTERS], struct str s) {
    if (!hll_is_dense(s)) return sparse_merge(registers, s);
    hll_dense_spread(registers, (const uint8_t *)s.p + HLL_HEADER);
    return true;
}

bool hll_count(struct str s, uint64_t *count) {
    uint8_t registers[HLL_REGISTERS] = { 0 };
    if (!hll_merge(registers, s)) return false;
    *count = hll_estimate(registers);
    return true;
}

/* --- changing --- */

static void make_room(struct hll *h, size_t room) {
    if (h->room >= room) return;
    h->room = room;
    h->p = realloc(h->p, room);
    ASSERT(h->p);
}

void hll_open(struct hll *h, struct str s, size_t sparse_max) {
    *h = (struct hll){ .n = s.n ? s.n : HLL_HEADER, .sparse_max = sparse_max };
    make_room(h, h->n + 64);
    if (s.n) {
        memcpy(h->p, s.p, s.n);
        return;
    }
    memset(h->p, 0, HLL_HEADER);
    memcpy(h->p, MAGIC, 4);
    h->p[4] = SPARSE;
    h->n = (size_t)(write_run(h->p + HLL_HEADER, 0, HLL_REGISTERS) - h->p);
}

void hll_close(struct hll *h) {
    free(h->p);
    h->p = NULL;
}

bool hll_make_dense(struct hll *h) {
    uint8_t registers[HLL_REGISTERS] = { 0 };
    if (h->p[4] == DENSE) return true;
    if (!sparse_merge(registers, (struct str){ (const char *)h->p, h->n })) return false;
    make_room(h, HLL_DENSE_BYTES);
    h->n = HLL_DENSE_BYTES;
    h->p[4] = DENSE;
    hll_dense_pack(h->p + HLL_HEADER, registers);
    return true;
}

static enum hll_change raise_dense(struct hll *h, uint32_t index, uint8_t value) {
    uint8_t *r = h->p + HLL_HEADER;
    if (dense_get(r, index) >= value) return HLL_SAME;
    dense_put(r, index, value);
    return HLL_CHANGED;
}

/* Joins runs of the same value, from `at` on, as far as one change can have made them equal. */
static void join_runs(struct hll *h, size_t at) {
    struct hll_run run, next;
    for (int looks = 5; looks && at < h->n; looks--) {
        if (!hll_read_run(h->p + at, h->p + h->n, &run)) return;
        size_t behind = at + run.bytes;
        if (run.value && hll_read_run(h->p + behind, h->p + h->n, &next) &&
            next.value == run.value && run.length + next.length <= VALUES_LENGTH) {
            write_run(h->p + behind, run.value, run.length + next.length);
            memmove(h->p + at, h->p + behind, h->n - behind);
            h->n--;
            continue;
        }
        at = behind;
    }
}

/* Where a register's run is. */
struct place {
    size_t at, before; /* the run, and the one before it or itself */
    uint32_t first;    /* its first register */
    struct hll_run run;
};

static bool find_run(const struct hll *h, uint32_t index, struct place *out) {
    const uint8_t *end = h->p + h->n;
    *out = (struct place){ .at = HLL_HEADER, .before = HLL_HEADER };
    while (hll_read_run(h->p + out->at, end, &out->run)) {
        if (index - out->first < out->run.length) return true;
        out->first += out->run.length;
        out->before = out->at;
        out->at += out->run.bytes;
    }
    return false;
}

static enum hll_change raise_by_density(struct hll *h, uint32_t index, uint8_t value) {
    return hll_make_dense(h) ? raise_dense(h, index, value) : HLL_BROKEN;
}

static enum hll_change raise_sparse(struct hll *h, uint32_t index, uint8_t value) {
    struct place w;
    if (value > VALUES_MAX) return raise_by_density(h, index, value);
    if (!find_run(h, index, &w)) return HLL_BROKEN;
    if (w.run.value >= value) return HLL_SAME;
    uint8_t runs[8], *end = write_run(runs, w.run.value, index - w.first);
    end = write_run(end, value, 1);
    end = write_run(end, w.run.value, w.first + w.run.length - 1 - index);
    size_t now = (size_t)(end - runs), old = w.run.bytes;
    if (now > old && h->n + now - old > h->sparse_max) return raise_by_density(h, index, value);
    make_room(h, h->n + now);
    memmove(h->p + w.at + now, h->p + w.at + old, h->n - w.at - old);
    memcpy(h->p + w.at, runs, now);
    h->n = h->n + now - old;
    join_runs(h, w.before);
    return HLL_CHANGED;
}

static enum hll_change raise_register(struct hll *h, uint32_t index, uint8_t value) {
    return h->p[4] == DENSE ? raise_dense(h, index, value) : raise_sparse(h, index, value);
}

bool hll_raise_all(struct hll *h, const uint8_t registers[HLL_REGISTERS], bool dense) {
    bool whole = !dense || hll_make_dense(h);
    if (whole && h->p[4] == DENSE) {
        hll_dense_pack(h->p + HLL_HEADER, registers);
        return true;
    }
    for (uint32_t i = 0; whole && i < HLL_REGISTERS; i++)
        if (registers[i]) whole = raise_register(h, i, registers[i]) != HLL_BROKEN;
    return whole;
}

enum hll_change hll_add(struct hll *h, struct str element) {
    uint64_t hash = hash_of(element);
    uint32_t index = hash & (HLL_REGISTERS - 1);
    uint64_t rest = hash >> INDEX_BITS | (uint64_t)1 << ZERO_BITS;
    return raise_register(h, index, (uint8_t)(__builtin_ctzll(rest) + 1));
}
