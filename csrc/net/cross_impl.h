/* cross_impl.h - what cross*.c and hold.c share, and nobody else sees. */
#ifndef SHMREDIS_CROSS_IMPL_H
#define SHMREDIS_CROSS_IMPL_H

#include "net/cross.h"

struct hold;

/* What an operation does when its present step is over. */
enum cross_step {
    STEP_END,
    STEP_WORK, /* executes, on copies of its keys */
    /* of a task: */
    STEP_SPREAD,
    STEP_CALL
};

/* A command that is executed here over keys of several workers. */
struct cross {
    struct cross *next;
    uint64_t id;
    struct kept *command;
    struct cross_task *task; /* or NULL: the command is what is executed */
    struct carried *keys;
    int n;
    uint64_t needs, asked, holds, fetching, shipping; /* bits of workers */
    status trouble;                                   /* of the copies of foreign keys */
    struct str spread_reply; /* of the command that the task had spread; .p NULL: none */
    enum cross_step step;    /* of a task: what comes next */
    bool begun;              /* some of a task has happened: it is to happen whole */
    bool pausing;            /* until a worker that was brought back is held again */
    struct kept *amid;       /* a command about all keys in the midst of it, or NULL */
    uint64_t amid_to;        /* bits of the workers that run it */
    uint64_t begun_ms;
    bool waiting;            /* for a stuck worker, holding nobody meanwhile */
    bool claimed;            /* all holds are; none can be taken back any more */
    struct brought *brought; /* names of these keys */
    bool waits;              /* its command has found nothing, and waits for keys */
    bool fetched;            /* there are copies of foreign keys here */
    bool lost;               /* a held worker has died: it cannot go on after this round */
    uint64_t sent_owners;
    struct message sent; /* MSG_SHIP or MSG_RUN, to be sent again */
    struct gather *all;  /* the replies of all workers to a command about all keys, or NULL */
    char *reply;
    size_t reply_n;
};

struct crossing {
    char *arena_base;
    struct arena view[WORKERS_MAX];   /* others' arenas, mapped for reading */
    uint32_t view_epoch[WORKERS_MAX]; /* 0: there is none */
    bool view_settled[WORKERS_MAX];   /* false: it may be of an arena that is to be replaced */
    struct hold *first, *last;        /* the first has the hold when `granted` */
    bool granted, resting;            /* resting: everybody else has a turn before the next hold */
    struct cross *operations;
    struct cross *running; /* the one that executes now */
    struct cross *due;     /* the one whose holds are there, to be executed next; or NULL */
    uint64_t last_id;
};

/* --- cross.c: an operation's life --- */
struct cross *cross_find(struct remote *r, uint64_t id);
/* A new one of that command, which is its own from now on. */
struct cross *cross_new(struct remote *r, struct kept *command);
/* Begins to take holds, unless that would have others wait for a stuck worker too. */
void cross_ask(struct remote *r, struct cross *o);
void cross_set_reply(struct cross *o, struct str resp);
void cross_set_error(struct cross *o, const char *line);
/* Lets go and takes holds anew, on all workers: net/reach.h. */
void cross_widen(struct remote *r, struct cross *o);
/* Lets go, replies, and forgets it. */
void cross_finish(struct remote *r, struct cross *o);
/* Takes the next step, as soon as all are held. */
void cross_step(struct remote *r, struct cross *o);

/* --- cross_keys.c: foreign keys --- */
/* Brings them here; those that are still on their way then are `fetching`. */
void cross_copy_keys(struct remote *r, struct cross *o);
/* They are no longer needed here. */
void cross_drop_copies(struct remote *r, struct cross *o);
/* Asks the owners of what may have changed to take it back; logs what is this worker's. */
void cross_ship_keys(struct remote *r, struct cross *o);

void cross_free_brought(struct cross *o);

/* Once more to a worker that was brought back. */
void cross_ship_again(struct remote *r, struct cross *o, int to);

/* --- cross_amid.c --- */
/* A worker has run its part of a command in the midst of it; false: there is none. */
bool cross_amid_ran(struct remote *r, struct cross *o, int worker, struct part_reply reply);
/* The key's owner, which is held and frozen, sends it. */
status cross_amid_fetch(struct remote *r, int owner, int db, struct str name);

/* --- cross_run.c: executing, once all holds are there --- */
/* It goes on when the message at hand is dealt with. */
void cross_put_due(struct remote *r, struct cross *o);
/* The steps of a task besides. */
void cross_spread(struct remote *r, struct cross *o);
void cross_call(struct remote *r, struct cross *o);
/* This worker's part of a command that all execute, or of an instant; the reply is in r->out. */
void cross_run_part(struct remote *r, const struct message *m, int argc, struct str *argv);
/* Has the workers in `to` (bits) run the command, but for this one; whether it is among them. */
bool cross_send_run(struct remote *r, struct cross *o, const struct kept *k, uint64_t to);
/* The command, of which all parts are in o->all, is counted as one; its reply is `whole`. */
void cross_count(struct remote *r, const struct cross *o, const struct kept *k,
                 const struct reply *whole);
/* Each worker executes the command on its keys. */
void cross_run_everywhere(struct remote *r, struct cross *o);
/* Has a worker that was brought back run its part. */
void cross_run_again(struct remote *r, struct cross *o, int to);
/* It has not said that it has. */
bool cross_awaits_run(const struct cross *o, int worker);
/* What was shipped is where it belongs. */
void cross_settle(struct remote *r, struct cross *o);

/* --- hold.c --- */
/* Whether the operation holds this worker now. */
bool holds_has(const struct remote *r, int from, uint64_t operation);
/* Holds of a worker that has died are over. */
void holds_reborn(struct remote *r, int from);
/* Takes back the hold of a stuck worker, if it has not claimed it. */
void holds_tick(struct remote *r);
void holds_clear(struct crossing *x);

#endif
