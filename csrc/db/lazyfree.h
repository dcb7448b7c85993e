/* lazyfree.h - values and tables whose freeing is too long for one command, freed in slices.
 *
 * Owns      what was given to it; it is unreachable from the keyspace already. The list lies in the
 *           arena, so the next worker goes on with it.
 * Callers   keyspace.c gives, the cron and idle moments take slices, all between arena_enter and
 *           arena_leave.
 */
#ifndef SHMREDIS_LAZYFREE_H
#define SHMREDIS_LAZYFREE_H

#include "db/engine.h"

/* Values of at most this many elements are freed at once even when asked to be lazy. */
#define LAZYFREE_THRESHOLD 64u

/* In a fresh arena: gets a page for the list, so that a full arena can still be lazy. */
status lazyfree_reserve(struct engine *eng);
/* In an arena of an earlier life: counts what is pending in it. */
void lazyfree_attach(struct engine *eng);
void lazyfree_value(struct engine *eng, struct value v);
/* A whole table of entries with their values. */
void lazyfree_table(struct engine *eng, const struct dict *d);
/* Frees for about `budget_us`; true when nothing is left. */
bool lazyfree_run(struct engine *eng, uint64_t budget_us);
/* The same for blocks that were given up while a snapshot read them (mem/park.h); they wait while
 * it does, which counts as nothing left. */
bool lazyfree_parked(struct engine *eng, uint64_t budget_us);
/* True when something waits. */
bool lazyfree_pending(const struct engine *eng);

/* Shows everything that waits; nothing may be freed meanwhile. */
struct lazy_visitor {
    void (*block)(void *ctx, ref_t r); /* of the list itself */
    void (*value)(void *ctx, struct value *v);
    void (*table)(void *ctx, struct dict *d);
};
void lazyfree_each(struct engine *eng, const struct lazy_visitor *see, void *ctx);

#endif
