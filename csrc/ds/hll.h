/* hll.h - HyperLogLogs: estimates of how many distinct elements were seen, in Redis's bytes.
 *
 *   0   "HYLL" | encoding: 0 dense, 1 sparse | 3 bytes of 0
 *   8   the last estimate, little endian; bit 63: it does not hold any more
 *   16  dense:  16384 registers of 6 bits, each from the low bits of a byte upwards
 *       sparse: runs of equal registers
 *               00nnnnnn            n + 1 registers of 0
 *               01nnnnnn nnnnnnnn   the same, up to 16384
 *               1vvvvvnn            n + 1 registers of v + 1
 *
 * An element's hash chooses a register by 14 bits; the register keeps the most zeros, plus one,
 * that the other 50 bits of any element begin with. The estimate is that of Otmar Ertl, "New
 * cardinality estimation algorithms for HyperLogLog sketches", 2017, section 2.
 *
 * Owns      nothing but the bytes of a struct hll.
 * Fails     false for bytes that are no HyperLogLog: they may come from anywhere.
 */
#ifndef SHMREDIS_HLL_H
#define SHMREDIS_HLL_H

#include "mem/bytes.h"

#define HLL_REGISTERS 16384u
#define HLL_HEADER 16u
#define HLL_DENSE_BYTES (HLL_HEADER + HLL_REGISTERS * 6 / 8)

/* Whether the bytes have the form of one; runs are only read by those who use them. */
bool hll_is_one(struct str s);
bool hll_is_dense(struct str s);

/* The last estimate; false: it does not hold. */
bool hll_cached(struct str s, uint64_t *count);
/* Puts it into the header of writable bytes. */
void hll_cache(char *p, uint64_t count);

/* Raises the registers to those of s. */
bool hll_merge(uint8_t registers[HLL_REGISTERS], struct str s);
uint64_t hll_estimate(const uint8_t registers[HLL_REGISTERS]);
/* The registers as zero or more, without merging. */
bool hll_count(struct str s, uint64_t *count);

/* One that is being changed: a malloc'd copy of its bytes. */
struct hll {
    uint8_t *p;
    size_t n, room;
    size_t sparse_max; /* a longer sparse one becomes dense */
};
enum hll_change { HLL_SAME, HLL_CHANGED, HLL_BROKEN };

/* A copy of s, or an empty one when s has no bytes. */
void hll_open(struct hll *h, struct str s, size_t sparse_max);
void hll_close(struct hll *h);
enum hll_change hll_add(struct hll *h, struct str element);
/* Raises its registers to those given, none of which is lower; `dense`: it becomes so first. False:
 * broken. */
bool hll_raise_all(struct hll *h, const uint8_t registers[HLL_REGISTERS], bool dense);
bool hll_make_dense(struct hll *h);
/* The estimate in the header does not hold any more. */
void hll_invalidate(struct hll *h);

/* --- runs, for PFDEBUG --- */
struct hll_run {
    uint8_t value;   /* of its registers */
    uint8_t bytes;   /* that describe it: 1 or 2 */
    uint32_t length; /* registers */
};
/* The run at p; false: there is none whole before `end`. */
bool hll_read_run(const uint8_t *p, const uint8_t *end, struct hll_run *run);

#endif
