/* block_retry.c - executing, waiting for a nudge, executing again. */
#include "net/block_retry.h"

#include "net/access.h"
#include "net/cross.h"

#define WAITS                                                                                      \
    '\1' /* first byte of the executor's word; no reply begins so. The deadline follows. */

struct retry {
    struct retry *next;
    struct session *session;
    struct kept *command;
    const struct command_row *row;
    uint64_t slot;
    uint64_t id;       /* of the pending of the last execution; nudges have it */
    uint64_t until_ms; /* of the first execution; 0: for ever */
    bool timed;        /* until_ms is known */
    bool waiting, due; /* for a nudge; it has come */
};

static void set_waiting(struct remote *r, struct retry *t, bool on) {
    if (on != t->waiting) block_count_session(r->eng, on ? 1 : -1);
    t->waiting = on;
}

static void execute(struct remote *r, struct retry *t) {
    set_waiting(r, t, false);
    t->due = false;
    t->id = cross_send(r, t->session, t->slot, NULL, &t->command->head, &t->row->cmd,
                       t->command->argc, t->command->argv);
}

void retry_begin(struct remote *r, struct session *s, const struct message *m,
                 const struct command_row *row, int argc, const struct str *argv) {
    struct retry *t = calloc(1, sizeof *t);
    ASSERT(t);
    *t = (struct retry){ .next = r->retries,
                         .session = s,
                         .command = kept_new(r->self, m, argc, argv),
                         .row = row,
                         .slot = s->barrier };
    r->retries = t;
    s->retry = t;
    execute(r, t);
}

/* Owners need not nudge any more. */
static void call_off(struct remote *r, const struct retry *t) {
    struct message m = { .kind = MSG_UNBLOCK, .id = t->id, .value = UNBLOCK_SILENTLY };
    for (int w = 0; w < r->n; w++)
        if (w == r->self)
            block_end_request(r->eng, w, t->id, UNBLOCK_SILENTLY);
        else
            remote_send(r, w, &m, (struct str){ NULL, 0 });
}

static void forget(struct remote *r, struct retry *t) {
    struct retry **at = &r->retries;
    while (*at != t) at = &(*at)->next;
    *at = t->next;
    if (t->waiting) call_off(r, t);
    set_waiting(r, t, false);
    t->session->retry = NULL;
    free(t->command);
    free(t);
}

/* The arguments from `first` on, which the command has changed: length u32, bytes. */
static void put_changed(struct reply *out, const struct kept *c, int first) {
    for (int i = first; i < c->argc; i++) {
        uint32_t n = (uint32_t)c->argv[i].n;
        reply_raw(out, (const char *)&n, sizeof n);
        reply_raw(out, c->argv[i].p, n);
    }
}

/* Puts them into the command, whose last ones they are. */
static void take_changed(struct retry *t, struct str word) {
    struct kept *old = t->command;
    const char *p = word.p, *end = word.p + word.n;
    int n = 0;
    for (const char *q = p; q < end; n++) q += sizeof(uint32_t) + load_u32(q);
    ASSERT(n < old->argc);
    for (int i = old->argc - n; p < end; i++) {
        old->argv[i] = (struct str){ p + sizeof(uint32_t), load_u32(p) };
        p += sizeof(uint32_t) + load_u32(p);
    }
    t->command = kept_new(old->from, &old->head, old->argc, old->argv);
    free(old);
}

void retry_ask(struct remote *r, const struct kept *c) {
    const struct block_wish *wish = &r->wish;
    struct message m = {
        .kind = MSG_NUDGE, .db = c->head.db, .id = c->head.id, .value = (uint64_t)c->from
    };
    for (int i = wish->first; i <= wish->last; i += wish->step) {
        int owner = key_owner(c->argv[i], r->n);
        if (owner == r->self)
            block_nudge(r->eng, c->from, m.id, m.db, c->argv[i]);
        else
            remote_send_command(r, owner, &m, 1, &c->argv[i]);
    }
    char word[9] = { WAITS };
    memcpy(word + 1, &wish->until_ms, 8);
    r->out.n = 0;
    reply_raw(&r->out, word, sizeof word);
    if (wish->texts) put_changed(&r->out, c, wish->last + 1);
    free(wish->texts);
    r->wish.texts = NULL;
}

bool retry_take(struct remote *r, struct session *s, struct str resp) {
    struct retry *t = s->retry;
    if (!resp.n || resp.p[0] != WAITS) {
        forget(r, t);
        return false;
    }
    if (!t->timed) t->until_ms = load_u64(resp.p + 1);
    if (resp.n > 9) take_changed(t, (struct str){ resp.p + 9, resp.n - 9 });
    t->timed = true;
    set_waiting(r, t, true);
    if (t->due) r->eng->blocks_ready = true; /* the nudge was quicker */
    if (t->until_ms && t->until_ms <= r->eng->now_ms) retry_end(s, UNBLOCK_TIMEOUT);
    return true;
}

void retry_nudge(struct remote *r, int asker, const struct message *m, int argc,
                 const struct str *argv) {
    for (int i = 0; i < argc; i++) block_nudge(r->eng, asker, m->id, m->db, argv[i]);
}

void retry_tell(struct remote *r, int asker, uint64_t id) {
    struct message m = { .kind = MSG_NUDGED, .id = id };
    if (asker == r->self)
        retry_nudged(r, id);
    else
        remote_send(r, asker, &m, (struct str){ NULL, 0 });
}

void retry_nudged(struct remote *r, uint64_t id) {
    for (struct retry *t = r->retries; t; t = t->next)
        if (t->id == id) t->due = true;
    r->eng->blocks_ready = true;
}

/* Nudged, and it is known that it waits: the two words come by different ways. */
static struct retry *next_due(const struct remote *r) {
    for (struct retry *t = r->retries; t; t = t->next)
        if (t->waiting && t->due) return t;
    return NULL;
}

/* False: its client may no longer have it executed, and has been told. */
static bool still_allowed(struct remote *r, struct retry *t) {
    struct session *s = t->session;
    struct reply out = { .resp = s->resp };
    uint64_t slot = t->slot;
    struct command_row *row = registry_row(r->eng->registry, t->row->index);
    if (access_waited(s, row, t->command->argc, t->command->argv, &out)) return true;
    forget(r, t);
    session_answer(s, slot, (struct str){ out.p, out.n }, false);
    free(out.p);
    return false;
}

void retry_due(struct remote *r) {
    for (struct retry *t; (t = next_due(r));) {
        if (!still_allowed(r, t)) continue;
        call_off(r, t);
        execute(r, t);
    }
}

void retry_end(struct session *s, enum unblock_how how) {
    struct remote *r = s->eng->remote;
    struct retry *t = s->retry;
    struct reply out = { .resp = s->resp };
    uint64_t slot = t->slot;
    if (!t->waiting && how != UNBLOCK_SILENTLY) return; /* it will know soon */
    forget(r, t);
    block_reply_end(&out, how);
    if (how != UNBLOCK_SILENTLY) session_answer(s, slot, (struct str){ out.p, out.n }, false);
    free(out.p);
}

void retry_tick(struct remote *r) {
    for (struct retry *t = r->retries, *next; t; t = next) {
        next = t->next;
        if (t->waiting && t->until_ms && t->until_ms <= r->eng->now_ms)
            retry_end(t->session, UNBLOCK_TIMEOUT);
    }
}
