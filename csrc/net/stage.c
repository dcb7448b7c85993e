/* stage.c - keeping parts, executing what is committed. */
#include "mem/fault.h"
#include "net/cross.h"
#include "net/dispatch.h"
#include "net/hub.h"
#include "net/redo.h"
#include "net/stage_impl.h"
#include "persist/aof.h"

struct stages *stages_new(struct vault *vault) {
    struct stages *st = calloc(1, sizeof *st);
    ASSERT(st && vault);
    st->vault = vault;
    return st;
}

static void free_part(struct stages *st, struct kept *k) {
    if (!vault_has(st->vault, k))
        free(k);
    else
        vault_give_back(st->vault, k);
}

/* A part that was executed stays in the vault until the log has it: a death before that may take
 * the change along, and who has asked for it. */
static void part_done(struct remote *r, struct kept *k) {
    struct stages *st = r->stages;
    if (vault_has(st->vault, k) && !aof_is_written(r->eng->aof))
        kept_append(&st->done, k);
    else
        free_part(st, k);
}

void stage_logged(struct remote *r) {
    struct stages *st = r->stages;
    for (struct kept *k; (k = kept_take(&st->done));) vault_give_back(st->vault, k);
}

void stages_delete(struct stages *st) {
    while (st->parts.first) {
        struct kept *k = st->parts.first;
        st->parts.first = k->next;
        if (!vault_has(st->vault, k)) free(k);
    }
    stage_asked_delete(st);
    vault_unmap(st->vault);
    free(st);
}

bool stage_any(const struct remote *r) {
    return r->stages->parts.first;
}

/* Keeps the part; the last argument has the bits of all owners. NULL: there is no room where it
 * would outlive this worker, which a log promises. */
static struct kept *keep_part(struct remote *r, int from, const struct message *m, int argc,
                              const struct str *argv) {
    void *place = vault_take(r->stages->vault, kept_bytes(argc, argv));
    if (!place && aof_is_open(r->eng->aof) && !(m->flags & MSG_INSTANT)) return NULL;
    struct kept *k = place ? kept_put(place, from, m, argc, argv) : kept_new(from, m, argc, argv);
    memcpy(&k->owners, argv[argc].p, sizeof k->owners);
    if (place) vault_keep(place);
    return k;
}

static void add_part(struct remote *r, struct kept *k) {
    struct kept_list *l = &r->stages->parts;
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

static void execute_kept(struct remote *r, struct kept *k, uint64_t position) {
    arena_enter(&r->eng->arena); /* the change and `applied` are one */
    remote_begin_part(r, position, k->owners);
    remote_execute_part(r, &k->head, k->argc, k->argv);
    aof_end_part(r->eng->aof);
    FAULT("stage.executing");
    redo_applied(r, position + 1);
    arena_leave(&r->eng->arena);
    FAULT("stage.applied");
    r->stats.requests_done += k->from != r->self;
    remote_answer_part(r, k->from, k->head.id, remote_part_reply(r));
}

void stage_pass_instant(struct remote *r, struct str arg) {
    uint64_t id = load_u64(arg.p);
    r->eng->hooks.instant(r->eng, id);
    remote_note_mail(r, MAIL_INSTANT, id);
    r->out.n = 0;
    reply_ok(&r->out);
}

void stage_redo(struct remote *r, struct kept *k) {
    if (!k->owners) { /* sent again: they are its last argument */
        k->argc--;
        memcpy(&k->owners, k->argv[k->argc].p, sizeof k->owners);
    }
    execute_kept(r, k, k->head.value);
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
        execute_kept(r, k, r->stages->read - 1);
    FAULT("stage.executed");
    open_if_done(r);
    part_done(r, k);
}

bool stage_due(const struct remote *r) {
    return stage_any(r) && r->stages->read != commit_tail(r->links->control);
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
    bool *uncounted = &r->eng->hub->uncounted; /* it is refused once, by who has cut it */
    *uncounted = true;
    bool may = row && dispatch_loaded(r->eng, row, LOADING_SELF, &r->out) &&
               dispatch_admit(r->eng, row, &r->out);
    *uncounted = false;
    return may;
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
    struct kept *k = keep_part(r, from, m, argc, argv);
    if (!k) { /* under holds it needs no place here */
        answer(r, from, m->value, STAGE_BUSY, none);
        return;
    }
    add_part(r, k);
    FAULT("stage.kept");
    answer(r, from, m->value, STAGE_TAKEN, none);
}

static void drop_part(struct remote *r, int from, uint64_t number) {
    struct kept *k = find_part(r, from, number);
    if (k) free_part(r->stages, k);
}

void stage_drop(struct remote *r, int from, uint64_t number) {
    drop_part(r, from, number);
    open_if_done(r);
    cross_grant(r);
}

void stage_drop_own(struct remote *r, uint64_t number) {
    drop_part(r, r->self, number);
    open_if_done(r);
}

void stage_reborn(struct remote *r, int from, uint64_t taken) {
    stage_apply(r);
    for (struct kept *k; (k = find_part(r, from, 0));) free_part(r->stages, k);
    open_if_done(r);
    stage_asked_reborn(r, from, taken);
    cross_grant(r);
}

/* --- what a predecessor has left --- */

static bool is_in(const struct kept_list *l, const struct kept *part) {
    const struct kept *k = l->first;
    while (k && k != part) k = k->next;
    return k;
}

static bool is_of_this_life(const struct remote *r, const struct kept *part) {
    return is_in(&r->stages->parts, part) || is_in(&r->stages->done, part);
}

void stage_adopt(struct remote *r) {
    uint32_t at = 0;
    size_t n;
    uint64_t position;
    for (const struct kept *k; (k = vault_next(r->stages->vault, &at, &n));) {
        if (is_of_this_life(r, k) || k->head.flags & MSG_INSTANT) continue;
        if (!commit_find(r->links->control, k->head.value, &position)) continue;
        struct kept *copy = kept_copy(k);
        copy->head.value = position;
        redo_adopt(r, copy);
    }
}

void stage_adopted(struct remote *r) {
    uint32_t at = 0;
    size_t n;
    struct kept_list left = { 0 };
    for (struct kept *k; (k = vault_next(r->stages->vault, &at, &n));)
        if (!is_of_this_life(r, k)) kept_append(&left, k);
    for (struct kept *k; (k = kept_take(&left));) part_done(r, k);
}
