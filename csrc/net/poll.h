/* poll.h - the sockets of plain connections, served without a crossing to Python for each.
 *
 * All of them are in one epoll set. The worker's event loop watches that set as one descriptor and
 * calls engine_poll (core_workers.h) when something in it is ready: sockets are read, commands
 * executed and replies sent for all of them in one call. Sessions that need Python (a command of
 * Python, the end) are left in the hub's list of ready sessions.
 *
 * Owns      the epoll set. Sockets belong to Python, which unwatches a session before it closes its
 *           socket; no session is deleted while engine_poll runs.
 */
#ifndef SHMREDIS_POLL_H
#define SHMREDIS_POLL_H

#include "net/session.h"

/* Watches for what the session can do now: read, unless too much is unsent or it is to be closed;
 * send, when its socket was full. */
void poll_choose(struct session *s);

/* Between busy_begin and busy_end (net/busy.h): one round of what is ready. */
void poll_while_busy(struct engine *eng);

#endif
