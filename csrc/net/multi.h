/* multi.h - transactions: commands queued between MULTI and EXEC, and keys watched before.
 *
 * EXEC runs the queue in one go. With keys of other workers it first has the commands on keys run
 * under holds, on copies (net/multi_held.c). Its commands of C run one after the other; one of
 * Python is left to the event loop by FEED_CALL, and the queue goes on when its reply is in. What
 * the queue changes is propagated as one (db/batch.h).
 *
 * Owns      the session's struct multi: copies of the queued arguments, names of watched keys. A
 *           session that uses none of this has none.
 * Callers   net/session.c, which parses and answers.
 */
#ifndef SHMREDIS_MULTI_H
#define SHMREDIS_MULTI_H

#include "cmd/registry.h"
#include "cmd/reply.h"
#include "net/remote.h"

struct queued {
    struct command_row *row;
    int argc;
    struct str *argv; /* in one block with its bytes */
};
struct watched_key {
    struct watched_key *next;
    int db;
    struct str name;
};
struct held; /* net/multi_held.c */

/* How far EXEC has come that needs keys of other workers. */
enum held_state {
    HELD_NOT,
    HELD_WAITING, /* for holds; or it has failed, and the reply is in the session's slot */
    HELD_CALLING, /* for the reply of a command of Python, queue[at] */
    HELD_RUN,     /* commands on keys have run: their replies are in `chunk` */
    HELD_TOUCHED  /* a watched key had changed */
};

struct multi {
    struct queued *queue;
    int n, cap;
    size_t bytes;     /* of the queued arguments */
    uint32_t flags;   /* of all queued commands together */
    uint32_t effects; /* likewise, dispatch_effects */
    bool open;        /* between MULTI and EXEC */
    bool aborted;     /* a command was refused: EXEC gives up */
    bool touched;     /* a watched key has changed: EXEC gives up */
    bool running;     /* EXEC is at queue[at] */
    bool batched;     /* what it changes is being kept, to be propagated as one */
    int at;
    char word[4];        /* EXEC as the client wrote it */
    struct reply pushes; /* messages that came while EXEC ran: they follow its reply */
    struct watched_key *watched;
    int watches;
    uint64_t started_ns; /* of EXEC */
    size_t replied;      /* bytes of its reply so far */
    enum held_state held_state;
    struct held *held; /* what waits for holds or runs under them */
    struct str *chunk; /* by place in the queue; .p NULL: it is still to be run */
};

static inline bool multi_is_open(const struct session *s) {
    return UNLIKELY(s->multi != NULL) && s->multi->open;
}
static inline bool multi_is_running(const struct session *s) {
    return UNLIKELY(s->multi != NULL) && s->multi->running;
}
/* The same, or it waits for holds: what is pushed to the session comes after its reply. */
static inline bool multi_is_executing(const struct session *s) {
    return UNLIKELY(s->multi != NULL) && (s->multi->running || s->multi->held_state != HELD_NOT);
}
/* A command of Python is being executed for EXEC, which holds other workers. */
static inline bool multi_is_calling(const struct session *s) {
    return UNLIKELY(s->multi != NULL) && s->multi->held_state == HELD_CALLING;
}
/* The command that EXEC is at. */
static inline const struct queued *multi_current(const struct session *s) {
    return &s->multi->queue[s->multi->at];
}

#define EXEC_BYTES 14u /* of it as a request */

/* Registers MULTI, EXEC, DISCARD, WATCH and UNWATCH. */
void multi_register(struct registry *reg);
bool multi_is_exec(const struct command_row *row);
/* In an open transaction: true when the command was queued, or refused by an error, and is not to
 * be executed now. */
bool multi_take(struct session *s, struct command_row *row, int argc, const struct str *argv,
                struct reply *out);
/* The command of this name was refused: EXEC itself ends the transaction, any other spoils it. */
void multi_refused(struct session *s, struct str name);
/* EXEC: replies why there is nothing to run, or begins to run the queue. */
void multi_exec(struct session *s, struct reply *out);
/* Monitors hear of EXEC, which is over. */
void multi_note_end(const struct session *s);
/* Runs commands of C from where the queue is. True: it is done; false: a command of Python is next.
 */
bool multi_run(struct session *s, struct reply *out, uint64_t *clock_ns);
/* The command of Python has got its reply, of so many bytes. */
void multi_called(struct session *s, size_t n);
/* The same, while EXEC holds other workers: keeps the reply. */
void multi_called_held(struct session *s, const char *resp, size_t n);
/* It will get its reply later: others' commands come before the rest of the queue. */
void multi_suspend(struct session *s);
/* A transaction, or watched keys: the session is bound to this worker. */
static inline bool multi_is_busy(const struct session *s) {
    return s->multi && (s->multi->open || s->multi->running || s->multi->watched);
}
/* A watched key has changed. */
void multi_touch(struct session *s);
/* Ends a transaction and all watches: RESET, the end of the connection. */
void multi_free(struct session *s);
size_t multi_memory(const struct session *s);

/* --- several workers, net/multi_held.c --- */
/* Where EXEC or WATCH is executed; the other commands of this file are executed here. */
enum remote_verdict multi_route(struct remote *r, struct session *s, const struct command_row *row,
                                int argc, const struct str *argv);
/* Nothing is outstanding any more: goes on with what ran under holds. */
void multi_settle(struct session *s, struct reply *out);
/* The owners of foreign keys that are no longer watched hear of it. */
void multi_unwatch_others(struct session *s);
/* The session is going; a transaction under way is executed without it, and then frees what it has
 * of it. */
void multi_forget_held(struct multi *m);
void multi_free_detached(struct multi *m);

/* --- for net/multi_held.c --- */
bool multi_is_watch(const struct command_row *row);
/* False: it is watched already. */
bool multi_watch(struct session *s, int db, struct str name);
/* A watched key of this worker whose time has come counts as changed. */
void multi_expire_watched(struct session *s);
/* EXEC goes on with the queue. */
void multi_start(struct session *s, struct reply *out);
/* The end of a transaction, however it went. */
void multi_end(struct session *s);

#endif
