/* drain.c - reading what other workers have sent: each kind of message to who knows it. */
#include "core_workers.h"
#include "db/clock.h"
#include "net/behind.h"
#include "net/block.h"
#include "net/block_retry.h"
#include "net/cross.h"
#include "net/hub.h"
#include "net/lookahead.h"
#include "net/monitor.h"
#include "net/pubsub.h"
#include "net/redo.h"
#include "net/stage.h"
#include "net/tracking.h"
#include "net/turn.h"
#include "net/watch.h"

#define DRAIN_BATCH 4096 /* messages in one turn of the event loop */

/* --- a worker that was brought back --- */

static void reborn(struct remote *r, int from, uint64_t taken) {
    const struct message redone = { .kind = MSG_REDONE };
    stage_reborn(r, from, taken);
    static const char lost[] =
        "-ERR the worker of this key was restarted while it had the command\r\n";
    for (uint32_t i = 0; i < r->pendings; i++) {
        struct pending *p = &r->pending[i];
        if (!p->used || p->worker != from || p->message > taken) continue;
        if (p->gather && stage_undecided(r, p->gather->stage)) continue;
        uint64_t id = (uint64_t)p->generation << 32 | i;
        if (p->gather && stage_send_again(r, from, id, p->gather)) {
            p->message = links_sent(r->links, from);
            continue;
        }
        remote_answer(r, r->self, id, (struct str){ lost, sizeof lost - 1 });
    }
    cross_reborn(r, from);
    if (!redo_keeps_of(r, from)) remote_send(r, from, &redone, (struct str){ NULL, 0 });
    redo_reborn(r, from);
    block_forget_worker(r->eng, from);
    retry_reborn(r, from);
    watch_reborn(r->eng, from);
    tracking_reborn(r->eng, from);
    monitor_reborn(r->eng, from);
}

/* --- messages --- */

/* Whether the body is a command, or is laid out like one. */
static bool has_arguments(enum message_kind kind) {
    return kind == MSG_REQUEST || kind == MSG_PART || kind == MSG_STAGE || kind == MSG_CROSS ||
           kind == MSG_SHIP || kind == MSG_RUN || kind == MSG_FETCH || kind == MSG_FETCHED ||
           kind == MSG_WATCH || kind == MSG_AWAIT || kind == MSG_EVENT || kind == MSG_UNWATCH ||
           kind == MSG_TOUCHED ||
           (kind >= MSG_TRACK && kind <= MSG_BROADCAST && kind != MSG_BROKEN &&
            kind != MSG_PREFIXES && kind != MSG_MONITORS && kind != MSG_MONITORED &&
            kind != MSG_SLOW);
}

/* Its arguments, if it has any, are in r->argv. */
static void act(struct remote *r, int from, const struct message *m, int argc, struct str body) {
    switch (m->kind) {
    case MSG_REQUEST:
    case MSG_PART: remote_request(r, from, m, argc, r->argv); break;
    case MSG_REPLY:
        remote_answer_part(r, r->self, m->id, (struct part_reply){ body, m->value });
        break;
    case MSG_MAIL: remote_take_mail(r, from, m, body); break;
    case MSG_REBORN: reborn(r, from, m->value); break;
    case MSG_STAGE: stage_receive(r, from, m, argc, r->argv); break;
    case MSG_STAGED: stage_staged(r, from, m, body); break;
    case MSG_DROP: stage_drop(r, from, m->value); break;
    case MSG_REDONE: redo_told(r, from); break;
    case MSG_CROSS: cross_begin(r, from, m, argc, r->argv); break;
    case MSG_HOLD: cross_hold(r, from, m); break;
    case MSG_HELD: cross_holding(r, from, m->id); break;
    case MSG_RELEASE: cross_release(r, from, m->id); break;
    case MSG_SHIP: cross_ship(r, from, m, argc, r->argv); break;
    case MSG_FETCH: cross_fetch(r, from, m, argc, r->argv); break;
    case MSG_FETCHED: cross_fetched(r, from, m, argc, r->argv); break;
    case MSG_SHIPPED: cross_shipped(r, from, m); break;
    case MSG_WATCH: watch_receive(r->eng, from, m, argc, r->argv); break;
    case MSG_UNWATCH: watch_receive_end(r->eng, from, m, argc, r->argv); break;
    case MSG_TOUCHED: engine_modified(r->eng, r->argv[0], m->db); break;
    case MSG_EVENT:
        pubsub_publish(r->eng, (enum channel_kind)m->value, r->argv[0], r->argv[1]);
        break;
    case MSG_AWAIT: block_await(r->eng, m, argc, r->argv); break;
    case MSG_NUDGED: retry_nudged(r, m->id); break;
    case MSG_SERVED: retry_served(r, m->id, body); break;
    case MSG_UNBLOCK: block_end_request(r->eng, from, m->id, (enum unblock_how)m->value); break;
    case MSG_EVICT: remote_evict(r); break;
    case MSG_RUN: cross_run(r, from, m, argc, r->argv); break;
    case MSG_RAN: cross_ran(r, from, m, body); break;
    case MSG_TRACK:
    case MSG_INVALIDATE:
    case MSG_REDIRECTED:
    case MSG_BROKEN:
    case MSG_PREFIX:
    case MSG_PREFIXES:
    case MSG_BROADCAST: tracking_receive(r->eng, from, m, argc, r->argv); break;
    case MSG_MONITORS: monitor_receive(r->eng, from, m); break;
    case MSG_SLOW: behind_receive(r, m, body); break;
    case MSG_MONITORED: monitor_receive_line(r->eng, body); break;
    default: ASSERT(!"a known kind of message");
    }
}

static void handle(struct remote *r, int from, struct str bytes) {
    struct message m;
    memcpy(&m, bytes.p, sizeof m);
    struct str body = { bytes.p + sizeof m, bytes.n - sizeof m };
    int argc = 0;
    if (stage_any(r)) stage_apply(r); /* what was committed before it was sent comes before it */
    if (has_arguments((enum message_kind)m.kind)) argc = remote_decode(r, body);
    if (UNLIKELY(m.flags & MSG_AGAIN && m.kind != MSG_HOLD)) {
        redo_take(r, from, &m, argc, r->argv);
        return;
    }
    if (UNLIKELY(r->redo.shut && m.kind == MSG_SHIP)) {
        redo_keep(r, kept_new(from, &m, argc, r->argv));
        return;
    }
    act(r, from, &m, argc, body);
}

/* Loads the keys of the next requests in a ring; returns how many messages it looked at. */
static int look_ahead(struct remote *r, int from) {
    struct lookahead l = { 0 };
    uint64_t at = 0;
    int seen = 0, db = -1;
    for (struct str s; l.n < LOOKAHEAD_MAX && (s = links_look(r->links, from, &at)).p; seen++) {
        struct message m;
        memcpy(&m, s.p, sizeof m);
        if (m.kind != MSG_REQUEST || (db >= 0 && db != m.db)) continue;
        const char *body = s.p + sizeof m;
        if (load_u32(body) < 2) continue;
        const char *key = body + 2 * sizeof(uint32_t) + load_u32(body + sizeof(uint32_t));
        l.key[l.n++] = (struct str){ key + sizeof(uint32_t), load_u32(key) };
        db = m.db;
    }
    if (l.n) keyspace_load(r->eng, db, l.key, l.n, 1);
    return seen;
}

static int drain_ring(struct remote *r, int from, int max) {
    int n = 0, ahead = 0;
    for (struct str m; n < max && (m = links_peek(r->links, from)).p; n++) {
        if (n >= ahead) ahead = n + look_ahead(r, from);
        handle(r, from, m);
        links_done(r->links, from);
    }
    links_give_room(r->links, from); /* pieces are taken that are no message yet */
    return n;
}

/* One round over all rings; how many messages there were. */
static int drain_round(struct remote *r) {
    int n = 0;
    for (int from = 0; from < r->n; from++)
        if (from != r->self) n += drain_ring(r, from, DRAIN_BATCH - n);
    return n;
}

/* A worker that was brought back is dealt with when the operation is over: it may end by that. */
static void handle_amid(struct remote *r, int from, struct str bytes) {
    struct message m;
    memcpy(&m, bytes.p, sizeof m);
    if (m.kind == MSG_REBORN)
        kept_append(&r->late, kept_new(from, &m, 0, NULL));
    else
        handle(r, from, bytes);
}

int remote_drain_amid(struct remote *r) {
    int n = 0;
    for (int from = 0; from < r->n; from++) {
        if (from == r->self) continue;
        for (struct str m; !r->late.first && (m = links_peek(r->links, from)).p; n++) {
            handle_amid(r, from, m);
            links_done(r->links, from);
        }
        links_give_room(r->links, from);
    }
    links_pump(r->links);
    return n;
}

/* Executes what is due; false: nothing was. */
static bool run_due(struct remote *r) {
    bool any = cross_run_due(r);
    for (struct kept *k; (k = kept_take(&r->late)); free(k)) reborn(r, k->from, k->head.value);
    return any;
}

/* Nothing is in the rings, nor in the log of commits: who commits from here on rings. */
static bool may_sleep(struct remote *r) {
    if (!links_may_sleep(r->links)) return false;
    if (!stage_due(r)) return true;
    links_stay_awake(r->links);
    return false;
}

/* For the only worker. */
static int end_turn(struct engine *eng) {
    turn_end(eng);
    return eng->hub->ready_n ? DRAIN_READY : 0;
}

int engine_drain(struct engine *eng, bool rung) {
    struct remote *r = eng->remote;
    if (!r) return end_turn(eng);
    int n = 0, more = 1;
    bool asleep = false;
    if (rung) links_awake(r->links);
    engine_tick_clock(eng);
    r->clock_ns = clock_duration_ns();
    control_beat(r->links->control, r->self);
    cross_rested(r);
    if (eng->config.maxmemory) remote_share_memory(r);
    while (n < DRAIN_BATCH && more) {
        more = drain_round(r);
        n += more;
        if (stage_any(r)) stage_apply(r);
        more += run_due(r);
        links_pump(r->links);
        if (!more) asleep = may_sleep(r);
        if (!more && !asleep) more = 1;
    }
    r->clock_ns = 0;
    remote_ask_to_evict(r);
    block_after(eng);
    turn_end(eng);
    r->stats.wakeups += n > 0;
    bool resume = r->resume || r->stalled;
    r->resume = r->stalled = false;
    return (eng->hub->ready_n ? DRAIN_READY : 0) | (r->mail ? DRAIN_MAIL : 0) |
           (asleep ? 0 : DRAIN_MORE) | (resume ? DRAIN_RESUME : 0) |
           (eng->hub->turn.n ? DRAIN_LATER : 0);
}
