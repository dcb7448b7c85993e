/* gather.h - one reply out of the replies of several workers.
 *
 * Owns      the parts (malloc). Callers: net/remote.c and net/stage.c.
 */
#ifndef SHMREDIS_GATHER_H
#define SHMREDIS_GATHER_H

#include "cmd/keys.h"
#include "cmd/reply.h"
#include "net/control.h"

struct session;

struct gather {
    struct session *session; /* NULL: gone */
    uint64_t slot;
    enum spread how;
    bool silent; /* its client does not want it */
    int left;    /* parts still to come */
    struct str part[WORKERS_MAX];
    uint64_t ns;    /* that the parts have taken */
    uint8_t *order; /* SPREAD_VALUES: the worker of each key */
    int order_n;
    uint64_t stage;    /* its number, 0: not staged */
    uint64_t position; /* in the log, when it is committed */
    bool committed;
    struct kept *whole;  /* the command, when it is committed; or SCAN, net/scan.h */
    struct chain *chain; /* goes on after it, net/stage_ask.c; NULL: none */
    /* SPREAD_ALL_RANDOM: a random number, and who has how many keys of the database */
    uint64_t draw;
    const struct control *control;
    int db;
};

struct gather *gather_new(struct session *s, enum spread how);
void gather_delete(struct gather *g);
/* What a worker has said, and how long it has taken. */
struct part_reply {
    struct str resp;
    uint64_t ns;
};
/* Keeps a copy; true when it was the last. */
bool gather_add(struct gather *g, int worker, struct part_reply reply);
/* What the parts of SCAN say so far. */
struct scan_page {
    int worker;      /* that was asked last */
    uint64_t cursor; /* of its reply */
    int64_t found;   /* by all */
};
/* False: there is no part, or an error. */
bool gather_page(const struct gather *g, struct scan_page *out);
/* Writes the reply made of all parts. */
void gather_merge(const struct gather *g, struct reply *out);

#endif
