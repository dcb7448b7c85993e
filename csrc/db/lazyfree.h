/* lazyfree.h - values and tables whose freeing is too long for one command, freed in slices.
 *
 * Owns      what was given to it; it is unreachable from the keyspace already. The queue itself is
 *           process-local: a worker that dies leaves the blocks to the next rebuild of its arena.
 * Callers   keyspace.c gives, the cron and idle moments take slices.
 */
#ifndef SHMREDIS_LAZYFREE_H
#define SHMREDIS_LAZYFREE_H

#include "db/engine.h"

/* Values of at most this many elements are freed at once even when asked to be lazy. */
#define LAZYFREE_THRESHOLD 64u

struct lazy_queue *lazyfree_new(void);
void lazyfree_delete(struct lazy_queue *q);
void lazyfree_value(struct engine *eng, struct value v);
/* A whole table of entries with their values. */
void lazyfree_table(struct engine *eng, const struct dict *d);
/* Frees for about `budget_us`; true when nothing is left. */
bool lazyfree_run(struct engine *eng, uint64_t budget_us);
/* True when something waits. */
bool lazyfree_pending(const struct engine *eng);

#endif
