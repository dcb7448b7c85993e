/* defrag.h - the active defragmenter: policy and walk.
 *
 * Policy    Redis's active-defrag-* settings: it runs while fragmentation is above the lower
 *           threshold and the waste above ignore-bytes, with a share of the CPU between cycle-min
 *           and cycle-max. Nothing is moved while a snapshot is made: it would copy every page.
 *           What writes during a snapshot left in holes (mem/park.h) is mended by one pass of that
 *           kind afterwards, even when `activedefrag` is off.
 * Walk      every database's table bucket by bucket; for each entry the entry's own block, then
 *           its type's relocate, big values in slices over several cycles.
 * Owns      its cursors only; mechanism is mem/heap.h (heap_sparse, heap_move).
 * Callers   the cron, between commands; MEMORY PURGE.
 */
#ifndef SHMREDIS_DEFRAG_H
#define SHMREDIS_DEFRAG_H

#include "db/keyspace.h"

struct defrag *defrag_new(void);
void defrag_delete(struct defrag *d);
/* One slice, if the policy wants it; true when it wants another soon. */
bool defrag_cycle(struct engine *eng);
/* Everything now, whatever the policy, and empty pages back to the kernel; bytes released. Nothing
 * unless the arena is LIVE (mem/freeze.h). */
uint64_t defrag_purge(struct engine *eng);

#endif
