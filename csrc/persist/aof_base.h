/* aof_base.h - the base of an append-only file in the form of commands (aof-use-rdb-preamble no).
 *
 * Callers   a forked child, or whoever writes for it; the arena is only read.
 */
#ifndef SHMREDIS_AOF_BASE_H
#define SHMREDIS_AOF_BASE_H

#include "persist/fork.h"

/* SELECT for each database that has keys, and the commands that make these. */
void aof_write_base(struct fork_task *task);

#endif
