/* park.h - small blocks that are given up while a snapshot reads the arena.
 *
 * The first write to a page that a snapshot reads has the kernel copy it, which takes several times
 * as long as a SET. So, while an arena is not ARENA_LIVE, writes keep to pages that are copied
 * already: new blocks come from slabs made since the freeze, small blocks are replaced rather than
 * overwritten (heap_frozen), and one that is freed is only noted here, because a free block holds a
 * link. They are freed in slices when the arena is live again.
 *
 * Bounds    slabs may so become half as long again as what lives in them (park_has_room); then, and
 *           in heaps that have such holes anyway, all is as in a live arena.
 * Owns      the chain of notes, in the arena: it outlives the process.
 * Figures   a parked block counts as free, but its page as committed.
 */
#ifndef SHMREDIS_PARK_H
#define SHMREDIS_PARK_H

#include "mem/heap.h"

#define PARK_BLOCK_MAX 2048u /* larger ones cost less to copy than to keep */

/* Notes the block, whose figures are taken off already; false: there is no memory for the note. */
bool park_block(struct arena *a, ref_t r);
/* Whether blocks may still be kept apart for the sake of the snapshot. */
bool park_has_room(const struct arena *a);
/* Whether half of that room is used: the snapshot should come to its end. */
bool park_is_urgent(const struct arena *a);
/* Frees up to n parked blocks of a live arena; true when none is left. */
bool park_drain(struct arena *a, uint32_t n);
/* Whether there are any. */
bool park_any(const struct arena *a);
/* Calls `see` for each parked block, and for the blocks of the notes. */
void park_each(const struct arena *a, void (*see)(const struct arena *a, ref_t r));

#endif
