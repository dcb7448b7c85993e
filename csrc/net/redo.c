/* redo.c - keeping what is sent again, in order; executing it; opening. */
#include "net/redo.h"

#include "db/engine.h"
#include "mem/fault.h"
#include "net/cross.h"
#include "net/shipment.h"
#include "net/stage.h"
#include "persist/aof.h"

static const char lost[] = "-ERR the worker of this key was restarted while it had the command\r\n";

static uint64_t applied(const struct remote *r) {
    return atomic_load_explicit(&r->links->control->worker[r->self].applied, memory_order_relaxed);
}

/* An arena of its own past, whole, has all that `applied` says; any other has what its log says. */
static bool is_own_past(const struct remote *r) {
    const struct arena_super *super = arena_super(&r->eng->arena);
    return super->generation && !super->busy && r->eng->config.loading != LOADING_SELF;
}

void redo_begin(struct remote *r, uint64_t workers) {
    if (!is_own_past(r)) redo_applied(r, 0);
    r->redo.waiting = workers;
    r->redo.shut = true;
    redo_try(r);
}

/* --- keeping --- */

/* The place in the log of commits; what has none comes last. */
static uint64_t place_of(const struct message *m) {
    return m->kind == MSG_STAGE ? m->value : m->value - 1;
}

/* Where what has that place, or a later one, begins. */
static struct kept **seek(struct remote *r, const struct kept *k) {
    struct kept **at = &r->redo.first;
    while (*at && place_of(&(*at)->head) < place_of(&k->head)) at = &(*at)->next;
    return at;
}

void redo_keep(struct remote *r, struct kept *k) {
    struct kept **at = seek(r, k);
    while (*at && place_of(&(*at)->head) == place_of(&k->head)) at = &(*at)->next;
    k->next = *at;
    *at = k;
}

void redo_adopt(struct remote *r, struct kept *k) {
    struct kept *same = *seek(r, k);
    bool known = same && place_of(&same->head) == place_of(&k->head);
    if (known || redo_has(r, k->head.value))
        free(k);
    else
        redo_keep(r, k);
}

/* It cannot be done any more, or was already. */
static void refuse(struct remote *r, int from, const struct message *m) {
    struct str error = { lost, sizeof lost - 1 };
    if (m->kind == MSG_STAGE)
        remote_answer(r, from, m->id, error);
    else if (m->kind == MSG_RUN)
        cross_answer_run(r, from, m, (struct part_reply){ error, 0 });
    else
        cross_answer_ship(r, from, m, ST_SHM_OPEN);
}

void redo_take(struct remote *r, int from, const struct message *m, int argc, struct str *argv) {
    if (r->redo.waiting >> from & 1)
        redo_keep(r, kept_new(from, m, argc, argv));
    else
        refuse(r, from, m);
}

bool redo_keeps_of(const struct remote *r, int worker) {
    bool keeps = false;
    for (const struct kept *k = r->redo.first; k && !keeps; k = k->next)
        keeps = k->from == worker && k->head.kind == MSG_SHIP;
    return keeps;
}

/* Who has waited for this worker's word has it now. */
static void tell_all(struct remote *r) {
    const struct message redone = { .kind = MSG_REDONE };
    for (int w = 0; w < r->n; w++)
        if (w != r->self) remote_send(r, w, &redone, (struct str){ NULL, 0 });
}

/* --- executing --- */

/* It was executed: of what can be told from the command alone, or asked again, the reply is known.
 */
static void answer_run(struct remote *r, struct kept *k) {
    const struct command_row *row = registry_row(r->eng->registry, k->head.row - 1);
    if (!(row->cmd.flags & CMD_WRITE))
        cross_run(r, k->from, &k->head, k->argc, k->argv);
    else if (row->spread == SPREAD_ALL_OK)
        cross_answer_run(r, k->from, &k->head, (struct part_reply){ STR("+OK\r\n"), 0 });
    else
        refuse(r, k->from, &k->head);
}

static void carry_out(struct remote *r, struct kept *k) {
    bool has_place = place_of(&k->head) != UINT64_MAX;
    if (k->head.kind == MSG_SHIP)
        cross_ship(r, k->from, &k->head, k->argc, k->argv);
    else if (has_place && redo_has(r, place_of(&k->head)) && k->head.kind == MSG_RUN)
        answer_run(r, k);
    else if (has_place && redo_has(r, place_of(&k->head)))
        refuse(r, k->from, &k->head);
    else if (k->head.kind == MSG_STAGE)
        stage_redo(r, k);
    else
        cross_run(r, k->from, &k->head, k->argc, k->argv);
    r->stats.redone++;
}

static void carry_out_all(struct remote *r) {
    for (struct kept *k; (k = r->redo.first); free(k)) {
        r->redo.first = k->next;
        FAULT("redo.before_execute");
        carry_out(r, k);
    }
}

uint64_t redo_reached(struct remote *r) {
    if (UNLIKELY(r->redo.shut)) return applied(r);
    uint64_t position = commit_tail(r->links->control);
    stage_apply(r);
    return position;
}

/* What was not sent again is lost for good: the log of the life before is settled. */
static void claim(struct remote *r) {
    aof_note(r->eng->aof, "TXN-SEEN %llx %llu", (unsigned long long)r->links->control->life,
             (unsigned long long)redo_reached(r));
}

void redo_try(struct remote *r) {
    if (LIKELY(!r->redo.shut) || r->redo.waiting || r->eng->config.loading == LOADING_SELF) return;
    stage_adopt(r);
    uint64_t shipments = shipments_adopt(r);
    carry_out_all(r);
    stage_adopted(r);
    shipments_adopted(r, shipments);
    tell_all(r);
    guests_drop(r->eng);
    r->redo.shut = false;
    claim(r);
    share_open(&r->eng->arena, SHARE_AWAY);
    cross_grant(r); /* who has held the predecessor comes first */
    remote_go_on(r);
    remote_wake_self(r);
}

/* The operation that holds a worker, or held it, has claimed it and is of that worker. */
static bool is_claimed_by(uint64_t hold, int worker) {
    return hold & 1 && commit_worker(hold) == worker;
}

void redo_told(struct remote *r, int from) {
    r->redo.waiting &= ~(UINT64_C(1) << from);
    redo_try(r);
}

void redo_reborn(struct remote *r, int from) {
    const struct control_worker *w = &r->links->control->worker[from];
    /* What it was shipped may be with what this one's predecessor has left. */
    if (!is_claimed_by(atomic_load(&w->held_before), r->self)) redo_told(r, from);
}

/* Whether the worker may have something to send, or to take from what the predecessor has left. */
static bool may_owe(const struct remote *r, int worker) {
    const struct control *c = r->links->control;
    return commit_is_owed(c, worker) ||
           is_claimed_by(atomic_load(&c->worker[r->self].held_before), worker) ||
           is_claimed_by(atomic_load(&c->worker[worker].hold), r->self) ||
           is_claimed_by(atomic_load(&c->worker[worker].held_before), r->self);
}

void redo_tick(struct remote *r) {
    for (uint64_t left = r->redo.waiting; left; left &= left - 1) {
        int w = __builtin_ctzll(left);
        if (control_stuck(r->links->control, w) && !may_owe(r, w)) redo_told(r, w);
    }
}

void redo_delete(struct remote *r) {
    for (struct kept *k; (k = r->redo.first); free(k)) r->redo.first = k->next;
}

/* --- the log --- */

void redo_note_logged(struct engine *eng, struct str line) {
    struct remote *r = eng->remote;
    unsigned long long life, position;
    char text[96];
    if (!r || line.n >= sizeof text) return;
    memcpy(text, line.p, line.n);
    text[line.n] = '\0';
    if (sscanf(text, "TXN-SEEN %llx %llu", &life, &position) == 2)
        position--;
    else if (sscanf(text, "TXN %llx-%llu-", &life, &position) != 2)
        return;
    if (life == r->links->control->life && position + 1 > applied(r)) redo_applied(r, position + 1);
}
