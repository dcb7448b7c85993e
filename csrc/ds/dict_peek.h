/* dict_peek.h - finding an item in a table of another process, which may be changing it.
 *
 * The table is copied piece by piece on the way, so nothing that has changed is ever followed
 * (mem/share.h). And the opposite: a table of one item, in memory of this process, so that what was
 * found can be looked up again as if it were here.
 */
#ifndef SHMREDIS_DICT_PEEK_H
#define SHMREDIS_DICT_PEEK_H

#include "ds/dict.h"
#include "mem/share.h"

enum peek_result { PEEK_FOUND, PEEK_MISSING, PEEK_MOVED /* changed meanwhile */, PEEK_UNFIT };

/* Whether the item is the one; it copies what it needs to know. PEEK_MISSING: it is another. */
typedef enum peek_result (*dict_peek_fn)(void *ctx, const struct share_reader *r, ref_t item);

/* Calls `is_it` for the items that may have that hash, until it says anything but PEEK_MISSING; the
 * struct dict lies `at` bytes into the arena. */
enum peek_result dict_peek(const struct share_reader *r, uint64_t at, uint64_t hash,
                           dict_peek_fn is_it, void *ctx);

/* Begins to load what dict_peek for these hashes will look at, the buckets and the items in them
 * that may be meant, so that the misses overlap. */
#define DICT_PEEK_LOAD 16
void dict_peek_load(const struct share_reader *r, uint64_t at, const uint64_t *hash, int n);

/* Makes *d the table of that one item, or of none (REF_NULL). Its one bucket is `bucket`, 64 bytes
 * at a multiple of 64 in the arena-like memory at `base`. */
#define DICT_BUCKET_BYTES 64
void dict_make_single(char *base, struct dict *d, char *bucket, ref_t item, uint64_t hash);

#endif
