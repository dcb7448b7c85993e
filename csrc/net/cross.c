/* cross.c - holds, foreign keys copied here and back, commands executed over them. */
#include "net/cross.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "mem/fault.h"
#include "net/block_retry.h"
#include "net/carry.h"
#include "net/cross_impl.h"
#include "net/cross_log.h"
#include "net/dispatch.h"
#include "net/stage.h"
#include "persist/aof.h"

#define HOLD_WAIT_MS 5000u

/* A command that is executed here over keys of several workers. */
struct cross {
    struct cross *next;
    uint64_t id;
    struct kept *command;
    struct cross_task *task; /* or NULL: the command is what is executed */
    struct carried *keys;
    int n;
    uint64_t needs, asked, holds, fetching, shipping; /* bits of workers */
    status trouble;                                   /* of the copies of foreign keys */
    struct str spread_reply; /* of the command that the task had spread; .p NULL: none */
    bool again;              /* a command of the task is to be spread next */
    uint64_t begun_ms;
    bool waiting;       /* for a stuck worker, holding nobody meanwhile */
    bool claimed;       /* all holds are; none can be taken back any more */
    bool fetched;       /* there are copies of foreign keys here */
    struct gather *all; /* the replies of all workers to a command about all keys, or NULL */
    char *reply;
    size_t reply_n;
};

struct crossing *crossing_new(const char *arena_base) {
    struct crossing *x = calloc(1, sizeof *x);
    ASSERT(x);
    x->arena_base = strdup(arena_base);
    return x;
}

static void free_operation(struct cross *o) {
    if (o->task) o->task->delete (o->task);
    free((char *)(uintptr_t)o->spread_reply.p);
    free(o->command);
    free(o->keys);
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

/* --- other workers' keys --- */

const struct arena *cross_view(struct remote *r, int worker) {
    struct crossing *x = r->crossing;
    uint32_t epoch = remote_epoch(r, worker);
    if (x->view_epoch[worker] == epoch) return &x->view[worker];
    if (x->view_epoch[worker]) arena_close(&x->view[worker]);
    x->view_epoch[worker] = 0;
    char name[sizeof x->view[worker].name];
    snprintf(name, sizeof name, "/%s.%d", x->arena_base, worker);
    int fd = shm_open(name, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0 || arena_view(&x->view[worker], fd, name) != ST_OK) return NULL;
    x->view_epoch[worker] = epoch;
    return &x->view[worker];
}

/* An entry in another worker's arena that has not expired, or NULL. */
static const struct entry *foreign_entry(struct remote *r, const struct arena *a, int db,
                                         struct str name) {
    const struct db *dbs = arena_ptr(a, arena_super(a)->roots[ROOT_DATABASES]);
    const ref_t *place = dict_find(a, &keyspace_kind, &dbs[db].keys, name, dict_hash(a, name));
    const struct entry *e = place ? arena_ptr(a, *place) : NULL;
    return e && !key_expired(r->eng, e) ? e : NULL;
}

static status replace_key(struct remote *r, const struct entry *e, const struct arena *a, int db,
                          struct str name) {
    struct key own;
    arena_enter(&r->eng->arena);
    status st = ST_OK;
    key_find(r->eng, db, name, KEY_PEEK, &own);
    if (e)
        st = key_import(r->eng, a, e, &own);
    else if (own.entry)
        key_delete(r->eng, &own, true);
    arena_leave(&r->eng->arena);
    return st;
}

/* Makes the key here what it is at that worker. */
static status copy_key(struct remote *r, int worker, int db, struct str name) {
    const struct arena *a = cross_view(r, worker);
    return a ? replace_key(r, foreign_entry(r, a, db, name), a, db, name) : ST_SHM_OPEN;
}

/* The operation's keys that belong to that worker. `out` has room for all. */
static int keys_of(const struct remote *r, const struct cross *o, int worker, bool only_written,
                   struct carried *out) {
    int n = 0;
    for (int i = 0; i < o->n; i++) {
        const struct carried *k = &o->keys[i];
        if (key_owner(k->name, r->n) == worker && (k->written || !only_written)) out[n++] = *k;
    }
    return n;
}

/* Copies that worker's keys here, or asks it for them. */
static void fetch_from(struct remote *r, struct cross *o, int worker, struct carried *keys) {
    const struct arena *view = cross_view(r, worker);
    struct message m = { .kind = MSG_FETCH, .id = o->id };
    int n = keys_of(r, o, worker, false, keys);
    if (!view) {
        o->trouble = ST_SHM_OPEN;
    } else if (n && carry_needed(view)) {
        o->fetching |= UINT64_C(1) << worker;
        carry_send(r, worker, &m, n, keys, (struct str){ NULL, 0 });
    } else {
        for (int i = 0; i < n && o->trouble == ST_OK; i++)
            o->trouble = copy_key(r, worker, keys[i].db, keys[i].name);
    }
}

static void fetch_keys(struct remote *r, struct cross *o) {
    struct carried *keys = malloc(((size_t)o->n + 1) * sizeof *keys);
    ASSERT(keys);
    o->fetched = true;
    arena_super(&r->eng->arena)->guests++;
    for (uint64_t left = o->needs & ~(UINT64_C(1) << r->self); left; left &= left - 1)
        fetch_from(r, o, __builtin_ctzll(left), keys);
    free(keys);
}

/* Foreign keys are no longer needed here. */
static void drop_copies(struct remote *r, struct cross *o) {
    if (!o->fetched) return;
    o->fetched = false;
    arena_enter(&r->eng->arena);
    for (int i = 0; i < o->n; i++) {
        const struct carried *k = &o->keys[i];
        struct key copy;
        if (remote_owns(r, k->name)) continue;
        if (key_find(r->eng, k->db, k->name, KEY_PEEK, &copy)) key_delete(r->eng, &copy, true);
    }
    arena_super(&r->eng->arena)->guests--;
    arena_leave(&r->eng->arena);
}

/* --- executing --- */

static struct cross *find_operation(struct remote *r, uint64_t id) {
    struct cross *o = r->crossing->operations;
    while (o && o->id != id) o = o->next;
    return o;
}

/* Unique among all workers, in all their lives. */
static uint64_t new_id(struct remote *r) {
    return commit_number(r->self, r->links->epoch, ++r->crossing->last_id);
}

static void tell(struct remote *r, int to, enum message_kind kind, uint64_t operation) {
    struct message m = { .kind = (uint8_t)kind, .id = operation };
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

/* Lets go and replies. */
static void finish(struct remote *r, struct cross *o) {
    struct cross **at = &r->crossing->operations;
    while (*at != o) at = &(*at)->next;
    *at = o->next;
    let_go(r, o);
    r->stats.hold_us += (r->eng->now_ms - o->begun_ms) * 1000;
    remote_answer(r, o->command->from, o->command->head.id, (struct str){ o->reply, o->reply_n });
    free_operation(o);
}

static void set_reply(struct cross *o, struct str resp) {
    free(o->reply);
    o->reply = malloc(resp.n + 1);
    ASSERT(o->reply);
    if (resp.n) memcpy(o->reply, resp.p, resp.n);
    o->reply_n = resp.n;
}

static void set_error(struct cross *o, const char *line) {
    char text[160];
    int n = snprintf(text, sizeof text, "-%s\r\n", line);
    set_reply(o, (struct str){ text, (size_t)n });
}

/* Bits of the owners of what may have been written. */
static uint64_t written_owners(const struct remote *r, const struct cross *o) {
    uint64_t owners = 0;
    for (int i = 0; i < o->n; i++)
        if (o->keys[i].written) owners |= UINT64_C(1) << key_owner(o->keys[i].name, r->n);
    return owners;
}

/* Asks the owners of what may have been written to take it back; logs what is this worker's. */
static void ship(struct remote *r, struct cross *o) {
    struct carried *keys = malloc(((size_t)o->n + 1) * sizeof *keys);
    ASSERT(keys);
    uint64_t position = 0, owners = written_owners(r, o);
    const struct str owners_word = { (const char *)&owners, sizeof owners };
    bool logs = cross_log_position(r, &position);
    struct message m = { .kind = MSG_SHIP,
                         .flags = carry_needed(&r->eng->arena) ? MSG_RECORDS : 0,
                         .id = o->id,
                         .value = logs ? position + 1 : 0 };
    for (uint64_t left = owners; left; left &= left - 1) {
        int w = __builtin_ctzll(left), n = keys_of(r, o, w, true, keys);
        if (w == r->self) {
            if (logs) cross_log_keys(r, position, owners, n, keys);
            continue;
        }
        o->shipping |= UINT64_C(1) << w;
        carry_send(r, w, &m, n, keys, owners_word);
    }
    free(keys);
}

static void gathered(struct remote *r, struct cross *o) {
    struct reply whole = { .resp = o->command->head.resp };
    gather_merge(o->all, &whole);
    set_reply(o, (struct str){ whole.p, whole.n });
    free(whole.p);
    finish(r, o);
}

/* This worker's part of a command that all execute, or of an instant; the reply is in r->out. */
static void run_part(struct remote *r, const struct message *m, int argc, struct str *argv) {
    if (m->flags & MSG_INSTANT) {
        stage_pass_instant(r, argv[0]);
        return;
    }
    if (m->value) remote_begin_part(r, m->value - 1, UINT64_MAX >> (64 - r->n));
    remote_execute(r, m, argc, argv);
    aof_end_part(r->eng->aof);
}

/* All are held: each executes the command on its keys. */
static void run_everywhere(struct remote *r, struct cross *o) {
    struct kept *c = o->command;
    struct message m = c->head;
    m.kind = MSG_RUN;
    m.id = o->id;
    uint64_t position;
    bool logs = !(m.flags & MSG_INSTANT) && cross_log_position(r, &position);
    m.value = logs ? position + 1 : 0;
    r->stats.holds++;
    o->all->left = r->n;
    for (int w = 0; w < r->n; w++)
        if (w != r->self) remote_send_command(r, w, &m, c->argc, c->argv);
    run_part(r, &m, c->argc, c->argv);
    if (gather_add(o->all, r->self, (struct str){ r->out.p, r->out.n })) gathered(r, o);
}

static void spread(struct remote *r, struct cross *o);

/* What was shipped is where it belongs. */
static void settle(struct remote *r, struct cross *o) {
    drop_copies(r, o);
    if (o->again)
        spread(r, o);
    else
        finish(r, o);
}

/* Does what there is to do with the keys. */
static void work(struct remote *r, struct cross *o) {
    struct kept *c = o->command;
    uint64_t before = r->eng->stats.dirty;
    if (o->task) {
        r->out.n = 0;
        o->again = o->task->run(r, o->task, o->spread_reply) == TASK_SPREAD;
    } else {
        r->asker = ASKER_CROSSING;
        bool done = remote_execute(r, &c->head, c->argc, c->argv);
        r->asker = ASKER_NONE;
        if (!done) retry_ask(r, c);
    }
    set_reply(o, (struct str){ r->out.p, r->out.n });
    bool failed = r->out.n && r->out.p[0] == '-';
    if (!failed && r->eng->stats.dirty != before) ship(r, o);
}

/* All keys are here. */
static void execute(struct remote *r, struct cross *o) {
    o->again = false;
    if (o->trouble == ST_OK)
        work(r, o);
    else
        set_error(o, status_text(o->trouble));
    FAULT("cross.executed");
    if (!o->shipping) settle(r, o);
}

/* Brings the foreign keys here, executes when they are. */
static void prepare(struct remote *r, struct cross *o) {
    fetch_keys(r, o);
    if (!o->fetching) execute(r, o);
}

static void begin(struct remote *r, struct cross *o) {
    r->stats.holds++;
    prepare(r, o);
}

void cross_fetched(struct remote *r, int from, const struct message *m, int argc,
                   struct str *argv) {
    struct cross *o = find_operation(r, m->id);
    if (!o) return;
    int n;
    struct carried *keys = carry_read(r, m, argc, argv, &n);
    for (int i = 0; i < n && o->trouble == ST_OK; i++) o->trouble = carry_take(r, &keys[i]);
    free(keys);
    o->fetching &= ~(UINT64_C(1) << from);
    if (!o->fetching) execute(r, o);
}

/* A worker has run its part of a task's spread command. */
static void spread_ran(struct remote *r, struct cross *o, int worker, struct str resp) {
    struct reply whole = { .resp = o->command->head.resp };
    if (!gather_add(o->all, worker, resp)) return;
    gather_merge(o->all, &whole);
    gather_delete(o->all);
    o->all = NULL;
    free((char *)(uintptr_t)o->spread_reply.p);
    o->spread_reply = (struct str){ whole.p, whole.n };
    prepare(r, o);
}

/* Has the workers that a task's command is about run it. */
static void spread(struct remote *r, struct cross *o) {
    const struct cross_task *t = o->task;
    const uint64_t self = UINT64_C(1) << r->self, everybody = UINT64_MAX >> (64 - r->n);
    struct message m = t->spread;
    uint64_t position;
    m.kind = MSG_RUN;
    m.id = o->id;
    m.value = t->spread_to == everybody && cross_log_position(r, &position) ? position + 1 : 0;
    o->all = gather_new(NULL, t->how);
    if (t->how == SPREAD_ALL_RANDOM) remote_draw(r, o->all, m.db);
    o->all->left = __builtin_popcountll(t->spread_to);
    for (uint64_t left = t->spread_to & ~self; left; left &= left - 1)
        remote_send_command(r, __builtin_ctzll(left), &m, t->spread_argc, t->spread_argv);
    if (!(t->spread_to & self)) return;
    struct kept *k = kept_new(r->self, &m, t->spread_argc, t->spread_argv);
    run_part(r, &m, k->argc, k->argv);
    free(k);
    spread_ran(r, o, r->self, (struct str){ r->out.p, r->out.n });
}

static void ask_next(struct remote *r, struct cross *o) {
    int w = __builtin_ctzll(o->needs & ~o->holds);
    o->asked |= UINT64_C(1) << w;
    if (w == r->self)
        cross_hold(r, w, o->id);
    else
        tell(r, w, MSG_HOLD, o->id);
}

/* Of the workers in `who`, this one left out. */
static bool any_stuck(const struct remote *r, uint64_t who) {
    for (who &= ~(UINT64_C(1) << r->self); who; who &= who - 1)
        if (control_stuck(r->links->control, __builtin_ctzll(who))) return true;
    return false;
}

/* Begins to take holds, unless that would have others wait for a stuck worker too. */
static void begin_asking(struct remote *r, struct cross *o) {
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
    begin_asking(r, o);
}

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

static struct cross *new_operation(struct remote *r, struct kept *command) {
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

void cross_instant(struct remote *r, const struct kept *k) {
    struct cross *o = new_operation(r, kept_new(r->self, &k->head, k->argc, k->argv));
    o->all = gather_new(NULL, SPREAD_ALL_OK);
    o->needs = UINT64_MAX >> (64 - r->n);
    begin_asking(r, o);
}

void cross_begin(struct remote *r, int from, const struct message *m, int argc, struct str *argv) {
    r->out.n = 0;
    r->out.resp = m->resp;
    const struct command_row *row = dispatch_resolve(r->eng, argc, argv, &r->out);
    if (!row) {
        remote_answer(r, from, m->id, (struct str){ r->out.p, r->out.n });
        return;
    }
    struct cross *o = new_operation(r, kept_new(from, m, argc, argv));
    if (spread_to_all(row->spread)) {
        o->all = gather_new(NULL, row->spread);
        if (row->spread == SPREAD_ALL_RANDOM) remote_draw(r, o->all, m->db);
        o->needs = UINT64_MAX >> (64 - r->n);
    } else {
        o->command->head.flags |= MSG_QUIET;
        find_keys(r, o, &row->cmd);
    }
    begin_asking(r, o);
}

void cross_begin_task(struct remote *r, const struct message *m, int n, const struct carried *keys,
                      uint64_t workers, struct cross_task *task) {
    struct str *names = malloc(((size_t)n + 1) * sizeof *names);
    ASSERT(names);
    for (int i = 0; i < n; i++) names[i] = keys[i].name;
    struct cross *o = new_operation(r, kept_new(r->self, m, n, names));
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
    begin_asking(r, o);
}

uint64_t cross_send(struct remote *r, struct session *s, uint64_t slot, const struct message *m,
                    const struct command *cmd, int argc, const struct str *argv) {
    struct key_at few[16];
    int n = command_keys(cmd, argc, argv, few, 16), first = 0;
    if (n > 16) n = 16;
    for (int i = n - 1; i >= 0; i--)
        if (few[i].flags & (KF_RW | KF_OW | KF_CHANGED)) first = i;
    int to = n ? key_owner(argv[few[first].index], r->n) : r->self;
    struct message cross = *m;
    cross.kind = MSG_CROSS;
    cross.id = remote_expect(r, to, s, slot, NULL);
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

void cross_holding(struct remote *r, int from, uint64_t operation) {
    struct cross *o = find_operation(r, operation);
    if (!o) {
        tell(r, from, MSG_RELEASE, operation);
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
    if (o->all)
        run_everywhere(r, o);
    else
        begin(r, o);
}

void cross_shipped(struct remote *r, int from, const struct message *m) {
    struct cross *o = find_operation(r, m->id);
    if (!o) return;
    if (m->value) {
        set_error(o, status_text((status)m->value));
        o->again = false;
    }
    o->shipping &= ~(UINT64_C(1) << from);
    if (o->shipping) return;
    FAULT("cross.shipped");
    settle(r, o);
}

void cross_ran(struct remote *r, int from, const struct message *m, struct str resp) {
    struct cross *o = find_operation(r, m->id);
    if (!o || !o->all) return;
    if (o->task)
        spread_ran(r, o, from, resp);
    else if (gather_add(o->all, from, resp))
        gathered(r, o);
}

/* --- for who holds this worker --- */

void cross_fetch(struct remote *r, int from, const struct message *m, int argc, struct str *argv) {
    if (!holds_has(r, from, m->id)) return; /* it has ended: nobody waits for the answer */
    struct message answer = { .kind = MSG_FETCHED, .flags = MSG_RECORDS, .id = m->id };
    int n;
    struct carried *keys = carry_read(r, m, argc, argv, &n);
    carry_send(r, from, &answer, n, keys, (struct str){ NULL, 0 });
    free(keys);
}

/* Makes a written key what it is at the holder. */
static status take_back(struct remote *r, int from, const struct carried *k) {
    status st = k->record.p ? carry_take(r, k) : copy_key(r, from, k->db, k->name);
    if (st == ST_OK) engine_modified(r->eng, k->name, k->db);
    return st;
}

void cross_ship(struct remote *r, int from, const struct message *m, int argc, struct str *argv) {
    status st = holds_has(r, from, m->id) ? ST_OK : ST_SHM_OPEN;
    uint64_t owners = load_u64(argv[argc - 1].p);
    int n;
    struct carried *keys = carry_read(r, m, argc - 1, argv, &n);
    for (int i = 0; i < n && st == ST_OK; i++) st = take_back(r, from, &keys[i]);
    if (st == ST_OK && m->value) cross_log_keys(r, m->value - 1, owners, n, keys);
    free(keys);
    FAULT("cross.taken_back");
    r->eng->stats.dirty += (uint64_t)n;
    struct message answer = { .kind = MSG_SHIPPED, .id = m->id, .value = (uint64_t)st };
    remote_send(r, from, &answer, (struct str){ NULL, 0 });
}

void cross_run(struct remote *r, int from, const struct message *m, int argc, struct str *argv) {
    if (!holds_has(r, from, m->id)) return; /* it has ended: nobody waits for the answer */
    run_part(r, m, argc, argv);
    struct message answer = { .kind = MSG_RAN, .id = m->id };
    remote_send(r, from, &answer, (struct str){ r->out.p, r->out.n });
}

/* --- failures --- */

static void abandon(struct remote *r, struct cross *o, const char *line) {
    if (o->command->head.flags & MSG_INSTANT)
        remote_note_mail(r, MAIL_NO_INSTANT, load_u64(o->command->argv[0].p));
    set_error(o, line);
    drop_copies(r, o);
    finish(r, o);
}

void cross_reborn(struct remote *r, int from) {
    uint64_t bit = UINT64_C(1) << from;
    holds_reborn(r, from);
    for (struct cross *o = r->crossing->operations, *next; o; o = next) {
        next = o->next;
        if (!(o->asked & bit)) continue;
        o->asked &= ~bit;
        if (o->claimed || o->task || o->command->head.flags & MSG_INSTANT)
            abandon(r, o, "ERR a worker was restarted while it was held for the command");
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
        begin_asking(r, o);
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
