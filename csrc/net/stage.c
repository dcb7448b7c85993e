/* stage.c - staging parts, committing them, executing what is committed. */
#include "net/stage.h"

#include "net/cross.h"
#include "mem/fault.h"
#include "net/dispatch.h"
#include "persist/aof.h"

#define STAGE_WAIT_MS 300u

enum stage_answer { STAGE_TAKEN, STAGE_BUSY, STAGE_REFUSED /* with its error as the body */ };

/* A command of this worker whose parts are on their way to their owners. */
struct operation {
    struct operation *next;
    uint64_t number;
    struct gather *gather;
    struct kept *whole;    /* for the slow way */
    int left;              /* owners that have not answered */
    uint64_t asked, taken; /* bits of workers */
    uint64_t begun_ms;
    bool busy;
    char *refusal; /* NUL-terminated RESP error, or NULL */
};

struct stages {
    struct kept_list parts; /* staged here, oldest first; head.value is the number */
    uint64_t read;          /* how far the log of commits was followed, while there are parts */
    struct operation *operations;
    uint64_t counter;
};

struct stages *stages_new(void) {
    struct stages *st = calloc(1, sizeof *st);
    ASSERT(st);
    return st;
}

static void free_operation(struct operation *o) {
    free(o->whole);
    free(o->refusal);
    free(o);
}

void stages_delete(struct stages *st) {
    while (st->parts.first) {
        struct kept *k = st->parts.first;
        st->parts.first = k->next;
        free(k);
    }
    while (st->operations) {
        struct operation *o = st->operations;
        st->operations = o->next;
        free_operation(o);
    }
    free(st);
}

/* --- parts that are staged here --- */

bool stage_any(const struct remote *r) {
    return r->stages->parts.first;
}

/* The last argument has the bits of all owners. */
static void add_part(struct remote *r, int from, const struct message *m, int argc,
                     const struct str *argv) {
    struct kept_list *l = &r->stages->parts;
    struct kept *k = kept_new(from, m, argc, argv);
    memcpy(&k->owners, argv[argc].p, sizeof k->owners);
    if (!l->first) r->stages->read = commit_tail(r->links->control);
    share_shut(&r->eng->arena, SHARE_PARTS); /* before the asker hears of it */
    if (l->first)
        l->last->next = k;
    else
        l->first = k;
    l->last = k;
}

/* Takes the part behind `before` (NULL: the first) out of the list. */
static struct kept *take_part(struct remote *r, struct kept *before) {
    struct kept_list *l = &r->stages->parts;
    struct kept *k = before ? before->next : l->first;
    if (before)
        before->next = k->next;
    else
        l->first = k->next;
    if (l->last == k) l->last = before;
    return k;
}

/* Takes the first part that worker staged, with that number unless it is 0. */
static struct kept *find_part(struct remote *r, int from, uint64_t number) {
    struct kept *before = NULL;
    for (struct kept *k = r->stages->parts.first; k; before = k, k = k->next)
        if (k->from == from && (!number || k->head.value == number)) return take_part(r, before);
    return NULL;
}

static void execute_kept(struct remote *r, struct kept *k) {
    remote_begin_part(r, r->stages->read - 1, k->owners);
    remote_execute(r, &k->head, k->argc, k->argv);
    aof_end_part(r->eng->aof);
    r->stats.requests_done += k->from != r->self;
    remote_answer(r, k->from, k->head.id, (struct str){ r->out.p, r->out.n });
}

void stage_pass_instant(struct remote *r, struct str arg) {
    uint64_t id = load_u64(arg.p);
    r->eng->hooks.instant(r->eng, id);
    remote_note_mail(r, MAIL_INSTANT, id);
    r->out.n = 0;
    reply_ok(&r->out);
}

/* The part is no command but an instant. */
static void execute_instant(struct remote *r, const struct kept *k) {
    stage_pass_instant(r, k->argv[0]);
    remote_answer(r, k->from, k->head.id, (struct str){ r->out.p, r->out.n });
}

/* No parts are left, and what they do is done. */
static void open_if_done(struct remote *r) {
    if (!stage_any(r)) share_open(&r->eng->arena, SHARE_PARTS);
}

static void execute_part(struct remote *r, uint64_t number) {
    struct kept *before = NULL, *k = r->stages->parts.first;
    for (; k && k->head.value != number; k = k->next) before = k;
    if (!k) return; /* others' */
    take_part(r, before);
    FAULT("stage.before_execute");
    if (k->head.flags & MSG_INSTANT)
        execute_instant(r, k);
    else
        execute_kept(r, k);
    FAULT("stage.executed");
    open_if_done(r);
    free(k);
}

void stage_apply(struct remote *r) {
    uint64_t number;
    while (stage_any(r) && commit_read(r->links->control, &r->stages->read, &number))
        execute_part(r, number);
    cross_grant(r);
}

static void answer(struct remote *r, int to, uint64_t number, enum stage_answer what,
                   struct str error) {
    struct message m = { .kind = MSG_STAGED, .db = (int32_t)what, .value = number };
    if (to == r->self)
        stage_staged(r, to, &m, error);
    else
        remote_send(r, to, &m, error);
}

/* Whether the part could be executed now; if not, the error is in r->out. */
static bool admit_part(struct remote *r, const struct message *m, int argc, struct str *argv) {
    if (m->flags & MSG_INSTANT) return true;
    r->out.n = 0;
    r->out.resp = m->resp;
    struct command_row *row = dispatch_resolve(r->eng, argc, argv, &r->out);
    return row && dispatch_loaded(r->eng, row, LOADING_SELF, &r->out) &&
           dispatch_admit(r->eng, row, &r->out);
}

void stage_receive(struct remote *r, int from, const struct message *m, int argc,
                   struct str *argv) {
    struct str none = { NULL, 0 };
    argc--; /* the owners */
    if (cross_wanted(r)) {
        answer(r, from, m->value, STAGE_BUSY, none);
        return;
    }
    if (!admit_part(r, m, argc, argv)) {
        answer(r, from, m->value, STAGE_REFUSED, (struct str){ r->out.p, r->out.n });
        return;
    }
    add_part(r, from, m, argc, argv);
    FAULT("stage.kept");
    answer(r, from, m->value, STAGE_TAKEN, none);
}

void stage_drop(struct remote *r, int from, uint64_t number) {
    free(find_part(r, from, number));
    open_if_done(r);
    cross_grant(r);
}

/* --- commands of this worker --- */

static struct operation *find_operation(struct remote *r, uint64_t number) {
    struct operation *o = r->stages->operations;
    while (o && o->number != number) o = o->next;
    return o;
}

static void forget_operation(struct remote *r, struct operation *gone) {
    struct operation **at = &r->stages->operations;
    while (*at != gone) at = &(*at)->next;
    *at = gone->next;
    free_operation(gone);
}

void stage_end(struct remote *r, uint64_t position) {
    commit_done(r->links->control, position);
}

static void send_parts(struct remote *r, struct operation *o, const struct message *whole,
                       const struct stage_parts *parts) {
    struct message m = *whole;
    m.kind = MSG_STAGE;
    m.value = o->number;
    uint64_t asked = o->asked;
    struct str owners = { (const char *)&o->asked, sizeof o->asked };
    for (; asked; asked &= asked - 1) {
        int w = __builtin_ctzll(asked);
        m.id = remote_expect(r, w, o->gather->session, o->gather->slot, o->gather);
        parts->argv[w][parts->argc[w]] = owners;
        if (w == r->self)
            stage_receive(r, w, &m, parts->argc[w] + 1, parts->argv[w]);
        else
            remote_send_command(r, w, &m, parts->argc[w] + 1, parts->argv[w]);
        r->stats.requests_sent += w != r->self;
    }
}

/* A command of this worker that asks so many parts of these workers. */
static struct operation *new_operation(struct remote *r, struct gather *g, uint64_t asked,
                                       struct kept *whole) {
    struct operation *o = calloc(1, sizeof *o);
    ASSERT(o);
    *o =
        (struct operation){ .next = r->stages->operations,
                            .number = commit_number(r->self, r->links->epoch, ++r->stages->counter),
                            .gather = g,
                            .begun_ms = r->eng->now_ms,
                            .whole = whole,
                            .asked = asked,
                            .left = __builtin_popcountll(asked) };
    g->stage = o->number;
    g->left = o->left;
    r->stages->operations = o;
    r->stats.stages++;
    return o;
}

void stage_begin(struct remote *r, struct session *s, struct gather *g, const struct message *m,
                 const struct stage_parts *parts, int argc, const struct str *argv) {
    uint64_t asked = 0;
    for (int w = 0; w < r->n; w++)
        if (parts->argc[w]) asked |= UINT64_C(1) << w;
    g->slot = s->barrier = remote_open_slot(s);
    struct operation *o = new_operation(r, g, asked, kept_new(r->self, m, argc, argv));
    send_parts(r, o, m, parts);
    FAULT("stage.asked");
}

static void begin_instant(struct remote *r, uint64_t id) {
    struct message m = { .kind = MSG_STAGE, .flags = MSG_INSTANT };
    struct str args[2] = { { (const char *)&id, sizeof id } }; /* and room for the owners */
    struct stage_parts parts = { 0 };
    for (int w = 0; w < r->n; w++) {
        parts.argc[w] = 1;
        parts.argv[w] = args;
    }
    uint64_t all = r->n < 64 ? (UINT64_C(1) << r->n) - 1 : UINT64_MAX;
    struct gather *g = gather_new(NULL, SPREAD_ALL_OK);
    struct operation *o = new_operation(r, g, all, kept_new(r->self, &m, 1, args));
    send_parts(r, o, &m, &parts);
}

void engine_instant(struct engine *eng, uint64_t id) {
    begin_instant(eng->remote, id);
    links_wake(eng->remote->links);
}

bool stage_position(struct remote *r, uint64_t *position) {
    uint64_t number = commit_number(r->self, r->links->epoch, ++r->stages->counter);
    if (!commit_append(r->links->control, number, position)) return false;
    commit_done(r->links->control, *position);
    return true;
}

/* Tells the workers of `who` what becomes of their parts. */
static void tell(struct remote *r, uint64_t who, enum message_kind kind, uint64_t number) {
    struct message m = { .kind = (uint8_t)kind, .value = number };
    for (; who; who &= who - 1) {
        int w = __builtin_ctzll(who);
        if (w != r->self) remote_send(r, w, &m, (struct str){ NULL, 0 });
    }
}

/* True: the command has happened. */
static bool commit(struct remote *r, struct operation *o) {
    struct gather *g = o->gather;
    uint64_t asked = o->asked, number = o->number;
    FAULT("stage.before_commit");
    if (!commit_append(r->links->control, number, &g->position)) return false;
    FAULT("stage.committed");
    g->committed = true;
    forget_operation(r, o);
    tell(r, asked, MSG_COMMIT, number);
    stage_apply(r);
    return true;
}

/* Nobody executes anything: the reply is the refusal, or comes by the slow way. */
static void give_up(struct remote *r, struct operation *o) {
    struct gather *g = o->gather;
    tell(r, o->asked, MSG_DROP, o->number); /* also of who has not answered yet */
    if (o->taken >> r->self & 1) free(find_part(r, r->self, o->number));
    open_if_done(r);
    r->stats.stages_busy += o->busy;
    remote_cancel(r, g);
    if (o->whole->head.flags & MSG_INSTANT && o->refusal) {
        remote_note_mail(r, MAIL_NO_INSTANT, load_u64(o->whole->argv[0].p));
    } else if (o->whole->head.flags & MSG_INSTANT) {
        cross_instant(r, o->whole);
    } else if (o->refusal) {
        struct str error = { o->refusal, strlen(o->refusal) };
        session_answer(g->session, g->slot, error, g->silent);
    } else {
        const struct command_row *row = registry_find(r->eng->registry, o->whole->argv[0]);
        cross_send(r, g->session, g->slot, &o->whole->head, &row->cmd, o->whole->argc,
                   o->whole->argv);
    }
    gather_delete(g);
    forget_operation(r, o);
    cross_grant(r);
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
    if (--o->left > 0) return;
    if (o->busy || o->refusal || !commit(r, o)) give_up(r, o);
}

void stage_tick(struct remote *r) {
    for (struct operation *o = r->stages->operations, *next; o; o = next) {
        const struct gather *g = o->gather;
        next = o->next;
        if (r->eng->now_ms - o->begun_ms < STAGE_WAIT_MS) continue;
        /* What its client sent before may wait for the same worker, and must come before it. */
        if (g->session && output_first_slot(&g->session->out) != g->slot) continue;
        o->busy = true;
        give_up(r, o);
        return; /* the list has changed; the others come next time */
    }
}

bool stage_undecided(struct remote *r, uint64_t number) {
    return number && find_operation(r, number);
}

/* An owner's part is lost before the command happened. */
static void lose_part(struct remote *r, struct operation *o, int from) {
    static const char lost[] = "-ERR a worker was restarted while it had a part of the command\r\n";
    bool had_answered = o->taken >> from & 1;
    struct message m = { .db = STAGE_REFUSED, .value = o->number };
    o->taken &= ~(UINT64_C(1) << from);
    o->asked &= ~(UINT64_C(1) << from);
    o->left += had_answered;
    stage_staged(r, from, &m, (struct str){ lost, sizeof lost - 1 });
}

void stage_reborn(struct remote *r, int from, uint64_t taken) {
    stage_apply(r);
    for (struct kept *k; (k = find_part(r, from, 0));) free(k);
    open_if_done(r);
    for (struct operation *o = r->stages->operations, *next; o; o = next) {
        next = o->next;
        if (!(o->asked >> from & 1)) continue;
        if (o->taken >> from & 1 || remote_part_lost(r, o->gather, from, taken))
            lose_part(r, o, from);
    }
    cross_grant(r);
}
