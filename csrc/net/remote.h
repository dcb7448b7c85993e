/* remote.h - commands whose keys other workers own: asked of them, answered for them.
 *
 *   a client's command ──route──► here │ there: MSG_REQUEST ──► executed ──► MSG_REPLY
 *                                      │ in parts, at one instant:  net/stage.h
 *                                      │ in one place, under holds: net/cross.h
 *
 * An asked command leaves a reply slot in its session and a `pending` here; replies of one client
 * stay in order whatever the order in which they come. Requests to one worker keep their order, so
 * commands on one key do too.
 *
 * Owns      links, pendings, kept commands, mail. One per engine of several workers; eng->remote is
 *           NULL for a single one, and nothing here is then ever called.
 */
#ifndef SHMREDIS_REMOTE_H
#define SHMREDIS_REMOTE_H

#include "cmd/call.h"
#include "cmd/registry.h"
#include "core_workers.h"
#include "net/gather.h"
#include "net/links.h"
#include "net/message.h"
#include "net/session.h"

enum { ASKER_NONE = -1, ASKER_CROSSING = -2 }; /* remote.asker: nobody waits, net/cross.h */

/* A reply that is awaited. */
struct pending {
    struct session *session;     /* NULL: nobody waits any more */
    struct pending *prev, *next; /* of the session */
    uint64_t slot;
    struct gather *gather; /* or NULL: the reply is the whole */
    uint32_t generation;
    int worker;
    uint64_t message;  /* its number on the link */
    bool used, silent; /* silent: its client does not want it */
};

/* The client for which a command is executed: net/behind.h. */
struct behind {
    int worker;  /* that it is connected to; ASKER_NONE: there is none */
    uint64_t id; /* of its pending, or its ticket */
    bool waits;  /* for keys of several workers: a ticket */
};

struct mail;
/* Of net/redo.h. */
struct redo {
    bool shut;        /* nobody is served yet */
    uint64_t waiting; /* bits of workers that may still send something again */
    struct kept *first;
};

struct remote {
    struct engine *eng;
    struct links *links;
    int self, n;
    struct link_stats stats;

    struct pending *pending;
    uint32_t pendings, free_pending; /* index + 1 of the first free one; linked by `slot` */

    uint64_t part_ns;     /* how long the command took that was executed last */
    uint64_t clock_ns;    /* when the last command of this drain ended; 0: outside */
    struct reply out;     /* the reply of a command that is executed for another worker */
    struct reply message; /* a body being composed */
    struct str *argv;     /* of a command being decoded */
    int argv_cap;

    struct mail *mail, *last_mail, *read_mail;

    struct fieldset *fieldsets; /* lent by other workers for one HIMPORT SET, cmd/fieldset.h */
    bool stalled;               /* a session waits for something that a drain may bring */
    bool resume;                /* sessions that wait may try again */
    bool joint;                 /* what is changed now is changed with keys of other workers */
    int asker;                  /* whose command is executed and may wait; -1: none such */
    struct behind behind;
    bool again;             /* the command that was executed last is to begin anew: net/reach.h */
    bool partly;            /* and may have changed something although it has failed */
    struct block_wish wish; /* of a command under holds that wants to wait */
    struct retry *retries;  /* net/block_retry.h */
    struct kept_list deferred; /* commands that came while this worker was held */
    struct kept_list late;     /* MSG_REBORN that came in the midst of an operation */
    struct redo redo;
    struct stages *stages;       /* net/stage.h */
    struct crossing *crossing;   /* net/cross.h */
    struct shipments *shipments; /* net/shipment.h: of all workers */
    struct peeks *peeks;         /* net/peek.h */
    struct sharing sharing;      /* of the engine's arena */
};

/* Somebody holds this worker, net/cross.h. */
bool remote_is_held(const struct remote *r);
static inline bool remote_owns(const struct remote *r, struct str key) {
    return key_owner(key, r->n) == r->self;
}

enum remote_verdict {
    REMOTE_HERE,   /* execute it in this worker */
    REMOTE_COPIED, /* the same, on the copy of its key: net/peek.h */
    REMOTE_SENT,   /* a slot is open for its reply */
    REMOTE_BUSY,   /* the worker that is to execute it runs a script for long */
    REMOTE_BARRED, /* it has to wait for the session's own replies */
    REMOTE_WAIT    /* it cannot be taken now: FEED_WAITING */
};
/* What becomes of a client's command. */
enum remote_verdict remote_route(struct remote *r, struct session *s, const struct command_row *row,
                                 int argc, const struct str *argv);

/* The head of a message that asks for a client's command; row NULL: the one of the name. */
struct message remote_message(const struct session *s, enum message_kind kind,
                              const struct command_row *row);

/* --- for net/stage.c and net/cross.c --- */
/* Opens a slot for the session's present command. */
uint64_t remote_open_slot(struct session *s);
/* The id for a message to that worker whose reply goes to the slot, or to the gather. */
uint64_t remote_expect(struct remote *r, int worker, struct session *s, uint64_t slot,
                       struct gather *g);
/* --- net/pending.c --- the awaited reply of that id; NULL: of an earlier life, or none. */
struct pending *pending_find(struct remote *r, uint64_t id);
void pending_free(struct remote *r, struct pending *p);
/* Sends a message with a body, or without (.p NULL). */
void remote_send(struct remote *r, int to, const struct message *m, struct str body);
void remote_send_command(struct remote *r, int to, const struct message *m, int argc,
                         const struct str *argv);
/* Executes a command with nobody connected; the RESP reply is in r->out. False: it waits for keys,
 * and will be answered later. */
bool remote_execute(struct remote *r, const struct message *m, int argc, struct str *argv);
/* The same for a part of a command: whoever joins the parts counts them as one (dispatch_count). */
void remote_execute_part(struct remote *r, const struct message *m, int argc, struct str *argv);
/* Of what was executed last. */
struct part_reply remote_part_reply(const struct remote *r);
/* What this worker logs from here to aof_end_part is its part of a command that was committed at
 * that position, and of which the workers in `owners` have parts. */
void remote_begin_part(struct remote *r, uint64_t position, uint64_t owners);
/* Brings a reply to who waits for it: here (from == self) or at the worker that asked. */
void remote_answer(struct remote *r, int from, uint64_t id, struct str resp);
void remote_answer_part(struct remote *r, int from, uint64_t id, struct part_reply reply);
/* The command in a body, in r->argv; its bytes stay in the body. */
int remote_decode(struct remote *r, struct str body);
/* Memory is short: another worker has found so; or this one, at the end of a turn. */
void remote_evict(struct remote *r);
void remote_ask_to_evict(struct remote *r);
/* --- net/mail.c --- */
void remote_take_mail(struct remote *r, int from, const struct message *m, struct str body);
void remote_drop_mail(struct remote *r);
/* Mail of this worker to its own Python side. */
void remote_note_mail(struct remote *r, int kind, uint64_t id);
/* Executes a command that came as a message (MSG_REQUEST, MSG_PART), or defers it. */
void remote_request(struct remote *r, int from, const struct message *m, int argc,
                    struct str *argv);
/* A hold is over: executes what was deferred, lets sessions go on. */
void remote_go_on(struct remote *r);

/* In the midst of an operation (net/cross_amid.c): handles what has come, up to a message that must
 * wait; how many messages there were. */
int remote_drain_amid(struct remote *r);
/* There is such a message: a worker has died. */
static inline bool remote_has_late(const struct remote *r) {
    return r->late.first;
}

/* Prepares a gather of SPREAD_ALL_RANDOM. */
void remote_draw(struct remote *r, struct gather *g, int db);
/* Nobody waits for the parts of this gather any more. */
void remote_cancel(struct remote *r, const struct gather *g);
/* Whether the worker's part of the gather was taken by the life of it that has ended. */
bool remote_part_lost(const struct remote *r, const struct gather *g, int worker, uint64_t taken);
/* engine_drain runs again soon. */
void remote_wake_self(struct remote *r);
/* After a feed: there is something for a drain at the end of the turn. */
bool remote_has_news(const struct remote *r);

/* A session goes: nobody waits for its replies any more. */
void remote_forget_session(struct session *s);
/* Sessions wait, and have to try again. */
static inline enum remote_verdict remote_stall(struct remote *r) {
    r->stalled = true;
    return REMOTE_WAIT;
}
/* The life of a worker; changes when it dies and is brought back. */
static inline uint32_t remote_epoch(const struct remote *r, int worker) {
    return atomic_load_explicit(&r->links->control->worker[worker].epoch, memory_order_acquire);
}
/* Tells the others how much memory this worker has, and has its engine know how much they have.
 * Before commands that evict, once a turn. */
void remote_share_memory(struct remote *r);
/* Now and then: figures for the others; who has died. */
void remote_tick(struct remote *r);
void remote_delete(struct remote *r);

#endif
