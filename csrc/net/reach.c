/* reach.c - keys that a command inside names: are they here, were they declared. */
#include "net/reach.h"

#include "cmd/sort.h"
#include "core.h"
#include "ds/siphash.h"
#include "net/cross.h"

/* --- what is known of scripts --- */

/* A word of the table: the hash but for its last two bits, which are the kind. */
enum { KIND_UNKNOWN = 0, KIND_LOCAL = 1, KIND_WIDE = 2, KIND_BITS = 3 };

static bool counts_keys(const struct command *cmd) {
    return cmd->keys[0].find == 'n' && cmd->keys[0].at == 2;
}

/* A script is known by its text, SHA1 or name, which is the first argument; another command of
 * Python by its own name. */
static uint64_t hash_of(const struct remote *r, const struct command *cmd, const struct str *argv) {
    uint64_t key[2] = { r->links->control->life, ~r->links->control->life };
    struct str known_by = argv[counts_keys(cmd) ? 1 : 0];
    return siphash13(known_by.p, known_by.n, (const uint8_t *)key) & ~(uint64_t)KIND_BITS;
}

static _Atomic uint64_t *slot_of(const struct remote *r, uint64_t hash) {
    return &r->links->control->reach[(hash >> 2) % CONTROL_SCRIPTS];
}

static unsigned kind_of(const struct remote *r, const struct command *cmd, const struct str *argv) {
    uint64_t hash = hash_of(r, cmd, argv);
    uint64_t word = atomic_load_explicit(slot_of(r, hash), memory_order_relaxed);
    return (word & ~(uint64_t)KIND_BITS) == hash ? word & KIND_BITS : KIND_UNKNOWN;
}

static void learn(const struct remote *r, const struct command *cmd, const struct str *argv,
                  unsigned kind) {
    uint64_t hash = hash_of(r, cmd, argv);
    atomic_store_explicit(slot_of(r, hash), hash | kind, memory_order_relaxed);
}

bool reach_is_wide(const struct remote *r, const struct command *cmd, int argc,
                   const struct str *argv) {
    if (UNLIKELY(cmd->flags & CMD_INSIDE)) return kind_of(r, cmd, argv) != KIND_LOCAL;
    return UNLIKELY(cmd->keys[1].find == '?') && sort_reaches_out(cmd, argc, argv, r->n);
}

void engine_forget_reach(struct engine *eng) {
    for (int i = 0; eng->remote && i < CONTROL_SCRIPTS; i++)
        atomic_store_explicit(&eng->remote->links->control->reach[i], 0, memory_order_relaxed);
}

void reach_note(struct call *c, const struct inside *in) {
    const struct remote *r = c->eng->remote;
    if (LIKELY(!r)) return;
    unsigned before = kind_of(r, c->cmd, c->argv);
    unsigned kind = before == KIND_WIDE || in->strayed ? KIND_WIDE : KIND_LOCAL;
    if (kind != before) learn(r, c->cmd, c->argv, kind);
    c->again = in->reached && c->eng->stats.dirty == in->dirty;
}

/* --- one command inside --- */

static bool is_declared(const struct call *outer, struct str key) {
    struct key_at few[16], *keys = few;
    int n = command_keys(outer->cmd, outer->argc, outer->argv, keys, 16);
    bool found = false;
    if (n > 16) {
        keys = malloc((size_t)n * sizeof *keys);
        ASSERT(keys);
        command_keys(outer->cmd, outer->argc, outer->argv, keys, n);
    }
    for (int i = 0; i < n && !found; i++) found = str_eq(outer->argv[keys[i].index], key);
    if (keys != few) free(keys);
    return found;
}

/* Replies the error that a cluster gives. */
static bool refuse(struct call *c, struct reply *out) {
    c->inside->reached = true;
    reply_error(out, REACH_ERROR);
    return false;
}

static bool bring(struct call *c, struct str name, bool written, struct reply *out) {
    struct remote *r = c->eng->remote;
    if (!is_declared(c, name)) c->inside->strayed = true;
    if (remote_owns(r, name) && !written) return true;
    status st;
    if (!cross_bring(r, c->inside->db, name, written, &st)) return refuse(c, out);
    if (st == ST_OK) return true;
    reply_status(out, st);
    return false;
}

bool reach_is_spread(const struct remote *r, const struct command_row *row) {
    return UNLIKELY(r != NULL) && (spread_to_all(row->spread) || row->spread == SPREAD_SCAN);
}

/* What is about all keys, or all subscribers, takes holds on all workers. A message is published
 * without them rather than not at all: only the number of those who get it is not known then. */
static bool may_spread(struct call *c, const struct command_row *row, struct reply *out) {
    c->inside->strayed = true;
    bool can_do_without = row->cmd.flags & CMD_PUBSUB && call_has_written(c);
    return cross_holds_all(c->eng->remote) || can_do_without || refuse(c, out);
}

/* Replies the error if a SORT whose patterns lead anywhere cannot bring what it finds. */
static bool refuse_sort(struct call *c, const struct command_row *row, int argc,
                        const struct str *argv, struct reply *out) {
    struct remote *r = c->eng->remote;
    if (LIKELY(row->cmd.keys[1].find != '?')) return false;
    if (!sort_reaches_out(&row->cmd, argc, argv, r->n)) return false;
    c->inside->strayed = true;
    return !cross_holds_all(r) && !refuse(c, out);
}

bool reach_keys(struct call *c, const struct command_row *row, int argc, const struct str *argv,
                struct reply *out) {
    struct key_at few[16], *keys = few;
    if (LIKELY(!c->eng->remote)) return true;
    if (UNLIKELY(cross_is_lost(c->eng->remote))) {
        reply_error(out, CROSS_LOST);
        return false;
    }
    if (reach_is_spread(c->eng->remote, row)) return may_spread(c, row, out);
    if (refuse_sort(c, row, argc, argv, out)) return false;
    int n = command_keys(&row->cmd, argc, argv, keys, 16);
    if (n > 16) {
        keys = malloc((size_t)n * sizeof *keys);
        ASSERT(keys);
        command_keys(&row->cmd, argc, argv, keys, n);
    }
    bool here = true;
    for (int i = 0; i < n && here; i++)
        here = bring(c, argv[keys[i].index], keys[i].flags & KF_WRITTEN, out);
    if (keys != few) free(keys);
    return here;
}

void reach_changed(const struct call *c, const struct command_row *row, int argc,
                   const struct str *argv) {
    if (LIKELY(!c->eng->remote) || !cross_is_running(c->eng->remote)) return;
    if (row->cmd.flags & CMD_INSIDE) return; /* those inside of it have told */
    int n = command_keys(&row->cmd, argc, argv, NULL, 0);
    struct key_at *keys = malloc(((size_t)n + 1) * sizeof *keys);
    ASSERT(keys);
    command_keys(&row->cmd, argc, argv, keys, n);
    for (int i = 0; i < n; i++)
        if (keys[i].flags & KF_WRITTEN)
            cross_changed(c->eng->remote, c->inside->db, argv[keys[i].index]);
    free(keys);
}
