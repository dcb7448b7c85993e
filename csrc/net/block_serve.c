/* block_serve.c - executing the commands of waiters: when a key has changed, and when it is time.
 */
#include "db/clock.h"
#include "db/latency.h"
#include "mem/fault.h"
#include "net/access.h"
#include "net/block_impl.h"
#include "net/block_retry.h"
#include "net/dispatch.h"
#include "net/remote.h"
#include "net/tracking.h"

/* Executes the command of a waiter, with the reply in blocks.out; false: it found nothing. */
static bool execute(struct engine *eng, struct waiter *w) {
    struct reply *out = &eng->blocks->out;
    struct kept *k = w->command;
    out->n = 0;
    out->resp = k->head.resp;
    struct call c = { .eng = eng,
                      .out = out,
                      .cmd = &w->row->cmd,
                      .session = w->session,
                      .reader = k->head.flags & MSG_TRACKED ? k->head.client : 0,
                      .client = tracker_client(k->head.client),
                      .argc = k->argc,
                      .argv = k->argv,
                      .db = k->head.db,
                      .no_touch = k->head.flags & MSG_NO_TOUCH,
                      .may_block = true,
                      .resumed = true };
    uint64_t begun_us = latency_begin(eng);
    waiter_act(eng, w);
    dispatch_run(&c, w->row, clock_duration_ns());
    waiter_acted(eng);
    latency_end(eng, "command-unblocking", begun_us);
    free(c.wish.texts); /* the copy has such arguments already */
    w->again_ms = c.wish.again_ms;
    if (c.wish.wanted) return false;
    reply_settle(out);
    return true;
}

enum attempt {
    ATTEMPT_SERVED,  /* or it does not wait any more: it is gone */
    ATTEMPT_NOTHING, /* it keeps its place */
    ATTEMPT_OPEN     /* likewise; nobody behind it may be served before it is known */
};

/* The client's session may do so no longer: the error is its reply. */
static bool is_forbidden(struct engine *eng, struct waiter *w) {
    struct reply *out = &eng->blocks->out;
    out->n = 0;
    out->resp = w->command->head.resp;
    return w->session &&
           !access_waited(w->session, w->row, w->command->argc, w->command->argv, out);
}

static enum attempt attempt(struct engine *eng, struct waiter *w) {
    const struct reply *out = &eng->blocks->out;
    if (!is_forbidden(eng, w) && !execute(eng, w)) return ATTEMPT_NOTHING;
    waiter_answer(eng, w, (struct str){ out->p, out->n });
    return ATTEMPT_SERVED;
}

/* --- who waits at several workers --- */

/* Executes it for its client, unless another worker does so first. */
static enum attempt serve_shared(struct engine *eng, struct waiter *w) {
    struct remote *r = eng->remote;
    struct control *control = r->links->control;
    int asker = w->command->from;
    uint64_t ticket = w->ticket;
    if (!claim_take(control, ticket, r->self)) {
        w->again_ms = eng->now_ms + 1;
        return ATTEMPT_OPEN;
    }
    FAULT("block.taken");
    if (!execute(eng, w)) {
        claim_return(control, ticket, r->self);
        return ATTEMPT_NOTHING;
    }
    claim_serve(control, ticket, r->self);
    FAULT("block.served");
    waiter_remove(eng, w);
    retry_serve(r, asker, ticket, (struct str){ eng->blocks->out.p, eng->blocks->out.n });
    return ATTEMPT_SERVED;
}

static bool is_over(const struct engine *eng, const struct waiter *w) {
    int taker;
    return claim_state(eng->remote->links->control, w->ticket, &taker) == CLAIM_OVER;
}

static enum attempt attempt_shared(struct engine *eng, struct waiter *w, bool alone) {
    int taker;
    enum claim_state state = claim_state(eng->remote->links->control, w->ticket, &taker);
    if (state == CLAIM_OVER || state == CLAIM_SERVED) {
        waiter_remove(eng, w);
        return ATTEMPT_SERVED;
    }
    if (state == CLAIM_TAKEN) w->again_ms = eng->now_ms + 1; /* it may be given back */
    if (state != CLAIM_OPEN) return ATTEMPT_OPEN;
    if (w->tried) {
        w->tried = false;
        return ATTEMPT_NOTHING;
    }
    if (w->row && alone) return serve_shared(eng, w);
    if (!w->told) retry_tell(eng->remote, w->command->from, w->ticket);
    w->told = true;
    return ATTEMPT_OPEN;
}

/* --- serving --- */

/* It is also told that a key is gone: XREADGROUP, whose group is gone with it. */
static bool minds_absence(const struct engine *eng, const struct waiter *w) {
    int index = w->row ? w->row->index : w->command->head.row - 1;
    return registry_row(eng->registry, index)->cmd.keys[0].flags & KF_CHANGED;
}

/* The longest waiting first. One that finds nothing keeps its place. */
static void serve_key(struct engine *eng, struct awaited *k) {
    struct key key;
    for (struct place *p = k->first, *next; p; p = next) {
        next = p->next;
        struct waiter *w = p->waiter;
        bool there = key_find(eng, k->key.db, k->key.name, KEY_PEEK, &key);
        if (!there && !minds_absence(eng, w)) {
            w->tried = false;
            continue;
        }
        enum attempt found = w->shared ? attempt_shared(eng, w, !k->joint) : attempt(eng, w);
        if (found == ATTEMPT_OPEN) return;
    }
    k->joint = false;
}

static bool may_serve(const struct engine *eng) {
    return !eng->blocks->serving && !(eng->remote && remote_is_held(eng->remote));
}

/* Ends a waiter whose time is over, tries one whose time has come. */
static void look_after(struct engine *eng, struct waiter *w, uint64_t *next_ms) {
    uint64_t now_ms = eng->now_ms;
    if (w->shared && is_over(eng, w)) {
        waiter_remove(eng, w);
        return;
    }
    bool again = w->again_ms && w->again_ms <= now_ms && may_serve(eng);
    if (w->shared && again) waiter_all_ready(eng, w);
    if (w->shared && again) w->again_ms = 0;
    if (!w->shared && again && attempt(eng, w) == ATTEMPT_SERVED) return;
    if (w->until_ms && w->until_ms <= now_ms) {
        waiter_end(eng, w, UNBLOCK_TIMEOUT);
        return;
    }
    block_sooner(next_ms, now_ms, w->until_ms);
    if (w->again_ms > now_ms) block_sooner(next_ms, now_ms, w->again_ms);
}

uint64_t block_tick(struct engine *eng) {
    uint64_t next_ms = UINT64_MAX;
    for (struct waiter *w = eng->blocks->first, *next; w; w = next) {
        next = w->next;
        look_after(eng, w, &next_ms);
    }
    if (eng->remote) retry_tick(eng->remote, &next_ms);
    return next_ms;
}

void block_serve(struct engine *eng) {
    struct blocks *b = eng->blocks;
    if (!may_serve(eng)) return;
    b->serving = true;
    while (b->ready) {
        struct awaited *k = b->ready;
        b->ready = k->next_ready;
        if (!b->ready) b->ready_end = &b->ready;
        serve_key(eng, k);
        k->ready = false;
        awaited_forget(b, k);
    }
    b->serving = false;
    eng->blocks_ready = false;
    if (eng->remote) retry_due(eng->remote);
}
