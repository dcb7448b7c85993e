/* output.h - bytes on their way to one client, in the order of its requests.
 *
 *   ready bytes │ slot (open) │ bytes after it │ slot (filled) │ slot (open) │ …
 *
 * A slot is a place in the reply order that is filled later (a command that another worker
 * executes). Only the ready prefix may be sent; filling the first slot makes more of it ready.
 *
 * What lies behind an open slot is a queue of items, each an open slot or a run of bytes; the bytes
 * lie in one store in the order in which they came, which is not that of the items.
 *
 * Owns      all its bytes (malloc). Zero bytes are an empty output.
 */
#ifndef SHMREDIS_OUTPUT_H
#define SHMREDIS_OUTPUT_H

#include "mem/bytes.h"

struct output_item;
struct output {
    char *p;
    size_t head, n, cap;       /* ready bytes are p[head..n) */
    struct output_item *items; /* circular; the first, if there is one, is an open slot */
    uint32_t items_first, items_n, items_cap;
    uint64_t gone; /* items that were there before the first; slot ids count from 1 on */
    char *store;
    size_t store_n, store_cap;
    size_t waiting; /* bytes behind open slots */
};

void output_append(struct output *o, const char *p, size_t n);
static inline size_t output_ready(const struct output *o) {
    return o->n - o->head;
}
static inline bool output_has_slots(const struct output *o) {
    return o->items_n;
}
/* Takes n ready bytes away. */
void output_consume(struct output *o, size_t n);
/* The oldest open slot, 0: none. */
uint64_t output_first_slot(const struct output *o);
uint64_t output_open_slot(struct output *o);
/* False: no such open slot. */
bool output_fill_slot(struct output *o, uint64_t id, const char *p, size_t n);
/* Bytes of memory that it takes. */
size_t output_memory(const struct output *o);
void output_free(struct output *o);

#endif
