/* share.c - opening and shutting an arena to readers, and reading one. */
#include "mem/share.h"

#include <sched.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define ALONE_TRIES 20000 /* turns given to a reader that was interrupted: tens of milliseconds */

/* --- the owner --- */

static uint64_t word_of(const struct sharing *s) {
    return atomic_load_explicit(&s->all[s->self]->word, memory_order_relaxed);
}

/* What is stored from here on is seen only by those that can see this word. */
static void announce(const struct sharing *s, uint64_t word) {
    atomic_store_explicit(&s->all[s->self]->word, word + SHARE_STEP, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

/* Whoever sees this word sees what was stored before. */
static void publish(const struct sharing *s, uint64_t word) {
    atomic_store_explicit(&s->all[s->self]->word, word + SHARE_STEP, memory_order_release);
}

void share_first_begin(struct sharing *s) {
    announce(s, word_of(s) | SHARE_CHANGING);
}

void share_last_end(struct sharing *s) {
    publish(s, word_of(s) & ~(uint64_t)SHARE_CHANGING);
}

void share_shut(struct arena *a, enum share_reason reason) {
    const struct sharing *s = a->sharing;
    if (s && !(word_of(s) & reason)) announce(s, word_of(s) | reason);
}

void share_open(struct arena *a, enum share_reason reason) {
    const struct sharing *s = a->sharing;
    if (s && word_of(s) & reason) publish(s, word_of(s) & ~(uint64_t)reason);
}

static bool reads(const struct arena_share *worker, int owner) {
    return atomic_load(&worker->reading) == (uint32_t)owner + 1;
}

static bool wait_for(const struct arena_share *worker, int owner) {
    for (int tries = 0; reads(worker, owner); tries++) {
        if (tries == ALONE_TRIES) return false;
        sched_yield();
    }
    return true;
}

bool share_alone(const struct arena *a) {
    const struct sharing *s = a->sharing;
    if (!s) return true;
    ASSERT(s->depth);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with share_enter */
    for (int w = 0; w < s->n; w++)
        if (!wait_for(s->all[w], s->self)) return false;
    return true;
}

bool share_may_change(const struct arena *a) {
    return !a->sharing || word_of(a->sharing) & SHARE_SHUT;
}

void share_reset(struct arena_share *s) {
    uint64_t changes = atomic_load(&s->word) & ~(uint64_t)SHARE_SHUT;
    atomic_store(&s->word, (changes + SHARE_STEP) | SHARE_AWAY);
    atomic_store(&s->reading, 0);
}

/* --- a reader --- */

static void pause_processor(void) {
#ifdef __SSE2__
    _mm_pause();
#endif
}

void share_wait(const struct sharing *s, int owner, int pauses) {
    const _Atomic uint64_t *word = &s->all[owner]->word;
    while (pauses-- > 0 && atomic_load_explicit(word, memory_order_relaxed) & SHARE_CHANGING)
        pause_processor();
}

enum share_state share_enter(struct share_reader *r, const struct sharing *s, int owner) {
    *r = (struct share_reader){ .owner = s->all[owner], .self = s->all[s->self] };
    atomic_store(&r->self->reading, (uint32_t)owner + 1);
    r->word = atomic_load(&r->owner->word); /* after the store: share_alone */
    if (LIKELY(!(r->word & SHARE_SHUT))) return SHARE_OPEN;
    share_leave(r);
    return (r->word & SHARE_SHUT) == SHARE_CHANGING ? SHARE_BUSY : SHARE_CLOSED;
}

void share_leave(const struct share_reader *r) {
    atomic_store_explicit(&r->self->reading, 0, memory_order_release);
}

static bool is_same(const struct share_reader *r) {
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&r->owner->word, memory_order_relaxed) == r->word;
}

bool share_copy(const struct share_reader *r, uint64_t from, void *to, size_t n) {
    uint64_t size = r->arena->reserved, words = (n + 7) / 8;
    if (UNLIKELY(from % 8 || from > size || words > (size - from) / 8)) return false;
    const uint64_t *source = (const uint64_t *)(const void *)(r->arena->base + from);
    for (uint64_t i = 0; i < words; i++) {
        uint64_t word = __atomic_load_n(source + i, __ATOMIC_RELAXED);
        memcpy((char *)to + 8 * i, &word, sizeof word);
    }
    return is_same(r);
}
