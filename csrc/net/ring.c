/* ring.c - mapping a ring, sending, taking. */
#define _GNU_SOURCE
#include "net/ring.h"

#include <sys/mman.h>

#include "mem/fault.h"

#define WORD sizeof(uint32_t)

static_assert(RING_BYTES % 4096 == 0 && !(RING_BYTES & (RING_BYTES - 1)), "a power of two");

/* A message's bytes in the ring. */
static size_t framed(size_t n) {
    return (n + WORD + 7) & ~(size_t)7;
}

bool ring_map(struct ring *r, int fd, size_t offset, bool producer) {
    int access = PROT_READ | PROT_WRITE;
    *r = (struct ring){ 0 };
    void *head = mmap(NULL, RING_HEAD_BYTES, access, MAP_SHARED, fd, (off_t)offset);
    char *data = mmap(NULL, 2 * RING_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (head == MAP_FAILED || data == MAP_FAILED) return false;
    off_t at = (off_t)(offset + RING_HEAD_BYTES);
    for (size_t half = 0; half < 2; half++) {
        void *p =
            mmap(data + half * RING_BYTES, RING_BYTES, access, MAP_SHARED | MAP_FIXED, fd, at);
        if (p == MAP_FAILED) return false;
    }
    r->shared = head;
    r->data = data;
    uint64_t h = atomic_load_explicit(&r->shared->head, memory_order_acquire);
    uint64_t t = atomic_load_explicit(&r->shared->tail, memory_order_acquire);
    r->mine = producer ? h : t;
    r->other = producer ? t : h;
    return true;
}

void ring_unmap(struct ring *r) {
    if (r->shared) munmap(r->shared, RING_HEAD_BYTES);
    if (r->data) munmap(r->data, 2 * RING_BYTES);
    *r = (struct ring){ 0 };
}

static char *place(const struct ring *r) {
    return r->data + (r->mine & (RING_BYTES - 1));
}

static bool has_room(struct ring *r, size_t need, memory_order order) {
    if (r->mine + need - r->other <= RING_BYTES) return true;
    r->other = atomic_load_explicit(&r->shared->tail, order);
    return r->mine + need - r->other <= RING_BYTES;
}

char *ring_reserve(struct ring *r, size_t n) {
    size_t need = framed(n);
    if (!has_room(r, need, memory_order_acquire)) {
        /* Either the consumer sees the mark after it has made room, or we see the room here. */
        atomic_store(&r->shared->starved, 1);
        if (!has_room(r, need, memory_order_seq_cst)) return NULL;
    }
    return place(r) + WORD;
}

void ring_send(struct ring *r, size_t n) {
    FAULT("ring.filled");
    store_u32(place(r), (uint32_t)n);
    r->mine += framed(n);
}

void ring_publish(struct ring *r) {
    atomic_store_explicit(&r->shared->head, r->mine, memory_order_release);
    FAULT("ring.sent");
}

bool ring_empty(struct ring *r) {
    if (r->mine != r->other) return false;
    r->other = atomic_load_explicit(&r->shared->head, memory_order_seq_cst);
    return r->mine == r->other;
}

const char *ring_peek(struct ring *r, size_t *n) {
    if (ring_empty(r)) return NULL;
    *n = load_u32(place(r));
    return place(r) + WORD;
}

void ring_take(struct ring *r) {
    FAULT("ring.before_take");
    r->mine += framed(load_u32(place(r)));
    atomic_store_explicit(&r->shared->tail, r->mine, memory_order_release);
}

const char *ring_look(const struct ring *r, uint64_t *at, size_t *n) {
    if (*at < r->mine) *at = r->mine;
    if (*at == r->other) return NULL;
    const char *message = r->data + *at % RING_BYTES;
    *n = load_u32(message);
    *at += framed(*n);
    return message + WORD;
}

bool ring_was_starved(struct ring *r) {
    atomic_thread_fence(memory_order_seq_cst); /* tail is out before starved is read */
    FAULT("ring.before_starved");
    return atomic_load(&r->shared->starved) && atomic_exchange(&r->shared->starved, 0);
}

/* --- what was begun with --- */

#define PLACE_BITS 24
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)

static_assert(RING_BYTES / 8 < PLACE_MASK / 2, "places in the ring are told apart");

/* Never 0, so that nothing is begun in a new ring. */
static uint64_t place_mark(uint64_t position) {
    return position / 8 % PLACE_MASK + 1;
}

void ring_begin(struct ring *r, bool counts) {
    uint64_t taken = ring_taken(r) + counts;
    atomic_store_explicit(&r->shared->begun, taken << PLACE_BITS | place_mark(r->mine),
                          memory_order_release);
    FAULT("ring.begun");
}

static bool is_begun(uint64_t begun, uint64_t position) {
    return (begun & PLACE_MASK) == place_mark(position);
}

const char *ring_begun(struct ring *r, size_t *n) {
    uint64_t begun = atomic_load_explicit(&r->shared->begun, memory_order_acquire);
    return is_begun(begun, r->mine) ? ring_peek(r, n) : NULL;
}

void ring_skip_begun(struct ring *r) {
    uint64_t begun = atomic_load_explicit(&r->shared->begun, memory_order_acquire);
    if (is_begun(begun, r->mine) && !ring_empty(r)) ring_take(r);
}

uint64_t ring_taken(const struct ring *r) {
    return atomic_load_explicit(&r->shared->begun, memory_order_acquire) >> PLACE_BITS;
}

uint64_t ring_sent(struct ring *r, bool (*counts)(const char *message)) {
    for (;;) { /* until the consumer takes none meanwhile; it comes to an end of what there is */
        uint64_t tail = atomic_load(&r->shared->tail), begun = atomic_load(&r->shared->begun);
        uint64_t n = begun >> PLACE_BITS;
        for (uint64_t at = tail; at != r->mine;) {
            const char *message = r->data + at % RING_BYTES;
            bool counted = at == tail && is_begun(begun, tail);
            n += !counted && counts(message + WORD);
            at += framed(load_u32(message));
        }
        if (atomic_load(&r->shared->tail) == tail && atomic_load(&r->shared->begun) == begun)
            return n;
    }
}
