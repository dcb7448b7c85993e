/* cross_run.c - an operation whose holds and keys are there executes: here, or everywhere. */
#include "mem/fault.h"
#include "net/behind.h"
#include "net/block_retry.h"
#include "net/cross_impl.h"
#include "net/dispatch.h"
#include "net/redo.h"
#include "net/scan.h"
#include "net/stage.h"
#include "net/turn.h"
#include "persist/aof.h"

/* --- here, over copies of foreign keys --- */

static void run_task(struct remote *r, struct cross *o) {
    static const enum cross_step steps[] = { STEP_END, STEP_SPREAD, STEP_CALL, STEP_END };
    struct str spread_reply = o->spread_reply;
    o->spread_reply = (struct str){ NULL, 0 };
    r->out.n = 0;
    enum task_verdict verdict = o->task->run(r, o->task, spread_reply);
    o->step = steps[verdict];
    if (verdict == TASK_LOST) reply_error(&r->out, CROSS_LOST);
    free((char *)(uintptr_t)spread_reply.p);
}

/* Does what there is to do with the keys. */
static void work(struct remote *r, struct cross *o) {
    struct kept *c = o->command;
    uint64_t before = r->eng->stats.dirty;
    r->crossing->running = o;
    r->joint = !(c->head.flags & MSG_TICKET);
    r->again = r->partly = false;
    r->behind = behind_asker(c->from, c->head.id);
    if (o->task) {
        run_task(r, o);
    } else {
        r->asker = ASKER_CROSSING;
        bool done = remote_execute(r, &c->head, c->argc, c->argv);
        r->asker = ASKER_NONE;
        o->waits = !done;
        if (!done) retry_ask(r, c);
        const struct command_row *row = registry_find(r->eng->registry, c->argv[0]);
        bool has_told = row && row->cmd.flags & CMD_INSIDE;
        if (!has_told) cross_changed(r, 0, (struct str){ NULL, 0 });
    }
    r->behind = behind_nobody();
    r->crossing->running = NULL;
    r->joint = false;
    cross_set_reply(o, (struct str){ r->out.p, r->out.n });
    bool failed = r->out.n && r->out.p[0] == '-' && !r->partly;
    if (!failed && r->eng->stats.dirty != before) cross_ship_keys(r, o);
}

/* What is changed here and what others are told of it is one: a death in between leaves an arena
 * that is not trusted. */
static void work_and_tell(struct remote *r, struct cross *o) {
    arena_enter(&r->eng->arena);
    work(r, o);
    if (o->shipping && r->eng->unlogged) turn_log(r->eng);
    arena_leave(&r->eng->arena);
}

static void execute(struct remote *r, struct cross *o) {
    o->step = STEP_END;
    if (o->trouble == ST_OK)
        work_and_tell(r, o);
    else
        cross_set_error(o, status_text(o->trouble));
    FAULT("cross.executed");
    if (UNLIKELY(r->again) && !o->task) {
        cross_drop_copies(r, o);
        cross_widen(r, o);
    } else if (!o->shipping && !o->all) {
        cross_settle(r, o);
    }
}

void cross_put_due(struct remote *r, struct cross *o) {
    r->crossing->due = o;
    remote_wake_self(r);
}

bool cross_run_due(struct remote *r) {
    struct cross *o = r->crossing->due;
    if (LIKELY(!o)) return false;
    r->crossing->due = NULL;
    if (!o->fetched) cross_copy_keys(r, o);
    if (!o->fetching) execute(r, o);
    return true;
}

/* --- each worker its part --- */

void cross_count(struct remote *r, const struct cross *o, const struct kept *k,
                 const struct reply *whole) {
    if (!k->head.row) return; /* an instant has none */
    struct executed e = { .row = registry_row(r->eng->registry, k->head.row - 1),
                          .argc = k->argc,
                          .argv = k->argv,
                          .ns = o->all->ns,
                          .reply = { whole->p, whole->n } };
    const struct behind outer = r->behind;
    r->behind = behind_asker(o->command->from, o->command->head.id);
    dispatch_count(r->eng, &e);
    r->behind = outer;
}

static void gathered(struct remote *r, struct cross *o) {
    struct reply whole = { .resp = o->command->head.resp };
    gather_merge(o->all, &whole);
    cross_count(r, o, o->command, &whole);
    cross_set_reply(o, (struct str){ whole.p, whole.n });
    free(whole.p);
    cross_finish(r, o);
}

void cross_run_part(struct remote *r, const struct message *m, int argc, struct str *argv) {
    if (m->flags & MSG_INSTANT) {
        stage_pass_instant(r, argv[0]);
        return;
    }
    arena_enter(&r->eng->arena); /* the change and `applied` are one */
    if (m->value) remote_begin_part(r, m->value - 1, UINT64_MAX >> (64 - r->n));
    remote_execute_part(r, m, argc, argv);
    aof_end_part(r->eng->aof);
    if (m->value) redo_applied(r, m->value);
    arena_leave(&r->eng->arena);
    FAULT("cross.run");
}

void cross_run_everywhere(struct remote *r, struct cross *o) {
    struct kept *c = o->command;
    struct message m = c->head;
    m.kind = MSG_RUN;
    m.id = o->id;
    uint64_t position;
    bool has_place = !(m.flags & MSG_INSTANT) && stage_position(r, &position);
    m.value = has_place ? position + 1 : 0;
    o->sent = m;
    o->all->left = r->n;
    for (int w = 0; w < r->n; w++)
        if (w != r->self) remote_send_command(r, w, &m, c->argc, c->argv);
    cross_run_part(r, &m, c->argc, c->argv);
    if (gather_add(o->all, r->self, remote_part_reply(r))) gathered(r, o);
}

bool cross_send_run(struct remote *r, struct cross *o, const struct kept *k, uint64_t to) {
    const uint64_t self = UINT64_C(1) << r->self;
    o->all->left = __builtin_popcountll(to);
    for (uint64_t left = to & ~self; left; left &= left - 1)
        remote_send_command(r, __builtin_ctzll(left), &o->sent, k->argc, k->argv);
    return to & self;
}

static void spread_ran(struct remote *r, struct cross *o, int worker, struct part_reply reply);

/* Has those run a task's command that are to. */
static void send_spread(struct remote *r, struct cross *o) {
    const struct cross_task *t = o->task;
    if (!cross_send_run(r, o, t->spread, t->spread_to)) return;
    struct kept *k = kept_new(r->self, &o->sent, t->spread->argc, t->spread->argv);
    cross_run_part(r, &o->sent, k->argc, k->argv);
    free(k);
    spread_ran(r, o, r->self, remote_part_reply(r));
}

/* A worker has run its part of a task's spread command. */
static void spread_ran(struct remote *r, struct cross *o, int worker, struct part_reply reply) {
    struct reply whole = { .resp = o->command->head.resp };
    struct cross_task *t = o->task;
    if (!gather_add(o->all, worker, reply)) return;
    if (scan_turns_to(r, o->all, &t->spread, &t->spread_to)) {
        send_spread(r, o);
        return;
    }
    gather_merge(o->all, &whole);
    cross_count(r, o, o->all->whole ? o->all->whole : t->spread, &whole);
    gather_delete(o->all);
    o->all = NULL;
    o->spread_reply = (struct str){ whole.p, whole.n };
    o->step = STEP_WORK;
    cross_step(r, o);
}

/* Has the workers that a task's command is about run it. */
void cross_spread(struct remote *r, struct cross *o) {
    const struct cross_task *t = o->task;
    const uint64_t everybody = UINT64_MAX >> (64 - r->n);
    struct message m = t->spread->head;
    uint64_t position;
    m.kind = MSG_RUN;
    m.id = o->id;
    m.value = t->spread_to == everybody && stage_position(r, &position) ? position + 1 : 0;
    o->sent = m;
    o->all = gather_new(NULL, t->how);
    if (t->how == SPREAD_ALL_RANDOM) remote_draw(r, o->all, m.db);
    send_spread(r, o);
}

void cross_settle(struct remote *r, struct cross *o) {
    cross_drop_copies(r, o);
    if (o->step == STEP_END)
        cross_finish(r, o);
    else
        cross_step(r, o);
}

void cross_call(struct remote *r, struct cross *o) {
    o->task->call(r, o->task);
}

void cross_called(struct remote *r, const struct cross_task *task) {
    struct cross *o = r->crossing->operations;
    while (o && o->task != task) o = o->next;
    if (!o) return;
    o->step = STEP_WORK;
    cross_step(r, o);
}

void cross_ran(struct remote *r, int from, const struct message *m, struct str resp) {
    struct cross *o = cross_find(r, m->id);
    const struct part_reply reply = { resp, m->value };
    if (!o || !o->all || cross_amid_ran(r, o, from, reply)) return;
    if (o->task)
        spread_ran(r, o, from, reply);
    else if (gather_add(o->all, from, reply))
        gathered(r, o);
}

void cross_answer_run(struct remote *r, int to, const struct message *m, struct part_reply reply) {
    struct message answer = { .kind = MSG_RAN, .id = m->id, .value = reply.ns };
    remote_send(r, to, &answer, reply.resp);
}

void cross_run(struct remote *r, int from, const struct message *m, int argc, struct str *argv) {
    bool may = m->flags & MSG_AGAIN || holds_has(r, from, m->id);
    if (!may) return; /* it has ended: nobody waits for the answer */
    FAULT("cross.before_run");
    cross_run_part(r, m, argc, argv);
    cross_answer_run(r, from, m, remote_part_reply(r));
}

bool cross_awaits_run(const struct cross *o, int worker) {
    bool asked = !o->task || o->task->spread_to >> worker & 1;
    if (o->amid) asked = o->amid_to >> worker & 1;
    return asked && !o->all->part[worker].p;
}

void cross_run_again(struct remote *r, struct cross *o, int to) {
    const struct kept *c = o->amid ? o->amid : o->task ? o->task->spread : o->command;
    struct message m = o->sent;
    m.flags |= MSG_AGAIN;
    remote_send_command(r, to, &m, c->argc, c->argv);
}
