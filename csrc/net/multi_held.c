/* multi_held.c - transactions and watches over keys of several workers.
 *
 * EXEC becomes a task under holds on all owners of its keys and of the watched ones (net/cross.h).
 * Commands run in their order on copies of their keys; those about all keys (FLUSHALL, SCAN) are
 * run by the workers themselves, and those of Python by the event loop, between two rounds of
 * copies. Replies are kept, and when the session goes on it answers with them. Commands that wait
 * for an instant of all workers (BGSAVE) come last, when nobody is held any more.
 */
#include "cmd/call.h"
#include "db/clock.h"
#include "net/access.h"
#include "net/acl.h"
#include "net/cross.h"
#include "net/dispatch.h"
#include "net/hotkeys.h"
#include "net/hub.h"
#include "net/multi.h"
#include "net/reach.h"
#include "net/scan.h"
#include "net/tracking.h"

struct held {
    struct cross_task task;
    struct session *session;    /* NULL: gone, and the rest of the queue is executed for nobody */
    struct multi *multi;        /* the session's; of its own when that is gone */
    struct message head;        /* of what its commands ask for */
    struct fieldset *fieldsets; /* none, when the session is gone */
    int at, db;
};

/* The queue and what is there of replies; who had watched keys is not known to have lost none. */
static struct multi *detach(struct multi *m) {
    struct multi *own = malloc(sizeof *own);
    ASSERT(own);
    *own = (struct multi){ .queue = m->queue,
                           .n = m->n,
                           .cap = m->cap,
                           .chunk = m->chunk,
                           .touched = m->touched || m->watches };
    m->queue = NULL;
    m->chunk = NULL;
    m->n = m->cap = 0;
    return own;
}

void multi_forget_held(struct multi *m) {
    struct held *h = m->held;
    if (!h) return;
    bool calling = m->held_state == HELD_CALLING;
    struct remote *r = h->session->eng->remote;
    h->session = NULL;
    h->multi = detach(m);
    h->head.flags &= (uint8_t)~MSG_TRACKED;
    m->held = NULL;
    h->at += calling;
    if (calling) cross_called(r, &h->task);
}

static void delete_held(struct cross_task *t) {
    struct held *h = (struct held *)t;
    if (h->session)
        h->session->multi->held = NULL;
    else
        multi_free_detached(h->multi);
    free(t->spread);
    free(h);
}

/* --- which keys, of whom --- */

static bool is_select(const struct queued *q) {
    return !strcmp(q->row->cmd.name, "SELECT");
}

static int selected(const struct engine *eng, const struct queued *q, int db) {
    int64_t to;
    bool valid = is_select(q) && str_to_i64(q->argv[1], &to) && to >= 0 && to < eng->databases;
    return valid ? (int)to : db;
}

static bool is_spread(const struct queued *q) {
    enum spread how = q->row->spread;
    return spread_to_all(how) || how == SPREAD_SCAN;
}

struct key_set {
    struct carried *key;
    int n, cap;
    uint64_t owners; /* bits of workers */
};

static void add_key(const struct engine *eng, struct key_set *set, struct carried key) {
    if (key.db < 0 || key.db >= eng->databases) return;
    if (set->n == set->cap) {
        set->cap = set->cap ? 2 * set->cap : 32;
        set->key = realloc(set->key, (size_t)set->cap * sizeof *set->key);
        ASSERT(set->key);
    }
    set->key[set->n++] = key;
    set->owners |= UINT64_C(1) << key_owner(key.name, eng->workers);
}

/* COPY and MOVE name a second database. */
static void add_second(const struct engine *eng, struct key_set *set, const struct queued *q) {
    int64_t db = -1;
    struct str name = q->argv[1];
    if (!strcmp(q->row->cmd.name, "MOVE")) {
        if (!str_to_i64(q->argv[2], &db)) return;
    } else if (!strcmp(q->row->cmd.name, "COPY")) {
        name = q->argv[2];
        for (int i = 3; i + 1 < q->argc; i++)
            if (str_is(q->argv[i], "DB") && !str_to_i64(q->argv[i + 1], &db)) return;
    }
    if (db >= 0 && db < eng->databases)
        add_key(eng, set, (struct carried){ .db = (int)db, .written = true, .name = name });
}

static void add_command(const struct engine *eng, struct key_set *set, int db,
                        const struct queued *q) {
    int n = command_keys(&q->row->cmd, q->argc, q->argv, NULL, 0);
    if (!n || !q->row->cmd.fn) return;
    struct key_at *keys = malloc((size_t)n * sizeof *keys);
    ASSERT(keys);
    command_keys(&q->row->cmd, q->argc, q->argv, keys, n);
    for (int i = 0; i < n; i++) {
        bool written = keys[i].flags & KF_WRITTEN;
        add_key(eng, set,
                (struct carried){ .db = db, .written = written, .name = q->argv[keys[i].index] });
    }
    free(keys);
    add_second(eng, set, q);
}

static int by_name(const void *a, const void *b) {
    const struct carried *x = a, *y = b;
    if (x->db != y->db) return x->db < y->db ? -1 : 1;
    size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
    int order = memcmp(x->name.p, y->name.p, n);
    return order ? order : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

/* Each key once; written if one of its commands may. */
static void unite(struct key_set *set) {
    int n = 0;
    if (set->n) qsort(set->key, (size_t)set->n, sizeof *set->key, by_name);
    for (int i = 0; i < set->n; i++) {
        bool again = n && !by_name(&set->key[n - 1], &set->key[i]);
        if (again)
            set->key[n - 1].written |= set->key[i].written;
        else
            set->key[n++] = set->key[i];
    }
    set->n = n;
}

static void collect(const struct session *s, struct key_set *set) {
    const struct multi *m = s->multi;
    int db = s->db, workers = s->eng->workers;
    for (int i = 0; i < m->n; i++) {
        db = selected(s->eng, &m->queue[i], db);
        add_command(s->eng, set, db, &m->queue[i]);
        bool all = is_spread(&m->queue[i]) || reach_is_wide(s->eng->remote, &m->queue[i].row->cmd,
                                                            m->queue[i].argc, m->queue[i].argv);
        if (all) set->owners |= UINT64_MAX >> (64 - workers);
    }
    for (const struct watched_key *k = m->watched; k; k = k->next)
        set->owners |= UINT64_C(1) << key_owner(k->name, workers);
    unite(set);
}

/* --- under holds --- */

static void keep_reply(struct multi *m, int at, struct str resp) {
    char *copy = malloc(resp.n + 1);
    ASSERT(copy);
    memcpy(copy, resp.p, resp.n);
    m->chunk[at] = (struct str){ copy, resp.n };
    m->replied += resp.n;
}

/* The queued command has changed something: its keys go back to their owners, and no others, so
 * that nobody's watch takes notice. */
static void note_changed(struct remote *r, const struct held *h, const struct queued *q) {
    if (q->row->cmd.flags & CMD_INSIDE) return; /* those inside have told: net/reach.h */
    struct key_set set = { 0 };
    add_command(r->eng, &set, h->db, q);
    for (int i = 0; i < set.n; i++) cross_changed(r, set.key[i].db, set.key[i].name);
    free(set.key);
}

/* Or may name some as it runs. */
static bool has_keys(const struct queued *q) {
    if (q->row->cmd.flags & CMD_INSIDE) return true;
    return q->row->cmd.fn && command_keys(&q->row->cmd, q->argc, q->argv, NULL, 0);
}

/* Whose rights a command inside of a command has. */
static const struct acl_user *acting_user(const struct remote *r, const struct held *h) {
    if (h->session) return h->session->user;
    return h->head.value ? acl_find(r->eng, h->head.value) : NULL;
}

static void run_here(struct remote *r, struct held *h, const struct queued *q) {
    struct session *s = h->session;
    struct call c = { .eng = r->eng,
                      .out = &r->out,
                      .cmd = &q->row->cmd,
                      .session = has_keys(q) ? NULL : s,
                      .fieldsets = s ? &s->fieldsets : &h->fieldsets,
                      .reader = s ? tracking_reader(s) : 0,
                      .client = s ? s->id : 0,
                      .argc = q->argc,
                      .argv = q->argv,
                      .db = h->db,
                      .request = EXEC_BYTES + h->multi->replied,
                      .quiet = true };
    r->out.n = 0;
    r->out.resp = s ? s->resp : h->head.resp;
    r->eng->acting_user = acting_user(r, h);
    uint64_t before = r->eng->stats.dirty;
    dispatch_run(&c, q->row, clock_duration_ns());
    r->eng->acting_user = NULL;
    if (r->eng->stats.dirty != before) note_changed(r, h, q);
    if (UNLIKELY(c.again)) {
        r->out.n = 0;
        reply_error(&r->out, REACH_ERROR);
    }
    reply_settle(&r->out);
    keep_reply(h->multi, h->at, (struct str){ r->out.p, r->out.n });
}

/* Whether the client may still have it run; else the error is the reply that is kept. */
static bool still_allowed(struct remote *r, struct held *h, const struct queued *q) {
    r->out.n = 0;
    if (!h->session || access_queued(h->session, q->row, q->argc, q->argv, &r->out)) return true;
    keep_reply(h->multi, h->at, (struct str){ r->out.p, r->out.n });
    return false;
}

static enum task_verdict ask_for_spread(const struct remote *r, struct held *h,
                                        const struct queued *q) {
    struct cross_task *t = &h->task;
    struct message m = h->head;
    m.kind = MSG_RUN;
    m.row = (uint16_t)(q->row->index + 1);
    m.db = h->db;
    free(t->spread);
    t->spread = kept_new(r->self, &m, q->argc, q->argv);
    t->how = q->row->spread;
    t->spread_to = UINT64_MAX >> (64 - r->n);
    if (t->how == SPREAD_SCAN) t->spread_to = UINT64_C(1) << scan_worker(r, q->argv[1]);
    return TASK_SPREAD;
}

/* Of the array that is EXEC's reply. */
static size_t header_bytes(int elements) {
    return (size_t)snprintf(NULL, 0, "*%d\r\n", elements);
}

/* Whether the queue may run; the first round begins with it. */
static bool begin_queue(struct held *h) {
    struct multi *m = h->multi;
    if (m->chunk) return true;
    if (h->session) multi_expire_watched(h->session);
    if (m->touched) m->held_state = HELD_TOUCHED;
    if (m->touched) return false;
    m->chunk = calloc((size_t)m->n + 1, sizeof *m->chunk);
    ASSERT(m->chunk);
    m->replied = header_bytes(m->n);
    return true;
}

static enum task_verdict run_held(struct remote *r, struct cross_task *t, struct str spread_reply) {
    struct held *h = (struct held *)t;
    struct multi *m = h->multi;
    r->out.n = 0;
    if (!begin_queue(h)) return TASK_DONE;
    if (spread_reply.p) keep_reply(m, h->at++, spread_reply);
    for (; h->at < m->n; h->at++) {
        const struct queued *q = &m->queue[h->at];
        struct session *s = h->session;
        h->db = selected(r->eng, q, h->db);
        if (s && s->tracking) tracking_foresee(s, q->row, q->argc, q->argv);
        if (q->row->cmd.flags & CMD_LAST || !still_allowed(r, h, q)) continue;
        if (is_spread(q)) return ask_for_spread(r, h, q);
        if (q->row->cmd.fn)
            run_here(r, h, q);
        else if (s)
            return TASK_CALL;
        if (UNLIKELY(cross_is_lost(r))) break;
    }
    r->out.n = 0;
    if (h->at < m->n) return TASK_LOST;
    m->held_state = HELD_RUN;
    return TASK_DONE;
}

/* The event loop is to execute the command of Python that the queue is at. */
static void call_python(struct remote *r, struct cross_task *t) {
    const struct held *h = (struct held *)t;
    struct session *s = h->session;
    if (!s) {
        cross_called(r, t);
        return;
    }
    s->multi->at = h->at;
    s->multi->held_state = HELD_CALLING;
    s->last_command = s->multi->queue[h->at].row->index;
    s->calling = true;
    hub_note_ready(r->eng->hub, s->id, FEED_CALL);
    remote_wake_self(r);
}

void multi_called_held(struct session *s, const char *resp, size_t n) {
    struct multi *m = s->multi;
    keep_reply(m, m->held->at++, (struct str){ resp, n });
    m->held_state = HELD_WAITING;
    cross_called(s->eng->remote, &m->held->task);
}

void multi_settle(struct session *s, struct reply *out) {
    struct multi *m = s->multi;
    switch (m->held_state) {
    case HELD_NOT:
    case HELD_CALLING: return;
    case HELD_WAITING:
        multi_note_end(s);
        multi_end(s);
        return;
    case HELD_TOUCHED: {
        size_t mark = out->n;
        reply_null_array(out);
        multi_note_end(s);
        multi_end(s);
        session_mute(s, mark);
        return;
    }
    case HELD_RUN: m->held_state = HELD_NOT; multi_start(s, out);
    }
}

/* Begins to take the holds; the session waits. */
static void begin_held(struct remote *r, struct session *s, const struct command_row *row,
                       const struct key_set *set) {
    struct message head = remote_message(s, MSG_CROSS, row);
    struct held *h = calloc(1, sizeof *h);
    ASSERT(h);
    *h = (struct held){ .task = { .run = run_held, .call = call_python, .delete = delete_held },
                        .session = s,
                        .multi = s->multi,
                        .head = head,
                        .db = s->db };
    s->multi->held = h;
    s->unsynced |= set->owners;
    s->multi->held_state = HELD_WAITING;
    s->barrier = remote_open_slot(s);
    head.id = remote_expect(r, r->self, s, s->barrier, NULL);
    cross_begin_task(r, &head, set->n, set->key, set->owners, &h->task);
}

static enum remote_verdict route_exec(struct remote *r, struct session *s,
                                      const struct command_row *row) {
    struct multi *m = s->multi;
    if (!multi_is_open(s) || m->aborted || m->touched) return REMOTE_HERE;
    struct key_set set = { 0 };
    enum remote_verdict where = REMOTE_HERE;
    collect(s, &set);
    if (set.owners & ~(UINT64_C(1) << r->self)) {
        s->barrier = output_first_slot(&s->out); /* what the client sent before comes before */
        where = s->barrier ? REMOTE_BARRED : REMOTE_SENT;
        if (!s->barrier) begin_held(r, s, row, &set);
    }
    free(set.key);
    return where;
}

/* --- watches --- */

/* The keys of a worker. */
static int of_worker(const struct remote *r, int worker, int n, const struct str *keys,
                     struct str *out) {
    int found = 0;
    for (int i = 0; i < n; i++)
        if (key_owner(keys[i], r->n) == worker) out[found++] = keys[i];
    return found;
}

/* A WATCH is counted where its client is: it is one, whatever the number of owners. */
static void count_watch(const struct session *s, const struct command_row *row, int argc,
                        const struct str *argv, bool silent) {
    const struct str ok = STR("+OK\r\n");
    struct executed e = { .session = s, .row = row, .argc = argc, .argv = argv, .reply = ok };
    e.bytes = hotkeys_request_bytes(argc, argv) + (silent ? 0 : ok.n);
    dispatch_count(s->eng, &e);
}

/* The reply comes when all owners know: from then on no change goes unseen. */
static enum remote_verdict route_watch(struct remote *r, struct session *s,
                                       const struct command_row *row, int argc,
                                       const struct str *argv) {
    struct message m = remote_message(s, MSG_WATCH, row);
    struct str *keys = malloc(2 * (size_t)argc * sizeof *keys), *fresh = keys + argc;
    struct gather *g = gather_new(s, SPREAD_OK);
    ASSERT(keys);
    int n_fresh = 0; /* what is watched already is known to its owner, too */
    for (int i = 1; i < argc; i++)
        if (multi_watch(s, s->db, argv[i])) fresh[n_fresh++] = argv[i];
    for (int w = 0; w < r->n; w++) g->left += w != r->self && of_worker(r, w, n_fresh, fresh, keys);
    g->silent = s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
    g->slot = g->left ? remote_open_slot(s) : 0;
    m.value = s->id;
    for (int w = 0; g->slot && w < r->n; w++) {
        int n = w == r->self ? 0 : of_worker(r, w, n_fresh, fresh, keys);
        if (!n) continue;
        m.id = remote_expect(r, w, s, g->slot, g);
        remote_send_command(r, w, &m, n, keys);
    }
    enum remote_verdict where = g->slot ? REMOTE_SENT : REMOTE_HERE;
    if (g->slot) count_watch(s, row, argc, argv, g->silent);
    if (!g->slot) gather_delete(g);
    free(keys);
    return where;
}

void multi_unwatch_others(struct session *s) {
    struct remote *r = s->eng->remote;
    for (const struct watched_key *k = s->multi->watched; k; k = k->next) {
        struct message m = { .kind = MSG_UNWATCH, .db = k->db, .value = s->id };
        int owner = key_owner(k->name, r->n);
        if (owner != r->self) remote_send_command(r, owner, &m, 1, &k->name);
    }
}

enum remote_verdict multi_route(struct remote *r, struct session *s, const struct command_row *row,
                                int argc, const struct str *argv) {
    if (multi_is_exec(row)) return route_exec(r, s, row);
    if (multi_is_watch(row) && !multi_is_open(s)) return route_watch(r, s, row, argc, argv);
    return REMOTE_HERE;
}
