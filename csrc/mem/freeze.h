/* freeze.h - the state of one instant kept in the object while its owner goes on.
 *
 *   LIVE      base -> MAP_SHARED           the object is the present state
 *   FROZEN    base -> MAP_PRIVATE          the object is the state of the instant; what the owner
 *                                          writes goes to copies of pages that the kernel makes;
 *                                          what the object gets behind its end is MAP_SHARED
 *   THAWING   base -> both, by chunks      copies return to the object, 2 MiB at a time; the two
 *                                          ranges exchange the chunk and its page tables
 *   LIVE      base stays where it is, all of it MAP_SHARED now; the other range is MAP_PRIVATE
 *
 * Owns      the roles of the two mappings, and the superblock's `frozen` mark.
 * Callers   the worker that owns the arena, between two commands.
 * Promises  a freeze takes no time that grows with the size; refs and bytes that are read through
 *           `base` are the same before and after each call; a thaw keeps to its budget plus one
 *           chunk.
 * Costs     4 KiB for each page written while frozen, until it is thawed; mem/park.h keeps writes
 *           to few of them.
 * Crash     while FROZEN the object is whole and of the instant; while THAWING it is a mixture that
 *           nobody may use; the mark in the object says which.
 */
#ifndef SHMREDIS_FREEZE_H
#define SHMREDIS_FREEZE_H

#include "mem/arena.h"

/* From now on the object stays as it is. Whoever shall read it (a forked child, a tool) does so by
 * mapping A; to be called right after the fork, when the arena is LIVE. */
void freeze_begin(struct arena *a);
/* Nobody reads the instant any more: returns copies for about `budget_us`. True: the arena is LIVE
 * again, also when it was before. */
bool freeze_thaw(struct arena *a, uint64_t budget_us);
/* Fills the page table of the private mapping ahead of the next freeze; true: nothing is left to
 * fill for now. Does nothing unless LIVE. */
bool freeze_prepare(struct arena *a, uint64_t budget_us);
/* Bytes of copied pages: now while FROZEN (an estimate from what the process has of memory of its
 * own), of the last freeze as counted by its thaw otherwise. */
uint64_t freeze_copied(const struct arena *a);

/* What the kernel does not offer, so that a slower way is taken. Found out at the first use. */
enum freeze_lack {
    FREEZE_NO_PAGEMAP = 1,  /* a thaw compares all pages instead */
    FREEZE_NO_POPULATE = 2, /* pages are touched one by one to fill page tables */
    FREEZE_NO_EXCHANGE = 4  /* page tables of what has thawed are filled anew */
};
unsigned freeze_lacks(const struct arena *a);
/* Pretends so, for tests. */
void freeze_set_lacks(struct arena *a, unsigned lacks);
/* For arena.c. */
void freeze_close(struct arena *a);

#endif
