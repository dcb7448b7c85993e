/* block.h - clients that wait for a key to be there (BLPOP, BZPOPMIN, XREAD BLOCK …).
 *
 *   key ──► waiter, waiter, …   in the order in which they came
 *
 * A blocking command that finds nothing says what it waits for (cmd/call.h, call_block). Its waiter
 * keeps the command. When one of the keys has changed, and the command that changed it is over, the
 * waiters are executed again, the longest waiting first, until one finds nothing. The reply goes
 * into the slot that was opened in the session's output, or to the worker that has sent the
 * command. Who came first is told by tickets (net/claims.h), since commands come from clients of
 * all workers.
 *
 * Of one who waits for keys of several workers, too, each owner has a waiter in its place of the
 * queue (net/block_retry.h). Who comes behind it is not served while it is being served.
 *
 * Owns      waiters with copies of their commands (malloc). A session's input waits meanwhile
 * behind its barrier.
 */
#ifndef SHMREDIS_BLOCK_H
#define SHMREDIS_BLOCK_H

#include "cmd/call.h"
#include "cmd/registry.h"
#include "net/message.h"
#include "net/session.h"

/* Of the engine, as long as it lives. */
void blocks_create(struct engine *eng);
void blocks_delete(struct engine *eng);

/* A session's command waits; its slot is opened. */
void block_session(struct session *s, const struct call *c);
/* A command that another worker has sent waits; m->id is where the reply belongs. */
void block_request(struct engine *eng, int from, const struct message *m, const struct call *c);
/* MSG_AWAIT: a client waits for keys of this worker and of others. Takes the place of what is known
 * of it from before. */
void block_await(struct engine *eng, const struct message *m, int argc, const struct str *argv);
/* A key has changed, or may be another one. */
void block_changed(struct engine *eng, struct str key, int db);
void block_replaced(struct engine *eng, int db);
/* Executes waiters whose keys have changed. After a command, never inside one. */
void block_serve(struct engine *eng);
static inline void block_after(struct engine *eng) {
    if (UNLIKELY(eng->blocks_ready)) block_serve(eng);
}
/* Ends what has waited long enough; ms until the next one has, UINT64_MAX: none. */
uint64_t block_tick(struct engine *eng);
/* That time is to come, 0: never; *next_ms: until the first of all such. */
static inline void block_sooner(uint64_t *next_ms, uint64_t now_ms, uint64_t at_ms) {
    if (at_ms && at_ms - now_ms < *next_ms) *next_ms = at_ms - now_ms;
}

enum unblock_how { UNBLOCK_TIMEOUT, UNBLOCK_ERROR, UNBLOCK_SILENTLY };
/* What a client gets that has waited in vain. */
void block_reply_end(struct reply *out, enum unblock_how how);
/* Counts the command of one who was answered so. */
void block_count_end(struct engine *eng, const struct session *s, const struct command_row *row,
                     const struct kept *command, const struct reply *out);
/* CLIENT UNBLOCK; false: it does not wait. */
bool block_end(struct session *s, enum unblock_how how);
/* MSG_UNBLOCK: the same for a command of another worker. */
void block_end_request(struct engine *eng, int from, uint64_t id, enum unblock_how how);
/* The session goes; a worker has died. */
void block_forget_session(struct session *s);
void block_forget_worker(struct engine *eng, int worker);
/* A session begins or ceases to wait by another way than block_session. */
void block_count_session(struct engine *eng, int change);
/* Waiting sessions and keys waited for, for INFO. */
void block_count(const struct engine *eng, uint64_t *sessions, uint64_t *keys);

#endif
