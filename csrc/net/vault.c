/* vault.c - a ring of records whose ends may be given back in any order. */
#include "net/vault.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "mem/back.h"

struct record {
    uint32_t bytes;
    _Atomic uint32_t kept;
};

/* In control memory. */
struct ring {
    _Atomic uint64_t ends; /* head and, in the upper half, tail: offsets of records */
    uint64_t backed;       /* bytes of it that there is memory for; 0: VAULT_BYTES */
    char records[];
};

struct vault {
    struct mapped place;
    struct ring *ring;
    struct growing memory;
};

#define ROOM ((uint32_t)(VAULT_SPACE - sizeof(struct ring)))

struct vault *vault_map(int fd, size_t offset) {
    struct vault *v = malloc(sizeof *v);
    ASSERT(v);
    if (!mapped_open(&v->place, fd, offset, VAULT_SPACE)) {
        free(v);
        return NULL;
    }
    v->ring = (struct ring *)(void *)v->place.at;
    v->memory = (struct growing){ v->place.fd, offset, VAULT_BYTES, VAULT_SPACE };
    return v;
}

void vault_unmap(struct vault *v) {
    if (!v) return;
    mapped_close(&v->place);
    free(v);
}

static struct record *record_at(struct ring *v, uint32_t at) {
    return (struct record *)(void *)(v->records + at);
}

static uint32_t head_of(const struct ring *v) {
    return (uint32_t)atomic_load(&v->ends);
}

static uint32_t tail_of(const struct ring *v) {
    return (uint32_t)(atomic_load(&v->ends) >> 32);
}

/* Both at once: whoever dies leaves records from the one to the other. */
static void set_ends(struct ring *v, uint32_t head, uint32_t tail) {
    atomic_store(&v->ends, (uint64_t)tail << 32 | head);
}

static bool is_empty(const struct ring *v) {
    return head_of(v) == tail_of(v);
}

/* Offsets go from 0 to ROOM; behind the last record that fits there is one of nothing. */
static uint32_t after(const struct record *r, uint32_t at) {
    uint32_t next = at + r->bytes;
    return next + sizeof *r > ROOM ? 0 : next;
}

/* A record of nothing up to the end. */
static void skip_to_start(struct ring *v) {
    uint32_t head = head_of(v);
    struct record *r = record_at(v, head);
    r->bytes = ROOM - head;
    atomic_store(&r->kept, 0);
    set_ends(v, 0, tail_of(v));
}

/* The header of the next record must be there, too. */
static uint64_t end_of(uint32_t at, uint32_t n) {
    return (uint64_t)at + n + sizeof(struct record);
}

static uint64_t backed_room(const struct ring *v) {
    uint64_t backed = v->backed < VAULT_BYTES ? VAULT_BYTES : v->backed;
    return backed - sizeof(struct ring);
}

/* Nobody needs what there is. */
static void begin_anew(struct vault *v) {
    set_ends(v->ring, 0, 0);
    growing_shrink(&v->memory, &v->ring->backed);
}

/* Whether there is room for so many bytes from the head on, with some left: a full ring looks
 * empty. Goes round to the start rather than grow. */
static bool make_room(struct vault *v, uint32_t n) {
    struct ring *g = v->ring;
    uint32_t tail = tail_of(g), head = head_of(g);
    if (head < tail) return end_of(head, n) <= tail;
    if (end_of(head, n) <= backed_room(g)) return true;
    if (end_of(0, n) <= tail) {
        skip_to_start(g);
        return true;
    }
    return growing_back(&v->memory, &g->backed, sizeof *g + end_of(head, n));
}

void *vault_take(struct vault *v, size_t n) {
    struct ring *g = v->ring;
    if (n > ROOM / 2) return NULL;
    uint32_t bytes = (uint32_t)(sizeof(struct record) + ((n + 7) & ~(size_t)7));
    if (is_empty(g)) begin_anew(v);
    if (!make_room(v, bytes)) return NULL;
    uint32_t head = head_of(g);
    struct record *r = record_at(g, head);
    r->bytes = bytes;
    atomic_store(&r->kept, 0);
    set_ends(g, after(r, head), tail_of(g));
    return r + 1;
}

void vault_keep(void *kept) {
    struct record *r = (struct record *)kept - 1;
    atomic_store_explicit(&r->kept, 1, memory_order_release);
}

bool vault_has(const struct vault *v, const void *p) {
    const char *at = p, *records = v ? v->ring->records : NULL;
    return records && at >= records && at < records + ROOM;
}

void vault_give_back(struct vault *v, void *p) {
    struct ring *g = v->ring;
    struct record *r = (struct record *)p - 1;
    atomic_store(&r->kept, 0);
    while (!is_empty(g)) {
        r = record_at(g, tail_of(g));
        if (atomic_load(&r->kept) == 1) return;
        set_ends(g, head_of(g), after(r, tail_of(g)));
    }
    if (g->backed > VAULT_BYTES) begin_anew(v);
}

void *vault_next(struct vault *v, uint32_t *at, size_t *n) {
    struct ring *g = v->ring;
    uint32_t place = *at ? *at - 1 : tail_of(g);
    while (!is_empty(g) && place != head_of(g)) {
        struct record *r = record_at(g, place);
        place = after(r, place);
        *at = place + 1;
        *n = r->bytes - sizeof *r;
        if (atomic_load(&r->kept) == 1) return r + 1;
    }
    return NULL;
}
