/* output.h - bytes on their way to one client, in the order of its requests.
 *
 *   ready bytes | slot 1 (open) | bytes after slot 1 | slot 2 (filled) | bytes after slot 2
 *
 * A slot is a place in the reply order that is filled later (a command that another worker
 * executes). Only the ready prefix may be sent; filling the first slot makes more of it ready.
 *
 * Owns      all its bytes (malloc). Zero bytes are an empty output.
 */
#ifndef SHMREDIS_OUTPUT_H
#define SHMREDIS_OUTPUT_H

#include "mem/bytes.h"

struct output_slot;
struct output {
    char *p;
    size_t head, n, cap; /* ready bytes are p[head..n) */
    struct output_slot *first, *last;
    size_t waiting; /* bytes behind open slots */
    uint64_t next_slot;
};

void output_append(struct output *o, const char *p, size_t n);
static inline size_t output_ready(const struct output *o) {
    return o->n - o->head;
}
static inline bool output_has_slots(const struct output *o) {
    return o->first;
}
/* Takes n ready bytes away; memory goes when nothing is left. */
void output_consume(struct output *o, size_t n);
/* The oldest open slot, 0: none. */
uint64_t output_first_slot(const struct output *o);
uint64_t output_open_slot(struct output *o);
/* False: no such open slot. */
bool output_fill_slot(struct output *o, uint64_t id, const char *p, size_t n);
void output_free(struct output *o);

#endif
