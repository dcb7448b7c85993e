/* cut.h - a command of several workers in parts: each owner's keys with what belongs to them.
 *
 * Callers   net/stage_ask.c. Parts are views of the command's arguments.
 */
#ifndef SHMREDIS_CUT_H
#define SHMREDIS_CUT_H

#include "cmd/registry.h"
#include "net/control.h"

struct parts {
    int argc[WORKERS_MAX];         /* 0: that worker has none */
    struct str *argv[WORKERS_MAX]; /* each with room for one more */
    uint64_t owners;               /* bits of those that have one */
    struct str *block;             /* all of them, malloc */
    uint8_t *order;                /* malloc: the worker of each key, or NULL: all have all keys */
    int order_n;
};
/* Parts by the owners of the keys, or the whole for each of `workers` if it is about all keys; row
 * NULL: likewise. */
void cut(struct parts *out, const struct command_row *row, int workers, int argc,
         const struct str *argv);
/* Frees the parts, not the order. */
void cut_end(struct parts *parts);

#endif
