/* control.h - what workers share beside their arenas: one shared-memory object of the server.
 *
 *   | header | one block a worker | rings: one an ordered pair of workers, from 0->0 to n-1->n-1 |
 *   | vaults: one a worker | shipments: one a worker |
 *
 * Vaults and shipments have memory for a part of the room that they may grow to (mem/back.h).
 *
 * Each field has one writer, named below; others read it. Atomics are lock-free and hold between
 * processes. Whoever dies leaves only single words half done, and no word can be half written.
 *
 * Owns      nothing but the mapping. Callers: the front formats it, workers map it.
 */
#ifndef SHMREDIS_CONTROL_H
#define SHMREDIS_CONTROL_H

#include <stdalign.h>
#include <stdatomic.h>

#include "mem/share.h"
#include "net/claims.h"
#include "net/commits.h"
#include "net/ring.h"
#include "net/vault.h"
#include "status.h"

#define WORKERS_MAX SHARE_WORKERS_MAX
#define CONTROL_MAGIC UINT64_C(0x6c727463736d6873) /* "shmsctrl" */
#define CONTROL_LAYOUT 8u
#define CONTROL_DATABASES 16
#define CONTROL_SCRIPTS 4096

struct control_worker {
    /* by the front, before each spawn: which life of the worker this is */
    _Atomic uint32_t epoch;
    /* by the worker: the life whose arena is the one of its name for good; before, it may still
     * make another in place of its predecessor's */
    _Atomic uint32_t settled;
    /* set by whoever has rung its eventfd, cleared by the worker before it sleeps: no second ring
     */
    alignas(64) _Atomic uint32_t rung;
    /* by the worker, for the totals of others */
    alignas(64) _Atomic uint64_t used_memory;
    _Atomic uint64_t keys[CONTROL_DATABASES]; /* of the first databases */
    _Atomic uint32_t barren;                  /* its last try to evict a key found none */
    /* by the worker, net/crowd.h: bytes of its clients that may be evicted, and of the largest */
    _Atomic uint64_t clients_memory, largest_client;
    /* by the worker, net/pubsub.c: its channels and patterns that somebody is subscribed to */
    _Atomic uint64_t channels;
    /* by the worker: milliseconds of a monotonic clock at its last turn */
    _Atomic uint64_t beat_ms;
    /* enum script_state, net/busy.h: by the worker; SCRIPT_KILL by anybody */
    _Atomic uint32_t script;
    /* the operation that holds it, and 1 when that has claimed it; 0: none (net/hold.c) */
    _Atomic uint64_t hold;
    /* by the front: the same of its last life, when that ended */
    _Atomic uint64_t held_before;
    /* by the worker: what was committed before that position is executed in it (net/redo.h) */
    _Atomic uint64_t applied;
    struct arena_share share; /* its arena as others may read it, mem/share.h */
};

struct control {
    uint64_t magic;
    uint32_t layout, workers;
    uint64_t stuck_ms; /* without a turn for so long, a worker counts as stuck */
    uint64_t life; /* of the server: random, so that positions in the log of commits are unique */
    struct control_worker worker[WORKERS_MAX];
    _Atomic uint64_t reach[CONTROL_SCRIPTS]; /* what is known of scripts, net/reach.c; by anybody */
    struct commit_log commits;
    struct claims claims;
};

/* The part before the rings, in whole pages. */
size_t control_head_bytes(void);
static inline size_t control_ring_offset(int workers, int from, int to) {
    return control_head_bytes() + (size_t)(from * workers + to) * RING_OBJECT_BYTES;
}
static inline size_t control_vault_offset(int workers, int worker) {
    return control_ring_offset(workers, workers, 0) + (size_t)worker * VAULT_SPACE;
}
/* net/shipment.h; memory that there is from the start, and room. */
#define SHIPMENT_BYTES ((size_t)256 * 1024)
#define SHIPMENT_SPACE ((size_t)1 << 30)
static inline size_t control_shipment_offset(int workers, int worker) {
    return control_vault_offset(workers, workers) + (size_t)worker * SHIPMENT_SPACE;
}

/* The worker lives and goes on. */
void control_beat(struct control *c, int worker);
/* It has not had a turn for so long that others should not wait for it: stopped, or busy with one
 * command. */
bool control_stuck(const struct control *c, int worker);
/* The holder's claim; false: the hold was taken back. */
static inline bool hold_claim(struct control *c, int worker, uint64_t operation) {
    return atomic_compare_exchange_strong(&c->worker[worker].hold, &operation, operation | 1);
}

#endif
