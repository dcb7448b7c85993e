/* bits.h - runs of bits in byte strings, the most significant bit of a byte first, as bitmaps have
 * them: bit 0 is 0x80 of the first byte.
 *
 * Owns nothing, fails never. Ranges are in bits, both ends included and inside the bytes.
 */
#ifndef SHMREDIS_BITS_H
#define SHMREDIS_BITS_H

#include "mem/bytes.h"

static inline bool bits_at(struct str s, uint64_t at) {
    return at / 8 < s.n && (uint8_t)s.p[at / 8] >> (7 - at % 8) & 1;
}
/* How many bits of the range are set. */
uint64_t bits_count(struct str s, uint64_t from, uint64_t to);
/* The first bit of the range that is `bit`, or -1. */
int64_t bits_find(struct str s, bool bit, uint64_t from, uint64_t to);
/* `width` (1-64) bits from `at` on as a number; beyond the end they are 0. */
uint64_t bits_get(struct str s, uint64_t at, unsigned width);
/* Writes the low `width` bits of v; the bytes are there. */
void bits_put(char *p, uint64_t at, unsigned width, uint64_t v);

#endif
