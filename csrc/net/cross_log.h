/* cross_log.h - what a command over keys of several workers leaves in each owner's log.
 *
 * The command itself cannot be logged: its keys are in several logs. Each owner logs what its keys
 * have become, as one part of a transaction that counts with all its parts or not at all.
 */
#ifndef SHMREDIS_CROSS_LOG_H
#define SHMREDIS_CROSS_LOG_H

#include "net/carry.h"

/* Where in the order of all commands of several workers this one is; false: this worker does not
 * log, or the log of commits is full, and the parts go without. */
bool cross_log_position(struct remote *r, uint64_t *position);
/* Logs the keys as they are now, if this worker logs: others' logs may be switched on earlier or
 * later. `place`: the position and 1; 0: it has none, and the keys are no part of anything.
 * `owners`: bits of the workers that log keys of the same command. */
void cross_log_keys(struct remote *r, uint64_t place, uint64_t owners, int n,
                    const struct carried *keys);

#endif
