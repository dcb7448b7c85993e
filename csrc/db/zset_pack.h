/* zset_pack.h - the listpack encoding of sorted sets; for type_zset.c only.
 *
 * Pairs of member and score in order. Whole scores below 2^52 are integers, which a negative zero
 * joins; others are text that reads back as the same double. Functions may move v->root.
 */
#ifndef SHMREDIS_ZSET_PACK_H
#define SHMREDIS_ZSET_PACK_H

#include "db/type_zset.h"

status zpack_create(struct arena *a, struct value *v);
/* Finds the pair of this member. */
bool zpack_find(const struct arena *a, const struct value *v, struct str member, uint64_t *rank,
                double *score);
uint64_t zpack_count_below(const struct arena *a, const struct value *v,
                           const struct btree_bound *b);
/* Whether the bytes that one more such member takes still fit into a listpack. */
bool zpack_fits(const struct arena *a, const struct value *v, struct str member);
/* Adds a member that is not there; `replaced` is the rank of the pair that goes, or ZPACK_NONE. */
#define ZPACK_NONE UINT64_MAX
status zpack_put(struct arena *a, struct value *v, struct str member, double score,
                 uint64_t replaced);
void zpack_remove(struct arena *a, struct value *v, uint64_t rank, uint64_t n);
void zpack_each(const struct arena *a, const struct value *v, uint64_t rank, uint64_t n,
                bool reverse, zset_visit_fn visit, void *ctx);
void zpack_check(const struct arena *a, const struct value *v);

#endif
