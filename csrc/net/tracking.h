/* tracking.h - client-side caching: which clients have read which keys, and telling them of
 * changes.
 *
 *   a client's worker                          the owner of a key
 *   struct tracking: modes, redirection        keys: who has read each (tracker codes)
 *   sessions by id                             prefixes: which workers have clients of each
 *          ──── a read, marked MSG_TRACKED, or MSG_TRACK under a hold ────►
 *          ◄─── MSG_INVALIDATE: that key, or MSG_BROADCAST: a turn's changes ────
 *          ──── MSG_REDIRECTED ────►  the worker of the client that is to be told instead
 *
 * A read is remembered where it happens, in the same instant: the owner's table has it before any
 * later change. Rings keep their order, and a client's output has a place for the reply before the
 * message can come; so the message about a change comes after each reply that it makes old. Reads
 * without a hop (net/peek.h) are not done for sessions that track what they read.
 *
 * Names count, not databases, as in Redis. What was read by clients that have gone stays in the
 * table until the key changes or the table is full.
 *
 * Owns      tables (malloc). Costs: one branch for each command and each change while nobody
 * tracks.
 */
#ifndef SHMREDIS_TRACKING_H
#define SHMREDIS_TRACKING_H

#include "cmd/call.h"
#include "cmd/registry.h"
#include "net/message.h"
#include "net/session.h"

/* What a session has asked for; session->tracking, NULL: nothing. */
struct tracking {
    uint32_t flags;         /* enum tracking_flag */
    uint64_t redirect;      /* the client that is told instead; 0: itself */
    int redirect_worker;    /* whose client that is */
    struct prefix **prefix; /* of BCAST, by name */
    size_t prefixes;
};

/* Of the engine, as long as it lives. */
void tracks_create(struct engine *eng);
void tracks_delete(struct engine *eng);

/* --- sessions --- */

/* A client of any worker in one number. */
static inline uint64_t tracker_code(uint64_t client, int worker) {
    return client << 6 | (uint64_t)worker;
}
static inline uint64_t tracker_client(uint64_t code) {
    return code >> 6;
}
static inline int tracker_worker(uint64_t code) {
    return (int)(code & 63);
}
/* Reads of this session are to be remembered. */
bool tracking_wants(const struct session *s);
static inline bool tracking_reads(const struct session *s) {
    return UNLIKELY(s->tracking != NULL) && tracking_wants(s);
}
/* Its code for struct call, 0: nothing is to be remembered. */
static inline uint64_t tracking_reader(const struct session *s) {
    return tracking_reads(s) ? tracker_code(s->id, s->eng->worker) : 0;
}
/* A command of the session has been executed or sent; `row` NULL: refused. CLIENT CACHING is about
 * one command. */
void tracking_after(struct session *s, const struct command_row *row);
/* In a transaction whose reads are done before its commands of Python: CLIENT CACHING counts. */
void tracking_foresee(struct session *s, const struct command_row *row, int argc,
                      const struct str *argv);
/* RESET, the end of the connection. */
void tracking_forget_session(struct session *s);

/* --- keys --- */

/* A command of call->reader was executed: the keys that it has read are remembered here, or at
 * their owners. Of a script, the commands inside count. */
void tracking_read(const struct call *c);
/* A key of this worker has changed; all keys of a database are gone. Hooks of the engine. */
void tracking_changed(struct engine *eng, struct str key);
void tracking_flushed(struct engine *eng);
/* There are changes that clients of prefixes have not been told of. */
bool tracking_is_due(const struct engine *eng);
void tracking_end_turn(struct engine *eng);

/* --- other workers --- */

void tracking_receive(struct engine *eng, int from, const struct message *m, int argc,
                      const struct str *argv);
/* A worker was brought back: what it knew is lost, so its keys count as changed. */
void tracking_reborn(struct engine *eng, int worker);

#endif
