/* cross_keys.c - foreign keys: copied here before an operation executes, brought back after it. */
#include <fcntl.h>
#include <sys/mman.h>

#include "mem/fault.h"
#include "net/cross_impl.h"
#include "net/cross_log.h"
#include "net/hub.h"
#include "net/redo.h"
#include "net/shipment.h"
#include "net/tracking.h"

/* --- other workers' arenas --- */

const struct arena *cross_view(struct remote *r, int worker) {
    struct crossing *x = r->crossing;
    uint32_t epoch = remote_epoch(r, worker);
    bool settled = atomic_load(&r->links->control->worker[worker].settled) == epoch;
    if (x->view_epoch[worker] == epoch && x->view_settled[worker]) return &x->view[worker];
    if (x->view_epoch[worker]) arena_close(&x->view[worker]);
    x->view_epoch[worker] = 0;
    char name[sizeof x->view[worker].name];
    snprintf(name, sizeof name, "/%s.%d", x->arena_base, worker);
    int fd = shm_open(name, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0 || arena_view(&x->view[worker], fd, name) != ST_OK) return NULL;
    x->view_epoch[worker] = epoch;
    x->view_settled[worker] = settled;
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
    r->eng->copying = true;
    if (e)
        st = key_import(r->eng, a, e, &own);
    else if (own.entry)
        key_delete(r->eng, &own, true);
    r->eng->copying = false;
    arena_leave(&r->eng->arena);
    return st;
}

/* Makes the key here what it is at that worker. */
static status copy_key(struct remote *r, int worker, int db, struct str name) {
    const struct arena *a = cross_view(r, worker);
    return a ? replace_key(r, foreign_entry(r, a, db, name), a, db, name) : ST_SHM_OPEN;
}

/* --- keys that show up while the operation executes --- */

struct brought {
    struct brought *next;
    char name[];
};

void cross_free_brought(struct cross *o) {
    while (o->brought) {
        struct brought *b = o->brought;
        o->brought = b->next;
        free(b);
    }
}

static struct carried *known(struct cross *o, int db, struct str name) {
    for (int i = 0; i < o->n; i++)
        if (o->keys[i].db == db && str_eq(o->keys[i].name, name)) return &o->keys[i];
    return NULL;
}

static void add_brought(struct cross *o, int db, struct str name, bool written) {
    struct brought *b = malloc(sizeof *b + name.n + 1);
    o->keys = realloc(o->keys, ((size_t)o->n + 2) * sizeof *o->keys);
    ASSERT(b && o->keys);
    memcpy(b->name, name.p, name.n);
    b->next = o->brought;
    o->brought = b;
    o->keys[o->n++] = (struct carried){ .db = db, .written = written, .name = { b->name, name.n } };
}

/* Copies a key of a held worker. */
static status bring_copy(struct remote *r, int owner, int db, struct str name) {
    const struct arena *view = cross_view(r, owner);
    if (!view) return ST_SHM_OPEN;
    if (carry_needed(view)) return cross_amid_fetch(r, owner, db, name);
    return copy_key(r, owner, db, name);
}

bool cross_bring(struct remote *r, int db, struct str name, bool written, status *st) {
    struct cross *o = r->crossing->running;
    int owner = key_owner(name, r->n);
    *st = ST_OK;
    if (owner == r->self && !o) return true;
    if (!o || !(o->holds >> owner & 1)) return false;
    struct carried *k = known(o, db, name);
    if (k) {
        k->written |= written;
        return true;
    }
    if (owner == r->self) { /* it is here, but is logged with the others */
        if (written) add_brought(o, db, name, true);
        return true;
    }
    *st = bring_copy(r, owner, db, name);
    if (*st == ST_OK) add_brought(o, db, name, written);
    return true;
}

bool cross_holds_all(const struct remote *r) {
    const struct cross *o = r->crossing->running;
    return o && o->holds == UINT64_MAX >> (64 - r->n);
}

status cross_bring_copy(struct engine *eng, int db, struct str name) {
    struct remote *r = eng->remote;
    struct cross *o = r->crossing->running;
    int owner = key_owner(name, r->n);
    struct key k;
    if (!o || !(o->holds >> owner & 1)) return ST_NOT_HERE;
    if (key_find(eng, db, name, KEY_PEEK, &k)) return ST_OK; /* it has been brought before */
    status st = bring_copy(r, owner, db, name);
    if (st == ST_OK && key_find(eng, db, name, KEY_PEEK, &k)) add_brought(o, db, name, false);
    return st;
}

bool cross_is_running(const struct remote *r) {
    return r->crossing->running;
}

void cross_changed(struct remote *r, int db, struct str name) {
    struct cross *o = r->crossing->running;
    if (name.p) {
        struct carried *k = known(o, db, name);
        if (k) k->changed = k->written;
        return;
    }
    for (int i = 0; i < o->n; i++) o->keys[i].changed = o->keys[i].written;
}

/* --- copying keys here --- */

/* The operation's keys that belong to that worker. `out` has room for all. */
static int keys_of(const struct remote *r, const struct cross *o, int worker, bool only_changed,
                   struct carried *out) {
    int n = 0;
    for (int i = 0; i < o->n; i++) {
        const struct carried *k = &o->keys[i];
        if (key_owner(k->name, r->n) == worker && (k->changed || !only_changed)) out[n++] = *k;
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

void cross_copy_keys(struct remote *r, struct cross *o) {
    struct carried *keys = malloc(((size_t)o->n + 1) * sizeof *keys);
    ASSERT(keys);
    o->fetched = true;
    arena_super(&r->eng->arena)->guests++;
    for (uint64_t left = o->needs & ~(UINT64_C(1) << r->self); left; left &= left - 1)
        fetch_from(r, o, __builtin_ctzll(left), keys);
    free(keys);
}

void cross_drop_copies(struct remote *r, struct cross *o) {
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

void cross_fetched(struct remote *r, int from, const struct message *m, int argc,
                   struct str *argv) {
    struct cross *o = cross_find(r, m->id);
    if (!o || !(o->fetching >> from & 1)) return;
    int n;
    struct carried *keys = carry_read(r, m, argc, argv, &n);
    for (int i = 0; i < n && o->trouble == ST_OK; i++) o->trouble = carry_take(r, &keys[i]);
    free(keys);
    o->fetching &= ~(UINT64_C(1) << from);
    if (!o->fetching && r->crossing->running != o) cross_put_due(r, o);
}

/* --- bringing them back --- */

/* Bits of the owners of what may have changed. */
static uint64_t changed_owners(const struct remote *r, const struct cross *o) {
    uint64_t owners = 0;
    for (int i = 0; i < o->n; i++)
        if (o->keys[i].changed) owners |= UINT64_C(1) << key_owner(o->keys[i].name, r->n);
    return owners;
}

/* What may have changed. `out` has room for all. */
static int keys_changed(const struct cross *o, struct carried *out) {
    int n = 0;
    for (int i = 0; i < o->n; i++)
        if (o->keys[i].changed) out[n++] = o->keys[i];
    return n;
}

static uint8_t flags_of(const struct remote *r, const struct cross *o) {
    unsigned flags = carry_needed(&r->eng->arena) ? MSG_RECORDS : 0;
    if (o->waits) flags |= MSG_QUIET;
    return (uint8_t)(flags | (o->command->head.flags & MSG_TICKET));
}

void cross_ship_keys(struct remote *r, struct cross *o) {
    uint64_t position = 0, owners = changed_owners(r, o);
    if (!owners) return;
    struct carried *keys = malloc(((size_t)o->n + 1) * sizeof *keys);
    ASSERT(keys);
    const struct str owners_word = { (const char *)&owners, sizeof owners };
    bool has_place = cross_log_position(r, &position);
    struct message m = { .kind = MSG_SHIP,
                         .flags = flags_of(r, o),
                         .id = o->id,
                         .value = has_place ? position + 1 : 0,
                         .client = o->command->head.client };
    o->sent = m;
    o->sent_owners = owners;
    FAULT("cross.before_ship");
    bool alone = owners == UINT64_C(1) << r->self;
    if (has_place && !alone) shipment_keep(r, &m, owners, keys_changed(o, keys), keys);
    for (uint64_t left = owners; left; left &= left - 1) {
        int w = __builtin_ctzll(left), n = keys_of(r, o, w, true, keys);
        if (w == r->self) {
            cross_log_keys(r, m.value, owners, n, keys);
            if (m.value) redo_applied(r, m.value);
            continue;
        }
        o->shipping |= UINT64_C(1) << w;
        carry_send(r, w, &m, n, keys, owners_word);
    }
    for (int i = 0; i < o->n; i++) {
        o->keys[i].shipped = o->keys[i].changed;
        o->keys[i].changed = false;
    }
    free(keys);
}

void cross_ship_again(struct remote *r, struct cross *o, int to) {
    struct carried *keys = malloc(((size_t)o->n + 1) * sizeof *keys);
    ASSERT(keys);
    const struct str owners_word = { (const char *)&o->sent_owners, sizeof o->sent_owners };
    struct message m = o->sent;
    m.flags |= MSG_AGAIN | MSG_RECORDS;
    int n = 0;
    for (int i = 0; i < o->n; i++)
        if (o->keys[i].shipped && key_owner(o->keys[i].name, r->n) == to) keys[n++] = o->keys[i];
    carry_send(r, to, &m, n, keys, owners_word);
    free(keys);
}

void cross_shipped(struct remote *r, int from, const struct message *m) {
    struct cross *o = cross_find(r, m->id);
    if (!o) return;
    bool amid = r->crossing->running == o;
    if (m->value && amid) {
        o->trouble = (status)m->value;
    } else if (m->value) {
        cross_set_error(o, status_text((status)m->value));
        o->step = STEP_END;
    }
    o->shipping &= ~(UINT64_C(1) << from);
    if (!o->shipping) shipment_done(r, o->id);
    if (o->shipping || o->all || amid) return;
    FAULT("cross.shipped");
    cross_settle(r, o);
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
static status take_back(struct remote *r, int from, const struct carried *k, bool quiet) {
    status st = k->record.p ? carry_take(r, k) : copy_key(r, from, k->db, k->name);
    if (st == ST_OK && !quiet) engine_modified(r->eng, k->name, k->db);
    return st;
}

void cross_answer_ship(struct remote *r, int to, const struct message *m, status st) {
    if (to == r->self) return; /* a predecessor's, net/shipment.h */
    struct message answer = { .kind = MSG_SHIPPED, .id = m->id, .value = (uint64_t)st };
    remote_send(r, to, &answer, (struct str){ NULL, 0 });
}

/* The keys that the message is about are in it, or still with its sender: that lives, or its
 * successor keeps them until this worker has told (net/redo.h). */
static bool keys_are_there(struct remote *r, int from, const struct message *m) {
    if (m->flags & MSG_RECORDS) return true;
    uint32_t epoch = remote_epoch(r, from);
    if (commit_epoch(m->id) == commit_epoch_of(epoch)) return true;
    if (commit_epoch(m->id) != commit_epoch_of(epoch - 1)) return false;
    const struct arena *view = cross_view(r, from);
    return view && arena_super(view)->guests && !arena_super(view)->busy;
}

/* Whether a worker that has shipped something, and died, held this one, or its predecessor. */
static bool was_held(const struct remote *r, int from, const struct message *m) {
    const struct control_worker *w = &r->links->control->worker[r->self];
    bool has_died = commit_epoch(m->id) != commit_epoch_of(remote_epoch(r, from));
    return has_died && redo_holds(r) && atomic_load(&w->held_before) == (m->id | 1);
}

/* The change, its record in the log and that it is executed here are one. */
static status take_all_back(struct remote *r, int from, const struct message *m, int argc,
                            struct str *argv) {
    uint64_t owners = load_u64(argv[argc - 1].p);
    status st = ST_OK;
    int n;
    struct carried *keys = carry_read(r, m, argc - 1, argv, &n);
    arena_enter(&r->eng->arena);
    r->eng->hub->acting = tracker_client(m->client);
    r->joint = !(m->flags & MSG_TICKET);
    for (int i = 0; i < n && st == ST_OK; i++)
        st = take_back(r, from, &keys[i], m->flags & MSG_QUIET);
    r->joint = false;
    r->eng->hub->acting = 0;
    if (st == ST_OK) {
        cross_log_keys(r, m->value, owners, n, keys);
        if (m->value) redo_applied(r, m->value);
    }
    arena_leave(&r->eng->arena);
    free(keys);
    r->eng->stats.dirty += (uint64_t)n;
    return st;
}

void cross_ship(struct remote *r, int from, const struct message *m, int argc, struct str *argv) {
    FAULT("cross.before_take_back");
    bool holds = holds_has(r, from, m->id) || was_held(r, from, m);
    bool may = m->flags & MSG_AGAIN || (holds && keys_are_there(r, from, m));
    if (!may && r->redo.shut)
        return; /* who has sent it to the predecessor lives, and sends it again */
    status st = may ? ST_OK : ST_SHM_OPEN;
    bool has_it = m->value && redo_has(r, m->value - 1);
    if (may && !has_it) st = take_all_back(r, from, m, argc, argv);
    FAULT("cross.taken_back");
    cross_answer_ship(r, from, m, st);
}
