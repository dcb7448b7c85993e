/* scan.h - one call of SCAN over several workers.
 *
 * SCAN goes through one worker after the other; the cursor's upper half says which. A worker that
 * is done passes the cursor on to the next, and while the call has room left it goes on there at
 * once. So a small database takes as few calls as one worker would need, however many there are.
 *
 * What has been found so far is a gather with one part of each worker that was asked. Clients'
 * calls are asked of worker after worker by MSG_PART; those in transactions and scripts by MSG_RUN,
 * under holds (net/cross.h).
 */
#ifndef SHMREDIS_SCAN_H
#define SHMREDIS_SCAN_H

#include "net/remote.h"

/* The worker that a cursor is about. */
int scan_worker(const struct remote *r, struct str cursor);
/* A client's call. What it sends next waits for the end of it, so that its order is kept. */
void scan_begin(struct remote *r, struct session *s, const struct command_row *row, int argc,
                const struct str *argv);
/* All parts that a client's call has asked for are there. True: it has gone on. */
bool scan_goes_on(struct remote *r, struct gather *g);
/* The same for a call under holds: *command becomes what the worker in *to (bits) is to run next.
 * The gather keeps the first one as its `whole`. */
bool scan_turns_to(const struct remote *r, struct gather *g, struct kept **command, uint64_t *to);

#endif
