/* links.h - messages from this worker to the others and back: rings, overflow, wake-ups.
 *
 * A message of any size is sent at once from the sender's view: what does not fit into the ring
 * waits in a queue of this process, in order; what is larger than a ring's message goes in pieces
 * and is put together again on the other side.
 *
 * Owns      the mapping of control memory, ring ends, queues, eventfds (duplicates).
 * Callers   net/remote.c and what stands on it; one per engine of several workers.
 */
#ifndef SHMREDIS_LINKS_H
#define SHMREDIS_LINKS_H

#include "net/control.h"

struct overflow; /* a message, or the rest of one, that waits for room */
struct link {
    struct ring in, out;
    struct overflow *first, *last;
    size_t waiting;  /* bytes in that queue */
    uint64_t sent;   /* messages, of all lives of this worker */
    char *assembled; /* a message that arrives in pieces */
    size_t assembled_n, assembled_total;
    bool taking_assembled;
};

struct links {
    struct control *control;
    int self, n;
    uint32_t epoch; /* of this life of the worker */
    int wake_fd[WORKERS_MAX];
    struct link link[WORKERS_MAX];
    const bool *hold; /* while it is true, messages wait: they tell of what is not logged yet */
    uint64_t to_ring; /* bits: workers to be woken by links_wake */
    uint64_t waiting; /* bytes in all queues */
    uint64_t wakeups_sent;
};

/* Duplicates the fds. NULL with *st set on failure. */
struct links *links_open(int fd, int self, const int *wake_fds, status *st);
void links_close(struct links *l);
/* Sends the parts as one message. */
void links_send(struct links *l, int to, const struct str *parts, int n);
/* The oldest message from that worker, 8-byte aligned, until links_done; .p NULL: none. */
struct str links_peek(struct links *l, int from);
void links_done(struct links *l, int from);
/* After some were done: lets the sender know of the room if it waits for it. */
void links_give_room(struct links *l, int from);
/* The messages behind *at (0: the oldest), as far as they are known and whole; .p NULL: no more. */
struct str links_look(const struct links *l, int from, uint64_t *at);
/* Moves queued messages into rings as far as there is room. */
void links_pump(struct links *l);
/* Rings the eventfds of those that have something new and do not know it yet. */
void links_wake(struct links *l);
/* Something is in the rings. */
bool links_anything(struct links *l);
/* What others ring. */
static inline int links_bell(const struct links *l) {
    return l->wake_fd[l->self];
}
/* This worker's eventfd was rung: reads it. */
void links_awake(struct links *l);
/* It will read its rings soon: nobody needs to ring before links_may_sleep. */
void links_stay_awake(struct links *l);
/* True when there is nothing to read and no room for what waits, and others will ring; else go on
 * reading and pumping. */
bool links_may_sleep(struct links *l);
/* Sleeps until somebody rings, or for so long, unless there is something to do. */
void links_doze(struct links *l, int ms);
/* How many messages were ever sent to a worker. */
uint64_t links_sent(const struct links *l, int to);
/* At the start: the whole message that the predecessor of this worker had begun to take, or .p
 * NULL. */
struct str links_begun(struct links *l, int from);
/* At the start: what the predecessor of this worker had begun to take is given up; returns how many
 * messages were ever taken. */
uint64_t links_abandon(struct links *l, int from);

#endif
