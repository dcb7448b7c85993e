/* keyspace.c - finding, adding, replacing and deleting keys; whole databases.
 *
 * An entry is rebuilt whenever its shape changes (entry_spec). The rebuilt entry goes into the old
 * block when the size class is the same and nothing is borrowed from it, else into a new one; the
 * dict's place is the entry's one owner and is updated at once.
 */
#include "db/keyspace.h"

#include "db/evict.h"
#include "db/latency.h"
#include "db/lazyfree.h"
#include "mem/number.h"
#include "mem/seal.h"
#include "mem/share.h"

/* Values above this many elements are always freed in slices: no command pauses for them. */
#define EAGER_FREE_MAX 4096u

static struct str kind_key(const void *item) {
    return entry_key(item);
}
static bool kind_marked(const void *item) {
    return entry_volatile(item) || entry_flags(item) & ENTRY_FIELD_TTL;
}
const struct dict_kind keyspace_kind = { .key = kind_key, .marked = kind_marked };

static struct db *db_of(const struct engine *eng, const struct key *k) {
    return engine_db(eng, k->db);
}

/* Adds (sign 1) or takes away (-1) what e contributes to its database's counters. */
static void count_entry(struct db *db, const struct entry *e, int sign) {
    if (entry_volatile(e)) db->volatile_keys += (uint64_t)sign;
    if (entry_flags(e) & ENTRY_FIELD_TTL) db->field_ttl_keys += (uint64_t)sign;
}

static void expire_now(struct engine *eng, struct key *k) {
    static const struct key_end expired = { NOTIFY_EXPIRED, "expired", "expire-del" };
    eng->stats.expired_keys++;
    key_remove(eng, k, eng->config.lazyfree_lazy_expire, &expired);
}

/* --- finding --- */

/* The same when the hash is known already. */
static struct entry *key_find_hashed(struct engine *eng, int db, struct str name, uint64_t hash,
                                     enum key_access access, struct key *k) {
    *k = (struct key){ .name = name, .hash = hash, .db = db };
    k->place = dict_find(&eng->arena, &keyspace_kind, &engine_db(eng, db)->keys, name, hash);
    if (k->place) {
        k->entry = arena_ptr(&eng->arena, *k->place);
        if (UNLIKELY(key_expired(eng, k->entry))) expire_now(eng, k);
    }
    bool counts = access != KEY_WRITE && access != KEY_PEEK;
    if (counts) {
        if (k->entry)
            eng->stats.hits++;
        else
            eng->stats.misses++;
    }
    bool writes = access == KEY_WRITE || access == KEY_UPDATE;
    k->untouched = k->entry && writes && heap_frozen(&eng->arena, *k->place);
    if (k->entry && !k->untouched && (writes || access == KEY_READ))
        access_touch(eng, k->entry, writes);
    if (!k->entry && counts && access != KEY_INSPECT)
        engine_notify(eng, NOTIFY_KEY_MISS, "keymiss", name, db);
    return k->entry;
}

struct entry *key_find(struct engine *eng, int db, struct str name, enum key_access access,
                       struct key *k) {
    return key_find_hashed(eng, db, name, dict_hash(&eng->arena, name), access, k);
}

#define LARGE_KEYS 16384u /* fewer stay in the cache by themselves */

bool keyspace_is_large(const struct engine *eng, int db) {
    return engine_db(eng, db)->keys.count >= LARGE_KEYS;
}

void keyspace_load(struct engine *eng, int db, const struct str *names, int n, int step) {
    const struct dict *keys = &engine_db(eng, db)->keys;
    uint64_t hash[KEYS_LOADED];
    if (n > KEYS_LOADED) n = KEYS_LOADED;
    if (n < 2 || !keyspace_is_large(eng, db)) return;
    for (int i = 0; i < n; i++) {
        hash[i] = dict_hash(&eng->arena, names[i * step]);
        dict_prefetch(&eng->arena, keys, hash[i]);
    }
    for (int i = 0; i < n; i++) dict_prefetch_items(&eng->arena, keys, hash[i]);
}

/* --- building entries --- */

status key_build(struct engine *eng, const struct entry_spec *spec, ref_t *entry) {
    *entry = heap_alloc(&eng->arena, OWN_ENTRY, entry_spec_bytes(spec));
    if (!*entry) return ST_ARENA_FULL;
    entry_write(arena_ptr(&eng->arena, *entry), spec);
    return ST_OK;
}

status key_enter(struct engine *eng, int db, ref_t entry, uint64_t hash) {
    struct db *d = engine_db(eng, db);
    status st = dict_insert(&eng->arena, &keyspace_kind, &d->keys, entry, hash);
    if (st == ST_OK) count_entry(d, arena_ptr(&eng->arena, entry), 1);
    return st;
}

static status insert_quietly(struct engine *eng, struct key *k, const struct entry_spec *spec) {
    ref_t ref;
    status st = key_build(eng, spec, &ref);
    if (st != ST_OK) return st;
    st = key_enter(eng, k->db, ref, k->hash);
    if (st != ST_OK) {
        heap_free(&eng->arena, ref);
        return st;
    }
    k->entry = arena_ptr(&eng->arena, ref);
    const struct dict *keys = &db_of(eng, k)->keys;
    k->place = dict_find(&eng->arena, &keyspace_kind, keys, k->name, k->hash);
    return ST_OK;
}

static status insert_new(struct engine *eng, struct key *k, const struct entry_spec *spec) {
    DASSERT(share_may_change(&eng->arena));
    status st = insert_quietly(eng, k, spec);
    if (st == ST_OK) engine_notify(eng, NOTIFY_NEW, "new", k->name, k->db);
    return st;
}

/* Small classes are exact multiples of the unit, so most rewrites need not ask the heap. */
static bool same_class(const struct engine *eng, const struct key *k, size_t need) {
    size_t have = entry_bytes(k->entry);
    if (((have ^ need) & ~(size_t)7) == 0 && (have & 7) && (need & 7)) return true;
    size_t usable = heap_usable(&eng->arena, *k->place);
    return need <= usable && need + 8 > usable;
}

/* Where the entry's new form goes: the old block if it serves, unless a snapshot reads it and there
 * is room elsewhere. REF_NULL: the arena is full. */
static ref_t block_for(struct engine *eng, const struct key *k, size_t need, bool borrows) {
    bool serves = !borrows && same_class(eng, k, need);
    if (serves && !heap_frozen(&eng->arena, *k->place)) return *k->place;
    ref_t ref = heap_alloc(&eng->arena, OWN_ENTRY, need);
    return ref || !serves ? ref : *k->place;
}

/* Replaces the entry by the one of spec; `borrows`: spec points into the old entry. */
static status rewrite(struct engine *eng, struct key *k, const struct entry_spec *spec,
                      bool borrows) {
    DASSERT(share_may_change(&eng->arena));
    ref_t ref = block_for(eng, k, entry_spec_bytes(spec), borrows);
    if (!ref) return ST_ARENA_FULL;
    if (ref == *k->place) {
        count_entry(db_of(eng, k), k->entry, -1);
        entry_write(k->entry, spec);
    } else {
        struct entry *e = arena_ptr(&eng->arena, ref);
        entry_write(e, spec);
        count_entry(db_of(eng, k), k->entry, -1);
        heap_free(&eng->arena, *k->place);
        *k->place = ref;
        k->entry = e;
    }
    count_entry(db_of(eng, k), k->entry, 1);
    if (kind_marked(k->entry)) dict_mark(&eng->arena, &db_of(eng, k)->keys, k->hash);
    return ST_OK;
}

/* Puts the entry of spec in place of whatever is there and frees the old value. */
status key_put_quietly(struct engine *eng, struct key *k, const struct entry_spec *spec) {
    if (!k->entry) return insert_quietly(eng, k, spec);
    struct value old = entry_value(k->entry);
    status st = rewrite(eng, k, spec, false);
    if (st == ST_OK && old.root) value_free(eng, old, eng->config.lazyfree_lazy_server_del);
    return st;
}

/* The same, telling of a new key only. */
static status put(struct engine *eng, struct key *k, const struct entry_spec *spec,
                  enum value_type *was) {
    *was = k->entry ? entry_type(k->entry) : TYPE_NONE;
    return k->entry ? key_put_quietly(eng, k, spec) : insert_new(eng, k, spec);
}

void key_tell_replaced(struct engine *eng, const struct key *k, enum value_type was) {
    if (was == TYPE_NONE) return;
    engine_notify(eng, NOTIFY_OVERWRITTEN, "overwritten", k->name, k->db);
    if (entry_type(k->entry) != was)
        engine_notify(eng, NOTIFY_TYPE_CHANGED, "type_changed", k->name, k->db);
}

/* In the place of whatever is there, and tells so. */
static status put_and_tell(struct engine *eng, struct key *k, const struct entry_spec *spec) {
    enum value_type was;
    status st = put(eng, k, spec, &was);
    if (st == ST_OK) key_tell_replaced(eng, k, was);
    return st;
}

static uint64_t resolve_expiry(const struct key *k, uint64_t expiry) {
    if (expiry != EXPIRY_KEEP) return expiry;
    return k->entry ? entry_expiry(k->entry) : EXPIRY_NONE;
}

static uint32_t clock_for(struct engine *eng, const struct key *k) {
    if (!k->entry) return access_clock_new(eng);
    return k->untouched ? access_touched(eng, k->entry, true) : entry_clock(k->entry);
}

/* --- values that are not strings --- */

status key_add(struct engine *eng, struct key *k, const struct value *v) {
    struct entry_spec spec = { .key = k->name, .clock = access_clock_new(eng), .value = *v };
    return insert_new(eng, k, &spec);
}

void key_store(struct engine *eng, struct key *k, const struct value *v) {
    DASSERT(share_may_change(&eng->arena));
    ASSERT(!entry_tiny(k->entry) && entry_type(k->entry) == v->type);
    if (k->untouched) access_touch(eng, k->entry, true); /* its page is written to anyway */
    k->untouched = false;
    k->entry->rest[0] = (uint8_t)(v->enc << 4 | (k->entry->rest[0] & 0xf));
    store_u32(entry_tail(k->entry), v->root);
}

status key_replace(struct engine *eng, struct key *k, const struct value *v) {
    struct entry_spec spec = { .key = k->name, .clock = access_clock_new(eng), .value = *v };
    return put_and_tell(eng, k, &spec);
}

void key_set_field_ttl(struct engine *eng, struct key *k, bool on) {
    bool was = entry_flags(k->entry) & ENTRY_FIELD_TTL;
    if (was == on) return;
    k->entry->rest[0] ^= ENTRY_FIELD_TTL;
    db_of(eng, k)->field_ttl_keys += on ? 1u : (uint64_t)-1;
    if (on) dict_mark(&eng->arena, &db_of(eng, k)->keys, k->hash);
}

/* --- strings --- */

/* A fresh block {length, bytes} with room for `room` bytes; REF_NULL when the arena is full. */
static ref_t string_block(struct engine *eng, struct str bytes, size_t room) {
    ref_t root = heap_alloc(&eng->arena, OWN_STRING, 4 + room);
    if (!root) return REF_NULL;
    char *block = arena_ptr(&eng->arena, root);
    store_u32(block, (uint32_t)bytes.n);
    memcpy(block + 4, bytes.p, bytes.n);
    return root;
}

/* Overwrites a block of about the same size where it lies; no entry is rebuilt. */
static bool overwrite_block(struct engine *eng, struct key *k, struct str bytes, uint64_t expiry) {
    if (!k->entry || entry_type(k->entry) != TYPE_STRING || entry_encoding(k->entry) != ENC_RAW)
        return false;
    if (expiry != entry_expiry(k->entry) || entry_flags(k->entry) & ENTRY_PLAIN) return false;
    if (heap_frozen(&eng->arena, entry_root(k->entry))) return false;
    size_t usable = heap_usable(&eng->arena, entry_root(k->entry));
    if (4 + bytes.n > usable || 4 + bytes.n < usable - usable / 4) return false;
    char *block = arena_ptr(&eng->arena, entry_root(k->entry));
    store_u32(block, (uint32_t)bytes.n);
    memcpy(block + 4, bytes.p, bytes.n);
    engine_notify(eng, NOTIFY_OVERWRITTEN, "overwritten", k->name, k->db);
    return true;
}

/* `text`: never integer-encoded. */
static status set_bytes(struct engine *eng, struct key *k, struct str bytes, uint64_t expiry,
                        bool text) {
    struct entry_spec spec = { .key = k->name,
                               .expiry = resolve_expiry(k, expiry),
                               .clock = clock_for(eng, k),
                               .value = { .type = TYPE_STRING, .enc = ENC_INLINE },
                               .bytes = bytes };
    if (!text && bytes.n <= 20 && str_to_i64(bytes, &spec.integer)) {
        spec.value.enc = ENC_INT;
    } else if (bytes.n > ENTRY_INLINE_MAX) {
        if (overwrite_block(eng, k, bytes, spec.expiry)) return ST_OK;
        spec.value.enc = ENC_RAW;
        spec.value.root = string_block(eng, bytes, bytes.n);
        if (!spec.value.root) return ST_ARENA_FULL;
    }
    enum value_type was;
    status st = text ? put(eng, k, &spec, &was) : put_and_tell(eng, k, &spec);
    if (st != ST_OK && spec.value.root) heap_free(&eng->arena, spec.value.root);
    return st;
}

status key_set_string(struct engine *eng, struct key *k, struct str bytes, uint64_t expiry) {
    return set_bytes(eng, k, bytes, expiry, false);
}

status key_set_text(struct engine *eng, struct key *k, struct str bytes, uint64_t expiry) {
    return set_bytes(eng, k, bytes, expiry, true);
}

status key_fill_plain(struct engine *eng, struct key *k, size_t n, key_fill_fn fill, void *ctx) {
    char small[ENTRY_INLINE_MAX];
    struct entry_spec spec = { .key = k->name,
                               .clock = clock_for(eng, k),
                               .flags = ENTRY_PLAIN,
                               .value = { .type = TYPE_STRING, .enc = ENC_INLINE },
                               .bytes = { small, n } };
    if (n > ENTRY_INLINE_MAX) {
        spec.value.enc = ENC_RAW;
        spec.value.root = heap_alloc(&eng->arena, OWN_STRING, 4 + n);
        if (!spec.value.root) return ST_ARENA_FULL;
        char *block = arena_ptr(&eng->arena, spec.value.root);
        store_u32(block, (uint32_t)n);
        fill(ctx, block + 4, n);
    } else {
        fill(ctx, small, n);
    }
    status st = put_and_tell(eng, k, &spec);
    if (st != ST_OK && spec.value.root) heap_free(&eng->arena, spec.value.root);
    return st;
}

status key_set_integer(struct engine *eng, struct key *k, int64_t v, uint64_t expiry) {
    struct entry_spec spec = { .key = k->name,
                               .expiry = resolve_expiry(k, expiry),
                               .clock = clock_for(eng, k),
                               .value = { .type = TYPE_STRING, .enc = ENC_INT },
                               .integer = v };
    enum value_type was;
    return put(eng, k, &spec, &was);
}

/* Blocks that grow get slack, half their size up to 512 KiB, so that appending is amortised O(1).
 */
static size_t grown(size_t n) {
    return n + (n / 2 < (512u << 10) ? n / 2 : (512u << 10));
}

/* The string's bytes, moved into a full entry (n small) or a block of their own, with room for n.
 */
static status make_plain(struct engine *eng, struct key *k, struct str old, size_t n) {
    char small[ENTRY_INLINE_MAX] = { 0 };
    struct entry_spec spec = { .key = k->name,
                               .expiry = resolve_expiry(k, EXPIRY_KEEP),
                               .clock = clock_for(eng, k),
                               .flags = ENTRY_PLAIN,
                               .value = { .type = TYPE_STRING, .enc = ENC_INLINE } };
    if (n <= ENTRY_INLINE_MAX) {
        memcpy(small, old.p, old.n);
        spec.bytes = (struct str){ small, n };
    } else {
        spec.value.enc = ENC_RAW;
        spec.value.root = string_block(eng, old, k->entry ? grown(n) : n);
        if (!spec.value.root) return ST_ARENA_FULL;
    }
    status st = k->entry ? rewrite(eng, k, &spec, false) : insert_new(eng, k, &spec);
    if (st != ST_OK && spec.value.root) heap_free(&eng->arena, spec.value.root);
    return st;
}

static status grow_block(struct engine *eng, struct key *k, size_t n) {
    ref_t root = entry_root(k->entry);
    if (heap_usable(&eng->arena, root) < 4 + n) {
        root = heap_realloc(&eng->arena, root, 4 + grown(n));
        if (!root) return ST_ARENA_FULL;
        store_u32(entry_tail(k->entry), root);
    }
    k->entry->rest[0] |= ENTRY_PLAIN;
    return ST_OK;
}

status key_grow_string(struct engine *eng, struct key *k, size_t n, char **bytes) {
    char buf[24];
    struct str old = { "", 0 };
    if (k->entry) old = entry_string(&eng->arena, k->entry, buf);
    bool has_block = k->entry && entry_encoding(k->entry) == ENC_RAW;
    status st = has_block ? grow_block(eng, k, n) : make_plain(eng, k, old, n);
    if (st != ST_OK) return st;
    if (entry_encoding(k->entry) == ENC_INLINE) {
        *bytes = (char *)entry_tail(k->entry) + 2;
        return ST_OK;
    }
    char *block = arena_ptr(&eng->arena, entry_root(k->entry));
    memset(block + 4 + old.n, 0, n - old.n);
    store_u32(block, (uint32_t)n);
    *bytes = block + 4;
    return ST_OK;
}

void key_cut_string(struct engine *eng, struct key *k, size_t n) {
    DASSERT(share_may_change(&eng->arena));
    if (entry_encoding(k->entry) == ENC_RAW)
        store_u32(arena_ptr(&eng->arena, entry_root(k->entry)), (uint32_t)n);
    else
        store_u16(entry_tail(k->entry), (uint16_t)n);
}

/* --- existence and time --- */

void value_free(struct engine *eng, struct value v, bool lazy) {
    if (!v.root) return;
    const struct type_ops *type = type_of(v.type);
    uint64_t effort = type->effort(&eng->arena, &v);
    if (effort > EAGER_FREE_MAX || (lazy && effort > LAZYFREE_THRESHOLD)) {
        lazyfree_value(eng, v);
        return;
    }
    while (!type->free_some(&eng->arena, &v, EAGER_FREE_MAX)) {
    }
}

/* Takes the entry out of its table and frees it; the value is the caller's. */
static void unlink_entry(struct engine *eng, struct key *k) {
    DASSERT(share_may_change(&eng->arena));
    ref_t ref = *k->place;
    count_entry(db_of(eng, k), k->entry, -1);
    dict_remove(&eng->arena, &keyspace_kind, &db_of(eng, k)->keys, k->place, k->hash);
    heap_free(&eng->arena, ref);
    k->place = NULL;
    k->entry = NULL;
}

void key_delete(struct engine *eng, struct key *k, bool lazy) {
    struct value v = entry_value(k->entry);
    unlink_entry(eng, k);
    value_free(eng, v, lazy);
}

void key_remove(struct engine *eng, struct key *k, bool lazy, const struct key_end *end) {
    uint64_t begun_us = latency_begin(eng);
    share_begin(&eng->arena); /* reads come here, too */
    key_delete(eng, k, lazy);
    share_end(&eng->arena);
    latency_end(eng, end->latency, begun_us);
    struct str argv[2] = { lazy ? STR("UNLINK") : STR("DEL"), k->name };
    engine_propagate(eng, k->db, 2, argv);
    engine_notify(eng, end->notify, end->event, k->name, k->db);
    engine_modified(eng, k->name, k->db);
}

status key_set_expiry(struct engine *eng, struct key *k, uint64_t expiry) {
    if (entry_volatile(k->entry) && expiry) {
        store_u48(k->entry->rest + entry_body_offset(k->entry), expiry);
        return ST_OK;
    }
    if (!entry_volatile(k->entry) && !expiry) return ST_OK;
    struct entry_spec spec = entry_read(k->entry);
    spec.expiry = expiry;
    return rewrite(eng, k, &spec, true);
}

/* To RENAME and COPY the target is a new key, whatever was there. */
static status put_as_new(struct engine *eng, struct key *k, const struct entry_spec *spec,
                         enum value_type *was) {
    status st = put(eng, k, spec, was);
    if (st == ST_OK && *was != TYPE_NONE) engine_notify(eng, NOTIFY_NEW, "new", k->name, k->db);
    return st;
}

status key_move(struct engine *eng, struct key *from, struct key *to, enum value_type *was) {
    struct entry_spec spec = entry_read(from->entry);
    spec.key = to->name;
    status st = put_as_new(eng, to, &spec, was);
    if (st != ST_OK) return st;
    const struct dict *keys = &db_of(eng, from)->keys;
    from->place = dict_find(&eng->arena, &keyspace_kind, keys, from->name, from->hash);
    unlink_entry(eng, from);
    const struct dict *to_keys = &db_of(eng, to)->keys;
    to->place = dict_find(&eng->arena, &keyspace_kind, to_keys, to->name, to->hash);
    return ST_OK;
}

/* What an entry, perhaps of another arena, is under another name, with a copy of its value. */
static status copy_spec(struct engine *eng, const struct arena *from, const struct entry *e,
                        struct str name, struct entry_spec *spec) {
    struct value copy;
    *spec = entry_read(e);
    status st = type_of(spec->value.type)->copy(&eng->arena, from, &spec->value, &copy);
    if (st != ST_OK) return st;
    spec->key = name;
    spec->value = copy;
    return ST_OK;
}

status key_copy(struct engine *eng, const struct key *from, struct key *to, enum value_type *was) {
    struct entry_spec spec;
    status st = copy_spec(eng, &eng->arena, from->entry, to->name, &spec);
    if (st != ST_OK) return st;
    st = put_as_new(eng, to, &spec, was);
    if (st != ST_OK) value_free(eng, spec.value, false);
    return st;
}

status key_import(struct engine *eng, const struct arena *from, const struct entry *e,
                  struct key *to) {
    struct entry_spec spec;
    status st = copy_spec(eng, from, e, to->name, &spec);
    if (st != ST_OK) return st;
    st = key_put_quietly(eng, to, &spec);
    if (st != ST_OK) value_free(eng, spec.value, false);
    return st;
}

/* --- whole databases --- */

uint64_t keyspace_count(const struct engine *eng, int db) {
    return engine_db(eng, db)->keys.count;
}

uint64_t keyspace_total(const struct engine *eng) {
    uint64_t n = 0;
    for (int db = 0; db < eng->databases; db++) n += keyspace_count(eng, db);
    return n;
}

#define RANDOM_TRIES 100

/* Looks up a key by its name in the arena, which goes when it has expired. */
static struct entry *find_drawn(struct engine *eng, int db, struct str name, struct key *k) {
    char *copy = malloc(name.n + 1);
    ASSERT(copy);
    memcpy(copy, name.p, name.n);
    key_find(eng, db, (struct str){ copy, name.n }, KEY_PEEK, k);
    if (k->entry) k->name = entry_key(k->entry);
    free(copy);
    return k->entry;
}

struct entry *keyspace_random(struct engine *eng, int db, struct key *k) {
    *k = (struct key){ .db = db };
    for (int i = 0; i < RANDOM_TRIES; i++) {
        ref_t ref = dict_random(&eng->arena, &engine_db(eng, db)->keys, engine_random, eng);
        if (!ref) return NULL;
        if (find_drawn(eng, db, entry_key(arena_ptr(&eng->arena, ref)), k)) return k->entry;
    }
    return NULL;
}

void keyspace_flush(struct engine *eng, int db, bool lazy) {
    struct db *d = engine_db(eng, db);
    if (!d->keys.count) return;
    if (eng->hooks.replacing) eng->hooks.replacing(eng, db, -1);
    lazyfree_table(eng, &d->keys);
    *d = (struct db){ 0 };
    if (!lazy) {
        while (!lazyfree_run(eng, UINT64_MAX / 2)) {
        }
    }
}

void keyspace_swap(struct engine *eng, int a, int b) {
    if (eng->hooks.replacing) {
        eng->hooks.replacing(eng, a, b);
        eng->hooks.replacing(eng, b, a);
    }
    struct db tmp = *engine_db(eng, a);
    *engine_db(eng, a) = *engine_db(eng, b);
    *engine_db(eng, b) = tmp;
}

status keyspace_create(struct engine *eng, int databases) {
    size_t bytes = sizeof(struct db) * (size_t)databases;
    ref_t root = heap_alloc(&eng->arena, OWN_SYSTEM, bytes);
    if (!root) return ST_ARENA_FULL;
    memset(arena_ptr(&eng->arena, root), 0, bytes);
    arena_super(&eng->arena)->roots[ROOT_DATABASES] = root;
    arena_super(&eng->arena)->databases = (uint32_t)databases;
    arena_stamp(&eng->arena);
    eng->databases = databases;
    return lazyfree_reserve(eng);
}

/* Whether the roots refer to live blocks of the size that they should have. */
static bool roots_hold(const struct arena *a) {
    const struct arena_super *super = arena_super(a);
    return super->databases > 0 && super->databases <= INT32_MAX / sizeof(struct db) &&
           heap_holds(a, super->roots[ROOT_DATABASES], super->databases * sizeof(struct db)) &&
           super->roots[ROOT_LAZY] == super->roots[ROOT_LAZY_AGAIN] &&
           (!super->roots[ROOT_LAZY] || heap_holds(a, super->roots[ROOT_LAZY], 1));
}

static status add_databases(struct engine *eng, int databases) {
    struct arena_super *super = arena_super(&eng->arena);
    size_t have = super->databases * sizeof(struct db);
    size_t want = (size_t)databases * sizeof(struct db);
    if (want <= have) return ST_OK;
    ref_t root = heap_realloc(&eng->arena, super->roots[ROOT_DATABASES], want);
    if (!root) return ST_ARENA_FULL;
    memset((char *)arena_ptr(&eng->arena, root) + have, 0, want - have);
    super->roots[ROOT_DATABASES] = root;
    super->databases = (uint32_t)databases;
    arena_stamp(&eng->arena);
    return ST_OK;
}

status keyspace_attach(struct engine *eng, int databases) {
    if (!roots_hold(&eng->arena)) return ST_SHM_FORMAT;
    arena_enter(&eng->arena);
    status st = add_databases(eng, databases);
    arena_leave(&eng->arena);
    if (st != ST_OK) return st;
    eng->databases = databases;
    lazyfree_attach(eng);
    return ST_OK;
}

/* Every entry is sound, and the counters are the sums over the entries. */
static void check_db(const struct engine *eng, int index) {
    const struct db *db = engine_db(eng, index);
    dict_check(&eng->arena, &keyspace_kind, &db->keys);
    uint64_t keys = 0, volatile_keys = 0, field_ttl_keys = 0;
    struct dict_iter it = { 0 };
    for (ref_t ref; (ref = dict_next(&eng->arena, &db->keys, &it)); keys++) {
        const struct entry *e = arena_ptr(&eng->arena, ref);
        struct value v = entry_value(e);
        ASSERT(entry_bytes(e) <= heap_usable(&eng->arena, ref));
        volatile_keys += entry_volatile(e);
        field_ttl_keys += (entry_flags(e) & ENTRY_FIELD_TTL) != 0;
        if (v.root) type_of(v.type)->check(&eng->arena, &v);
    }
    ASSERT(keys == db->keys.count);
    ASSERT(volatile_keys == db->volatile_keys);
    ASSERT(field_ttl_keys == db->field_ttl_keys);
}

void keyspace_check(const struct engine *eng) {
    for (int i = 0; i < eng->databases; i++) check_db(eng, i);
}
