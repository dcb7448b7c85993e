/* shipment.c - one place a worker; who reads another's does so only when that is dead. */
#include "net/shipment.h"

#include <stdatomic.h>

#include "mem/back.h"
#include "mem/fault.h"
#include "net/control.h"
#include "net/cross.h"
#include "net/redo.h"
#include "persist/aof.h"

struct shipment {
    _Atomic uint64_t operation; /* whose it is; 0: there is none */
    _Atomic uint64_t left;      /* bits of the owners that have not taken theirs */
    uint64_t backed;            /* bytes that there is memory for; 0: SHIPMENT_BYTES */
    struct kept kept;
};

struct shipments {
    struct mapped all;
    uint64_t taken; /* bits of workers whose shipment is executed here, but not logged yet */
};

struct shipments *shipments_map(int fd, int workers) {
    struct shipments *s = malloc(sizeof *s);
    size_t n = (size_t)workers * SHIPMENT_SPACE;
    ASSERT(s);
    s->taken = 0;
    if (mapped_open(&s->all, fd, control_shipment_offset(workers, 0), n)) return s;
    free(s);
    return NULL;
}

void shipments_unmap(struct shipments *s) {
    if (!s) return;
    mapped_close(&s->all);
    free(s);
}

static struct shipment *shipment_of(const struct remote *r, int worker) {
    return (struct shipment *)(void *)(r->shipments->all.at + (size_t)worker * SHIPMENT_SPACE);
}

static struct growing memory_of(const struct remote *r, int worker) {
    return (struct growing){ r->shipments->all.fd, control_shipment_offset(r->n, worker),
                             SHIPMENT_BYTES, SHIPMENT_SPACE };
}

/* This worker's, with room for a message of so many bytes. */
static void *room_for(void *ctx, size_t bytes) {
    const struct remote *r = ctx;
    struct shipment *s = shipment_of(r, r->self);
    const struct growing memory = memory_of(r, r->self);
    uint64_t n = offsetof(struct shipment, kept) + (uint64_t)bytes;
    return growing_back(&memory, &s->backed, n) ? &s->kept : NULL;
}

static bool is_of_present_life(const struct remote *r, uint64_t operation, int worker) {
    return commit_epoch(operation) == commit_epoch_of(remote_epoch(r, worker));
}

void shipment_keep(struct remote *r, const struct message *m, uint64_t owners, int n,
                   const struct carried *keys) {
    struct shipment *s = shipment_of(r, r->self);
    uint64_t before = atomic_load(&s->operation);
    if (before && !is_of_present_life(r, before, r->self)) return; /* somebody is to take it yet */
    atomic_store(&s->operation, 0);
    const struct str owners_word = { (const char *)&owners, sizeof owners };
    struct message whole = *m;
    whole.flags |= MSG_RECORDS | MSG_AGAIN;
    if (!carry_keep(r, &whole, n, keys, owners_word, room_for)) return;
    atomic_store(&s->left, owners);
    atomic_store(&s->operation, m->id);
    FAULT("shipment.kept");
}

void shipment_done(struct remote *r, uint64_t operation) {
    struct shipment *s = shipment_of(r, r->self);
    if (atomic_load_explicit(&s->operation, memory_order_relaxed) != operation) return;
    const struct growing memory = memory_of(r, r->self);
    atomic_store(&s->operation, 0);
    growing_shrink(&memory, &s->backed);
}

/* Only what is this worker's, in a block of malloc. */
static struct kept *own_part(const struct remote *r, struct kept *whole) {
    int n = 0;
    for (int i = 0; i + 3 < whole->argc; i += 3) {
        if (!remote_owns(r, whole->argv[i + 1])) continue;
        memmove(whole->argv + n, whole->argv + i, 3 * sizeof *whole->argv);
        n += 3;
    }
    whole->argv[n] = whole->argv[whole->argc - 1];
    struct kept *own = kept_new(whole->from, &whole->head, n + 1, whole->argv);
    free(whole);
    return own;
}

/* What a predecessor of that worker has left for this one, or NULL. */
static struct kept *left_by(const struct remote *r, int worker) {
    struct shipment *s = shipment_of(r, worker);
    uint64_t operation = atomic_load(&s->operation);
    if (LIKELY(!operation) || is_of_present_life(r, operation, worker)) return NULL;
    if (!(atomic_load(&s->left) >> r->self & 1)) return NULL;
    return own_part(r, kept_copy(&s->kept));
}

static void give_up_own(struct remote *r, int worker) {
    struct shipment *s = shipment_of(r, worker);
    uint64_t bit = UINT64_C(1) << r->self;
    if (atomic_fetch_and(&s->left, ~bit) == bit) atomic_store(&s->operation, 0);
}

void shipments_logged(struct remote *r) {
    uint64_t *taken = &r->shipments->taken;
    for (; UNLIKELY(*taken); *taken &= *taken - 1) give_up_own(r, __builtin_ctzll(*taken));
}

void shipments_adopted(struct remote *r, uint64_t workers) {
    r->shipments->taken |= workers;
    if (aof_is_written(r->eng->aof)) shipments_logged(r);
}

void shipment_reborn(struct remote *r, int from) {
    struct kept *k = r->redo.shut ? NULL : left_by(r, from);
    if (LIKELY(!k)) return;
    cross_ship(r, from, &k->head, k->argc, k->argv);
    shipments_adopted(r, UINT64_C(1) << from);
    free(k);
}

uint64_t shipments_adopt(struct remote *r) {
    uint64_t workers = 0;
    for (int w = 0; w < r->n; w++) {
        struct kept *k = left_by(r, w);
        if (!k) continue;
        redo_keep(r, k);
        workers |= UINT64_C(1) << w;
    }
    return workers;
}
