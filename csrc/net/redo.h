/* redo.h - what others had committed and a dead worker has lost, done by its successor.
 *
 * A part of a committed command may be with a worker that dies before it has executed it, or before
 * anybody has heard that it did, and what a command under holds has changed may be on its way
 * there. Elsewhere the command has happened. So when a worker is brought back, each of the others
 * sends again what it has no answer to (flagged MSG_AGAIN), then MSG_REDONE; until all have, and
 * what is to be loaded is, nobody is served. Then the successor executes what was sent, in the
 * order of the log of commits, leaves out what its arena has already (`applied` in control memory),
 * and opens.
 *
 *   dead worker          successor                      another worker
 *   takes a part         MSG_REBORN  ───────────────►   sends it again
 *                        keeps it    ◄───────────────   MSG_STAGE, MSG_RUN, MSG_SHIP: again
 *                        executes, opens  ◄──────────   MSG_REDONE
 *
 * Who has asked for a part may be dead as well: parts are kept where they outlive both
 * (net/vault.h), and those that are found in the log of commits are executed with the others.
 *
 * A worker that is stuck is not waited for unless it may owe something: it has commands that are
 * committed and not done, or it held the predecessor, or was held by it. Copies of others' keys
 * that the predecessor has left stay until all have told, since they may be what others still have
 * to take back.
 */
#ifndef SHMREDIS_REDO_H
#define SHMREDIS_REDO_H

#include "net/remote.h"

/* Begins, at the start of a life, to wait for these workers (bits). */
void redo_begin(struct remote *r, uint64_t workers);
/* Nobody is to be served yet. */
static inline bool redo_holds(const struct remote *r) {
    return UNLIKELY(r->redo.shut) && r->eng->config.loading != LOADING_SELF;
}
/* What the predecessor was shipped, and had perhaps begun to take back (malloc; taken over). It
 * counts if who has shipped it is dead, too. */
void redo_keep(struct remote *r, struct kept *shipped);
/* A worker was brought back. True: there is something that its predecessor has shipped, to be taken
 * from what that has left; the word that all is sent (MSG_REDONE) follows when it is. */
bool redo_keeps_of(const struct remote *r, int worker);
/* A part that the predecessor had, with its position as value (malloc; taken over). Who has asked
 * for it may send it as well. */
void redo_adopt(struct remote *r, struct kept *part);
/* A message that was sent again. */
void redo_take(struct remote *r, int from, const struct message *m, int argc, struct str *argv);
/* That worker has sent all; or it has died, and has nothing to send. */
void redo_told(struct remote *r, int from);
void redo_reborn(struct remote *r, int from);
/* Executes and opens, if nothing is waited for any more. */
void redo_try(struct remote *r);
/* Now and then: those that are stuck and owe nothing are given up. */
void redo_tick(struct remote *r);
void redo_delete(struct remote *r);
/* net/guests.c: deletes copies of others' keys that were here when the predecessor died. */
void guests_drop(struct engine *eng);

/* Whether what was committed at that position is executed here. */
static inline bool redo_has(const struct remote *r, uint64_t position) {
    return position <
           atomic_load_explicit(&r->links->control->worker[r->self].applied, memory_order_relaxed);
}
/* All commits before that position are executed here. Inside of the change that makes it so. */
static inline void redo_applied(struct remote *r, uint64_t position) {
    atomic_store_explicit(&r->links->control->worker[r->self].applied, position,
                          memory_order_relaxed);
}
/* All commits before the returned position are executed here, or never will be: that may be claimed
 * in the log. What is waited for is not. */
uint64_t redo_reached(struct remote *r);
/* A line of this worker's log that was read, "TXN <life>-<position>-…" of a part that counts or
 * "TXN-SEEN <life> <position>": it is executed here. */
void redo_note_logged(struct engine *eng, struct str line);

#endif
