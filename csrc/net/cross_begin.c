/* cross_begin.c - from a command, an instant or a task to an operation and its keys. */
#include "net/cross_impl.h"
#include "net/dispatch.h"
#include "net/reach.h"

/* COPY is the one such command whose second key may be in another database. */
static int database_of(const struct kept *c, int index) {
    int64_t db;
    if (!str_is(c->argv[0], "COPY") || index != 2) return c->head.db;
    for (int i = 3; i + 1 < c->argc; i++)
        if (str_is(c->argv[i], "DB") && str_to_i64(c->argv[i + 1], &db) && db >= 0) return (int)db;
    return c->head.db;
}

/* The keys of the operation's command; those of databases that do not exist are left out. */
static void find_keys(struct remote *r, struct cross *o, const struct command *cmd) {
    const struct kept *c = o->command;
    int n = command_keys(cmd, c->argc, c->argv, NULL, 0);
    struct key_at *at = malloc(((size_t)n + 1) * sizeof *at);
    o->keys = malloc(((size_t)n + 1) * sizeof *o->keys);
    ASSERT(at && o->keys);
    command_keys(cmd, c->argc, c->argv, at, n);
    for (int i = 0; i < n; i++) {
        struct carried k = { .db = database_of(c, at[i].index),
                             .written = at[i].flags & KF_WRITTEN,
                             .name = c->argv[at[i].index] };
        o->needs |= UINT64_C(1) << key_owner(k.name, r->n);
        if (k.db < r->eng->databases) o->keys[o->n++] = k;
    }
    free(at);
}

void cross_instant(struct remote *r, const struct kept *k) {
    struct cross *o = cross_new(r, kept_new(r->self, &k->head, k->argc, k->argv));
    o->all = gather_new(NULL, SPREAD_ALL_OK);
    o->needs = UINT64_MAX >> (64 - r->n);
    cross_ask(r, o);
}

void cross_begin(struct remote *r, int from, const struct message *m, int argc, struct str *argv) {
    r->out.n = 0;
    r->out.resp = m->resp;
    const struct command_row *row = dispatch_resolve(r->eng, argc, argv, &r->out);
    if (!row) {
        remote_answer(r, from, m->id, (struct str){ r->out.p, r->out.n });
        return;
    }
    struct cross *o = cross_new(r, kept_new(from, m, argc, argv));
    if (spread_to_all(row->spread)) {
        o->all = gather_new(NULL, row->spread);
        if (row->spread == SPREAD_ALL_RANDOM) remote_draw(r, o->all, m->db);
        o->needs = UINT64_MAX >> (64 - r->n);
    } else {
        o->command->head.flags |= MSG_QUIET;
        find_keys(r, o, &row->cmd);
        if (reach_is_wide(r, &row->cmd, argc, argv)) o->needs = UINT64_MAX >> (64 - r->n);
    }
    cross_ask(r, o);
}

void cross_begin_task(struct remote *r, const struct message *m, int n, const struct carried *keys,
                      uint64_t workers, struct cross_task *task) {
    struct str *names = calloc((size_t)n + 1, sizeof *names);
    ASSERT(names);
    for (int i = 0; i < n; i++) names[i] = keys[i].name;
    struct cross *o = cross_new(r, kept_new(r->self, m, n, names));
    o->task = task;
    o->needs |= workers;
    o->n = n;
    o->keys = malloc(((size_t)n + 1) * sizeof *keys);
    ASSERT(o->keys);
    for (int i = 0; i < n; i++) {
        o->keys[i] = keys[i];
        o->keys[i].name = o->command->argv[i];
        o->needs |= UINT64_C(1) << key_owner(keys[i].name, r->n);
    }
    free(names);
    cross_ask(r, o);
}

uint64_t cross_send(struct remote *r, struct session *s, uint64_t slot, struct gather *g,
                    const struct message *m, const struct command *cmd, int argc,
                    const struct str *argv) {
    struct key_at few[16];
    int n = command_keys(cmd, argc, argv, few, 16), first = 0;
    if (n > 16) n = 16;
    for (int i = n - 1; i >= 0; i--)
        if (few[i].flags & (KF_RW | KF_OW | KF_CHANGED)) first = i;
    int to = n ? key_owner(argv[few[first].index], r->n) : r->self;
    struct message cross = *m;
    cross.kind = MSG_CROSS;
    cross.id = remote_expect(r, to, s, slot, g);
    r->stats.requests_sent += to != r->self;
    if (to == r->self) {
        struct kept *k = kept_new(to, &cross, argc, argv);
        cross_begin(r, to, &cross, k->argc, k->argv);
        free(k);
    } else {
        remote_send_command(r, to, &cross, argc, argv);
    }
    return cross.id;
}
