/* sample.h - random distinct items of a table, for SPOP, HRANDFIELD and their like. */
#ifndef SHMREDIS_SAMPLE_H
#define SHMREDIS_SAMPLE_H

#include "ds/dict.h"

/* Writes min(want, count) distinct items, uniformly chosen, to out; returns how many. Cheap for a
 * few of many; linear in the table when a good part of it is wanted. */
size_t dict_sample(const struct arena *a, const struct dict *d, size_t want,
                   uint64_t (*random)(void *), void *ctx, ref_t *out);
/* The same of the numbers 0 … n - 1, ascending. */
size_t sample_indexes(size_t n, size_t want, uint64_t (*random)(void *), void *ctx, size_t *out);
/* Uniform in [0, n). */
size_t sample_below(size_t n, uint64_t (*random)(void *), void *ctx);

#endif
