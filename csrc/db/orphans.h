/* orphans.h - finds blocks of an arena that nothing refers to.
 *
 * Everything in an arena has one owner. This walks all of them, by the very functions the
 * defragmenter moves blocks with (type_ops.relocate, dict_relocate), and counts the live blocks
 * that it did not come by: memory that is lost for good. Takes as long as a defragmentation, and a
 * bit of memory for each 8 bytes of the arena.
 *
 * Callers   tests, engine_check; between commands.
 */
#ifndef SHMREDIS_ORPHANS_H
#define SHMREDIS_ORPHANS_H

#include "db/engine.h"

uint64_t orphans_count(struct engine *eng);

#endif
