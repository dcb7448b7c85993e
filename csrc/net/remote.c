/* remote.c - what is asked of other workers and for them, and what a worker of several is made of.
 */
#include "net/remote.h"

#include "cmd/fieldset.h"
#include "core_workers.h"
#include "db/clock.h"
#include "db/evict.h"
#include "mem/fault.h"
#include "net/acl.h"
#include "net/behind.h"
#include "net/block.h"
#include "net/block_retry.h"
#include "net/cross.h"
#include "net/dispatch.h"
#include "net/hotkeys.h"
#include "net/hub.h"
#include "net/peek.h"
#include "net/redo.h"
#include "net/scan.h"
#include "net/shipment.h"
#include "net/stage.h"
#include "net/tracking.h"
#include "net/turn.h"
#include "persist/aof.h"

/* --- delivering replies --- */

void remote_draw(struct remote *r, struct gather *g, int db) {
    g->draw = engine_random_below(r->eng, UINT64_MAX);
    g->control = r->links->control;
    g->db = db;
}

/* It is one command, however many parts it had. */
static void count_whole(struct remote *r, const struct gather *g, struct str reply) {
    const struct kept *k = g->whole;
    if (!k || !k->head.row) return; /* an instant has none */
    struct executed e = { .session = g->session,
                          .row = registry_row(r->eng->registry, k->head.row - 1),
                          .argc = k->argc,
                          .argv = k->argv,
                          .ns = g->ns,
                          .reply = reply };
    e.bytes = hotkeys_request_bytes(k->argc, k->argv) + (g->silent ? 0 : reply.n);
    dispatch_count(r->eng, &e);
}

static void gathered(struct remote *r, struct gather *g) {
    if (UNLIKELY(g->how == SPREAD_SCAN) && scan_goes_on(r, g)) return;
    struct reply whole = { .resp = g->session ? g->session->resp : 2 };
    gather_merge(g, &whole);
    struct str reply = { whole.p, whole.n };
    count_whole(r, g, reply);
    if (g->session) session_answer(g->session, g->slot, reply, g->silent);
    free(whole.p);
    if (g->committed || g->chain) stage_end(r, g);
    gather_delete(g);
}

void remote_answer(struct remote *r, int from, uint64_t id, struct str resp) {
    remote_answer_part(r, from, id, (struct part_reply){ resp, 0 });
}

void remote_answer_part(struct remote *r, int from, uint64_t id, struct part_reply reply) {
    const struct str resp = reply.resp;
    if (from != r->self) {
        struct message m = { .kind = MSG_REPLY, .id = id, .value = reply.ns };
        remote_send(r, from, &m, resp);
        return;
    }
    struct pending *p = pending_find(r, id);
    if (!p) return; /* of an earlier life */
    struct session *s = p->session;
    struct gather *g = p->gather;
    uint64_t slot = p->slot;
    int worker = p->worker;
    bool silent = p->silent;
    pending_free(r, p);
    if (s && s->retry && retry_take(r, s, resp)) return;
    if (!g && s)
        session_answer(s, slot, resp, silent);
    else if (g && gather_add(g, worker, reply))
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

int remote_decode(struct remote *r, struct str body) {
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
    r->part_ns = 0;
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
    asked = asked && !(m->flags & MSG_TICKET);
    eng->acting_user = UNLIKELY(m->value) && asked ? acl_find(eng, m->value) : NULL;
    uint64_t begun_ns = r->clock_ns ? r->clock_ns : clock_duration_ns();
    uint64_t ended_ns = dispatch_run(&c, row, begun_ns);
    eng->acting_user = NULL;
    r->part_ns = ended_ns - begun_ns;
    if (r->clock_ns) r->clock_ns = ended_ns;
    reply_settle(&r->out);
    if (UNLIKELY(c.wish.wanted) && r->asker >= 0) block_request(eng, r->asker, m, &c);
    r->wish = c.wish;
    r->again = c.again;
    r->partly = row->cmd.flags & CMD_INSIDE;
    return !c.wish.wanted;
}

void remote_execute_part(struct remote *r, const struct message *m, int argc, struct str *argv) {
    bool *uncounted = &r->eng->hub->uncounted;
    *uncounted = true;
    remote_execute(r, m, argc, argv);
    *uncounted = false;
}

struct part_reply remote_part_reply(const struct remote *r) {
    return (struct part_reply){ { r->out.p, r->out.n }, r->part_ns };
}

void remote_request(struct remote *r, int from, const struct message *m, int argc,
                    struct str *argv) {
    if (stage_any(r)) stage_apply(r);
    if (cross_held(r)) {
        kept_append(&r->deferred, kept_new(from, m, argc, argv));
        return;
    }
    FAULT("remote.before_execute");
    if (m->kind == MSG_PART) {
        remote_execute_part(r, m, argc, argv);
        r->stats.requests_done++;
        remote_answer_part(r, from, m->id, remote_part_reply(r));
        return;
    }
    r->asker = from;
    r->behind = behind_asker(from, m->id);
    bool done = remote_execute(r, m, argc, argv);
    r->behind = behind_nobody();
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
        struct kept *k = kept_take(&r->deferred);
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

void remote_evict(struct remote *r) {
    if (cross_held(r)) return;
    remote_share_memory(r);
    evict_share(r->eng);
    r->eng->peers.ask = false; /* they know */
    remote_share_memory(r);
}

void remote_ask_to_evict(struct remote *r) {
    struct message m = { .kind = MSG_EVICT };
    if (!r->eng->peers.ask) return;
    evict_share(r->eng);
    remote_share_memory(r);
    r->eng->peers.ask = false;
    for (int w = 0; w < r->n; w++)
        if (w != r->self && !r->links->link[w].waiting) remote_send(r, w, &m, (struct str){ 0 });
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

/* What the predecessor was being shipped by that worker: nobody sends it again if that dies, too.
 */
static void find_begun(struct remote *r, int from) {
    struct str begun = links_begun(r->links, from);
    struct message m;
    if (!begun.p) return;
    memcpy(&m, begun.p, sizeof m);
    if (m.kind != MSG_SHIP) return;
    int argc = remote_decode(r, (struct str){ begun.p + sizeof m, begun.n - sizeof m });
    redo_keep(r, kept_new(from, &m, argc, r->argv));
}

static void on_logged(struct engine *eng) {
    stage_logged(eng->remote);
    shipments_logged(eng->remote);
}

int engine_join(struct engine *eng, int fd, int self, const int *wake_fds, const char *arena_base) {
    status st;
    struct links *links = links_open(fd, self, wake_fds, &st);
    if (!links) return (int)st;
    struct remote *r = calloc(1, sizeof *r);
    ASSERT(r);
    *r = (struct remote){ .eng = eng,
                          .links = links,
                          .self = self,
                          .n = links->n,
                          .asker = ASKER_NONE,
                          .behind = behind_nobody() };
    links->hold = &eng->unlogged;
    r->stages = stages_new(vault_map(fd, control_vault_offset(r->n, self)));
    r->crossing = crossing_new(arena_base);
    r->shipments = shipments_map(fd, r->n);
    ASSERT(r->shipments);
    r->peeks = peeks_new();
    eng->remote = r;
    eng->hooks.bring = cross_bring_copy;
    eng->hooks.logged = on_logged;
    eng->worker = self;
    eng->workers = r->n;
    atomic_store(&links->control->worker[self].settled, links->epoch);
    uint64_t known = 0; /* those that a predecessor has heard of */
    for (int w = 0; w < r->n; w++) {
        struct message m = { .kind = MSG_REBORN };
        if (w == self) continue;
        find_begun(r, w);
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
    remote_ask_to_evict(r);
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
    for (struct kept *k; (k = kept_take(&r->deferred));) free(k);
    for (struct kept *k; (k = kept_take(&r->late));) free(k);
    for (uint32_t i = 0; i < r->pendings; i++) { /* each gather goes with its last part */
        struct gather *g = r->pending[i].used ? r->pending[i].gather : NULL;
        if (g && --g->left == 0) gather_delete(g);
    }
    r->eng->hooks.logged = NULL;
    remote_drop_mail(r);
    fieldset_drop_all(&r->fieldsets);
    redo_delete(r);
    stages_delete(r->stages);
    crossing_delete(r->crossing);
    shipments_unmap(r->shipments);
    peeks_delete(r->peeks);
    share_reset(r->sharing.all[r->self]);
    links_close(r->links);
    free(r->pending);
    free(r->out.p);
    free(r->message.p);
    free(r->argv);
    free(r);
}
