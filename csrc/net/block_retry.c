/* block_retry.c - executing under holds, standing in queues, being served or executed again. */
#include "net/block_retry.h"

#include "net/access.h"
#include "net/cross.h"

#define WAITS                                                                                      \
    '\1' /* first byte of the executor's word; no reply begins so. The deadline follows. */

static const char lost[] = "-ERR the worker of this key was restarted while it had the command\r\n";

struct retry {
    struct retry *next;
    struct session *session;
    struct kept *command;
    const struct command_row *row;
    uint64_t slot, ticket;
    uint64_t until_ms;   /* of the first execution; 0: for ever */
    uint64_t owners;     /* bits of the workers of its keys */
    bool silent;         /* its client does not want the reply */
    bool timed;          /* until_ms is known */
    bool queued;         /* owners have, or may have, waiters of it */
    bool waiting;        /* it is not being executed */
    bool due;            /* it is to be executed again */
    struct reply served; /* an owner was quicker than the word that it waits; .p NULL: none */
};

static struct control *control_of(const struct remote *r) {
    return r->links->control;
}

static struct retry *find_retry(const struct remote *r, uint64_t ticket) {
    struct retry *t = r->retries;
    while (t && t->ticket != ticket) t = t->next;
    return t;
}

const struct session *retry_session(const struct remote *r, uint64_t ticket) {
    const struct retry *t = find_retry(r, ticket);
    return t ? t->session : NULL;
}

/* --- executing --- */

static void execute(struct remote *r, struct retry *t) {
    t->waiting = t->due = false;
    cross_send(r, t->session, t->slot, NULL, &t->command->head, &t->row->cmd, t->command->argc,
               t->command->argv);
}

static uint64_t owners_of(const struct remote *r, const struct command *cmd, int argc,
                          const struct str *argv) {
    uint64_t owners = 0;
    struct key_at *keys = malloc((size_t)argc * sizeof *keys);
    ASSERT(keys);
    int n = command_keys(cmd, argc, argv, keys, argc);
    for (int i = 0; i < n; i++) owners |= UINT64_C(1) << key_owner(argv[keys[i].index], r->n);
    free(keys);
    return owners;
}

enum remote_verdict retry_begin(struct remote *r, struct session *s, const struct command_row *row,
                                int argc, const struct str *argv) {
    uint64_t ticket = claim_new(control_of(r), r->self);
    if (!ticket) return remote_stall(r);
    struct message m = remote_message(s, MSG_CROSS, row);
    m.flags |= MSG_TICKET | (access_is_free(s) ? MSG_SERVE : 0);
    m.value = ticket;
    struct retry *t = calloc(1, sizeof *t);
    ASSERT(t);
    s->barrier = remote_open_slot(s);
    *t = (struct retry){ .next = r->retries,
                         .session = s,
                         .command = kept_new(r->self, &m, argc, argv),
                         .row = row,
                         .slot = s->barrier,
                         .ticket = ticket,
                         .owners = owners_of(r, &row->cmd, argc, argv),
                         .silent = s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP) };
    r->retries = t;
    s->retry = t;
    execute(r, t);
    return REMOTE_SENT;
}

/* Owners need not keep its waiters any more. */
static void call_off(struct remote *r, const struct retry *t) {
    struct message m = { .kind = MSG_UNBLOCK, .id = t->ticket, .value = UNBLOCK_SILENTLY };
    for (uint64_t left = t->owners; left; left &= left - 1) {
        int w = __builtin_ctzll(left);
        if (w == r->self)
            block_end_request(r->eng, w, t->ticket, UNBLOCK_SILENTLY);
        else
            remote_send(r, w, &m, (struct str){ NULL, 0 });
    }
}

static void forget(struct remote *r, struct retry *t) {
    struct retry **at = &r->retries;
    while (*at != t) at = &(*at)->next;
    *at = t->next;
    claim_free(control_of(r), t->ticket);
    if (t->queued) call_off(r, t);
    if (t->queued) block_count_session(r->eng, -1);
    t->session->retry = NULL;
    free(t->served.p);
    free(t->command);
    free(t);
}

/* It has been served, or has failed. */
static void answer(struct remote *r, struct retry *t, struct str resp) {
    struct session *s = t->session;
    uint64_t slot = t->slot;
    bool silent = t->silent;
    struct reply served = t->served; /* where `resp` may be */
    t->served = (struct reply){ .n = 0 };
    forget(r, t);
    session_answer(s, slot, resp, silent);
    free(served.p);
}

/* --- at the executor --- */

/* Argument i of a command that waits belongs to this key, which is argument i itself or, of
 * streams, as many before it as there are keys; 0: to none. */
static int key_of(const struct command *cmd, const struct block_wish *wish, int i) {
    bool pairs = cmd->keys[0].begin == 'k' && i > wish->last;
    int key = pairs ? i - (wish->last - wish->first + 1) : i;
    return key >= wish->first && key <= wish->last ? key : 0;
}

/* The command with those of its keys alone that a worker owns, or these keys alone; the number of
 * words. `count` has room for the text of a number of keys. */
static int narrow(const struct remote *r, const struct kept *c, const struct command *cmd,
                  int owner, struct str *out, char *count) {
    const struct block_wish *wish = &r->wish;
    const bool whole = c->head.flags & MSG_SERVE;
    int n = 0, own = 0;
    for (int i = 0; i < c->argc; i++) {
        int key = key_of(cmd, wish, i);
        bool is_own = key && key_owner(c->argv[key], r->n) == owner;
        own += is_own && key == i;
        if (key ? is_own && (whole || key == i) : whole) out[n++] = c->argv[i];
    }
    if (whole && cmd->keys[0].find == 'n')
        out[wish->first - 1] = (struct str){ count, (size_t)sprintf(count, "%d", own) };
    return own ? n : 0;
}

/* Has the client stand in the queues of its keys. */
static void stand_in_queues(struct remote *r, const struct kept *c, const struct command *cmd) {
    struct message m = c->head;
    struct str *words = malloc(((size_t)c->argc + 1) * sizeof *words);
    const struct str again = { (const char *)&r->wish.again_ms, sizeof r->wish.again_ms };
    char count[16];
    ASSERT(words);
    m.kind = MSG_AWAIT;
    m.id = c->head.value;
    m.value = (uint64_t)c->from;
    for (int w = 0; w < r->n; w++) {
        int n = narrow(r, c, cmd, w, words, count);
        if (!n) continue;
        words[n] = again;
        if (w == r->self)
            block_await(r->eng, &m, n + 1, words);
        else
            remote_send_command(r, w, &m, n + 1, words);
    }
    free(words);
}

/* The arguments from `first` on, which the command has changed: length u32, bytes. */
static void put_changed(struct reply *out, const struct kept *c, int first) {
    for (int i = first; i < c->argc; i++) {
        uint32_t n = (uint32_t)c->argv[i].n;
        reply_raw(out, (const char *)&n, sizeof n);
        reply_raw(out, c->argv[i].p, n);
    }
}

/* All its keys are waited for: whoever owns some can execute the command on them. */
static bool can_be_shared(const struct block_wish *wish, const struct command *cmd,
                          const struct kept *c) {
    return command_keys(cmd, c->argc, c->argv, NULL, 0) == wish->last - wish->first + 1;
}

void retry_ask(struct remote *r, struct kept *c) {
    const struct block_wish *wish = &r->wish;
    const struct command *cmd = &registry_row(r->eng->registry, c->head.row - 1)->cmd;
    ASSERT(wish->step == 1);
    if (!can_be_shared(wish, cmd, c)) c->head.flags &= (uint8_t)~MSG_SERVE;
    if (claim_wait(control_of(r), c->head.value)) stand_in_queues(r, c, cmd);
    char word[9] = { WAITS };
    memcpy(word + 1, &wish->until_ms, 8);
    r->out.n = 0;
    reply_raw(&r->out, word, sizeof word);
    if (wish->texts) put_changed(&r->out, c, wish->last + 1);
    free(wish->texts);
    r->wish.texts = NULL;
}

/* --- at the client's worker --- */

/* Puts changed arguments into the command, whose last ones they are. */
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

bool retry_take(struct remote *r, struct session *s, struct str resp) {
    struct retry *t = s->retry;
    if (t->served.p) { /* an owner was quicker */
        answer(r, t, (struct str){ t->served.p, t->served.n });
        return true;
    }
    if (!resp.n || resp.p[0] != WAITS) {
        forget(r, t);
        return false;
    }
    if (!t->timed) t->until_ms = load_u64(resp.p + 1);
    if (resp.n > 9) take_changed(t, (struct str){ resp.p + 9, resp.n - 9 });
    if (!t->queued) block_count_session(r->eng, 1);
    t->timed = t->waiting = t->queued = true;
    if (t->due) r->eng->blocks_ready = true; /* the nudge was quicker */
    if (t->until_ms && t->until_ms <= r->eng->now_ms) retry_end(s, UNBLOCK_TIMEOUT);
    return true;
}

void retry_tell(struct remote *r, int asker, uint64_t ticket) {
    struct message m = { .kind = MSG_NUDGED, .id = ticket };
    if (asker == r->self)
        retry_nudged(r, ticket);
    else
        remote_send(r, asker, &m, (struct str){ NULL, 0 });
}

void retry_serve(struct remote *r, int asker, uint64_t ticket, struct str resp) {
    struct message m = { .kind = MSG_SERVED, .id = ticket };
    if (asker == r->self)
        retry_served(r, ticket, resp);
    else
        remote_send(r, asker, &m, resp);
}

void retry_nudged(struct remote *r, uint64_t ticket) {
    struct retry *t = find_retry(r, ticket);
    if (t) t->due = true;
    r->eng->blocks_ready = true;
}

void retry_served(struct remote *r, uint64_t ticket, struct str resp) {
    struct retry *t = find_retry(r, ticket);
    if (!t) return;
    if (t->waiting)
        answer(r, t, resp);
    else
        reply_raw(&t->served, resp.p, resp.n);
}

/* What the worker has taken it has lost; what it might have had is looked for again. */
static void miss(struct remote *r, struct retry *t, int worker) {
    int taker;
    enum claim_state state = claim_state(control_of(r), t->ticket, &taker);
    bool taken = (state == CLAIM_TAKEN || state == CLAIM_SERVED) && taker == worker;
    if (taken && !t->served.p) retry_served(r, t->ticket, (struct str){ lost, sizeof lost - 1 });
    if (taken) return;
    t->due = true;
    r->eng->blocks_ready = true;
}

void retry_reborn(struct remote *r, int worker) {
    for (struct retry *t = r->retries, *next; t; t = next) {
        next = t->next;
        if (t->owners >> worker & 1) miss(r, t, worker);
    }
}

/* It is known that it waits: that and the nudge come by different ways. */
static struct retry *next_due(const struct remote *r) {
    for (struct retry *t = r->retries; t; t = t->next)
        if (t->waiting && t->due) return t;
    return NULL;
}

/* False: its client may no longer have it executed, and has been told. */
static bool still_allowed(struct remote *r, struct retry *t) {
    struct reply out = { .resp = t->session->resp };
    struct command_row *row = registry_row(r->eng->registry, t->row->index);
    if (access_waited(t->session, row, t->command->argc, t->command->argv, &out)) return true;
    answer(r, t, (struct str){ out.p, out.n });
    free(out.p);
    return false;
}

void retry_due(struct remote *r) {
    for (struct retry *t; (t = next_due(r));) {
        t->due = false;
        if (!claim_again(control_of(r), t->ticket)) continue; /* it is being served */
        if (still_allowed(r, t)) execute(r, t);
    }
}

void retry_end(struct session *s, enum unblock_how how) {
    struct remote *r = s->eng->remote;
    struct retry *t = s->retry;
    if (how == UNBLOCK_SILENTLY) {
        forget(r, t);
        return;
    }
    if (!t->waiting || !claim_end(control_of(r), t->ticket)) return; /* it will know soon */
    struct reply out = { .resp = s->resp };
    block_reply_end(&out, how);
    block_count_end(r->eng, s, t->row, t->command, &out);
    answer(r, t, (struct str){ out.p, out.n });
    free(out.p);
}

void retry_tick(struct remote *r, uint64_t *next_ms) {
    uint64_t now_ms = r->eng->now_ms;
    for (struct retry *t = r->retries, *next; t; t = next) {
        next = t->next;
        bool over = t->waiting && t->until_ms && t->until_ms <= now_ms;
        if (t->until_ms > now_ms) block_sooner(next_ms, now_ms, t->until_ms);
        if (over) retry_end(t->session, UNBLOCK_TIMEOUT);
    }
}
