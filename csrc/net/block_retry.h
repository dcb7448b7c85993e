/* block_retry.h - blocking commands over keys of several workers (BLPOP a b, BLMOVE a b …).
 *
 * Such a command is executed under holds (net/cross.h). When it finds nothing, its executor asks
 * the owners, while they are held, to nudge the client's worker once a key has changed; then the
 * whole command is executed again, and so on until it finds something or its time is up. So nothing
 * is taken that is not given to the client, whoever dies meanwhile.
 *
 * Owns      a retry for each session that waits so: a copy of its command (malloc).
 */
#ifndef SHMREDIS_BLOCK_RETRY_H
#define SHMREDIS_BLOCK_RETRY_H

#include "net/block.h"
#include "net/remote.h"

/* The first execution of a session's command; its barrier is the slot of the reply. */
void retry_begin(struct remote *r, struct session *s, const struct message *m,
                 const struct command_row *row, int argc, const struct str *argv);
/* At the executor: the command has found nothing (r->wish says what it waits for); r->out becomes
 * the word of it to the client's worker. */
void retry_ask(struct remote *r, const struct kept *command);
/* At the client's worker: true when the reply was that word; else the session is answered by it. */
bool retry_take(struct remote *r, struct session *s, struct str resp);
/* At an owner: MSG_NUDGE. */
void retry_nudge(struct remote *r, int asker, const struct message *m, int argc,
                 const struct str *argv);
/* A key has changed: tells the client's worker, which notes it. */
void retry_tell(struct remote *r, int asker, uint64_t id);
void retry_nudged(struct remote *r, uint64_t id);
/* Executes again what was nudged. */
void retry_due(struct remote *r);
void retry_end(struct session *s, enum unblock_how how);
/* Ends what has waited long enough. */
void retry_tick(struct remote *r);

#endif
