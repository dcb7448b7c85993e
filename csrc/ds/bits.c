/* bits.c - counting, finding, reading and writing runs of bits, a word at a time where it pays. */
#include "ds/bits.h"

#include "ds/bulk.h"

/* --- counting --- */

uint64_t bits_count(struct str s, uint64_t from, uint64_t to) {
    const uint8_t *p = (const uint8_t *)s.p;
    size_t first = from / 8, last = to / 8;
    unsigned head = 0xffu >> from % 8, tail = 0xffu << (7 - to % 8) & 0xff;
    if (first == last) return (uint64_t)__builtin_popcount(p[first] & head & tail);
    uint64_t ends = (uint64_t)__builtin_popcount(p[first] & head) +
                    (uint64_t)__builtin_popcount(p[last] & tail);
    return ends + bulk_count(p + first + 1, last - first - 1);
}

/* --- finding --- */

int64_t bits_find(struct str s, bool bit, uint64_t from, uint64_t to) {
    const uint8_t *p = (const uint8_t *)s.p;
    uint8_t flip = bit ? 0 : 0xff;
    uint64_t dull = bit ? 0 : UINT64_MAX; /* eight bytes without such a bit */
    size_t i = from / 8, last = to / 8;
    unsigned byte = (unsigned)(p[i] ^ flip) & 0xffu >> from % 8;
    while (!byte && i < last) {
        i++;
        while (i + 8 <= last && load_u64(p + i) == dull) i += 8;
        byte = p[i] ^ flip;
    }
    if (!byte) return -1;
    uint64_t at = (uint64_t)i * 8 + (uint64_t)__builtin_clz(byte) - 24;
    return at <= to ? (int64_t)at : -1;
}

/* --- numbers --- */

uint64_t bits_get(struct str s, uint64_t at, unsigned width) {
    uint64_t v = 0;
    while (width) {
        unsigned skip = (unsigned)(at % 8), take = 8 - skip < width ? 8 - skip : width;
        unsigned byte = at / 8 < s.n ? (uint8_t)s.p[at / 8] : 0;
        v = v << take | (byte >> (8 - skip - take) & ((1u << take) - 1));
        at += take;
        width -= take;
    }
    return v;
}

void bits_put(char *p, uint64_t at, unsigned width, uint64_t v) {
    while (width) {
        unsigned skip = (unsigned)(at % 8), take = 8 - skip < width ? 8 - skip : width;
        unsigned shift = 8 - skip - take, mask = ((1u << take) - 1) << shift;
        unsigned part = (unsigned)(v >> (width - take)) << shift & mask;
        p[at / 8] = (char)(((uint8_t)p[at / 8] & ~mask) | part);
        at += take;
        width -= take;
    }
}
