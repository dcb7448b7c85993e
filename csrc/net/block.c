/* block.c - the table of keys waited for, and who stands in it. */
#include "net/behind.h"
#include "net/block_impl.h"
#include "net/block_retry.h"
#include "net/dispatch.h"
#include "net/tracking.h"

void blocks_create(struct engine *eng) {
    struct blocks *b = calloc(1, sizeof *b);
    ASSERT(b);
    keytable_create(&b->keys);
    b->ready_end = &b->ready;
    eng->blocks = b;
}

static void free_waiter(struct waiter *w) {
    free(w->command);
    free(w);
}

void blocks_delete(struct engine *eng) {
    struct blocks *b = eng->blocks;
    if (!b) return;
    while (b->first) {
        struct waiter *w = b->first;
        b->first = w->next;
        free_waiter(w);
    }
    keytable_delete(&b->keys);
    free(b->out.p);
    free(b);
}

/* --- waiting --- */

static uint64_t next_ticket(struct engine *eng) {
    if (eng->remote) return claim_ticket(eng->remote->links->control);
    return ++eng->blocks->tickets;
}

/* The last place of the queue that is not behind that ticket. */
static struct place *place_before(const struct awaited *k, uint64_t ticket) {
    struct place *p = k->last;
    while (p && p->waiter->ticket > ticket) p = p->prev;
    return p;
}

static void stand_in(struct awaited *k, struct waiter *w) {
    struct place *p = &w->place[w->n], *before = place_before(k, w->ticket);
    if (before && before->waiter == w) return; /* the same key twice */
    *p = (struct place){
        .waiter = w, .key = k, .prev = before, .next = before ? before->next : k->first
    };
    if (p->prev)
        p->prev->next = p;
    else
        k->first = p;
    if (p->next)
        p->next->prev = p;
    else
        k->last = p;
    w->n++;
}

static void note_ready(struct engine *eng, struct awaited *k) {
    struct blocks *b = eng->blocks;
    if (k->ready) return;
    k->ready = true;
    k->next_ready = NULL;
    *b->ready_end = k;
    b->ready_end = &k->next_ready;
    eng->blocks_ready = true;
}

void waiter_all_ready(struct engine *eng, struct waiter *w) {
    for (int i = 0; i < w->n; i++) note_ready(eng, w->place[i].key);
}

void awaited_forget(struct blocks *b, struct awaited *k) {
    if (!k->first && !k->ready) keytable_remove(&b->keys, &k->key);
}

static void leave(struct blocks *b, struct place *p) {
    struct awaited *k = p->key;
    if (p->prev)
        p->prev->next = p->next;
    else
        k->first = p->next;
    if (p->next)
        p->next->prev = p->prev;
    else
        k->last = p->prev;
    awaited_forget(b, k);
}

/* With room for so many keys. */
static struct waiter *new_waiter(struct engine *eng, struct kept *command, uint64_t ticket,
                                 int keys) {
    struct blocks *b = eng->blocks;
    struct waiter *w = calloc(1, sizeof *w + (size_t)keys * sizeof *w->place);
    ASSERT(w);
    w->command = command;
    w->ticket = ticket;
    w->prev = b->last;
    if (b->last)
        b->last->next = w;
    else
        b->first = w;
    b->last = w;
    return w;
}

static void wait_for(struct engine *eng, struct waiter *w, int db, struct str key) {
    struct blocks *b = eng->blocks;
    struct key_node *k = keytable_node(&b->keys, eng, db, key, sizeof(struct awaited));
    stand_in((struct awaited *)k, w);
}

static struct waiter *await(struct engine *eng, const struct message *m, int from,
                            const struct call *c) {
    const struct block_wish *wish = &c->wish;
    int keys = (wish->last - wish->first) / wish->step + 1;
    uint64_t ticket = m->flags & MSG_TICKET ? m->value : next_ticket(eng);
    struct waiter *w = new_waiter(eng, kept_new(from, m, c->argc, c->argv), ticket, keys);
    w->row = registry_find(eng->registry, (struct str){ c->cmd->name, strlen(c->cmd->name) });
    w->until_ms = wish->until_ms;
    w->again_ms = wish->again_ms;
    for (int i = wish->first; i <= wish->last; i += wish->step) wait_for(eng, w, m->db, c->argv[i]);
    free(wish->texts);
    return w;
}

void block_session(struct session *s, const struct call *c) {
    struct message m = { .resp = s->resp == 3 ? 3 : 2,
                         .flags = s->flags & SESSION_NO_TOUCH ? MSG_NO_TOUCH : 0,
                         .db = c->db,
                         .client = tracker_code(s->id, s->eng->worker) };
    if (tracking_reads(s)) m.flags |= MSG_TRACKED;
    struct waiter *w = await(s->eng, &m, s->eng->worker, c);
    w->session = s;
    w->silent = s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
    w->slot = s->barrier = remote_open_slot(s);
    s->waiter = w;
    s->eng->blocks->sessions++;
}

void block_request(struct engine *eng, int from, const struct message *m, const struct call *c) {
    await(eng, m, from, c);
}

/* --- no longer waiting --- */

void waiter_remove(struct engine *eng, struct waiter *w) {
    struct blocks *b = eng->blocks;
    if (w->shared) waiter_all_ready(eng, w); /* for who has stood behind it */
    for (int i = 0; i < w->n; i++) leave(b, &w->place[i]);
    if (w->prev)
        w->prev->next = w->next;
    else
        b->first = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        b->last = w->prev;
    if (w->session) {
        w->session->waiter = NULL;
        b->sessions--;
    }
    free_waiter(w);
}

void waiter_act(struct engine *eng, const struct waiter *w) {
    const struct kept *k = w->command;
    if (!eng->remote || w->session) return;
    eng->remote->behind =
        w->shared ? behind_ticket(k->from, w->ticket) : behind_asker(k->from, k->head.id);
}

void waiter_acted(struct engine *eng) {
    if (eng->remote) eng->remote->behind = behind_nobody();
}

void waiter_answer(struct engine *eng, struct waiter *w, struct str resp) {
    if (w->session)
        session_answer(w->session, w->slot, resp, w->silent);
    else
        remote_answer(eng->remote, w->command->from, w->command->head.id, resp);
    waiter_remove(eng, w);
}

void block_reply_end(struct reply *out, enum unblock_how how) {
    if (how == UNBLOCK_ERROR)
        reply_error(out, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    else if (how == UNBLOCK_TIMEOUT)
        reply_null_array(out);
}

void block_count_end(struct engine *eng, const struct session *s, const struct command_row *row,
                     const struct kept *command, const struct reply *out) {
    struct executed e = { .session = s,
                          .row = row,
                          .argc = command->argc,
                          .argv = command->argv,
                          .reply = { out->p, out->n } };
    dispatch_count(eng, &e);
}

void waiter_end(struct engine *eng, struct waiter *w, enum unblock_how how) {
    if (w->shared) {
        waiter_remove(eng, w);
        return;
    }
    struct reply out = { .resp = w->command->head.resp };
    block_reply_end(&out, how);
    waiter_act(eng, w);
    if (w->row && out.n) block_count_end(eng, w->session, w->row, w->command, &out);
    waiter_acted(eng);
    waiter_answer(eng, w, (struct str){ out.p, out.n });
    free(out.p);
}

static void tell_owner(const struct session *s, enum unblock_how how) {
    struct message m = { .kind = MSG_UNBLOCK, .id = s->blocked_id, .value = (uint64_t)how };
    remote_send(s->eng->remote, s->blocked_at, &m, (struct str){ NULL, 0 });
}

bool block_end(struct session *s, enum unblock_how how) {
    if (s->waiter)
        waiter_end(s->eng, s->waiter, how);
    else if (s->retry)
        retry_end(s, how);
    else if (s->blocked_id)
        tell_owner(s, how);
    else
        return false;
    return true;
}

void block_end_request(struct engine *eng, int from, uint64_t id, enum unblock_how how) {
    for (struct waiter *w = eng->blocks->first, *next; w; w = next) {
        next = w->next;
        if (!w->session && w->command->from == from && w->command->head.id == id)
            waiter_end(eng, w, how);
    }
}

void block_forget_session(struct session *s) {
    if (s->waiter)
        waiter_remove(s->eng, s->waiter);
    else if (s->retry)
        retry_end(s, UNBLOCK_SILENTLY);
    else if (s->blocked_id)
        tell_owner(s, UNBLOCK_SILENTLY);
    if (s->blocked_id) block_count_session(s->eng, -1);
    s->blocked_id = 0;
}

void block_forget_worker(struct engine *eng, int worker) {
    for (struct waiter *w = eng->blocks->first, *next; w; w = next) {
        next = w->next;
        if (!w->session && w->command->from == worker) waiter_remove(eng, w);
    }
}

/* --- changes --- */

void block_changed(struct engine *eng, struct str key, int db) {
    struct key_node *k = keytable_find(&eng->blocks->keys, eng, db, key);
    if (!k) return;
    note_ready(eng, (struct awaited *)k);
    if (eng->remote && eng->remote->joint) ((struct awaited *)k)->joint = true;
}

void block_replaced(struct engine *eng, int db) {
    const struct keytable *t = &eng->blocks->keys;
    for (size_t i = 0; i < t->buckets && t->n; i++)
        for (struct key_node *k = t->bucket[i]; k; k = k->next)
            if (k->db == db) note_ready(eng, (struct awaited *)k);
}

/* --- who waits at several workers --- */

/* The waiter of that ticket in the queue of a key; NULL: none. */
static struct waiter *find_shared(struct engine *eng, int db, struct str key, uint64_t ticket) {
    struct key_node *k = keytable_find(&eng->blocks->keys, eng, db, key);
    const struct place *p = k ? place_before((struct awaited *)k, ticket) : NULL;
    return p && p->waiter->ticket == ticket ? p->waiter : NULL;
}

/* Where the keys are among the words of a MSG_AWAIT: of a command, or all of them. */
static int awaited_keys(const struct command_row *row, int argc, const struct str *argv,
                        struct key_at *out) {
    if (row) return command_keys(&row->cmd, argc, argv, out, argc);
    for (int i = 0; i < argc; i++) out[i].index = i;
    return argc;
}

void block_await(struct engine *eng, const struct message *m, int argc, const struct str *argv) {
    struct command_row *row = m->flags & MSG_SERVE ? registry_row(eng->registry, m->row - 1) : NULL;
    struct key_at *keys = malloc((size_t)argc * sizeof *keys);
    ASSERT(keys && argc > 1);
    argc--; /* the last word: when it may find something though nothing has changed */
    int n = awaited_keys(row, argc, argv, keys);
    struct waiter *old = find_shared(eng, m->db, argv[keys[0].index], m->id);
    struct waiter *w = new_waiter(eng, kept_new((int)m->value, m, argc, argv), m->id, n);
    w->shared = true;
    w->row = row;
    w->again_ms = load_u64(argv[argc].p);
    w->tried = old != NULL;
    if (old) waiter_remove(eng, old);
    for (int i = 0; i < n; i++) wait_for(eng, w, m->db, argv[keys[i].index]);
    free(keys);
}

/* --- figures --- */

void block_count_session(struct engine *eng, int change) {
    eng->blocks->sessions += (uint64_t)(int64_t)change;
}

void block_count(const struct engine *eng, uint64_t *sessions, uint64_t *keys) {
    *sessions = eng->blocks->sessions;
    *keys = eng->blocks->keys.n;
}
