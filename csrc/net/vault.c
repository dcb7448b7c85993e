/* vault.c - a ring of records whose ends may be given back in any order. */
#include "net/vault.h"

#include <stdatomic.h>
#include <sys/mman.h>

struct record {
    uint32_t bytes;
    _Atomic uint32_t kept;
};

struct vault {
    _Atomic uint32_t head, tail; /* offsets of records */
    char records[];
};

#define ROOM ((uint32_t)(VAULT_BYTES - sizeof(struct vault)))
#define LARGEST (ROOM / 4)

struct vault *vault_map(int fd, size_t offset) {
    void *p = mmap(NULL, VAULT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    return p == MAP_FAILED ? NULL : p;
}

void vault_unmap(struct vault *v) {
    if (v) munmap(v, VAULT_BYTES);
}

static struct record *record_at(struct vault *v, uint32_t at) {
    return (struct record *)(void *)(v->records + at);
}

/* Offsets go from 0 to ROOM; behind the last record that fits there is one of nothing. */
static uint32_t after(const struct record *r, uint32_t at) {
    uint32_t next = at + r->bytes;
    return next + sizeof *r > ROOM ? 0 : next;
}

/* A record of nothing up to the end. */
static bool skip_to_start(struct vault *v) {
    uint32_t tail = atomic_load(&v->tail), head = atomic_load(&v->head);
    struct record *r = record_at(v, head);
    if (head < tail || tail == 0) return false;
    r->bytes = ROOM - head;
    atomic_store(&r->kept, 0);
    atomic_store(&v->head, 0);
    return true;
}

/* Whether so many bytes are free from the head on, with some left: a full ring looks empty. */
static bool fits(const struct vault *v, uint32_t n) {
    uint32_t tail = atomic_load(&v->tail), head = atomic_load(&v->head);
    uint32_t end = head < tail ? tail - (uint32_t)sizeof(struct record) : ROOM;
    return head + n + (uint32_t)sizeof(struct record) <= end;
}

void *vault_take(struct vault *v, size_t n) {
    if (n > LARGEST) return NULL;
    uint32_t bytes = (uint32_t)(sizeof(struct record) + ((n + 7) & ~(size_t)7));
    if (!fits(v, bytes) && (!skip_to_start(v) || !fits(v, bytes))) return NULL;
    uint32_t head = atomic_load(&v->head);
    struct record *r = record_at(v, head);
    r->bytes = bytes;
    atomic_store(&r->kept, 0);
    atomic_store(&v->head, after(r, head));
    return r + 1;
}

void vault_keep(void *kept) {
    struct record *r = (struct record *)kept - 1;
    atomic_store_explicit(&r->kept, 1, memory_order_release);
}

bool vault_has(const struct vault *v, const void *p) {
    const char *at = p;
    return v && at >= v->records && at < v->records + ROOM;
}

void vault_give_back(struct vault *v, void *p) {
    struct record *r = (struct record *)p - 1;
    atomic_store(&r->kept, 0);
    uint32_t tail = atomic_load(&v->tail);
    while (tail != atomic_load(&v->head)) {
        r = record_at(v, tail);
        if (atomic_load(&r->kept) == 1) break;
        tail = after(r, tail);
        atomic_store(&v->tail, tail);
    }
}

void *vault_next(struct vault *v, uint32_t *at, size_t *n) {
    uint32_t head = atomic_load(&v->head), tail = atomic_load(&v->tail);
    uint32_t place = *at ? *at - 1 : tail;
    while (place != head) {
        struct record *r = record_at(v, place);
        place = after(r, place);
        *at = place + 1;
        *n = r->bytes - sizeof *r;
        if (atomic_load(&r->kept) == 1) return r + 1;
    }
    return NULL;
}
