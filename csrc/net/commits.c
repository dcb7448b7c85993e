/* commits.c - appending to, and following, the log of commits. */
#include "net/commits.h"

#include "net/control.h"

#define LAP_SHIFT 48
#define NUMBER_BITS ((UINT64_C(1) << LAP_SHIFT) - 1)
#define DONE UINT64_C(1)
#define WORKER_SHIFT 42 /* of a number, before the done bit is added */
#define EPOCH_SHIFT 32
#define EPOCH_MASK 0x3ffu
#define COUNTER_MASK UINT64_C(0x7fffffff)

/* Numbers are kept shifted by one, with room for the done bit. */
uint64_t commit_number(int worker, uint32_t epoch, uint64_t counter) {
    return (uint64_t)worker << WORKER_SHIFT | (uint64_t)(epoch & EPOCH_MASK) << EPOCH_SHIFT |
           (counter & COUNTER_MASK) << 1;
}

int commit_worker(uint64_t number) {
    return (int)((number & NUMBER_BITS) >> WORKER_SHIFT);
}

uint32_t commit_epoch(uint64_t number) {
    return (uint32_t)(number >> EPOCH_SHIFT) & EPOCH_MASK;
}

uint32_t commit_epoch_of(uint32_t epoch) {
    return epoch & EPOCH_MASK;
}

static uint64_t lap_of(uint64_t position) {
    return (position / COMMITS + 1) & 0xffff;
}

static bool is_from_lap(uint64_t entry, uint64_t position) {
    return entry >> LAP_SHIFT == lap_of(position);
}

/* Whether nobody needs the entry of the lap before any more. */
static bool is_free(const struct control *c, uint64_t entry) {
    if (!entry || entry & DONE) return true;
    const struct control_worker *w = &c->worker[(entry & NUMBER_BITS) >> WORKER_SHIFT];
    return (entry >> EPOCH_SHIFT & EPOCH_MASK) != (atomic_load(&w->epoch) & EPOCH_MASK);
}

bool commit_append(struct control *c, uint64_t number, uint64_t *position) {
    struct commit_log *log = &c->commits;
    for (uint64_t at = atomic_load(&log->head);; at++) {
        _Atomic uint64_t *place = &log->entry[at % COMMITS];
        uint64_t old = atomic_load(place);
        while (!is_from_lap(old, at)) {
            if (!is_free(c, old)) return false;
            if (!atomic_compare_exchange_strong(place, &old, lap_of(at) << LAP_SHIFT | number))
                continue;
            uint64_t head = atomic_load(&log->head);
            while (head <= at && !atomic_compare_exchange_weak(&log->head, &head, at + 1)) {
            }
            *position = at;
            return true;
        }
    }
}

void commit_done(struct control *c, uint64_t position) {
    atomic_fetch_or(&c->commits.entry[position % COMMITS], DONE);
}

uint64_t commit_tail(struct control *c) {
    return atomic_load(&c->commits.head);
}

bool commit_read(struct control *c, uint64_t *position, uint64_t *number) {
    _Atomic uint64_t *place = &c->commits.entry[*position % COMMITS];
    uint64_t entry = atomic_load_explicit(place, memory_order_acquire);
    if (!is_from_lap(entry, *position)) {
        uint64_t tail = commit_tail(c);
        if (tail <= *position + COMMITS) return false;
        *position = tail; /* far behind: nothing of what was written over was for this reader */
        return false;
    }
    *number = entry & NUMBER_BITS & ~DONE;
    ++*position;
    return true;
}

bool commit_find(struct control *c, uint64_t number, uint64_t *position) {
    uint64_t tail = commit_tail(c);
    for (uint64_t at = tail > COMMITS ? tail - COMMITS : 0;; at++) {
        uint64_t entry = atomic_load(&c->commits.entry[at % COMMITS]);
        bool present = is_from_lap(entry, at);
        if (!present && at >= tail) return false;
        if (!present || (entry & NUMBER_BITS & ~DONE) != number) continue;
        *position = at;
        return true;
    }
}

bool commit_is_owed(const struct control *c, int worker) {
    for (uint32_t i = 0; i < COMMITS; i++) {
        uint64_t entry = atomic_load(&c->commits.entry[i]);
        if (!is_free(c, entry) && commit_worker(entry) == worker) return true;
    }
    return false;
}
