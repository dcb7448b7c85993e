/* expire.c - the active expiry cycle.
 *
 * A visit may not change the table, so it notes the refs of what is due; then each is deleted by
 * name. Deleting one entry moves no other, so the noted refs stay good.
 */
#include "db/expire.h"

#include "db/clock.h"
#include "db/type_hash.h"
#include "mem/share.h"

#define BATCH_BUCKETS 16u
#define BATCH_MAX 512u
#define FIELD_BUDGET 256u

struct batch {
    struct engine *eng;
    size_t seen;
    uint64_t ttl_sum, ttl_count;
    size_t n;
    ref_t due[BATCH_MAX];
};

static bool fields_due(const struct engine *eng, const struct entry *e) {
    if (!(entry_flags(e) & ENTRY_FIELD_TTL)) return false;
    struct value v = entry_value(e);
    uint64_t next = type_of(v.type)->next_field_expiry(&eng->arena, &v);
    return next <= eng->now_ms; /* 0: none is left, the flag goes */
}

static void visit(void *ctx, ref_t *place) {
    struct batch *b = ctx;
    const struct entry *e = arena_ptr(&b->eng->arena, *place);
    if (!keyspace_kind.marked(e)) return;
    b->seen++;
    if (entry_volatile(e) && !key_expired(b->eng, e)) {
        b->ttl_sum += entry_expiry(e) - b->eng->now_ms;
        b->ttl_count++;
    }
    bool due = key_expired(b->eng, e) || fields_due(b->eng, e);
    if (due && b->n < BATCH_MAX) b->due[b->n++] = *place;
}

/* The value lacks what has gone; the key goes with the last field. */
static void fields_gone(struct engine *eng, struct key *k, struct value *v, size_t gone) {
    const struct type_ops *type = type_of(v->type);
    eng->stats.expired_fields += gone;
    key_store(eng, k, v);
    if (type->length(&eng->arena, v) == 0) {
        key_delete(eng, k, false);
        engine_notify(eng, NOTIFY_GENERIC, "del", k->name, k->db);
    } else if (type->next_field_expiry(&eng->arena, v) == 0) {
        key_set_field_ttl(eng, k, false);
    }
}

void expire_fields(struct engine *eng, struct key *k, size_t budget) {
    struct value v = entry_value(k->entry);
    share_begin(&eng->arena);
    size_t gone = type_of(v.type)->expire_fields(eng, k->db, k->name, &v, budget);
    fields_gone(eng, k, &v, gone);
    share_end(&eng->arena);
    if (gone) engine_modified(eng, k->name, k->db);
}

void expire_field(struct engine *eng, struct key *k, struct value *v, struct str name) {
    share_begin(&eng->arena); /* reads come here, too */
    hash_expire_field(eng, k->db, k->name, v, name);
    fields_gone(eng, k, v, 1);
    share_end(&eng->arena);
    engine_modified(eng, k->name, k->db);
}

/* The entry is looked up by a copy of its name: it may be freed on the way. */
static void expire_one(struct engine *eng, int db, ref_t ref) {
    struct str in_arena = entry_key(arena_ptr(&eng->arena, ref));
    char small[256];
    char *copy = in_arena.n <= sizeof small ? small : malloc(in_arena.n);
    ASSERT(copy);
    memcpy(copy, in_arena.p, in_arena.n);
    struct key k;
    if (key_find(eng, db, (struct str){ copy, in_arena.n }, KEY_PEEK, &k) &&
        entry_flags(k.entry) & ENTRY_FIELD_TTL)
        expire_fields(eng, &k, FIELD_BUDGET);
    if (copy != small) free(copy);
}

static void note_ttl(struct db *db, const struct batch *b) {
    if (!b->ttl_count) return;
    uint64_t avg = b->ttl_sum / b->ttl_count;
    db->avg_ttl_ms = db->avg_ttl_ms ? (db->avg_ttl_ms * 49 + avg) / 50 : avg;
}

/* One database until little is due or the time is over; true if the time was over first. */
static bool expire_db(struct engine *eng, int index, uint64_t end_us) {
    struct db *db = engine_db(eng, index);
    unsigned tolerated_percent = (unsigned)(11 - eng->config.active_expire_effort);
    size_t seen = 0, expired = 0, enough = (size_t)(20 + 5 * eng->config.active_expire_effort);
    while (db->volatile_keys || db->field_ttl_keys) {
        struct batch b = { .eng = eng };
        db->expire_cursor = dict_scan_marked(&eng->arena, &keyspace_kind, &db->keys,
                                             db->expire_cursor, BATCH_BUCKETS, visit, &b);
        for (size_t i = 0; i < b.n; i++) expire_one(eng, index, b.due[i]);
        note_ttl(db, &b);
        seen += b.seen;
        expired += b.n;
        if (clock_monotonic_us() >= end_us) return true;
        if (db->expire_cursor == 0) break;
        if (seen >= enough && expired * 100 <= seen * tolerated_percent) break;
    }
    if (seen)
        eng->stats.expired_stale_ppm =
            (eng->stats.expired_stale_ppm * 19 + (uint64_t)(expired * 1000000 / seen)) / 20;
    return false;
}

bool expire_cycle(struct engine *eng, uint64_t budget_us) {
    if (!eng->config.active_expire) return false;
    struct engine_stats *stats = &eng->stats;
    uint64_t start = clock_monotonic_us(), keys = stats->expired_keys;
    uint64_t fields = stats->expired_fields;
    bool capped = false;
    for (int i = 0; i < eng->databases && !capped; i++) {
        const struct db *db = engine_db(eng, i);
        if (db->volatile_keys || db->field_ttl_keys) capped = expire_db(eng, i, start + budget_us);
    }
    stats->expired_keys_active += stats->expired_keys - keys;
    stats->expired_fields_active += stats->expired_fields - fields;
    stats->expire_time_capped += capped;
    stats->expire_cycle_us += clock_monotonic_us() - start;
    return capped;
}
