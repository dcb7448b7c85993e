/* walk.h - a walk over all blocks of a heap that have an owner, to find those that have none.
 *
 * While a walk is on, heap_sparse only notes the block that it is asked about and says that it is
 * well placed, so nothing moves: walking the data as the defragmenter does shows every block.
 *
 * Owns      a bitmap, process-local, from begin to end.
 * Callers   db/orphans.c; nothing is allocated or freed meanwhile.
 */
#ifndef SHMREDIS_WALK_H
#define SHMREDIS_WALK_H

#include "mem/heap.h"

void heap_walk_begin(struct arena *a);
/* This block has an owner. Aborts if it is no block, or a free one. */
void heap_walk_see(const struct arena *a, ref_t r);
/* How many live blocks were not seen. */
uint64_t heap_walk_end(struct arena *a);

#endif
