/* shipment.c - one place a worker; who reads another's does so only when that is dead. */
#include "net/shipment.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "mem/fault.h"
#include "net/control.h"
#include "net/cross.h"
#include "net/redo.h"

struct shipment {
    _Atomic uint64_t operation; /* whose it is; 0: there is none */
    _Atomic uint64_t left;      /* bits of the owners that have not taken theirs */
    char kept[SHIPMENT_BYTES - 2 * sizeof(uint64_t)]; /* a struct kept */
};

static_assert(sizeof(struct shipment) == SHIPMENT_BYTES, "control.h gives this room");
static_assert(offsetof(struct shipment, kept) % alignof(struct kept) == 0, "it is put there");

struct shipment *shipments_map(int fd, int workers) {
    size_t n = (size_t)workers * SHIPMENT_BYTES;
    off_t offset = (off_t)control_shipment_offset(workers, 0);
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    return p == MAP_FAILED ? NULL : p;
}

void shipments_unmap(struct shipment *s, int workers) {
    if (s) munmap(s, (size_t)workers * SHIPMENT_BYTES);
}

static bool is_of_present_life(const struct remote *r, uint64_t operation, int worker) {
    return commit_epoch(operation) == commit_epoch_of(remote_epoch(r, worker));
}

void shipment_keep(struct remote *r, const struct message *m, uint64_t owners, int n,
                   const struct carried *keys) {
    struct shipment *s = &r->shipments[r->self];
    uint64_t before = atomic_load(&s->operation);
    if (before && !is_of_present_life(r, before, r->self)) return; /* somebody is to take it yet */
    atomic_store(&s->operation, 0);
    const struct str owners_word = { (const char *)&owners, sizeof owners };
    struct message whole = *m;
    whole.flags |= MSG_RECORDS | MSG_AGAIN;
    if (!carry_keep(r, &whole, n, keys, owners_word, s->kept, sizeof s->kept)) return;
    atomic_store(&s->left, owners);
    atomic_store(&s->operation, m->id);
    FAULT("shipment.kept");
}

void shipment_done(struct remote *r, uint64_t operation) {
    struct shipment *s = &r->shipments[r->self];
    if (atomic_load_explicit(&s->operation, memory_order_relaxed) == operation)
        atomic_store(&s->operation, 0);
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
    struct shipment *s = &r->shipments[worker];
    uint64_t operation = atomic_load(&s->operation);
    if (LIKELY(!operation) || is_of_present_life(r, operation, worker)) return NULL;
    if (!(atomic_load(&s->left) >> r->self & 1)) return NULL;
    return own_part(r, kept_copy((const struct kept *)(const void *)s->kept));
}

static void taken(struct remote *r, int worker) {
    struct shipment *s = &r->shipments[worker];
    uint64_t bit = UINT64_C(1) << r->self;
    if (atomic_fetch_and(&s->left, ~bit) == bit) atomic_store(&s->operation, 0);
}

void shipment_reborn(struct remote *r, int from) {
    struct kept *k = r->redo.shut ? NULL : left_by(r, from);
    if (LIKELY(!k)) return;
    cross_ship(r, from, &k->head, k->argc, k->argv);
    taken(r, from);
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

void shipments_adopted(struct remote *r, uint64_t workers) {
    for (; workers; workers &= workers - 1) taken(r, __builtin_ctzll(workers));
}
