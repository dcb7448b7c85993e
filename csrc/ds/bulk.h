/* bulk.h - long runs of bytes counted and combined in the widest registers that the processor has.
 *
 * Owns nothing, fails never. Which instructions there are is asked at each call: it is one look at
 * a word that the compiler's library keeps.
 */
#ifndef SHMREDIS_BULK_H
#define SHMREDIS_BULK_H

#include "mem/bytes.h"

/* How many bits are set. */
uint64_t bulk_count(const uint8_t *p, size_t n);

enum bulk_op { BULK_AND, BULK_OR, BULK_XOR, BULK_AND_NOT, BULK_NOT_AND, BULK_OPS };
/* to[i] = to[i] op from[i]; AND_NOT: to & ~from, NOT_AND: ~to & from. They do not overlap. */
void bulk_combine(enum bulk_op op, uint8_t *to, const uint8_t *from, size_t n);
/* to[i] = from[0][i] op from[1][i] op … of `count` (2 or more) runs, in one pass. */
void bulk_combine_all(enum bulk_op op, uint8_t *to, const uint8_t *const *from, int count,
                      size_t n);
/* to[i] = ~from[i]; they may be the same. */
void bulk_not(uint8_t *to, const uint8_t *from, size_t n);
/* Bits of `from` that are in `once` go to `more`, all of them to `once`. None overlap. */
void bulk_tally(uint8_t *once, uint8_t *more, const uint8_t *from, size_t n);

#endif
