/* stage_impl.h - what stage.c and stage_ask.c share, and nobody else sees. */
#ifndef SHMREDIS_STAGE_IMPL_H
#define SHMREDIS_STAGE_IMPL_H

#include "net/stage.h"

#define STAGE_BUCKETS 1024u /* a power of two */

enum stage_answer { STAGE_TAKEN, STAGE_BUSY, STAGE_REFUSED /* with its error as the body */ };

struct stages {
    /* stage.c */
    struct kept_list parts; /* staged here, oldest first; head.value is the number */
    struct kept_list done;  /* in the vault: executed, but not in the log's file yet */
    uint64_t read;          /* how far the log of commits was followed, while there are parts */
    struct vault *vault; /* where parts are; without a log and without room there, those of malloc
                            are lost with the worker if who has asked for them dies, too */
    /* stage_ask.c */
    struct operation *table[STAGE_BUCKETS]; /* on their way, by number */
    struct chain *chains;
    uint64_t counter;
    uint32_t under_way; /* commands that are not answered */
};

/* A part of this worker's own command is dropped here. */
void stage_drop_own(struct remote *r, uint64_t number);
void stage_asked_delete(struct stages *st);
/* The commands that a worker had parts of when it died fail, unless its successor finds them. */
void stage_asked_reborn(struct remote *r, int from, uint64_t taken);

#endif
