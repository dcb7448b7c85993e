/* cross_impl.h - what cross.c and hold.c share, and nobody else sees. */
#ifndef SHMREDIS_CROSS_IMPL_H
#define SHMREDIS_CROSS_IMPL_H

#include "net/cross.h"

struct hold;
struct cross;

struct crossing {
    char *arena_base;
    struct arena view[WORKERS_MAX]; /* others' arenas, mapped for reading */
    uint32_t view_epoch[WORKERS_MAX];
    struct hold *first, *last; /* the first has the hold when `granted` */
    bool granted, resting;     /* resting: everybody else has a turn before the next hold */
    struct cross *operations;
    uint64_t last_id;
};

/* Whether the operation holds this worker now. */
bool holds_has(const struct remote *r, int from, uint64_t operation);
/* Holds of a worker that has died are over. */
void holds_reborn(struct remote *r, int from);
/* Takes back the hold of a stuck worker, if it has not claimed it. */
void holds_tick(struct remote *r);
void holds_clear(struct crossing *x);

#endif
