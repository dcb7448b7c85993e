/* stage_ask.c - commands of this worker in parts: staging them, committing in order, giving up. */
#include "mem/fault.h"
#include "net/cross.h"
#include "net/cut.h"
#include "net/dispatch.h"
#include "net/stage_impl.h"
#include "net/turn.h"

#define STAGE_WAIT_MS 300u

/* A command whose parts are on their way to their owners, or wait to be sent again. */
struct operation {
    struct operation *next;  /* in its bucket */
    struct operation *after; /* of the same session */
    struct chain *chain;
    uint64_t number; /* 0: not on its way */
    struct gather *gather;
    struct kept *whole;
    int left;              /* owners that have not answered */
    uint64_t asked, taken; /* bits of workers */
    uint64_t begun_ms;
    bool busy;
    char *refusal; /* NUL-terminated RESP error, or NULL */
};

/* Commands of one session, or a single one of none, that are not committed yet. */
struct chain {
    struct chain *next, *prev;
    struct session *session; /* NULL: gone, or none */
    struct operation *first, *last;
    bool slow;     /* the one before the first goes the slow way */
    bool settling; /* settle() is at it */
};

/* --- chains and their commands --- */

static struct chain *new_chain(struct remote *r, struct session *s) {
    struct chain *c = calloc(1, sizeof *c);
    ASSERT(c);
    *c = (struct chain){ .next = r->stages->chains, .session = s };
    if (c->next) c->next->prev = c;
    r->stages->chains = c;
    if (s) s->chain = c;
    return c;
}

static void unlink_chain(struct stages *st, struct chain *c) {
    if (c->next) c->next->prev = c->prev;
    if (c->prev)
        c->prev->next = c->next;
    else
        st->chains = c->next;
    free(c);
}

/* All are committed: the session goes on with what else it was sent. */
static void end_chain(struct remote *r, struct chain *c) {
    struct session *s = c->session;
    unlink_chain(r->stages, c);
    if (!s) return;
    s->chain = NULL;
    if (!s->stash) return;
    s->resume = true;
    turn_touch(r->eng, s);
}

static struct operation *new_operation(struct remote *r, struct chain *c, struct gather *g,
                                       struct kept *whole) {
    struct operation *o = calloc(1, sizeof *o);
    ASSERT(o);
    *o = (struct operation){ .chain = c, .gather = g, .whole = whole };
    if (c->first)
        c->last->after = o;
    else
        c->first = o;
    c->last = o;
    r->stages->under_way++;
    return o;
}

static void free_operation(struct operation *o) {
    free(o->whole);
    free(o->refusal);
    free(o);
}

static struct operation **bucket_of(struct stages *st, uint64_t number) {
    return &st->table[(number >> 1) % STAGE_BUCKETS];
}

static struct operation *find_operation(struct remote *r, uint64_t number) {
    struct operation *o = *bucket_of(r->stages, number);
    while (o && o->number != number) o = o->next;
    return o;
}

/* Answers to its present number are nobody's any more. */
static void forget_number(struct stages *st, struct operation *o) {
    struct operation **at = bucket_of(st, o->number);
    while (*at != o) at = &(*at)->next;
    *at = o->next;
    o->number = 0;
}

/* Takes the first one out of its chain. */
static void leave_chain(struct operation *o) {
    o->chain->first = o->after;
    if (!o->after) o->chain->last = NULL;
}

void stage_asked_delete(struct stages *st) {
    for (struct chain *c; (c = st->chains); unlink_chain(st, c)) {
        for (struct operation *o; (o = c->first); free_operation(o)) {
            if (!o->number) gather_delete(o->gather); /* no part of it is awaited */
            leave_chain(o);
        }
    }
}

void stage_forget_session(struct session *s) {
    struct chain *c = s->chain;
    if (!c) return;
    for (struct operation *o = c->first; o; o = o->after) o->gather->session = NULL;
    c->session = NULL;
    s->chain = NULL;
}

/* --- staging --- */

static void cut_whole(const struct remote *r, const struct operation *o, struct parts *out) {
    const struct kept *k = o->whole;
    struct command_row *row =
        k->head.flags & MSG_INSTANT ? NULL : registry_row(r->eng->registry, k->head.row - 1);
    cut(out, row, r->n, k->argc, k->argv);
    free(o->gather->order);
    o->gather->order = out->order;
    o->gather->order_n = out->order_n;
}

/* A new number, and no answers yet. */
static void begin_try(struct remote *r, struct operation *o, uint64_t owners) {
    struct stages *st = r->stages;
    o->number = commit_number(r->self, r->links->epoch, ++st->counter);
    o->begun_ms = r->eng->now_ms;
    o->asked = owners;
    o->left = o->gather->left = __builtin_popcountll(owners);
    o->gather->stage = o->number;
    o->next = *bucket_of(st, o->number);
    *bucket_of(st, o->number) = o;
    r->stats.stages++;
}

static void send_parts(struct remote *r, struct operation *o) {
    struct parts parts;
    cut_whole(r, o, &parts);
    begin_try(r, o, parts.owners);
    struct message m = o->whole->head;
    m.kind = MSG_STAGE;
    m.value = o->number;
    struct str owners = { (const char *)&parts.owners, sizeof parts.owners };
    for (uint64_t left = parts.owners; left; left &= left - 1) {
        int w = __builtin_ctzll(left), argc = parts.argc[w];
        struct str *argv = parts.argv[w];
        m.id = remote_expect(r, w, o->gather->session, o->gather->slot, o->gather);
        argv[argc] = owners;
        if (w == r->self)
            stage_receive(r, w, &m, argc + 1, argv);
        else
            remote_send_command(r, w, &m, argc + 1, argv);
        r->stats.requests_sent += w != r->self;
    }
    cut_end(&parts);
}

bool stage_may_follow(const struct remote *r, const struct session *s) {
    if (!s->chain) return true;
    return !s->chain->slow && r->stages->under_way < COMMITS / 2 / (uint32_t)r->n;
}

void stage_begin(struct remote *r, struct session *s, const struct command_row *row, int argc,
                 const struct str *argv) {
    struct message whole = remote_message(s, MSG_CROSS, row);
    struct gather *g = gather_new(s, row->spread);
    struct chain *c = s->chain ? s->chain : new_chain(r, s);
    g->silent = s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
    g->slot = remote_open_slot(s);
    if (row->spread == SPREAD_ALL_RANDOM) remote_draw(r, g, s->db);
    send_parts(r, new_operation(r, c, g, kept_new(r->self, &whole, argc, argv)));
    FAULT("stage.asked");
}

void engine_instant(struct engine *eng, uint64_t id) {
    struct remote *r = eng->remote;
    struct message m = { .kind = MSG_STAGE, .flags = MSG_INSTANT };
    struct str arg = { (const char *)&id, sizeof id };
    struct gather *g = gather_new(NULL, SPREAD_ALL_OK);
    send_parts(r, new_operation(r, new_chain(r, NULL), g, kept_new(r->self, &m, 1, &arg)));
    links_wake(r->links);
}

bool stage_position(struct remote *r, uint64_t *position) {
    uint64_t number = commit_number(r->self, r->links->epoch, ++r->stages->counter);
    if (!commit_append(r->links->control, number, position)) return false;
    commit_done(r->links->control, *position);
    return true;
}

/* --- committing, or not --- */

/* True: the command has happened. Owners that sleep are woken at the end of the turn. */
static bool commit(struct remote *r, struct operation *o) {
    struct gather *g = o->gather;
    FAULT("stage.before_commit");
    if (!commit_append(r->links->control, o->number, &g->position)) return false;
    FAULT("stage.committed");
    g->committed = true;
    g->whole = o->whole;
    o->whole = NULL;
    r->links->to_ring |= o->asked & ~(UINT64_C(1) << r->self);
    forget_number(r->stages, o);
    leave_chain(o);
    free_operation(o);
    return true;
}

/* Parts of a command that has not happened go, here and at those that have not answered yet. */
static void take_back(struct remote *r, struct operation *o) {
    struct message m = { .kind = MSG_DROP, .value = o->number };
    for (uint64_t left = o->asked; left; left &= left - 1) {
        int w = __builtin_ctzll(left);
        if (w != r->self) remote_send(r, w, &m, (struct str){ NULL, 0 });
    }
    if (o->taken >> r->self & 1) stage_drop_own(r, o->number);
    remote_cancel(r, o->gather);
    forget_number(r->stages, o);
    o->asked = o->taken = 0;
    o->busy = false;
}

static void end_instant(struct remote *r, struct operation *o) {
    if (o->refusal)
        remote_note_mail(r, MAIL_NO_INSTANT, load_u64(o->whole->argv[0].p));
    else
        cross_instant(r, o->whole);
}

static void answer_refused(struct remote *r, const struct operation *o, struct str error) {
    const struct gather *g = o->gather;
    registry_row(r->eng->registry, o->whole->head.row - 1)->rejected++;
    dispatch_count_error(r->eng, error.p, error.n);
    if (g->session) session_answer(g->session, g->slot, error, g->silent);
}

/* An owner does not take its part: nobody executes his. */
static void refuse(struct remote *r, struct operation *o) {
    struct gather *g = o->gather;
    take_back(r, o);
    leave_chain(o);
    if (o->whole->head.flags & MSG_INSTANT)
        end_instant(r, o);
    else
        answer_refused(r, o, (struct str){ o->refusal, strlen(o->refusal) });
    stage_end(r, g);
    gather_delete(g);
    free_operation(o);
}

/* The whole command under holds; its chain waits for the reply. */
static void cross(struct remote *r, const struct operation *o) {
    const struct kept *k = o->whole;
    const struct command_row *row = registry_row(r->eng->registry, k->head.row - 1);
    struct gather *g = gather_new(o->gather->session, SPREAD_SCAN); /* passes the reply on */
    g->slot = o->gather->slot;
    g->silent = o->gather->silent;
    g->chain = o->chain;
    g->left = 1;
    o->chain->slow = true;
    cross_send(r, g->session, g->slot, g, &k->head, &row->cmd, k->argc, k->argv);
}

/* The first of the chain goes the slow way, and those behind it begin anew after it. */
static void give_up(struct remote *r, struct chain *c) {
    struct operation *o = c->first;
    r->stats.stages_busy += o->busy;
    for (struct operation *each = o; each; each = each->after) {
        take_back(r, each);
        if (each == o) continue;
        free(each->refusal);
        each->refusal = NULL;
    }
    leave_chain(o);
    if (o->whole->head.flags & MSG_INSTANT) {
        end_instant(r, o);
        stage_end(r, o->gather);
    } else {
        cross(r, o);
    }
    gather_delete(o->gather);
    free_operation(o);
    cross_grant(r);
}

static bool is_ready(const struct chain *c) {
    return c->first && !c->slow && c->first->number && !c->first->left;
}

/* What all have answered, from the first on, happens or is given up. */
static void settle(struct remote *r, struct chain *c) {
    bool committed = false;
    if (c->settling) return;
    c->settling = true;
    while (is_ready(c)) {
        struct operation *o = c->first;
        if (o->refusal)
            refuse(r, o);
        else if (!o->busy && commit(r, o))
            committed = true;
        else
            give_up(r, c);
    }
    c->settling = false;
    if (!c->first && !c->slow) end_chain(r, c);
    if (committed) stage_apply(r);
}

void stage_end(struct remote *r, const struct gather *g) {
    struct chain *c = g->chain;
    r->stages->under_way--;
    if (g->committed) commit_done(r->links->control, g->position);
    if (!c) return;
    c->slow = false;
    for (struct operation *o = c->first; o; o = o->after) send_parts(r, o);
    settle(r, c);
}

void stage_staged(struct remote *r, int from, const struct message *m, struct str error) {
    struct operation *o = find_operation(r, m->value);
    if (!o) return;
    if (m->db == STAGE_TAKEN) o->taken |= UINT64_C(1) << from;
    if (m->db == STAGE_BUSY) o->busy = true;
    if (m->db == STAGE_REFUSED && !o->refusal) {
        o->refusal = strndup(error.p, error.n);
        ASSERT(o->refusal);
    }
    if (--o->left == 0 && o == o->chain->first) settle(r, o->chain);
}

bool stage_undecided(struct remote *r, uint64_t number) {
    return number && find_operation(r, number);
}

/* --- time and death --- */

bool stage_send_again(struct remote *r, int to, uint64_t id, const struct gather *g) {
    const struct kept *k = g->whole;
    struct parts parts;
    if (!k || k->head.kind == MSG_PART || k->head.flags & MSG_INSTANT) return false;
    struct message m = k->head;
    m.kind = MSG_STAGE;
    m.flags |= MSG_AGAIN;
    m.id = id;
    m.value = g->position;
    cut(&parts, registry_row(r->eng->registry, m.row - 1), r->n, k->argc, k->argv);
    parts.argv[to][parts.argc[to]] =
        (struct str){ (const char *)&parts.owners, sizeof parts.owners };
    remote_send_command(r, to, &m, parts.argc[to] + 1, parts.argv[to]);
    free(parts.order);
    cut_end(&parts);
    return true;
}

static bool is_late(const struct remote *r, const struct chain *c) {
    const struct operation *o = c->first;
    if (!o || !o->number || c->slow || r->eng->now_ms - o->begun_ms < STAGE_WAIT_MS) return false;
    /* What its client sent before may wait for the same worker, and must come before it. */
    const struct gather *g = o->gather;
    return !g->session || output_first_slot(&g->session->out) == g->slot;
}

void stage_tick(struct remote *r) {
    for (struct chain *c = r->stages->chains; c; c = c->next) {
        if (!is_late(r, c)) continue;
        c->first->busy = true;
        c->first->left = 0;
        settle(r, c);
        return; /* the list has changed; the others come next time */
    }
}

/* An owner's part is lost before the command happened. */
static void lose_part(struct operation *o, int from) {
    static const char lost[] = "-ERR a worker was restarted while it had a part of the command\r\n";
    const uint64_t bit = UINT64_C(1) << from;
    if (!(o->taken & bit)) o->left--;
    o->taken &= ~bit;
    o->asked &= ~bit;
    if (o->refusal) return;
    o->refusal = strdup(lost);
    ASSERT(o->refusal);
}

static void lose_parts(struct remote *r, int from, uint64_t taken) {
    const uint64_t bit = UINT64_C(1) << from;
    for (struct chain *c = r->stages->chains; c; c = c->next)
        for (struct operation *o = c->first; o; o = o->after)
            if (o->asked & bit && (o->taken & bit || remote_part_lost(r, o->gather, from, taken)))
                lose_part(o, from);
}

static struct chain *next_ready(const struct stages *st) {
    struct chain *c = st->chains;
    while (c && (!is_ready(c) || c->settling)) c = c->next;
    return c;
}

void stage_asked_reborn(struct remote *r, int from, uint64_t taken) {
    lose_parts(r, from, taken);
    for (struct chain *c; (c = next_ready(r->stages));) settle(r, c);
}
