/* expire.h - keys and hash fields that nobody touches go when their time has come; fields go before
 * when somebody touches them.
 *
 * The cycle walks only buckets that hold something with an expiry (dict marks). Adaptive as
 * Redis's: it goes on while more than a tenth of what it sees is due, within its budget.
 */
#ifndef SHMREDIS_EXPIRE_H
#define SHMREDIS_EXPIRE_H

#include "db/keyspace.h"

/* Works for at most about `budget_us`; true when it stopped for lack of time with more to do. */
bool expire_cycle(struct engine *eng, uint64_t budget_us);
/* Deletes fields of a hash that are due, up to `budget`, and the key with the last of its fields:
 * k->entry is NULL then. k->name is not in the arena. */
void expire_fields(struct engine *eng, struct key *k, size_t budget);
/* The same for one field that is due, of the value *v of the key as its command has it. */
void expire_field(struct engine *eng, struct key *k, struct value *v, struct str name);

#endif
