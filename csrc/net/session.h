/* session.h - the protocol side of one connection: bytes in, commands executed, bytes out.
 *
 * Input     is read into the hub's shared buffer. Only what is left of an unfinished command moves
 * into a buffer of the session's own, sized for the argument that is arriving, so a big value is
 *           received where it will be parsed.
 * Output    is sent directly; what the socket does not take is queued (net/output.h).
 * Callers   the worker's event loop, by core_session.h: one session_feed per read event.
 */
#ifndef SHMREDIS_SESSION_H
#define SHMREDIS_SESSION_H

#include "core_session.h"
#include "db/engine.h"
#include "net/output.h"
#include "net/resp.h"

/* Input that waits for its rest, or for a command of Python to end. */
struct stash {
    struct resp_parser parser;
    char *p;
    size_t start; /* where the unfinished command begins */
    size_t n, cap;
};

struct session {
    struct engine *eng;
    uint64_t id;
    int fd, db, resp;
    uint32_t flags; /* enum session_flag */
    bool queued;    /* the socket or the transport's queue was full: no direct sends now */
    bool watched;   /* in the epoll set of net/poll.c, for these events */
    uint32_t events;
    uint32_t met;   /* net/pace.h */
    bool again;     /* stopped for too much unsent output */
    bool calling;   /* a command of Python is being executed */
    bool skip_next; /* the reply after the present one is to be dropped */
    int last_command;
    uint8_t home; /* the worker that owns most of its keys of late, by majority vote */
    uint16_t votes;
    bool touched;                  /* in the list of net/turn.h */
    uint64_t touched_ms;           /* since when */
    bool resume;                   /* the barrier is gone: execute what waits */
    uint64_t unsynced;             /* bits of workers that may have logged a change of it */
    uint64_t barrier;              /* nothing is executed before this slot is filled; 0: none */
    struct chain *chain;           /* of staged commands, net/stage.h; NULL: all are committed */
    struct pending *pendings;      /* replies of other workers it waits for */
    struct stash *stash;           /* NULL: no input of its own */
    struct subscriber *subscriber; /* net/pubsub.h; NULL: it has no subscriptions */
    struct tracking *tracking;     /* net/tracking.h; NULL: it tracks nothing */
    uint8_t monitor;               /* net/monitor.h: off, not listening yet, on */
    struct session *crowd_prev, *crowd_next; /* net/crowd.h */
    bool waits;                              /* blocked in a command of Python */
    bool evicted;                            /* it is being closed for the memory that it takes */
    bool pinned;                             /* other workers know it as one of this worker */
    struct waiter *waiter; /* net/block.h; or at another worker, its pending there: */
    struct retry *retry;   /* net/block_retry.h */
    int blocked_at;
    uint64_t blocked_id;
    struct multi *multi; /* net/multi.h; NULL: it has used none of it */
    struct output out;
    struct fieldset *fieldsets; /* cmd/fieldset.h */
    struct acl_user *user;      /* net/acl.h; NULL: who may do everything */
    char *peer, *name;          /* "ip:port" and CLIENT SETNAME, NUL-terminated; NULL: none */
    uint64_t created_ms, last_ms, net_in, net_out, commands, reads;
};

/* A command on keys of that worker alone. */
void session_vote(struct session *s, int owner);
/* Who it is, for the slow log. */
static inline void session_describe(const struct session *s, struct str *peer, struct str *name) {
    *peer = (struct str){ s->peer, s->peer ? strlen(s->peer) : 0 };
    *name = (struct str){ s->name, s->name ? strlen(s->name) : 0 };
}

/* Fills a slot; whoever waits behind it goes on. */
void session_answer(struct session *s, uint64_t slot, struct str resp, bool silent);
/* Drops the reply written since `mark` if the client has asked for silence. */
void session_mute(struct session *s, size_t mark);
/* As session_push, but what the session's own command pushes comes before its reply. */
void session_push_first(struct session *s, const char *resp, size_t n);
/* Sends what is ready; the feed_outcome bits of what is left to be done. */
int session_flush(struct session *s);

#endif
