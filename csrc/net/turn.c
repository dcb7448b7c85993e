/* turn.c - touched sessions, and the order at the end of a turn. */
#include "net/turn.h"

#include "db/clock.h"
#include "net/hub.h"
#include "net/remote.h"
#include "net/session.h"
#include "net/tracking.h"
#include "persist/aof.h"

#define WAIT_BYTES 16384 /* of output, and the time that they may wait for a reply after them */
#define WAIT_MS 2

void turn_touch(struct engine *eng, struct session *s) {
    struct turn *t = &eng->hub->turn;
    if (s->touched) return;
    s->touched = true;
    s->touched_ms = eng->now_ms;
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 64;
        t->touched = realloc(t->touched, t->cap * sizeof(struct session *));
        ASSERT(t->touched);
    }
    t->touched[t->n++] = s;
}

void turn_forget(struct engine *eng, const struct session *s) {
    struct turn *t = &eng->hub->turn;
    for (size_t i = 0; s->touched && i < t->n; i++)
        if (t->touched[i] == s) t->touched[i] = NULL;
}

bool turn_announce(struct engine *eng) {
    struct turn *t = &eng->hub->turn;
    struct remote *r = eng->remote;
    bool due = eng->unlogged || t->n || tracking_is_due(eng) || (r && remote_has_news(r));
    if (t->flushing || t->due || !due) return false;
    if (r) links_stay_awake(r->links);
    return t->due = true;
}

void turn_log(struct engine *eng) {
    if (eng->unlogged) {
        uint64_t start_ns = clock_duration_ns();
        aof_end_turn(eng->aof);
        eng->stats.log_ns += clock_duration_ns() - start_ns;
    }
    if (eng->remote) links_wake(eng->remote->links); /* they work while this one sends */
}

/* More replies will come for it at once, most likely: one send for all of them. */
static bool can_wait(const struct session *s) {
    return output_has_slots(&s->out) && output_ready(&s->out) < WAIT_BYTES &&
           s->eng->now_ms < s->touched_ms + WAIT_MS;
}

/* Sends what the touched sessions have got. What sessions execute now may touch others, which come
 * later, and may have to be logged first: those that are left then stay in the list. */
static void flush_touched(struct engine *eng) {
    struct turn *t = &eng->hub->turn;
    size_t kept = 0;
    t->flushing = true;
    for (size_t i = 0; i < t->n; i++) {
        struct session *s = t->touched[i];
        if (!s) continue;
        int outcome = s->resume && !s->calling ? session_feed(s, 0) : 0;
        s->resume = false;
        if (eng->unlogged || can_wait(s)) {
            t->touched[kept++] = s;
        } else {
            s->touched = false;
            outcome |= session_flush(s);
        }
        if (outcome) hub_note_ready(eng->hub, s->id, outcome);
    }
    t->n = kept;
    t->flushing = false;
}

void turn_end(struct engine *eng) {
    eng->hub->turn.due = false;
    do {
        if (UNLIKELY(tracking_is_due(eng))) tracking_end_turn(eng);
        turn_log(eng);
        flush_touched(eng);
    } while (eng->unlogged || tracking_is_due(eng));
    if (eng->remote) links_wake(eng->remote->links);
}
