/* behind.h - the client behind a command that its own worker does not execute, or not in a feed.
 *
 * Who executes such a command notes in remote.behind whom it executes it for. What was slow then
 * goes into the log of the client's worker, with the client's address and name, before the reply
 * does (MSG_SLOW). One comparison is all that a command costs which was not.
 */
#ifndef SHMREDIS_BEHIND_H
#define SHMREDIS_BEHIND_H

#include "net/remote.h"
#include "net/slowlog.h"

/* Nobody, as between commands. */
static inline struct behind behind_nobody(void) {
    return (struct behind){ .worker = ASKER_NONE };
}
/* Whose reply is awaited at that worker as `id`. */
static inline struct behind behind_asker(int worker, uint64_t id) {
    return (struct behind){ .worker = worker, .id = id };
}
/* Who waits with that ticket: net/block_retry.h. */
static inline struct behind behind_ticket(int worker, uint64_t ticket) {
    return (struct behind){ .worker = worker, .id = ticket, .waits = true };
}

/* A slow command. True: the client's worker has been told. False: it is for this worker's log, with
 * the client, if there is one, in *c. */
bool behind_tell(struct remote *r, struct slow_command *c);
/* Message: what was slow elsewhere. */
void behind_receive(struct remote *r, const struct message *m, struct str body);

#endif
