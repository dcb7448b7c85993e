/* lzf.c - a greedy compressor with one candidate per hash, and a strict expander. */
#include "persist/lzf.h"

#define HASH_BITS 13
#define DISTANCE_MAX 8192u
#define LITERALS_MAX 32u
#define MATCH_MIN 3u
#define MATCH_MAX 264u

/* Places are counted from `base`, which grows with each string, so places of earlier strings are
 * below it and need no clearing. */
struct lzf {
    uint32_t base;
    uint32_t place[1u << HASH_BITS];
};

struct lzf *lzf_new(void) {
    struct lzf *z = calloc(1, sizeof *z);
    ASSERT(z);
    z->base = 1;
    return z;
}

void lzf_delete(struct lzf *z) {
    free(z);
}

/* --- compressing --- */

static inline uint32_t hash_of(const uint8_t *p) {
    uint32_t three = (load_u32(p) & 0xffffffu) << 8;
    return three * 2654435761u >> (32 - HASH_BITS);
}

static size_t match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end) {
    size_t most = (size_t)(end - b) < MATCH_MAX ? (size_t)(end - b) : MATCH_MAX, n = 0;
    while (n + 8 <= most) {
        uint64_t differs = load_u64(a + n) ^ load_u64(b + n);
        if (differs) return n + (size_t)__builtin_ctzll(differs) / 8;
        n += 8;
    }
    while (n < most && a[n] == b[n]) n++;
    return n;
}

struct output {
    uint8_t *p, *end;
};

/* Runs of literals; false: no room. */
static bool put_literals(struct output *o, const uint8_t *p, size_t n) {
    while (n > 0) {
        size_t run = n < LITERALS_MAX ? n : LITERALS_MAX;
        if ((size_t)(o->end - o->p) < run + 1) return false;
        *o->p++ = (uint8_t)(run - 1);
        memcpy(o->p, p, run);
        o->p += run;
        p += run;
        n -= run;
    }
    return true;
}

static bool put_match(struct output *o, size_t distance, size_t length) {
    if (o->end - o->p < 3) return false;
    size_t back = distance - 1, n = length - 2;
    *o->p++ = (uint8_t)((n < 7 ? n : 7) << 5 | back >> 8);
    if (n >= 7) *o->p++ = (uint8_t)(n - 7);
    *o->p++ = (uint8_t)back;
    return true;
}

static void next_base(struct lzf *z, size_t n) {
    if (n < UINT32_MAX / 2 && z->base < UINT32_MAX / 2) {
        z->base += (uint32_t)n + 1;
        return;
    }
    memset(z->place, 0, sizeof z->place);
    z->base = 1;
}

size_t lzf_compress(struct lzf *z, const char *in, size_t n, char *out, size_t room) {
    if (n < 8 || n >= UINT32_MAX / 2) return 0;
    const uint8_t *start = (const uint8_t *)in, *end = start + n;
    const uint8_t *p = start, *literals = start;
    struct output o = { (uint8_t *)out, (uint8_t *)out + room };
    bool fits = true;
    uint32_t base = z->base;
    while (fits && p + 4 <= end) {
        uint32_t *slot = &z->place[hash_of(p)], here = base + (uint32_t)(p - start), seen = *slot;
        *slot = here;
        size_t length = 0;
        if (seen >= base && here - seen <= DISTANCE_MAX)
            length = match_length(p - (here - seen), p, end);
        if (length < MATCH_MIN) {
            /* The longer nothing repeats, the less often it is looked for. */
            p += 1 + ((size_t)(p - literals) >> 6);
            continue;
        }
        fits = put_literals(&o, literals, (size_t)(p - literals)) &&
               put_match(&o, here - seen, length);
        literals = p += length;
        for (const uint8_t *q = p - 2; q < p && q + 4 <= end; q++)
            z->place[hash_of(q)] = base + (uint32_t)(q - start);
    }
    fits = fits && put_literals(&o, literals, (size_t)(end - literals));
    next_base(z, n);
    return fits ? (size_t)((char *)o.p - out) : 0;
}

/* --- expanding --- */

/* A match may reach into itself: its first `distance` bytes repeat. What is copied can be copied
 * on, so runs take as many steps as the logarithm of their length. */
static void copy_match(uint8_t *to, size_t distance, size_t n) {
    const uint8_t *from = to - distance;
    if (distance == 1) {
        memset(to, *from, n);
        return;
    }
    for (; n > distance; distance *= 2) {
        memcpy(to, from, distance);
        to += distance;
        n -= distance;
    }
    memcpy(to, from, n);
}

bool lzf_expand(const char *in, size_t n, char *out, size_t size) {
    const uint8_t *p = (const uint8_t *)in, *end = p + n;
    uint8_t *o = (uint8_t *)out, *o_end = o + size;
    while (p < end) {
        size_t control = *p++;
        if (control < LITERALS_MAX) {
            size_t run = control + 1;
            if (run > (size_t)(end - p) || run > (size_t)(o_end - o)) return false;
            memcpy(o, p, run);
            o += run;
            p += run;
            continue;
        }
        size_t length = control >> 5;
        if (length == 7) {
            if (p == end) return false;
            length += *p++;
        }
        if (p == end) return false;
        size_t distance = ((control & 31) << 8 | *p++) + 1;
        length += 2;
        if (distance > (size_t)(o - (uint8_t *)out) || length > (size_t)(o_end - o)) return false;
        copy_match(o, distance, length);
        o += length;
    }
    return o == o_end;
}
