/* seal.h - the checksum that an orderly end leaves in an arena, and one that is always there.
 *
 * It covers what everything else hangs on: superblock, roots of the heap, page table. A worker that
 * attaches breaks the seal at once; an arena without one (its worker was killed) may be sound, and
 * is judged by its marks.
 *
 * The stamp covers what no command changes, so it holds whenever a worker dies: whose the arena is,
 * how large, how its keys are hashed, where its databases begin. Else a bit that has changed there
 * could make data invisible, and nobody would know.
 *
 * Callers   the worker that owns the arena, between commands.
 */
#ifndef SHMREDIS_SEAL_H
#define SHMREDIS_SEAL_H

#include "mem/arena.h"

/* XXH3, 64 bit, seed 0. */
typedef uint64_t (*seal_hash_fn)(const char *p, size_t n);
enum seal { SEAL_NONE, SEAL_GOOD, SEAL_BAD };

void arena_seal(const struct arena *a, seal_hash_fn hash);
enum seal arena_seal_state(const struct arena *a, seal_hash_fn hash);
void arena_break_seal(const struct arena *a);
/* After each change of such a field. */
void arena_stamp(const struct arena *a);
bool arena_stamp_is_good(const struct arena_super *super);

#endif
