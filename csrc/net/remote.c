/* remote.c - what is asked of other workers and for them: messages, replies, draining the rings. */
#include "net/remote.h"

#include "cmd/fieldset.h"
#include "db/clock.h"
#include "db/evict.h"
#include "mem/fault.h"
#include "net/acl.h"
#include "net/block.h"
#include "net/block_retry.h"
#include "net/cross.h"
#include "net/dispatch.h"
#include "net/hub.h"
#include "net/lookahead.h"
#include "net/monitor.h"
#include "net/peek.h"
#include "net/pubsub.h"
#include "net/redo.h"
#include "net/stage.h"
#include "net/tracking.h"
#include "net/watch.h"
#include "net/turn.h"
#include "persist/aof.h"

#define DRAIN_BATCH 4096 /* messages in one turn of the event loop */

/* --- kept commands --- */

struct kept *kept_new(int from, const struct message *head, int argc, const struct str *argv) {
    size_t bytes = sizeof(struct kept) + (size_t)argc * sizeof *argv, text = bytes;
    for (int i = 0; i < argc; i++) bytes += argv[i].n;
    struct kept *k = malloc(bytes);
    ASSERT(k);
    *k = (struct kept){ .head = *head, .from = from, .argc = argc };
    char *p = (char *)k + text;
    for (int i = 0; i < argc; i++) {
        memcpy(p, argv[i].p, argv[i].n);
        k->argv[i] = (struct str){ p, argv[i].n };
        p += argv[i].n;
    }
    return k;
}

static void keep(struct kept_list *l, struct kept *k) {
    if (l->first)
        l->last->next = k;
    else
        l->first = k;
    l->last = k;
}

static struct kept *take_kept(struct kept_list *l) {
    struct kept *k = l->first;
    if (k) l->first = k->next;
    return k;
}

/* --- pendings --- */

static struct pending *new_pending(struct remote *r, uint32_t *index) {
    if (!r->free_pending) {
        uint32_t old = r->pendings, now = old ? old * 2 : 64;
        struct pending *grown = malloc(now * sizeof *grown);
        ASSERT(grown);
        for (uint32_t i = 0; i < now; i++) {
            grown[i] = i < old ? r->pending[i] : (struct pending){ .slot = i + 2 };
            if (i >= old) grown[i].generation = r->links->epoch << 16;
        }
        grown[now - 1].slot = 0;
        for (uint32_t i = 0; i < old; i++) { /* the sessions' lists move along */
            struct pending *p = &grown[i];
            if (!p->used || !p->session) continue;
            if (p->prev) p->prev = grown + (p->prev - r->pending);
            if (p->next) p->next = grown + (p->next - r->pending);
            if (!p->prev) p->session->pendings = p;
        }
        free(r->pending);
        r->pending = grown;
        r->pendings = now;
        r->free_pending = old + 1;
    }
    *index = r->free_pending - 1;
    struct pending *p = &r->pending[*index];
    r->free_pending = (uint32_t)p->slot;
    return p;
}

static bool is_silent(const struct session *s) {
    return s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
}

uint64_t remote_expect(struct remote *r, int worker, struct session *s, uint64_t slot,
                       struct gather *g) {
    uint32_t index;
    struct pending *p = new_pending(r, &index);
    *p = (struct pending){ .session = s,
                           .slot = slot,
                           .gather = g,
                           .generation = p->generation + 1,
                           .worker = worker,
                           .message = links_sent(r->links, worker) + 1,
                           .silent = s && is_silent(s),
                           .used = true };
    r->awaited += worker != r->self;
    if (s) {
        p->next = s->pendings;
        if (p->next) p->next->prev = p;
        s->pendings = p;
    }
    return (uint64_t)p->generation << 32 | index;
}

static void unlink_pending(struct pending *p) {
    if (p->prev) p->prev->next = p->next;
    if (p->next) p->next->prev = p->prev;
    if (p->session && p->session->pendings == p) p->session->pendings = p->next;
    p->prev = p->next = NULL;
    p->session = NULL;
}

static struct pending *find_pending(struct remote *r, uint64_t id) {
    uint32_t index = (uint32_t)id;
    if (index >= r->pendings) return NULL;
    struct pending *p = &r->pending[index];
    return p->used && p->generation == (uint32_t)(id >> 32) ? p : NULL;
}

static void free_pending(struct remote *r, struct pending *p) {
    unlink_pending(p);
    r->awaited -= p->worker != r->self;
    p->used = false;
    p->slot = r->free_pending;
    r->free_pending = (uint32_t)(p - r->pending) + 1;
}

void remote_cancel(struct remote *r, const struct gather *g) {
    for (uint32_t i = 0; i < r->pendings; i++)
        if (r->pending[i].used && r->pending[i].gather == g) free_pending(r, &r->pending[i]);
}

bool remote_part_lost(const struct remote *r, const struct gather *g, int worker, uint64_t taken) {
    for (uint32_t i = 0; i < r->pendings; i++) {
        const struct pending *p = &r->pending[i];
        if (p->used && p->gather == g && p->worker == worker) return p->message <= taken;
    }
    return false;
}

void remote_forget_session(struct session *s) {
    if (s->chain) stage_forget_session(s);
    while (s->pendings) {
        if (s->pendings->gather) s->pendings->gather->session = NULL;
        unlink_pending(s->pendings);
    }
}

/* --- delivering replies --- */

void remote_draw(struct remote *r, struct gather *g, int db) {
    g->draw = engine_random_below(r->eng, UINT64_MAX);
    g->control = r->links->control;
    g->db = db;
}

static void gathered(struct remote *r, struct gather *g) {
    if (g->session) {
        struct reply whole = { .resp = g->session->resp };
        gather_merge(g, &whole);
        session_answer(g->session, g->slot, (struct str){ whole.p, whole.n }, g->silent);
        free(whole.p);
    }
    if (g->committed || g->chain) stage_end(r, g);
    gather_delete(g);
}

void remote_answer(struct remote *r, int from, uint64_t id, struct str resp) {
    if (from != r->self) {
        struct message m = { .kind = MSG_REPLY, .id = id };
        remote_send(r, from, &m, resp);
        return;
    }
    struct pending *p = find_pending(r, id);
    if (!p) return; /* of an earlier life */
    struct session *s = p->session;
    struct gather *g = p->gather;
    uint64_t slot = p->slot;
    int worker = p->worker;
    bool silent = p->silent;
    free_pending(r, p);
    if (s && s->retry && retry_take(r, s, resp)) return;
    if (!g && s)
        session_answer(s, slot, resp, silent);
    else if (g && gather_add(g, worker, resp))
        gathered(r, g);
}

void remote_wake_self(struct remote *r) {
    r->links->to_ring |= UINT64_C(1) << r->self;
}

bool remote_has_news(const struct remote *r) {
    return r->eng->hub->ready_n || r->links->to_ring || r->eng->peers.ask;
}

/* --- messages --- */

void remote_send(struct remote *r, int to, const struct message *m, struct str body) {
    struct str parts[2] = { { (const char *)m, sizeof *m }, body };
    links_send(r->links, to, parts, body.p ? 2 : 1);
}

static void write_u32(struct reply *out, uint32_t v) {
    reply_raw(out, (const char *)&v, sizeof v);
}

void remote_send_command(struct remote *r, int to, const struct message *m, int argc,
                         const struct str *argv) {
    struct reply *body = &r->message;
    body->n = 0;
    write_u32(body, (uint32_t)argc);
    for (int i = 0; i < argc; i++) {
        write_u32(body, (uint32_t)argv[i].n);
        reply_raw(body, argv[i].p, argv[i].n);
    }
    remote_send(r, to, m, (struct str){ body->p, body->n });
}

/* The command in a body, in r->argv; its bytes stay in the body. */
static int decode_command(struct remote *r, struct str body) {
    int argc = (int)load_u32(body.p);
    if (argc > r->argv_cap) {
        r->argv_cap = argc;
        r->argv = realloc(r->argv, (size_t)argc * sizeof *r->argv);
        ASSERT(r->argv);
    }
    const char *p = body.p + sizeof(uint32_t);
    for (int i = 0; i < argc; i++) {
        r->argv[i] = (struct str){ p + sizeof(uint32_t), load_u32(p) };
        p = r->argv[i].p + r->argv[i].n;
    }
    ASSERT(p == body.p + body.n);
    return argc;
}

bool remote_execute(struct remote *r, const struct message *m, int argc, struct str *argv) {
    struct engine *eng = r->eng;
    r->out.n = 0;
    r->out.resp = m->resp;
    r->again = r->partly = false;
    struct command_row *row = m->row ? registry_row(eng->registry, m->row - 1)
                                     : dispatch_resolve(eng, argc, argv, &r->out);
    if (!row || !dispatch_loaded(eng, row, LOADING_SELF, &r->out)) return true;
    if (!dispatch_admit(eng, row, &r->out)) return true;
    struct call c = { .eng = eng,
                      .out = &r->out,
                      .cmd = &row->cmd,
                      .argc = argc,
                      .argv = argv,
                      .reader = m->flags & MSG_TRACKED ? m->client : 0,
                      .client = tracker_client(m->client),
                      .db = m->db,
                      .no_touch = m->flags & MSG_NO_TOUCH,
                      .quiet = m->flags & MSG_QUIET,
                      .may_block = r->asker != ASKER_NONE,
                      .fieldsets = &r->fieldsets };
    bool asked = m->kind == MSG_REQUEST || m->kind == MSG_CROSS;
    eng->acting_user = UNLIKELY(m->value) && asked ? acl_find(eng, m->value) : NULL;
    uint64_t ended_ns = dispatch_run(&c, row, r->clock_ns ? r->clock_ns : clock_duration_ns());
    eng->acting_user = NULL;
    if (r->clock_ns) r->clock_ns = ended_ns;
    reply_settle(&r->out);
    if (UNLIKELY(c.wish.wanted) && r->asker >= 0) block_request(eng, r->asker, m, &c);
    r->wish = c.wish;
    r->again = c.again;
    r->partly = row->cmd.flags & CMD_INSIDE;
    return !c.wish.wanted;
}

void remote_request(struct remote *r, int from, const struct message *m, int argc,
                    struct str *argv) {
    if (stage_any(r)) stage_apply(r);
    if (cross_held(r)) {
        keep(&r->deferred, kept_new(from, m, argc, argv));
        return;
    }
    FAULT("remote.before_execute");
    r->asker = from;
    bool done = remote_execute(r, m, argc, argv);
    r->asker = ASKER_NONE;
    FAULT("remote.executed");
    r->stats.requests_done++;
    if (UNLIKELY(r->again)) {
        struct message whole = *m;
        whole.kind = MSG_CROSS;
        cross_begin(r, from, &whole, argc, argv);
        return;
    }
    if (done) remote_answer(r, from, m->id, (struct str){ r->out.p, r->out.n });
    block_after(r->eng);
}

bool remote_is_held(const struct remote *r) {
    return cross_held(r);
}

void remote_go_on(struct remote *r) {
    r->resume = true;
    block_after(r->eng);
    while (!cross_held(r) && r->deferred.first) {
        struct kept *k = take_kept(&r->deferred);
        remote_request(r, k->from, &k->head, k->argc, k->argv);
        free(k);
    }
}

void remote_begin_part(struct remote *r, uint64_t position, uint64_t owners) {
    uint64_t before = owners & ((UINT64_C(1) << r->self) - 1);
    struct aof_part part = { .life = r->links->control->life,
                             .position = position,
                             .owners = owners,
                             .part = __builtin_popcountll(before) + 1,
                             .parts = __builtin_popcountll(owners) };
    if (part.parts > 1) aof_begin_part(r->eng->aof, &part);
}

/* --- mail --- */

struct mail {
    struct mail *next;
    int from, kind;
    uint64_t id;
    size_t n;
    char bytes[];
};

static void receive_mail(struct remote *r, int from, const struct message *m, struct str body) {
    struct mail *mail = malloc(sizeof *mail + body.n);
    ASSERT(mail);
    *mail = (struct mail){ .from = from, .kind = (int)m->value, .id = m->id, .n = body.n };
    memcpy(mail->bytes, body.p, body.n);
    if (r->mail)
        r->last_mail->next = mail;
    else
        r->mail = mail;
    r->last_mail = mail;
}

void remote_note_mail(struct remote *r, int kind, uint64_t id) {
    struct message m = { .id = id, .value = (uint64_t)kind };
    receive_mail(r, r->self, &m, (struct str){ "", 0 });
    remote_wake_self(r);
}

void engine_post(struct engine *eng, int worker, uint64_t id, int kind, const char *p, size_t n) {
    struct remote *r = eng->remote;
    struct message m = { .kind = MSG_MAIL, .id = id, .value = (uint64_t)kind };
    remote_send(r, worker, &m, (struct str){ p, n });
    links_wake(r->links);
}

const char *engine_next_mail(struct engine *eng, int *worker, uint64_t *id, int *kind, size_t *n) {
    struct remote *r = eng->remote;
    free(r->read_mail);
    struct mail *mail = r->read_mail = r->mail;
    if (!mail) return NULL;
    r->mail = mail->next;
    *worker = mail->from;
    *id = mail->id;
    *kind = mail->kind;
    *n = mail->n;
    return mail->bytes;
}

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
    remote_send(r, from, &redone, (struct str){ NULL, 0 });
    redo_told(r, from);
    block_forget_worker(r->eng, from);
    watch_reborn(r->eng, from);
    tracking_reborn(r->eng, from);
    monitor_reborn(r->eng, from);
}

/* --- memory of all workers --- */

void remote_share_memory(struct remote *r) {
    struct control_worker *all = r->links->control->worker;
    struct evict_peers *peers = &r->eng->peers;
    atomic_store_explicit(&all[r->self].used_memory, evict_used_memory(r->eng),
                          memory_order_relaxed);
    atomic_store_explicit(&all[r->self].barren, peers->self_barren, memory_order_relaxed);
    peers->used = peers->barren_used = 0;
    peers->barren = true;
    for (int w = 0; w < r->n; w++) {
        if (w == r->self) continue;
        uint64_t used = atomic_load_explicit(&all[w].used_memory, memory_order_relaxed);
        bool barren = atomic_load_explicit(&all[w].barren, memory_order_relaxed);
        peers->used += used;
        if (barren) peers->barren_used += used;
        if (!barren) peers->barren = false;
    }
}

/* Another worker found that memory is short. */
static void evict(struct remote *r) {
    if (cross_held(r)) return;
    remote_share_memory(r);
    evict_share(r->eng);
    r->eng->peers.ask = false; /* they know */
    remote_share_memory(r);
}

/* At the end of a turn: the others are to evict, too. */
static void ask_to_evict(struct remote *r) {
    struct message m = { .kind = MSG_EVICT };
    if (!r->eng->peers.ask) return;
    evict_share(r->eng);
    remote_share_memory(r);
    r->eng->peers.ask = false;
    for (int w = 0; w < r->n; w++)
        if (w != r->self && !r->links->link[w].waiting) remote_send(r, w, &m, (struct str){ 0 });
}

/* --- draining --- */

/* Whether the body is a command, or is laid out like one. */
static bool has_arguments(enum message_kind kind) {
    return kind == MSG_REQUEST || kind == MSG_STAGE || kind == MSG_CROSS || kind == MSG_SHIP ||
           kind == MSG_RUN || kind == MSG_FETCH || kind == MSG_FETCHED || kind == MSG_WATCH ||
           kind == MSG_NUDGE || kind == MSG_EVENT || kind == MSG_UNWATCH || kind == MSG_TOUCHED ||
           (kind >= MSG_TRACK && kind <= MSG_BROADCAST && kind != MSG_BROKEN &&
            kind != MSG_PREFIXES && kind != MSG_MONITORS && kind != MSG_MONITORED);
}

static void handle(struct remote *r, int from, struct str bytes) {
    struct message m;
    memcpy(&m, bytes.p, sizeof m);
    struct str body = { bytes.p + sizeof m, bytes.n - sizeof m };
    int argc = 0;
    if (stage_any(r)) stage_apply(r); /* what was committed before it was sent comes before it */
    if (has_arguments((enum message_kind)m.kind)) argc = decode_command(r, body);
    if (UNLIKELY(m.flags & MSG_AGAIN)) {
        redo_take(r, from, &m, argc, r->argv);
        return;
    }
    switch (m.kind) {
    case MSG_REQUEST: remote_request(r, from, &m, argc, r->argv); break;
    case MSG_REPLY: remote_answer(r, r->self, m.id, body); break;
    case MSG_MAIL: receive_mail(r, from, &m, body); break;
    case MSG_REBORN: reborn(r, from, m.value); break;
    case MSG_STAGE: stage_receive(r, from, &m, argc, r->argv); break;
    case MSG_STAGED: stage_staged(r, from, &m, body); break;
    case MSG_DROP: stage_drop(r, from, m.value); break;
    case MSG_REDONE: redo_told(r, from); break;
    case MSG_CROSS: cross_begin(r, from, &m, argc, r->argv); break;
    case MSG_HOLD: cross_hold(r, from, m.id); break;
    case MSG_HELD: cross_holding(r, from, m.id); break;
    case MSG_RELEASE: cross_release(r, from, m.id); break;
    case MSG_SHIP: cross_ship(r, from, &m, argc, r->argv); break;
    case MSG_FETCH: cross_fetch(r, from, &m, argc, r->argv); break;
    case MSG_FETCHED: cross_fetched(r, from, &m, argc, r->argv); break;
    case MSG_SHIPPED: cross_shipped(r, from, &m); break;
    case MSG_WATCH: watch_receive(r->eng, from, &m, argc, r->argv); break;
    case MSG_UNWATCH: watch_receive_end(r->eng, from, &m, argc, r->argv); break;
    case MSG_TOUCHED: engine_modified(r->eng, r->argv[0], m.db); break;
    case MSG_EVENT:
        pubsub_publish(r->eng, (enum channel_kind)m.value, r->argv[0], r->argv[1]);
        break;
    case MSG_NUDGE: retry_nudge(r, (int)m.value, &m, argc, r->argv); break;
    case MSG_NUDGED: retry_nudged(r, m.id); break;
    case MSG_UNBLOCK: block_end_request(r->eng, from, m.id, (enum unblock_how)m.value); break;
    case MSG_EVICT: evict(r); break;
    case MSG_RUN: cross_run(r, from, &m, argc, r->argv); break;
    case MSG_RAN: cross_ran(r, from, &m, body); break;
    case MSG_TRACK:
    case MSG_INVALIDATE:
    case MSG_REDIRECTED:
    case MSG_BROKEN:
    case MSG_PREFIX:
    case MSG_PREFIXES:
    case MSG_BROADCAST: tracking_receive(r->eng, from, &m, argc, r->argv); break;
    case MSG_MONITORS: monitor_receive(r->eng, from, &m); break;
    case MSG_MONITORED: monitor_receive_line(r->eng, body); break;
    default: ASSERT(!"a known kind of message");
    }
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
        keep(&r->late, kept_new(from, &m, 0, NULL));
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
    for (struct kept *k; (k = take_kept(&r->late)); free(k)) reborn(r, k->from, k->head.value);
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
    ask_to_evict(r);
    block_after(eng);
    turn_end(eng);
    r->stats.wakeups += n > 0;
    bool resume = r->resume || r->stalled;
    r->resume = r->stalled = false;
    return (eng->hub->ready_n ? DRAIN_READY : 0) | (r->mail ? DRAIN_MAIL : 0) |
           (asleep ? 0 : DRAIN_MORE) | (resume ? DRAIN_RESUME : 0) |
           (eng->hub->turn.n ? DRAIN_LATER : 0);
}

/* --- life --- */

/* From now on this worker reads others' arenas, and they may read its own when it is opened. */
static void share_arena(struct remote *r) {
    struct sharing *s = &r->sharing;
    *s = (struct sharing){ .self = r->self, .n = r->n };
    for (int w = 0; w < r->n; w++) s->all[w] = &r->links->control->worker[w].share;
    r->eng->arena.sharing = s;
    if (r->eng->config.loading == LOADING_SELF) share_shut(&r->eng->arena, SHARE_LOADING);
    if (arena_super(&r->eng->arena)->busy) share_shut(&r->eng->arena, SHARE_LOADING);
}

int engine_join(struct engine *eng, int fd, int self, const int *wake_fds, const char *arena_base) {
    status st;
    struct links *links = links_open(fd, self, wake_fds, &st);
    if (!links) return (int)st;
    struct remote *r = calloc(1, sizeof *r);
    ASSERT(r);
    *r = (struct remote){
        .eng = eng, .links = links, .self = self, .n = links->n, .asker = ASKER_NONE
    };
    links->hold = &eng->unlogged;
    r->stages = stages_new();
    r->crossing = crossing_new(arena_base);
    r->peeks = peeks_new();
    eng->remote = r;
    eng->hooks.bring = cross_bring_copy;
    eng->worker = self;
    eng->workers = r->n;
    uint64_t known = 0; /* those that a predecessor has heard of */
    for (int w = 0; w < r->n; w++) {
        struct message m = { .kind = MSG_REBORN };
        if (w == self) continue;
        m.value = links_abandon(links, w);
        if (m.value) known |= UINT64_C(1) << w;
        remote_send(r, w, &m, (struct str){ NULL, 0 });
    }
    links_wake(links);
    share_arena(r);
    redo_begin(r, known);
    return ST_OK;
}

void remote_tick(struct remote *r) {
    struct control_worker *w = &r->links->control->worker[r->self];
    control_beat(r->links->control, r->self);
    remote_share_memory(r);
    ask_to_evict(r);
    for (int db = 0; db < CONTROL_DATABASES && db < r->eng->databases; db++)
        atomic_store_explicit(&w->keys[db], engine_db(r->eng, db)->keys.count,
                              memory_order_relaxed);
    redo_tick(r);
    stage_tick(r);
    cross_tick(r);
    links_wake(r->links);
}

bool engine_link_stats(const struct engine *eng, struct link_stats *out) {
    if (!eng->remote) return false;
    *out = eng->remote->stats;
    out->wakeups_sent = eng->remote->links->wakeups_sent;
    out->backlog_bytes = eng->remote->links->waiting;
    return true;
}

void remote_delete(struct remote *r) {
    if (!r) return;
    for (struct kept *k; (k = take_kept(&r->deferred));) free(k);
    for (struct kept *k; (k = take_kept(&r->late));) free(k);
    for (uint32_t i = 0; i < r->pendings; i++) { /* each gather goes with its last part */
        struct gather *g = r->pending[i].used ? r->pending[i].gather : NULL;
        if (g && --g->left == 0) gather_delete(g);
    }
    for (struct mail *m; (m = r->mail);) {
        r->mail = m->next;
        free(m);
    }
    free(r->read_mail);
    fieldset_drop_all(&r->fieldsets);
    redo_delete(r);
    stages_delete(r->stages);
    crossing_delete(r->crossing);
    peeks_delete(r->peeks);
    share_reset(r->sharing.all[r->self]);
    links_close(r->links);
    free(r->pending);
    free(r->out.p);
    free(r->message.p);
    free(r->argv);
    free(r);
}
