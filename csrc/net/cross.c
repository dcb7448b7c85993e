/* cross.c - the life of an operation: begun, holds taken and claimed, done or given up. */
#include "net/cross_impl.h"

#include "mem/fault.h"
#include "net/shipment.h"

#define HOLD_WAIT_MS 5000u

struct crossing *crossing_new(const char *arena_base) {
    struct crossing *x = calloc(1, sizeof *x);
    ASSERT(x);
    x->arena_base = strdup(arena_base);
    return x;
}

static void free_operation(struct cross *o) {
    if (o->task) o->task->delete (o->task);
    cross_free_brought(o);
    free((char *)(uintptr_t)o->spread_reply.p);
    free(o->command);
    free(o->keys);
    free(o->amid);
    if (o->all) gather_delete(o->all);
    free(o->reply);
    free(o);
}

void crossing_delete(struct crossing *x) {
    holds_clear(x);
    while (x->operations) {
        struct cross *o = x->operations;
        x->operations = o->next;
        free_operation(o);
    }
    for (int w = 0; w < WORKERS_MAX; w++)
        if (x->view_epoch[w]) arena_close(&x->view[w]);
    free(x->arena_base);
    free(x);
}

struct cross *cross_find(struct remote *r, uint64_t id) {
    struct cross *o = r->crossing->operations;
    while (o && o->id != id) o = o->next;
    return o;
}

/* Unique among all workers, in all their lives. */
static uint64_t new_id(struct remote *r) {
    return commit_number(r->self, r->links->epoch, ++r->crossing->last_id);
}

static void tell(struct remote *r, int to, enum message_kind kind, uint64_t operation) {
    struct message m = { .kind = kind & 0x3f, .id = operation };
    remote_send(r, to, &m, (struct str){ NULL, 0 });
}

/* Lets go what is held or asked for. */
static void let_go(struct remote *r, struct cross *o) {
    uint64_t asked = o->asked, id = o->id;
    o->asked = o->holds = 0;
    o->id = new_id(r); /* whoever still grants the old one is told to take it back */
    for (; asked; asked &= asked - 1) {
        int w = __builtin_ctzll(asked);
        if (w == r->self)
            cross_release(r, w, id);
        else
            tell(r, w, MSG_RELEASE, id);
    }
}

struct cross *cross_new(struct remote *r, struct kept *command) {
    struct cross *o = calloc(1, sizeof *o);
    ASSERT(o);
    *o = (struct cross){ .next = r->crossing->operations,
                         .id = new_id(r),
                         .command = command,
                         .needs = UINT64_C(1) << r->self,
                         .begun_ms = r->eng->now_ms };
    r->crossing->operations = o;
    return o;
}

void cross_finish(struct remote *r, struct cross *o) {
    struct cross **at = &r->crossing->operations;
    while (*at != o) at = &(*at)->next;
    *at = o->next;
    if (r->crossing->due == o) r->crossing->due = NULL;
    shipment_done(r, o->id);
    let_go(r, o);
    r->stats.hold_us += (r->eng->now_ms - o->begun_ms) * 1000;
    remote_answer(r, o->command->from, o->command->head.id, (struct str){ o->reply, o->reply_n });
    free_operation(o);
}

void cross_set_reply(struct cross *o, struct str resp) {
    free(o->reply);
    o->reply = malloc(resp.n + 1);
    ASSERT(o->reply);
    if (resp.n) memcpy(o->reply, resp.p, resp.n);
    o->reply_n = resp.n;
}

void cross_set_error(struct cross *o, const char *line) {
    char text[160];
    int n = snprintf(text, sizeof text, "-%s\r\n", line);
    cross_set_reply(o, (struct str){ text, (size_t)n });
}

/* --- taking holds --- */

static void ask_next(struct remote *r, struct cross *o) {
    int w = __builtin_ctzll(o->needs & ~o->holds);
    o->asked |= UINT64_C(1) << w;
    if (w == r->self)
        cross_hold(r, w, &(struct message){ .id = o->id });
    else
        tell(r, w, MSG_HOLD, o->id);
}

/* Of the workers in `who`, this one left out. */
static bool any_stuck(const struct remote *r, uint64_t who) {
    for (who &= ~(UINT64_C(1) << r->self); who; who &= who - 1)
        if (control_stuck(r->links->control, __builtin_ctzll(who))) return true;
    return false;
}

void cross_ask(struct remote *r, struct cross *o) {
    o->waiting = any_stuck(r, o->needs);
    if (!o->waiting) ask_next(r, o);
}

/* All holds are there: claims them, so that none is taken back. False: one was already. */
static bool claim(struct remote *r, struct cross *o) {
    uint64_t left = o->needs;
    for (; left; left &= left - 1)
        if (!hold_claim(r->links->control, __builtin_ctzll(left), o->id)) return false;
    return o->claimed = true;
}

static void restart(struct remote *r, struct cross *o) {
    let_go(r, o);
    cross_ask(r, o);
}

void cross_widen(struct remote *r, struct cross *o) {
    o->needs = UINT64_MAX >> (64 - r->n);
    o->claimed = false;
    restart(r, o);
}

/* Has a worker that was brought back held before it serves anybody (MSG_AGAIN). */
static void hold_again(struct remote *r, struct cross *o, int worker) {
    struct message m = { .kind = MSG_HOLD, .flags = MSG_AGAIN, .id = o->id };
    o->holds &= ~(UINT64_C(1) << worker);
    o->asked |= UINT64_C(1) << worker;
    remote_send(r, worker, &m, (struct str){ NULL, 0 });
}

static void held_again(struct remote *r, struct cross *o, int worker) {
    if (!hold_claim(r->links->control, worker, o->id)) {
        hold_again(r, o, worker);
        return;
    }
    o->holds |= UINT64_C(1) << worker;
    if (o->pausing) cross_step(r, o);
}

void cross_step(struct remote *r, struct cross *o) {
    o->begun = true;
    o->pausing = o->holds != o->needs;
    if (o->pausing) return;
    switch (o->step) {
    case STEP_SPREAD: cross_spread(r, o); return;
    case STEP_CALL: cross_call(r, o); return;
    default: cross_put_due(r, o);
    }
}

void cross_holding(struct remote *r, int from, uint64_t operation) {
    struct cross *o = cross_find(r, operation);
    if (!o) {
        tell(r, from, MSG_RELEASE, operation);
        return;
    }
    if (o->claimed) {
        held_again(r, o, from);
        return;
    }
    o->holds |= UINT64_C(1) << from;
    if (o->holds != o->needs) {
        ask_next(r, o);
        return;
    }
    FAULT("cross.holding");
    if (!claim(r, o)) {
        restart(r, o);
        return;
    }
    FAULT("cross.claimed");
    r->stats.holds++;
    if (o->all)
        cross_run_everywhere(r, o);
    else
        cross_put_due(r, o);
}

/* --- failures --- */

static void abandon(struct remote *r, struct cross *o, const char *line) {
    if (o->command->head.flags & MSG_INSTANT)
        remote_note_mail(r, MAIL_NO_INSTANT, load_u64(o->command->argv[0].p));
    cross_set_error(o, line);
    cross_drop_copies(r, o);
    cross_finish(r, o);
}

/* The operation has begun to change something: a worker that has died while it was held is sent
 * again what it may have lost, and held again if there is more to come. False: it has not begun. */
static bool go_on_without(struct remote *r, struct cross *o, int dead) {
    bool instant = o->command->head.flags & MSG_INSTANT;
    if (!o->claimed || instant || !(o->all || o->shipping || o->begun)) return false;
    if (o->shipping >> dead & 1) cross_ship_again(r, o, dead);
    if (o->all && cross_awaits_run(o, dead)) cross_run_again(r, o, dead);
    if (o->task && (o->all || !o->shipping || o->step != STEP_END)) hold_again(r, o, dead);
    if (!o->fetching && r->crossing->due != o) return true;
    cross_drop_copies(r, o); /* they are copied anew */
    r->crossing->due = NULL;
    o->fetching = 0;
    o->step = STEP_WORK;
    o->pausing = true;
    return true;
}

void cross_reborn(struct remote *r, int from) {
    uint64_t bit = UINT64_C(1) << from;
    shipment_reborn(r, from);
    holds_reborn(r, from);
    for (struct cross *o = r->crossing->operations, *next; o; o = next) {
        next = o->next;
        if (!(o->asked & bit)) continue;
        o->asked &= ~bit;
        if (go_on_without(r, o, from)) continue;
        if (o->claimed || o->task || o->command->head.flags & MSG_INSTANT)
            abandon(r, o, CROSS_LOST);
        else
            restart(r, o);
    }
}

static bool is_late(const struct remote *r, const struct cross *o) {
    return !o->claimed && r->eng->now_ms - o->begun_ms >= HOLD_WAIT_MS;
}

/* Something about the operation that time has brought about; false: nothing. */
static bool mind(struct remote *r, struct cross *o) {
    if (is_late(r, o)) {
        abandon(r, o, "ERR timed out waiting for other workers");
        return true;
    }
    if (o->waiting) {
        cross_ask(r, o);
        return !o->waiting;
    }
    bool delays_others = !o->claimed && any_stuck(r, o->asked & ~o->holds);
    if (delays_others) restart(r, o);
    return delays_others;
}

void cross_tick(struct remote *r) {
    holds_tick(r);
    struct cross *o = r->crossing->operations;
    while (o) /* the list may change with each that is minded */
        o = mind(r, o) ? r->crossing->operations : o->next;
}
