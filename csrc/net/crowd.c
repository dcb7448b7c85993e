/* crowd.c - measuring sessions, and choosing those that have to go. */
#include "net/crowd.h"

#include "net/hub.h"
#include "net/multi.h"
#include "net/pubsub.h"
#include "net/remote.h"

void crowd_enter(struct session *s) {
    struct session **first = &s->eng->hub->crowd;
    s->crowd_next = *first;
    if (*first) (*first)->crowd_prev = s;
    *first = s;
    s->eng->hub->sessions++;
}

void crowd_leave(struct session *s) {
    if (s->crowd_prev)
        s->crowd_prev->crowd_next = s->crowd_next;
    else
        s->eng->hub->crowd = s->crowd_next;
    if (s->crowd_next) s->crowd_next->crowd_prev = s->crowd_prev;
    s->eng->hub->sessions--;
}

size_t session_memory(const struct session *s) {
    const struct stash *st = s->stash;
    size_t input = st ? sizeof *st + st->cap : 0;
    return sizeof *s + input + output_memory(&s->out) + multi_memory(s) + pubsub_memory(s);
}

void engine_crowd(const struct engine *eng, struct crowd_info *out) {
    *out = (struct crowd_info){ .sessions = eng->hub->sessions };
    for (const struct session *s = eng->hub->crowd; s; s = s->crowd_next) {
        size_t input = s->stash ? s->stash->n - s->stash->start : 0;
        size_t output = output_ready(&s->out) + s->out.waiting;
        out->memory += session_memory(s);
        if (input > out->longest_input) out->longest_input = input;
        if (output > out->longest_output) out->longest_output = output;
    }
}

/* --- the limit --- */

/* Bytes for the clients of all workers; 0: no limit. */
static uint64_t limit_of(const struct engine *eng) {
    int64_t limit = eng->config.maxmemory_clients;
    if (limit >= 0) return (uint64_t)limit;
    return (uint64_t)eng->config.maxmemory / 100u * (uint64_t)-limit;
}

struct measure {
    uint64_t sum, largest;
    struct session *candidate; /* the largest */
};

static struct measure measure(const struct engine *eng) {
    struct measure m = { 0 };
    for (struct session *s = eng->hub->crowd; s; s = s->crowd_next) {
        if (s->evicted || s->flags & SESSION_NO_EVICT || !s->id) continue;
        uint64_t bytes = session_memory(s);
        m.sum += bytes;
        if (bytes <= m.largest) continue;
        m.largest = bytes;
        m.candidate = s;
    }
    return m;
}

/* Says what this worker has, and adds what the others have said. */
static void share(const struct engine *eng, const struct measure *own, struct measure *all) {
    *all = *own;
    if (!eng->remote) return;
    struct control_worker *workers = eng->remote->links->control->worker;
    struct control_worker *self = &workers[eng->worker];
    atomic_store_explicit(&self->clients_memory, own->sum, memory_order_relaxed);
    atomic_store_explicit(&self->largest_client, own->largest, memory_order_relaxed);
    for (int w = 0; w < eng->workers; w++) {
        if (w == eng->worker) continue;
        uint64_t largest = atomic_load_explicit(&workers[w].largest_client, memory_order_relaxed);
        all->sum += atomic_load_explicit(&workers[w].clients_memory, memory_order_relaxed);
        if (largest > all->largest) all->largest = largest;
    }
}

void crowd_tick(struct engine *eng) {
    uint64_t limit = limit_of(eng);
    struct measure own = { 0 }, all;
    if (limit) own = measure(eng);
    share(eng, &own, &all);
    while (limit && all.sum > limit && own.candidate && own.largest >= all.largest) {
        own.candidate->evicted = true;
        hub_note_ready(eng->hub, own.candidate->id, FEED_EVICT);
        own = measure(eng);
        share(eng, &own, &all);
    }
}
