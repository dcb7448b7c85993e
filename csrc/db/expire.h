/* expire.h - active expiry: keys and hash fields that nobody touches go when their time has come.
 *
 * Walks only buckets that hold something with an expiry (dict marks). Adaptive as Redis's: it goes
 * on while more than a tenth of what it sees is due, within its budget.
 */
#ifndef SHMREDIS_EXPIRE_H
#define SHMREDIS_EXPIRE_H

#include "db/keyspace.h"

/* Works for at most about `budget_us`; true when it stopped for lack of time with more to do. */
bool expire_cycle(struct engine *eng, uint64_t budget_us);

#endif
