/* evict.c - choosing and deleting keys until memory is below maxmemory.
 *
 * A small pool keeps the best candidates seen, so that each sample of a few keys improves on the
 * last (the approximation that Redis documents). The pool holds copies of names: keys may vanish
 * meanwhile.
 */
#include "db/evict.h"

#include "db/clock.h"
#include "db/latency.h"
#include "db/lazyfree.h"

#define POOL_SIZE 16
#define POOL_NAME_MAX 255u
#define EVICT_TIME_US 500u
#define SAMPLE_MAX 64
#define SLACK_MAX ((uint64_t)256 * 1024)

struct candidate {
    uint64_t score; /* higher goes first */
    int db;
    size_t n;
    char name[POOL_NAME_MAX];
};

/* Ascending by score. */
struct evict_pool {
    int n;
    struct candidate best[POOL_SIZE];
};

struct evict_pool *evict_new(void) {
    return calloc(1, sizeof(struct evict_pool));
}

void evict_delete(struct evict_pool *pool) {
    free(pool);
}

uint64_t evict_used_memory(const struct engine *eng) {
    return heap_used(&eng->arena);
}

static bool policy_is_volatile(const struct engine *eng) {
    return eng->config.maxmemory_policy >= POLICY_VOLATILE_LRU;
}

static uint64_t score_of(const struct engine *eng, const struct entry *e) {
    switch (eng->config.maxmemory_policy) {
    case POLICY_ALLKEYS_LFU:
    case POLICY_VOLATILE_LFU: return 255u - access_frequency(eng, e);
    case POLICY_VOLATILE_TTL: return UINT64_MAX - entry_expiry(e);
    default: return access_idle_seconds(eng, e);
    }
}

struct sample {
    struct engine *eng;
    int n, want;
    ref_t refs[SAMPLE_MAX];
};

static void take_volatile(void *ctx, ref_t *place) {
    struct sample *s = ctx;
    if (s->n < s->want && entry_volatile(arena_ptr(&s->eng->arena, *place)))
        s->refs[s->n++] = *place;
}

/* Volatile keys near a random place of the table; wraps around once. */
static void sample_volatile(struct engine *eng, struct db *db, struct sample *s) {
    uint64_t cursor = engine_random(eng) & UINT32_MAX;
    bool wrapped = false;
    while (s->n < s->want) {
        cursor =
            dict_scan_marked(&eng->arena, &keyspace_kind, &db->keys, cursor, 64, take_volatile, s);
        if (cursor == 0) {
            if (wrapped) return;
            wrapped = true;
        }
    }
}

static void sample_keys(struct engine *eng, int index, struct sample *s) {
    struct db *db = engine_db(eng, index);
    if (policy_is_volatile(eng)) {
        if (db->volatile_keys) sample_volatile(eng, db, s);
        return;
    }
    for (int i = 0; i < s->want && db->keys.count; i++)
        s->refs[s->n++] = dict_random(&eng->arena, &db->keys, engine_random, eng);
}

static void pool_add(struct evict_pool *pool, uint64_t score, int db, struct str name) {
    if (name.n > POOL_NAME_MAX) return;
    int at = 0;
    while (at < pool->n && pool->best[at].score < score) at++;
    for (int i = 0; i < pool->n; i++)
        if (pool->best[i].db == db && pool->best[i].n == name.n &&
            !memcmp(pool->best[i].name, name.p, name.n))
            return;
    if (pool->n == POOL_SIZE) {
        if (at == 0) return;
        memmove(pool->best, pool->best + 1, (size_t)(at - 1) * sizeof *pool->best);
        at--;
    } else {
        memmove(pool->best + at + 1, pool->best + at, (size_t)(pool->n - at) * sizeof *pool->best);
        pool->n++;
    }
    pool->best[at].score = score;
    pool->best[at].db = db;
    pool->best[at].n = name.n;
    memcpy(pool->best[at].name, name.p, name.n);
}

static int sample_size(const struct engine *eng) {
    int64_t n = eng->config.maxmemory_samples;
    return n < 1 ? 1 : n > SAMPLE_MAX ? SAMPLE_MAX : (int)n;
}

static void pool_fill(struct engine *eng) {
    for (int db = 0; db < eng->databases; db++) {
        struct sample s = { .eng = eng, .want = sample_size(eng) };
        sample_keys(eng, db, &s);
        for (int i = 0; i < s.n; i++) {
            const struct entry *e = arena_ptr(&eng->arena, s.refs[i]);
            pool_add(eng->evict, score_of(eng, e), db, entry_key(e));
        }
    }
}

static void evict_key(struct engine *eng, struct key *k) {
    static const struct key_end evicted = { NOTIFY_EVICTED, "evicted", "eviction-del" };
    eng->stats.evicted_keys++;
    key_remove(eng, k, eng->config.lazyfree_lazy_eviction, &evicted);
}

/* Evicts the best candidate that still exists; false if the pool has none. */
static bool evict_from_pool(struct engine *eng) {
    struct evict_pool *pool = eng->evict;
    while (pool->n) {
        struct candidate c = pool->best[--pool->n];
        struct key k;
        struct entry *e = key_find(eng, c.db, (struct str){ c.name, c.n }, KEY_PEEK, &k);
        if (!e || (policy_is_volatile(eng) && !entry_volatile(e))) continue;
        evict_key(eng, &k);
        return true;
    }
    return false;
}

/* A random key of any database that has candidates, by one sample of one. */
static bool evict_random(struct engine *eng) {
    int start = (int)engine_random_below(eng, (uint64_t)eng->databases);
    for (int i = 0; i < eng->databases; i++) {
        int db = (start + i) % eng->databases;
        struct sample s = { .eng = eng, .want = 1 };
        sample_keys(eng, db, &s);
        if (!s.n) continue;
        struct str name = entry_key(arena_ptr(&eng->arena, s.refs[0]));
        char *copy = malloc(name.n + 1);
        ASSERT(copy);
        memcpy(copy, name.p, name.n);
        struct key k;
        if (key_find(eng, db, (struct str){ copy, name.n }, KEY_PEEK, &k)) evict_key(eng, &k);
        free(copy);
        return true;
    }
    return false;
}

static bool evict_one(struct engine *eng) {
    int64_t policy = eng->config.maxmemory_policy;
    if (policy == POLICY_NOEVICTION) return false;
    if (policy == POLICY_ALLKEYS_RANDOM || policy == POLICY_VOLATILE_RANDOM)
        return evict_random(eng);
    pool_fill(eng);
    return evict_from_pool(eng) || evict_random(eng);
}

/* Bytes over the limit, of all workers. */
static uint64_t excess(const struct engine *eng) {
    uint64_t total = evict_used_memory(eng) + eng->peers.used;
    uint64_t limit = (uint64_t)eng->config.maxmemory;
    return limit && total > limit ? total - limit : 0;
}

/* What this worker should hold: less by its share of what is too much in all. */
static uint64_t goal_of(const struct engine *eng) {
    uint64_t own = evict_used_memory(eng), over = excess(eng);
    uint64_t can_give = own + eng->peers.used - eng->peers.barren_used;
    uint64_t part = (uint64_t)((double)over * ((double)own / (double)can_give)) + 1;
    if (part > over) part = over;
    return part < own ? own - part : 0;
}

/* A little too much may wait for the end of the turn, when there is enough to be shared out. */
static bool can_wait(const struct engine *eng, uint64_t over) {
    uint64_t slack = (uint64_t)eng->config.maxmemory / 64;
    if (!eng->peers.used || eng->config.maxmemory_policy == POLICY_NOEVICTION) return false;
    return over < (slack < SLACK_MAX ? slack : SLACK_MAX);
}

bool evict_to_limit(struct engine *eng) {
    uint64_t over = excess(eng);
    if (!over) return true;
    if (!can_wait(eng, over)) return evict_share(eng);
    eng->peers.ask = true;
    return !(eng->peers.self_barren && eng->peers.barren);
}

/* Evicts down to `goal` bytes or until the time is over; false: nothing more can be evicted. */
static bool evict_down_to(struct engine *eng, uint64_t goal, uint64_t start) {
    bool possible = true;
    while (possible && evict_used_memory(eng) > goal) {
        if (lazyfree_pending(eng))
            lazyfree_run(eng, EVICT_TIME_US / 4);
        else
            possible = evict_one(eng);
        if (clock_monotonic_us() - start > EVICT_TIME_US) break;
    }
    return possible;
}

bool evict_share(struct engine *eng) {
    if (!excess(eng)) return true;
    uint64_t start = clock_monotonic_us();
    arena_enter(&eng->arena);
    bool possible = evict_down_to(eng, goal_of(eng), start);
    arena_leave(&eng->arena);
    eng->stats.evict_us += clock_monotonic_us() - start;
    eng->peers.self_barren = !possible;
    if (!eng->peers.used || eng->config.maxmemory_policy == POLICY_NOEVICTION) return possible;
    eng->peers.ask = true;
    return possible || !eng->peers.barren;
}
