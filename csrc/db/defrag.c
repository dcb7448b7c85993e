/* defrag.c - when to defragment and how to walk the keyspace while doing it. */
#include "db/defrag.h"

#include "db/clock.h"
#include "mem/park.h"
#include "mem/share.h"

#define BUCKETS_A_STEP 16u
#define OWED_CPU 4u   /* percent at most of a pass that nobody has asked for */
#define SLICE_US 500u /* one cycle's share of the event loop, at most */

enum phase { PHASE_IDLE, PHASE_KEYS, PHASE_TABLE };

struct defrag {
    enum phase phase;
    int db;
    uint64_t cursor;       /* in the keys, or in the table's blocks */
    uint64_t value_cursor; /* in a big value */
    bool in_value;         /* value_cursor belongs to the key below */
    char *key;
    size_t key_n;
    bool owed;          /* a snapshot has left holes: one pass, also when not active */
    uint64_t budget_us; /* unspent CPU share */
    uint64_t last_us;
};

struct defrag *defrag_new(void) {
    return calloc(1, sizeof(struct defrag));
}

static void leave_value(struct defrag *d) {
    free(d->key);
    d->key = NULL;
    d->in_value = false;
}

void defrag_delete(struct defrag *d) {
    if (!d) return;
    leave_value(d);
    free(d);
}

/* --- one key --- */

static void move_entry(struct engine *eng, ref_t *place) {
    if (!heap_sparse(&eng->arena, *place)) {
        eng->stats.defrag_misses++;
        return;
    }
    ref_t moved = heap_move(&eng->arena, *place);
    if (moved) {
        *place = moved;
        eng->stats.defrag_hits++;
    }
}

/* A slice of the value; true when there is more of it. */
static bool move_value(struct engine *eng, struct entry *e, uint64_t *cursor, size_t budget) {
    struct value v = entry_value(e);
    if (!v.root) return false;
    struct heap_stats before, after;
    heap_stats(&eng->arena, &before);
    type_of(v.type)->relocate(&eng->arena, &v, cursor, budget);
    heap_stats(&eng->arena, &after);
    store_u32(entry_tail(e), v.root);
    uint64_t moved = after.moved - before.moved;
    eng->stats.defrag_hits += moved;
    if (moved)
        eng->stats.defrag_key_hits++;
    else
        eng->stats.defrag_key_misses++;
    return *cursor != 0;
}

static void remember_value(struct defrag *d, const struct entry *e, uint64_t cursor) {
    struct str key = entry_key(e);
    leave_value(d);
    d->key = malloc(key.n + 1);
    ASSERT(d->key);
    memcpy(d->key, key.p, key.n);
    d->key_n = key.n;
    d->value_cursor = cursor;
    d->in_value = true;
}

struct walk {
    struct engine *eng;
    size_t budget;
};

static void visit(void *ctx, ref_t *place) {
    struct walk *w = ctx;
    move_entry(w->eng, place);
    struct entry *e = arena_ptr(&w->eng->arena, *place);
    uint64_t cursor = 0;
    /* A second big value in the same step is finished here: only one can be remembered. */
    while (move_value(w->eng, e, &cursor, w->budget)) {
        if (w->eng->defrag->in_value) continue;
        remember_value(w->eng->defrag, e, cursor);
        return;
    }
}

static void continue_value(struct engine *eng, struct defrag *d, size_t budget) {
    struct key k;
    struct str name = { d->key, d->key_n };
    struct entry *e = key_find(eng, d->db, name, KEY_PEEK, &k);
    if (!e || !move_value(eng, e, &d->value_cursor, budget)) leave_value(d);
}

/* --- the walk --- */

static bool walk(struct engine *eng, struct defrag *d) {
    size_t budget = (size_t)eng->config.active_defrag_max_scan_fields;
    struct dict *keys = &engine_db(eng, d->db)->keys;
    if (d->in_value) {
        continue_value(eng, d, budget);
    } else if (d->phase == PHASE_KEYS) {
        struct walk w = { eng, budget };
        d->cursor = dict_scan(&eng->arena, keys, d->cursor, BUCKETS_A_STEP, visit, &w);
        if (!d->cursor) d->phase = PHASE_TABLE;
    } else {
        dict_relocate(&eng->arena, keys, &d->cursor, BUCKETS_A_STEP * 16);
        if (d->cursor) return true;
        d->phase = PHASE_KEYS;
        d->db++;
    }
    return d->db < eng->databases;
}

/* A small piece of work; false when the whole keyspace has been walked. */
static bool step(struct engine *eng, struct defrag *d) {
    share_begin(&eng->arena);
    bool more = walk(eng, d);
    share_end(&eng->arena);
    return more;
}

static void start(struct defrag *d) {
    leave_value(d);
    d->phase = PHASE_KEYS;
    d->db = 0;
    d->cursor = 0;
}

/* --- policy --- */

/* Percentage of CPU wanted now, by the options; 0: none. */
static uint64_t wanted_cpu(struct engine *eng) {
    const struct engine_config *c = &eng->config;
    struct heap_stats h;
    heap_stats(&eng->arena, &h);
    if (!h.used || h.committed <= h.used) return 0;
    int64_t waste = (int64_t)(h.committed - h.used);
    int64_t percent = waste * 100 / (int64_t)h.used;
    if (percent < c->active_defrag_threshold_lower || waste < c->active_defrag_ignore_bytes)
        return 0;
    int64_t range = c->active_defrag_threshold_upper - c->active_defrag_threshold_lower;
    int64_t above = percent - c->active_defrag_threshold_lower;
    if (above > range) above = range;
    int64_t spread = c->active_defrag_cycle_max - c->active_defrag_cycle_min;
    return (uint64_t)(c->active_defrag_cycle_min + (range > 0 ? spread * above / range : spread));
}

bool defrag_cycle(struct engine *eng) {
    struct defrag *d = eng->defrag;
    uint64_t now = clock_monotonic_us();
    if (park_any(&eng->arena)) d->owed = true;
    if (!eng->config.activedefrag && !d->owed) {
        d->phase = PHASE_IDLE;
        eng->stats.defrag_running = 0;
        return false;
    }
    if (!arena_is_live(&eng->arena) || park_any(&eng->arena)) {
        d->last_us = now;
        return false;
    }
    if (d->phase == PHASE_IDLE) {
        uint64_t wanted = wanted_cpu(eng);
        bool owed = !eng->config.activedefrag && wanted > OWED_CPU;
        eng->stats.defrag_running = owed ? OWED_CPU : wanted;
        if (!eng->stats.defrag_running) {
            d->owed = false;
            return false;
        }
        start(d);
        d->last_us = now;
    }
    d->budget_us += (now - d->last_us) * eng->stats.defrag_running / 100;
    d->last_us = now;
    if (d->budget_us > SLICE_US) d->budget_us = SLICE_US;
    bool more = true;
    while (more && clock_monotonic_us() - now < d->budget_us) more = step(eng, d);
    uint64_t spent = clock_monotonic_us() - now;
    d->budget_us -= spent < d->budget_us ? spent : d->budget_us;
    eng->stats.defrag_us += spent;
    if (!more) {
        d->phase = PHASE_IDLE;
        d->owed = false;
        eng->stats.defrag_running = 0;
        heap_trim(&eng->arena);
    }
    return d->phase != PHASE_IDLE;
}

/* Twice over: what the first pass moved may have made other pages the sparse ones. */
#define PURGE_PASSES 2

uint64_t defrag_purge(struct engine *eng) {
    if (!arena_is_live(&eng->arena)) return 0;
    struct defrag *d = eng->defrag;
    for (int pass = 0; pass < PURGE_PASSES; pass++) {
        start(d);
        while (step(eng, d)) {
        }
    }
    d->phase = PHASE_IDLE;
    return heap_trim(&eng->arena);
}
