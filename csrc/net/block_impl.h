/* block_impl.h - what block.c and block_serve.c share, and nobody else sees. */
#ifndef SHMREDIS_BLOCK_IMPL_H
#define SHMREDIS_BLOCK_IMPL_H

#include "net/block.h"
#include "net/keytable.h"

struct awaited;

/* A waiter in the queue of one of its keys. */
struct place {
    struct waiter *waiter;
    struct awaited *key;
    struct place *prev, *next;
};

struct waiter {
    struct waiter *prev, *next; /* of all */
    struct session *session;    /* or NULL: another worker's */
    uint64_t slot, ticket;
    bool silent;
    bool shared; /* it waits at other workers, too: net/block_retry.h */
    bool told;   /* shared: its worker has been told that there may be something */
    bool tried;  /* shared: it has just been executed everywhere, and has found nothing */
    struct kept *command;
    struct command_row *row; /* NULL: only its client's worker may execute it */
    uint64_t until_ms;       /* 0: for ever */
    uint64_t again_ms;       /* when to try though nothing has changed; 0: never */
    int n;
    struct place place[];
};

struct awaited {
    struct key_node key;
    struct place *first, *last;
    struct awaited *next_ready;
    bool ready;
    bool joint; /* changed together with keys of other workers: which one is popped is for whoever
                   sees them all to say */
};

struct blocks {
    struct keytable keys;
    struct waiter *first, *last;
    struct awaited *ready, **ready_end;
    struct reply out;
    uint64_t sessions;
    uint64_t tickets; /* of the only worker */
    bool serving;
};

/* Until the matching call, commands are executed for the client of this waiter. */
void waiter_act(struct engine *eng, const struct waiter *w);
void waiter_acted(struct engine *eng);
/* All its keys are looked at again. */
void waiter_all_ready(struct engine *eng, struct waiter *w);
/* Nobody waits for the key any more: it leaves the table. */
void awaited_forget(struct blocks *b, struct awaited *k);
/* Each of these frees it. */
void waiter_remove(struct engine *eng, struct waiter *w);
void waiter_answer(struct engine *eng, struct waiter *w, struct str resp);
void waiter_end(struct engine *eng, struct waiter *w, enum unblock_how how);

#endif
