/* item_table.h - values that are tables of items, each a block of its own: large hashes and sets.
 *
 * What their types say of memory and do for the defragmenter is the same.
 */
#ifndef SHMREDIS_ITEM_TABLE_H
#define SHMREDIS_ITEM_TABLE_H

#include "ds/dict.h"

/* Bytes of the table and its items; those of `samples` items make up for all (0: all are read). */
size_t items_memory(const struct arena *a, const struct dict *d, size_t samples);

/* Defragmenter: moves *owner's block to a better place, if there is one. */
void items_move_ref(struct arena *a, ref_t *owner);
/* The items first, then the table's own blocks; resumes at *cursor, 0 when done. */
void items_relocate(struct arena *a, struct dict *d, uint64_t *cursor, size_t budget);

#endif
