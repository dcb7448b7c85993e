/* crowd.h - all sessions of a worker, and the memory that they take together: maxmemory-clients.
 *
 * When the clients of all workers take more than the limit, the largest go, whosever they are: each
 * worker says in control memory how much its clients take and how large the largest is, and lets
 * its own go while no other has a larger one. CLIENT NO-EVICT spares a client, which then does not
 * count.
 *
 * Owns      the list of sessions; part of the hub.
 * Callers   session.c; the cron, as often as hz says.
 */
#ifndef SHMREDIS_CROWD_H
#define SHMREDIS_CROWD_H

#include "net/session.h"

void crowd_enter(struct session *s);
void crowd_leave(struct session *s);
/* Bytes of one session, all in. */
size_t session_memory(const struct session *s);
/* Measures, and has clients closed (FEED_EVICT) if there is a limit that they are beyond. */
void crowd_tick(struct engine *eng);

#endif
