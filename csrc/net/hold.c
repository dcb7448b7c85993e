/* hold.c - being held: one operation at a time, in the order in which they asked.
 *
 * A hold that is granted may still be taken back, until its holder has claimed it: both change the
 * one word in control memory by compare-and-swap, so that they cannot both succeed. It is taken
 * back from a holder that is stuck, which thus delays nobody; once it goes on it finds its claim
 * refused, and begins anew. A claimed hold lasts until the operation is done or its holder dies.
 */
#include "mem/fault.h"
#include "net/cross_impl.h"
#include "net/redo.h"
#include "net/stage.h"

/* A hold on this worker that was asked for. */
struct hold {
    struct hold *next;
    int from;
    uint64_t operation;
};

static _Atomic uint64_t *own_word(const struct remote *r) {
    return &r->links->control->worker[r->self].hold;
}

bool cross_held(const struct remote *r) {
    return r->crossing->granted || redo_holds(r);
}

int cross_holder(const struct remote *r) {
    return r->crossing->granted ? r->crossing->first->from : -1;
}

bool cross_wanted(const struct remote *r) {
    return r->crossing->first || redo_holds(r);
}

bool holds_has(const struct remote *r, int from, uint64_t operation) {
    const struct crossing *x = r->crossing;
    return x->granted && x->first->from == from && x->first->operation == operation;
}

void cross_grant(struct remote *r) {
    struct crossing *x = r->crossing;
    if (!x->first || x->granted || x->resting || stage_any(r) || redo_holds(r)) return;
    if (r->eng->config.loading == LOADING_SELF) return; /* nobody may look at it yet */
    x->granted = true;
    share_shut(&r->eng->arena, SHARE_HELD);
    struct hold h = *x->first;
    atomic_store(own_word(r), h.operation);
    FAULT("cross.granted");
    if (h.from == r->self) {
        cross_holding(r, h.from, h.operation);
    } else {
        struct message m = { .kind = MSG_HELD, .id = h.operation };
        remote_send(r, h.from, &m, (struct str){ NULL, 0 });
    }
}

/* Where the next hold of the queue is to be: the last one, or the first that is not granted. */
static struct hold **place_of_next(struct crossing *x, bool first) {
    struct hold **at = &x->first;
    if (first && !x->granted) return at;
    while (*at && !(first && at != &x->first)) at = &(*at)->next;
    return at;
}

void cross_hold(struct remote *r, int from, const struct message *m) {
    struct crossing *x = r->crossing;
    struct hold **at = place_of_next(x, m->flags & MSG_AGAIN), *h = malloc(sizeof *h);
    ASSERT(h);
    *h = (struct hold){ .next = *at, .from = from, .operation = m->id };
    *at = h;
    if (!h->next) x->last = h;
    cross_grant(r);
}

/* Takes the hold behind `before` (NULL: the first) out of the queue. */
static void remove_hold(struct remote *r, struct hold *before) {
    struct crossing *x = r->crossing;
    struct hold *gone = before ? before->next : x->first;
    bool had_it = !before && x->granted;
    if (before)
        before->next = gone->next;
    else
        x->first = gone->next;
    if (x->last == gone) x->last = before;
    free(gone);
    if (!had_it) return;
    atomic_store(own_word(r), 0);
    x->granted = false;
    share_open(&r->eng->arena, SHARE_HELD);
    x->resting = true;
    remote_go_on(r);
    remote_wake_self(r);
}

void cross_release(struct remote *r, int from, uint64_t operation) {
    struct hold *before = NULL;
    for (struct hold *h = r->crossing->first; h; before = h, h = h->next) {
        if (h->from != from || h->operation != operation) continue;
        remove_hold(r, before);
        return;
    }
}

void cross_rested(struct remote *r) {
    r->crossing->resting = false;
    cross_grant(r);
}

void holds_reborn(struct remote *r, int from) {
    for (struct hold *h = r->crossing->first, *before = NULL; h;) {
        struct hold *next = h->next;
        if (h->from == from)
            remove_hold(r, before);
        else
            before = h;
        h = next;
    }
}

void holds_tick(struct remote *r) {
    struct crossing *x = r->crossing;
    if (!x->granted || x->first->from == r->self) return;
    if (!control_stuck(r->links->control, x->first->from)) return;
    uint64_t unclaimed = x->first->operation;
    if (atomic_compare_exchange_strong(own_word(r), &unclaimed, 0)) remove_hold(r, NULL);
}

void holds_clear(struct crossing *x) {
    while (x->first) {
        struct hold *h = x->first;
        x->first = h->next;
        free(h);
    }
}
