/* zset_build.h - a sorted set made of many members at once: results of algebra, copies, loading.
 *
 * Members come in any order; only the end sorts them, so that the tree's nodes are full and no
 * score costs a search of the order on its way to the final one.
 *
 * Owns      what was put in, until it is finished or freed.
 * Fails     ST_ARENA_FULL; what was put in before stays, to be freed.
 */
#ifndef SHMREDIS_ZSET_BUILD_H
#define SHMREDIS_ZSET_BUILD_H

#include "db/type_zset.h"
#include "ds/dict.h"

/* Zero but for the arena: nothing yet. */
struct zset_builder {
    struct arena *a;
    struct dict members;
    ref_t *items; /* as they came */
    size_t room;
    size_t longest; /* bytes of the longest member */
};

/* The place of the member's score, valid until the builder is finished; 0 when `fresh`. */
status zset_builder_put(struct zset_builder *b, struct str member, double **score, bool *fresh);
/* Makes the value, ENC_SKIPLIST, and leaves the builder empty. There is at least one member. */
status zset_builder_finish(struct zset_builder *b, struct value *v);
void zset_builder_free(struct zset_builder *b);

#endif
