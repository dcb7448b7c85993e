/* block_retry.h - blocking commands over keys of several workers (BLPOP a b, BLMOVE a b …).
 *
 * Such a command is executed under holds (net/cross.h). When it finds nothing, its executor has a
 * waiter stand in the queues of all owners (MSG_AWAIT), while they are held, so that no change is
 * missed. The owner that first has something for the client takes it (net/claims.h), executes the
 * command on its own keys, and sends the reply to the client's worker (MSG_SERVED): at once, as a
 * server of one worker would.
 *
 * An owner cannot do that when the command writes keys of others (BLMOVE), when its user may have
 * lost a right meanwhile, or when the key was changed together with keys of other workers, which
 * the client may prefer. Then it tells the client's worker (MSG_NUDGED), which has the whole
 * command executed under holds again; until that is over, nobody behind it in the queue is served.
 *
 *   MSG_AWAIT   the command with those of its keys that the owner has (flag MSG_SERVE), or only
 *               these keys; then u64: when to try though nothing has changed, 0: never
 *
 * Owns      a retry for each session that waits so: a copy of its command (malloc).
 */
#ifndef SHMREDIS_BLOCK_RETRY_H
#define SHMREDIS_BLOCK_RETRY_H

#include "net/block.h"
#include "net/remote.h"

/* The first execution of a session's command; its barrier is the slot of the reply. REMOTE_WAIT:
 * too many wait so already. */
enum remote_verdict retry_begin(struct remote *r, struct session *s, const struct command_row *row,
                                int argc, const struct str *argv);
/* At the executor: the command has found nothing (r->wish says what it waits for); r->out becomes
 * the word of it to the client's worker. */
void retry_ask(struct remote *r, struct kept *command);
/* At the client's worker: true when the reply was that word; else the session is answered by it. */
bool retry_take(struct remote *r, struct session *s, struct str resp);
/* At an owner, for the client's worker, which is maybe this one: its command may find something; it
 * was executed. */
void retry_tell(struct remote *r, int asker, uint64_t ticket);
void retry_serve(struct remote *r, int asker, uint64_t ticket, struct str resp);
/* At the client's worker: MSG_NUDGED, MSG_SERVED. */
void retry_nudged(struct remote *r, uint64_t ticket);
/* Of this worker, who waits with that ticket; NULL: nobody does. */
const struct session *retry_session(const struct remote *r, uint64_t ticket);
void retry_served(struct remote *r, uint64_t ticket, struct str resp);
/* A worker has died. */
void retry_reborn(struct remote *r, int worker);
/* Executes again what was nudged. */
void retry_due(struct remote *r);
void retry_end(struct session *s, enum unblock_how how);
/* Ends what has waited long enough; *next_ms: until the next one has. */
void retry_tick(struct remote *r, uint64_t *next_ms);

#endif
