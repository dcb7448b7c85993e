/* type_hash.c - hashes over their three encodings, and conversions between them. */
#include "db/type_hash.h"

#include "db/digest.h"
#include "db/hash_item.h"
#include "db/hash_pack.h"
#include "db/item_table.h"
#include "ds/listpack.h"
#include "ds/sample.h"

static struct hash_table *table_of(const struct arena *a, const struct value *v) {
    return arena_ptr(a, v->root);
}

static bool alive(const struct hash_field *f, uint64_t now_ms) {
    return !f->expiry || f->expiry > now_ms;
}

static void from_item(const struct hash_item *item, struct hash_field *out) {
    out->name = item->name;
    out->value = item->value;
    out->expiry = item->expiry;
}

status hash_create(struct arena *a, struct value *v) {
    ref_t root = heap_alloc(a, OWN_HASH, LP_EMPTY_BYTES);
    if (!root) return ST_ARENA_FULL;
    lp_init(arena_ptr(a, root));
    *v = (struct value){ .type = TYPE_HASH, .enc = ENC_LISTPACK, .root = root };
    return ST_OK;
}

status hash_create_template(struct arena *a, struct value *v) {
    status st = hash_create(a, v);
    v->enc = ENC_TEMPLATE;
    return st;
}

uint64_t hash_length(const struct arena *a, const struct value *v) {
    if (v->enc == ENC_HASHTABLE) return table_of(a, v)->fields.count;
    return lp_length(arena_ptr(a, v->root)) / (v->enc == ENC_LISTPACKEX ? 3 : 2);
}

bool hash_find(const struct arena *a, const struct value *v, struct str name,
               struct hash_field *out) {
    if (v->enc != ENC_HASHTABLE) return pack_find(a, v, name, out);
    struct hash_item item;
    if (!hash_table_find(a, table_of(a, v), name, &item)) return false;
    from_item(&item, out);
    return true;
}

bool hash_get(const struct arena *a, const struct value *v, struct str name, uint64_t now_ms,
              struct hash_field *out) {
    return hash_find(a, v, name, out) && alive(out, now_ms);
}

/* --- conversion --- */

static void drop_item(void *ctx, ref_t item) {
    heap_free(ctx, item);
}

static void free_table(struct arena *a, ref_t root) {
    struct hash_table *t = arena_ptr(a, root);
    while (!dict_free_some(a, &t->fields, SIZE_MAX, drop_item, a)) {
    }
    heap_free(a, root);
}

static ref_t new_table(struct arena *a) {
    ref_t root = heap_alloc(a, OWN_HASH, sizeof(struct hash_table));
    if (root) memset(arena_ptr(a, root), 0, sizeof(struct hash_table));
    return root;
}

static status to_table(struct arena *a, struct value *v) {
    ref_t root = new_table(a);
    if (!root) return ST_ARENA_FULL;
    struct hash_table *t = arena_ptr(a, root);
    uint8_t *p = NULL;
    struct hash_field f;
    while (pack_next(a, v, &p, &f)) {
        bool created;
        struct hash_item item = { f.name, f.value, f.expiry };
        status st = hash_table_put(a, t, &item, &created);
        if (st == ST_OK) continue;
        free_table(a, root);
        return st;
    }
    heap_free(a, v->root);
    v->root = root;
    v->enc = ENC_HASHTABLE;
    return ST_OK;
}

status hash_reserve(struct engine *eng, struct value *v, size_t fields, size_t longest) {
    if (v->enc == ENC_HASHTABLE) return ST_OK;
    bool fits = (int64_t)longest <= eng->config.hash_max_listpack_value &&
                (int64_t)fields <= eng->config.hash_max_listpack_entries;
    return fits ? ST_OK : to_table(&eng->arena, v);
}

void hash_expect(struct arena *a, const struct value *v, uint64_t fields) {
    if (v->enc == ENC_HASHTABLE) dict_expect(a, &table_of(a, v)->fields, fields);
}

/* --- changing --- */

static status put(struct arena *a, struct value *v, struct str name, struct str value,
                  uint64_t expiry) {
    bool created;
    struct hash_item item = { name, value, expiry };
    if (v->enc == ENC_HASHTABLE) return hash_table_put(a, table_of(a, v), &item, &created);
    if (expiry && v->enc != ENC_LISTPACKEX) {
        status st = pack_add_expiries(a, v);
        if (st != ST_OK) return st;
    }
    return pack_put(a, v, name, value, expiry);
}

status hash_set(struct engine *eng, struct value *v, struct str name, struct str value,
                uint64_t expiry, bool *created) {
    struct hash_field old;
    bool there = hash_find(&eng->arena, v, name, &old);
    *created = !there;
    if (expiry == HASH_KEEP_EXPIRY) expiry = there ? old.expiry : 0;
    size_t longest = name.n > value.n ? name.n : value.n;
    size_t after = (size_t)hash_length(&eng->arena, v) + !there;
    status st = hash_reserve(eng, v, after, longest);
    return st == ST_OK ? put(&eng->arena, v, name, value, expiry) : st;
}

status hash_set_expiry(struct engine *eng, struct value *v, struct str name, uint64_t expiry) {
    struct hash_field f;
    if (!hash_find(&eng->arena, v, name, &f)) return ST_NOT_FOUND;
    if (f.expiry == expiry && !(expiry && v->enc == ENC_LISTPACKEX)) return ST_OK;
    status st = hash_admit_expiries(&eng->arena, v);
    if (st != ST_OK) return st;
    if (v->enc == ENC_LISTPACKEX) return pack_set_expiry(&eng->arena, v, name, expiry);
    return put(&eng->arena, v, name, f.value, expiry);
}

status hash_admit_expiries(struct arena *a, struct value *v) {
    bool admits = v->enc == ENC_LISTPACKEX || v->enc == ENC_HASHTABLE;
    return admits ? ST_OK : pack_add_expiries(a, v);
}

bool hash_delete(struct arena *a, struct value *v, struct str name) {
    if (v->enc == ENC_HASHTABLE) return hash_table_delete(a, table_of(a, v), name);
    return pack_delete(a, v, name);
}

/* --- visiting --- */

struct visit {
    const struct arena *a;
    uint64_t now_ms;
    hash_visit_fn fn;
    void *ctx;
};

static bool visit_item(const struct visit *w, ref_t ref) {
    struct hash_item item = hash_item_read(arena_ptr(w->a, ref));
    struct hash_field f;
    from_item(&item, &f);
    return !alive(&f, w->now_ms) || w->fn(w->ctx, &f);
}

void hash_each(const struct arena *a, const struct value *v, uint64_t now_ms, hash_visit_fn fn,
               void *ctx) {
    struct visit w = { a, now_ms, fn, ctx };
    if (v->enc == ENC_HASHTABLE) {
        struct dict_iter it = { 0 };
        for (ref_t r; (r = dict_next(a, &table_of(a, v)->fields, &it)) && visit_item(&w, r);) {
        }
        return;
    }
    uint8_t *p = NULL;
    struct hash_field f;
    while (pack_next(a, v, &p, &f))
        if (alive(&f, now_ms) && !fn(ctx, &f)) return;
}

static void scan_item(void *ctx, ref_t *place) {
    visit_item(ctx, *place);
}

uint64_t hash_scan(struct arena *a, const struct value *v, uint64_t cursor, size_t count,
                   uint64_t now_ms, hash_visit_fn fn, void *ctx) {
    if (v->enc == ENC_HASHTABLE) {
        struct visit w = { a, now_ms, fn, ctx };
        return dict_scan(a, &table_of(a, v)->fields, cursor, count, scan_item, &w);
    }
    hash_each(a, v, now_ms, fn, ctx);
    return 0;
}

static void random_of_table(struct engine *eng, const struct value *v, size_t want, bool repeat,
                            const struct visit *w) {
    const struct dict *d = &table_of(&eng->arena, v)->fields;
    if (repeat) {
        while (want--) visit_item(w, dict_random(&eng->arena, d, engine_random, eng));
        return;
    }
    if (want > d->count) want = (size_t)d->count;
    ref_t *picked = malloc((want + 1) * sizeof *picked);
    ASSERT(picked);
    size_t n = dict_sample(&eng->arena, d, want, engine_random, eng, picked);
    for (size_t i = 0; i < n; i++) visit_item(w, picked[i]);
    free(picked);
}

/* Field by field in their order, so that many of a small hash come out as they lie. */
static void random_of_pack(struct engine *eng, const struct value *v, size_t want, bool repeat,
                           const struct visit *w) {
    size_t n = (size_t)hash_length(&eng->arena, v);
    struct hash_field f;
    if (repeat) {
        while (want--) {
            pack_at(&eng->arena, v, sample_below(n, engine_random, eng), &f);
            if (alive(&f, w->now_ms)) w->fn(w->ctx, &f);
        }
        return;
    }
    size_t *picked = malloc((n + 1) * sizeof *picked);
    ASSERT(picked);
    size_t k = sample_indexes(n, want, engine_random, eng, picked);
    for (size_t i = 0; i < k; i++) {
        pack_at(&eng->arena, v, picked[i], &f);
        if (alive(&f, w->now_ms)) w->fn(w->ctx, &f);
    }
    free(picked);
}

void hash_random(struct engine *eng, const struct value *v, size_t want, bool repeat,
                 hash_visit_fn fn, void *ctx) {
    struct visit w = { &eng->arena, eng->now_ms, fn, ctx };
    if (v->enc == ENC_HASHTABLE)
        random_of_table(eng, v, want, repeat, &w);
    else
        random_of_pack(eng, v, want, repeat, &w);
}

/* --- field expiry --- */

uint64_t hash_next_expiry(const struct arena *a, const struct value *v) {
    if (v->enc == ENC_HASHTABLE) return table_of(a, v)->earliest;
    struct hash_field f;
    return v->enc == ENC_LISTPACKEX && pack_at(a, v, 0, &f) ? f.expiry : 0;
}

#define DUE_MAX 128u

struct due {
    const struct arena *a;
    uint64_t now_ms, earliest;
    size_t n, max;
    ref_t items[DUE_MAX];
};

static void note_due(void *ctx, ref_t *place) {
    struct due *d = ctx;
    uint64_t expiry = hash_item_read(arena_ptr(d->a, *place)).expiry;
    if (!expiry) return;
    bool due = expiry <= d->now_ms;
    if (due && d->n < d->max)
        d->items[d->n++] = *place;
    else if (!d->earliest || expiry < d->earliest)
        d->earliest = expiry;
}

/* Fields that have expired: logged one by one, told of together. */
struct expired {
    struct engine *eng;
    struct str key;
    int db;
    struct str *names; /* malloc, as their bytes; none if nobody hears of them */
    size_t n, cap;
};

/* Takes the copy of a name. */
static void note_expired(struct expired *x, struct str name) {
    struct str argv[3] = { STR("HDEL"), x->key, name };
    engine_propagate(x->eng, x->db, 3, argv);
    if (!engine_tells_fields(x->eng)) {
        free((char *)(uintptr_t)name.p);
        return;
    }
    if (x->n == x->cap) {
        x->cap = x->cap ? 2 * x->cap : 16;
        x->names = realloc(x->names, x->cap * sizeof *x->names);
        ASSERT(x->names);
    }
    x->names[x->n++] = name;
}

static void tell_expired(struct expired *x) {
    const struct field_list fields = { x->names, x->n, 1 };
    engine_notify_fields(x->eng, "hexpired", x->key, x->db, &fields);
    for (size_t i = 0; i < x->n; i++) free((char *)(uintptr_t)x->names[i].p);
    free(x->names);
}

static struct str copy_name(struct str name) {
    char *copy = malloc(name.n + 1);
    ASSERT(copy);
    memcpy(copy, name.p, name.n);
    return (struct str){ copy, name.n };
}

/* One sweep over the marked buckets; deletes what it noted. */
static size_t expire_table(struct expired *x, struct value *v, size_t budget) {
    struct engine *eng = x->eng;
    struct hash_table *t = table_of(&eng->arena, v);
    struct due d = { .a = &eng->arena, .now_ms = eng->now_ms };
    d.max = budget < DUE_MAX ? budget : DUE_MAX;
    uint64_t cursor = 0;
    do {
        cursor =
            dict_scan_marked(&eng->arena, &hash_kind, &t->fields, cursor, SIZE_MAX, note_due, &d);
    } while (cursor);
    for (size_t i = 0; i < d.n; i++) {
        struct str name = copy_name(hash_item_read(arena_ptr(&eng->arena, d.items[i])).name);
        hash_table_delete(&eng->arena, t, name);
        note_expired(x, name);
    }
    if (t->volatile_fields) t->earliest = d.earliest;
    return d.n;
}

static size_t expire_pack(struct expired *x, struct value *v, size_t budget) {
    struct engine *eng = x->eng;
    size_t n = 0;
    struct hash_field f;
    while (n < budget && pack_at(&eng->arena, v, 0, &f) && f.expiry && f.expiry <= eng->now_ms) {
        struct str name = copy_name(f.name);
        pack_delete(&eng->arena, v, name);
        note_expired(x, name);
        n++;
    }
    return n;
}

static size_t hash_expire_fields(struct engine *eng, int db, struct str key, struct value *v,
                                 size_t budget) {
    struct expired x = { .eng = eng, .key = key, .db = db };
    size_t total = 0, n;
    do {
        n = v->enc == ENC_HASHTABLE ? expire_table(&x, v, budget - total)
                                    : expire_pack(&x, v, budget - total);
        total += n;
    } while (n && total < budget);
    if (total) tell_expired(&x);
    return total;
}

void hash_expire_field(struct engine *eng, int db, struct str key, struct value *v,
                       struct str name) {
    struct expired x = { .eng = eng, .key = key, .db = db };
    hash_delete(&eng->arena, v, name);
    note_expired(&x, copy_name(name));
    tell_expired(&x);
}

/* --- the type --- */

static bool hash_free_some(struct arena *a, struct value *v, size_t budget) {
    if (v->enc == ENC_HASHTABLE) {
        struct hash_table *t = table_of(a, v);
        if (!dict_free_some(a, &t->fields, budget / 8 + 1, drop_item, a)) return false;
    }
    heap_free(a, v->root);
    v->root = REF_NULL;
    return true;
}

static uint64_t hash_effort(const struct arena *a, const struct value *v) {
    return v->enc == ENC_HASHTABLE ? table_of(a, v)->fields.count : 1;
}

static status copy_table(struct arena *to, const struct arena *from, const struct value *v,
                         struct value *dst) {
    ref_t root = new_table(to);
    if (!root) return ST_ARENA_FULL;
    struct dict_iter it = { 0 };
    for (ref_t r; (r = dict_next(from, &table_of(from, v)->fields, &it));) {
        bool created;
        struct hash_item item = hash_item_read(arena_ptr(from, r));
        status st = hash_table_put(to, arena_ptr(to, root), &item, &created);
        if (st == ST_OK) continue;
        free_table(to, root);
        return st;
    }
    *dst = (struct value){ v->type, v->enc, root };
    return ST_OK;
}

static status hash_copy(struct arena *to, const struct arena *from, const struct value *v,
                        struct value *dst) {
    if (v->enc == ENC_HASHTABLE) return copy_table(to, from, v, dst);
    size_t n = lp_bytes(arena_ptr(from, v->root));
    ref_t root = heap_alloc(to, OWN_HASH, n);
    if (!root) return ST_ARENA_FULL;
    memcpy(arena_ptr(to, root), arena_ptr(from, v->root), n);
    *dst = (struct value){ v->type, v->enc, root };
    return ST_OK;
}

static size_t hash_memory(const struct arena *a, const struct value *v, size_t samples) {
    size_t bytes = heap_usable(a, v->root);
    return v->enc == ENC_HASHTABLE ? bytes + items_memory(a, &table_of(a, v)->fields, samples)
                                   : bytes;
}

static void hash_relocate(struct arena *a, struct value *v, uint64_t *cursor, size_t budget) {
    if (*cursor == 0) items_move_ref(a, &v->root);
    if (v->enc == ENC_HASHTABLE)
        items_relocate(a, &table_of(a, v)->fields, cursor, budget);
    else
        *cursor = 0;
}

struct digest_walk {
    struct digest *sum;
};

static bool digest_field(void *ctx, const struct hash_field *f) {
    struct digest one;
    digest_init(&one);
    digest_mix(&one, f->name.p, f->name.n);
    digest_mix(&one, f->value.p, f->value.n);
    if (f->expiry) digest_xor(&one, "!!hexpire!!", 11);
    digest_xor(((struct digest_walk *)ctx)->sum, one.sum, DIGEST_BYTES);
    return true;
}

static void hash_digest(const struct arena *a, const struct value *v, struct digest *d) {
    struct digest_walk w = { d };
    hash_each(a, v, 0, digest_field, &w);
}

static void hash_check(const struct arena *a, const struct value *v) {
    if (v->enc != ENC_HASHTABLE) {
        lp_check(arena_ptr(a, v->root));
        ASSERT(lp_bytes(arena_ptr(a, v->root)) <= heap_usable(a, v->root));
        return;
    }
    const struct hash_table *t = table_of(a, v);
    uint64_t volatile_fields = 0;
    dict_check(a, &hash_kind, &t->fields);
    struct dict_iter it = { 0 };
    for (ref_t r; (r = dict_next(a, &t->fields, &it));) {
        struct hash_item item = hash_item_read(arena_ptr(a, r));
        volatile_fields += item.expiry != 0;
        ASSERT(hash_item_bytes(&item) <= heap_usable(a, r));
        ASSERT(!item.expiry || (t->earliest && t->earliest <= item.expiry));
    }
    ASSERT(volatile_fields == t->volatile_fields);
}

const struct type_ops hash_type = {
    .id = TYPE_HASH,
    .name = "hash",
    .free_some = hash_free_some,
    .effort = hash_effort,
    .copy = hash_copy,
    .length = hash_length,
    .memory = hash_memory,
    .relocate = hash_relocate,
    .digest = hash_digest,
    .check = hash_check,
    .next_field_expiry = hash_next_expiry,
    .expire_fields = hash_expire_fields,
};
