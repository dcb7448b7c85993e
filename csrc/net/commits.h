/* commits.h - the one order in which staged commands happen: a log in control memory.
 *
 * A command is committed by the one compare-and-swap that puts its number into the next entry; all
 * workers read entries in the same order, so they execute parts of several commands in the same
 * order too. An entry is used again when its command is done, or its worker has died.
 *
 *   entry    lap: 16 bits | number: 47 bits | done: 1 bit       lap = position / COMMITS + 1
 *   number   worker: 6 bits | its epoch: 10 bits | counter: 31 bits
 *
 * Memory order: the swap is sequentially consistent and comes after all owners have said that they
 * keep their part; entries are read with acquire. Whoever has seen an effect of a command got it
 * from a worker that had read its entry, so what he does next finds that entry everywhere.
 */
#ifndef SHMREDIS_COMMITS_H
#define SHMREDIS_COMMITS_H

#include <stdatomic.h>

#include "mem/bytes.h"

#define COMMITS 8192u

struct control;
struct commit_log {
    _Atomic uint64_t head; /* a position that is not after the end */
    _Atomic uint64_t entry[COMMITS];
};

uint64_t commit_number(int worker, uint32_t epoch, uint64_t counter);
int commit_worker(uint64_t number);
/* The epoch in a number, and as much as a number has of an epoch. */
uint32_t commit_epoch(uint64_t number);
uint32_t commit_epoch_of(uint32_t epoch);
/* Commits; *position is for commit_done. False: the log is full. */
bool commit_append(struct control *c, uint64_t number, uint64_t *position);
/* The command's replies are all in. */
void commit_done(struct control *c, uint64_t position);
/* A position from which all commits to come will be read. */
uint64_t commit_tail(struct control *c);
/* Where that number was committed; false: it was not, or so long ago that nobody needs to know. */
bool commit_find(struct control *c, uint64_t number, uint64_t *position);
/* Whether something that the worker has committed in its present life is not done. */
bool commit_is_owed(const struct control *c, int worker);
/* The number at *position, which moves on; false: nothing is committed there yet. */
bool commit_read(struct control *c, uint64_t *position, uint64_t *number);

#endif
