/* core_engine.c - the engine as Python sees it (core.h): making one, options, statistics, cron. */
#include "core.h"

#include <stddef.h>

#include "cmd/call.h"
#include "cmd/registry.h"
#include "db/attach.h"
#include "db/batch.h"
#include "db/clock.h"
#include "db/defrag.h"
#include "db/evict.h"
#include "db/expire.h"
#include "db/latency.h"
#include "db/lazyfree.h"
#include "mem/fault.h"
#include "mem/share.h"
#include "db/orphans.h"
#include "net/access.h"
#include "net/acl.h"
#include "net/block.h"
#include "net/cross.h"
#include "net/redo.h"
#include "net/crowd.h"
#include "net/hub.h"
#include "net/multi.h"
#include "net/observe.h"
#include "net/tracking.h"
#include "net/slowlog.h"
#include "net/turn.h"
#include "persist/aof.h"
#include "net/watch.h"
#include "persist/fork.h"

const char *core_status_text(int st) {
    return status_text((status)st);
}

const char *core_status_name(int st) {
    return status_name((status)st);
}

bool core_glob_match(const char *pattern, size_t pattern_n, const char *s, size_t n, bool nocase) {
    return glob_match((struct str){ pattern, pattern_n }, (struct str){ s, n }, nocase);
}

int core_fault_plan(const char *plan, size_t n) {
    return (int)fault_plan((struct str){ plan, n });
}

bool core_fault_reached(const char *point) {
    return FAULT_FAILS(point);
}

/* --- life --- */

static const struct engine_config default_config = {
    .hash_max_listpack_entries = 512,
    .hash_max_listpack_value = 64,
    .hll_sparse_max_bytes = 3000,
    .set_max_intset_entries = 512,
    .set_max_listpack_entries = 128,
    .set_max_listpack_value = 64,
    .zset_max_listpack_entries = 128,
    .zset_max_listpack_value = 64,
    .list_max_listpack_size = -2,
    .stream_node_max_bytes = 4096,
    .stream_node_max_entries = 100,
    .stream_idmp_duration = 100,
    .stream_idmp_maxsize = 100,
    .array_slice_size = 4096,
    .array_sparse_kmin = 5,
    .array_sparse_kmax = 10,
    .proto_max_bulk_len = 512ll << 20,
    .client_query_buffer_limit = 1ll << 30,
    .maxmemory_samples = 5,
    .lfu_log_factor = 10,
    .lfu_decay_time = 1,
    .active_expire = 1,
    .active_expire_effort = 1,
    .active_defrag_ignore_bytes = 100ll << 20,
    .active_defrag_threshold_lower = 10,
    .active_defrag_threshold_upper = 100,
    .active_defrag_cycle_min = 1,
    .active_defrag_cycle_max = 25,
    .active_defrag_max_scan_fields = 1000,
    .slowlog_log_slower_than = 10000,
    .slowlog_max_len = 128,
    .slowlog_entry_max_argc = 32,
    .slowlog_entry_max_string_len = 128,
    .latency_tracking = 1,
    .rdbcompression = 1,
    .tracking_table_max_keys = 1000000,
    .hz = 10,
    .gather_delay_us = 60,
    .appendfsync = AOF_FSYNC_EVERYSEC,
};

/* Frees what is process-local; the arena's object stays. */
static void free_local(struct engine *eng) {
    evict_delete(eng->evict);
    defrag_delete(eng->defrag);
    observe_delete(eng);
    batch_delete(eng->batch);
    registry_delete(eng->registry);
    slowlog_delete(eng);
    engine_hotkeys_reset(eng);
    latency_delete(eng);
    aof_delete(eng->aof);
    remote_delete(eng->remote);
    forks_delete(eng->forks);
    hub_delete(eng->hub);
    acl_delete(eng);
    engine_recorder_free(eng);
    free(eng);
}

/* An engine without an arena. */
static struct engine *new_local(void) {
    struct engine *eng = calloc(1, sizeof *eng);
    ASSERT(eng);
    eng->workers = 1;
    eng->config = default_config;
    eng->evict = evict_new();
    eng->defrag = defrag_new();
    eng->registry = registry_new();
    multi_register(eng->registry);
    observe_create(eng);
    eng->hooks.trusts = access_is_trusted;
    eng->hub = hub_new();
    eng->aof = aof_new(eng);
    eng->forks = forks_new(eng);
    engine_tick_clock(eng);
    return eng;
}

static void seed_random(struct engine *eng, const uint8_t *seed16) {
    memcpy(eng->random_state, seed16, sizeof eng->random_state);
    eng->random_state[1] ^= eng->now_us; /* not what an earlier worker of the arena drew */
    eng->random_state[0] |= 1;           /* the generator must not start from zero */
}

struct engine *engine_new(int fd, const char *name, uint64_t max_size, const uint8_t *seed16,
                          int databases, int *st) {
    struct engine *eng = new_local();
    seed_random(eng, seed16);
    *st = (int)arena_create(&eng->arena, fd, name, max_size, seed16);
    if (*st == ST_OK) {
        *st = (int)keyspace_create(eng, databases);
        if (*st == ST_OK) return eng;
        arena_close(&eng->arena);
    }
    free_local(eng);
    return NULL;
}

void engine_delete(struct engine *eng) {
    if (!eng) return;
    arena_close(&eng->arena);
    free_local(eng);
}

struct engine *engine_attach(int fd, const char *name, const struct attach_terms *terms,
                             struct attach_report *out) {
    struct engine *eng = new_local();
    *out = (struct attach_report){ .sealed = false };
    eng->hooks.xxh3 = terms->xxh3;
    if (attach_arena(eng, fd, name, terms, out)) {
        seed_random(eng, arena_super(&eng->arena)->hash_seed);
        return eng;
    }
    arena_close(&eng->arena);
    free_local(eng);
    return NULL;
}

void engine_set_digest(struct engine *eng, uint64_t (*xxh3)(const char *p, size_t n)) {
    eng->hooks.xxh3 = xxh3;
}

void engine_set_say(struct engine *eng, void (*say)(int level, const char *text)) {
    eng->hooks.say = say;
}

void engine_watches(const struct engine *eng, uint64_t *keys, uint64_t *sessions) {
    watch_count(eng, keys, sessions);
}

int engine_databases(const struct engine *eng) {
    return eng->databases;
}

/* --- options --- */

struct option {
    const char *field;
    size_t offset;
};
#define OPTION(field)                                                                              \
    { #field, offsetof(struct engine_config, field) }
static const struct option options[] = {
    OPTION(hash_max_listpack_entries),
    OPTION(hash_max_listpack_value),
    OPTION(hll_sparse_max_bytes),
    OPTION(set_max_intset_entries),
    OPTION(set_max_listpack_entries),
    OPTION(set_max_listpack_value),
    OPTION(zset_max_listpack_entries),
    OPTION(zset_max_listpack_value),
    OPTION(list_max_listpack_size),
    OPTION(stream_node_max_bytes),
    OPTION(stream_node_max_entries),
    OPTION(stream_idmp_duration),
    OPTION(stream_idmp_maxsize),
    OPTION(array_slice_size),
    OPTION(array_sparse_kmin),
    OPTION(array_sparse_kmax),
    OPTION(list_compress_depth),
    OPTION(proto_max_bulk_len),
    OPTION(client_query_buffer_limit),
    OPTION(maxmemory),
    OPTION(maxmemory_policy),
    OPTION(maxmemory_samples),
    OPTION(lfu_log_factor),
    OPTION(lfu_decay_time),
    OPTION(lazyfree_lazy_eviction),
    OPTION(lazyfree_lazy_expire),
    OPTION(lazyfree_lazy_server_del),
    OPTION(lazyfree_lazy_user_del),
    OPTION(lazyfree_lazy_user_flush),
    OPTION(active_expire),
    OPTION(active_expire_effort),
    OPTION(activedefrag),
    OPTION(active_defrag_ignore_bytes),
    OPTION(active_defrag_threshold_lower),
    OPTION(active_defrag_threshold_upper),
    OPTION(active_defrag_cycle_min),
    OPTION(active_defrag_cycle_max),
    OPTION(active_defrag_max_scan_fields),
    OPTION(notify_events),
    OPTION(slowlog_log_slower_than),
    OPTION(slowlog_max_len),
    OPTION(slowlog_entry_max_argc),
    OPTION(slowlog_entry_max_string_len),
    OPTION(latency_monitor_threshold),
    OPTION(latency_tracking),
    OPTION(auth_required),
    OPTION(rdbcompression),
    OPTION(sanitize_dump_payload),
    OPTION(save_failed),
    OPTION(hz),
    OPTION(gather_delay_us),
    OPTION(appendfsync),
    OPTION(aof_timestamp_enabled),
    OPTION(aof_no_fsync),
    OPTION(aof_flush_sleep_us),
    OPTION(loading),
    OPTION(tracking_table_max_keys),
    OPTION(maxmemory_clients),
    OPTION(skip_checksum),
};

static int64_t *option_at(const struct engine *eng, const char *field) {
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!strcmp(options[i].field, field))
            return (int64_t *)((char *)(uintptr_t)&eng->config + options[i].offset);
    return NULL;
}

/* Other workers do not read what is not whole. */
static void share_if_whole(struct engine *eng) {
    if (eng->config.loading == LOADING_SELF)
        share_shut(&eng->arena, SHARE_LOADING);
    else
        share_open(&eng->arena, SHARE_LOADING);
    if (eng->remote) redo_try(eng->remote);
}

bool engine_set_option(struct engine *eng, const char *field, int64_t value) {
    int64_t *at = option_at(eng, field);
    if (at) *at = value;
    if (at == &eng->config.loading) share_if_whole(eng);
    return at;
}

bool engine_get_option(const struct engine *eng, const char *field, int64_t *value) {
    const int64_t *at = option_at(eng, field);
    if (at) *value = *at;
    return at;
}

/* --- statistics --- */

struct engine_stats *engine_stats(struct engine *eng) {
    return &eng->stats;
}

void engine_reset_stats(struct engine *eng) {
    uint64_t dirty = eng->stats.dirty, pending = eng->stats.lazyfree_pending;
    uint64_t running = eng->stats.defrag_running;
    eng->stats = (struct engine_stats){ .dirty = dirty,
                                        .lazyfree_pending = pending,
                                        .defrag_running = running };
    registry_reset_stats(eng->registry);
}

void engine_memory(struct engine *eng, struct engine_memory *out) {
    struct heap_stats h;
    heap_stats(&eng->arena, &h);
    *out = (struct engine_memory){ .used = h.used,
                                   .peak = h.peak,
                                   .committed = h.committed,
                                   .object = h.object,
                                   .blocks = h.blocks,
                                   .arena_max = arena_super(&eng->arena)->max_size };
    memcpy(out->by_owner, h.by_owner, sizeof out->by_owner);
    for (int i = 0; i < eng->databases; i++)
        out->tables += dict_memory(&eng->arena, &engine_db(eng, i)->keys);
}

bool engine_db_info(struct engine *eng, int db, struct db_info *out) {
    if (db < 0 || db >= eng->databases) return false;
    const struct db *d = engine_db(eng, db);
    *out = (struct db_info){ .keys = d->keys.count,
                             .volatile_keys = d->volatile_keys,
                             .field_ttl_keys = d->field_ttl_keys,
                             .avg_ttl_ms = d->volatile_keys ? d->avg_ttl_ms : 0,
                             .table_bytes = dict_memory(&eng->arena, &d->keys),
                             .table_buckets = d->keys.buckets,
                             .table_overflow = d->keys.overflow };
    return true;
}

/* --- background work --- */

/* By themselves. While they are loaded they may still become what they are to be, and nothing is
 * logged. */
static bool keys_may_go(const struct engine *eng) {
    bool paused = eng->hub->pause_until_ms > eng->now_ms;
    return !paused && eng->config.loading != LOADING_SELF;
}

static int run_cron(struct engine *eng, uint64_t budget_us) {
    engine_tick_clock(eng);
    aof_tick(eng->aof);
    if (eng->remote) {
        remote_tick(eng->remote);
        if (cross_held(eng->remote)) return 1;
    }
    struct engine_stats before = eng->stats;
    arena_enter(&eng->arena);
    bool may_go = keys_may_go(eng);
    bool more = may_go && expire_cycle(eng, budget_us / 2);
    if (may_go) evict_share(eng);
    if (lazyfree_pending(eng)) more |= !lazyfree_run(eng, budget_us / 2);
    more |= !lazyfree_parked(eng, budget_us / 4);
    more |= defrag_cycle(eng);
    arena_leave(&eng->arena);
    uint64_t forks_ms = forks_cron(eng, budget_us / 4);
    latency_note(eng, "expire-cycle", eng->stats.expire_cycle_us - before.expire_cycle_us);
    latency_note(eng, "eviction-cycle", eng->stats.evict_us - before.evict_us);
    latency_note(eng, "active-defrag-cycle", eng->stats.defrag_us - before.defrag_us);
    crowd_tick(eng);
    uint64_t next_ms = block_tick(eng);
    block_after(eng);
    turn_log(eng);
    int64_t hz = eng->config.hz > 0 ? eng->config.hz : 10;
    if (next_ms > (uint64_t)(1000 / hz)) next_ms = (uint64_t)(1000 / hz);
    if (next_ms > forks_ms) next_ms = forks_ms;
    return more ? 0 : (int)next_ms;
}

int engine_cron(struct engine *eng, uint64_t budget_us) {
    uint64_t start_ns = clock_duration_ns();
    int next_ms = run_cron(eng, budget_us);
    eng->stats.cron_ns += clock_duration_ns() - start_ns;
    return next_ms;
}

bool engine_turn_due(const struct engine *eng) {
    return eng->hub->turn.n || eng->hub->ready_n || tracking_is_due(eng);
}

void engine_blocked(const struct engine *eng, uint64_t *sessions, uint64_t *keys) {
    block_count(eng, sessions, keys);
}

uint64_t engine_active_sessions(struct engine *eng) {
    engine_tick_clock(eng);
    return activity_count(&eng->hub->activity, eng->now_ms);
}

uint64_t engine_purge(struct engine *eng) {
    engine_tick_clock(eng);
    arena_enter(&eng->arena);
    while (!lazyfree_run(eng, UINT64_MAX / 2)) {
    }
    lazyfree_parked(eng, UINT64_MAX / 2);
    uint64_t released = defrag_purge(eng);
    arena_leave(&eng->arena);
    return released;
}

void engine_empty(struct engine *eng) {
    arena_enter(&eng->arena);
    for (int db = 0; db < eng->databases; db++) keyspace_flush(eng, db, false);
    tracking_flushed(eng);
    arena_leave(&eng->arena);
}

uint64_t engine_orphans(struct engine *eng) {
    return orphans_count(eng);
}

void engine_check(struct engine *eng) {
    heap_check(&eng->arena);
    keyspace_check(eng);
    ASSERT(engine_orphans(eng) == 0);
}
