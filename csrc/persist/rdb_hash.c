/* rdb_hash.c - hashes in files, with and without expiring fields. */
#include "db/hash_item.h"
#include "db/keyspace.h"
#include "db/type_hash.h"
#include "ds/listpack.h"
#include "mem/number.h"
#include "persist/pack.h"
#include "persist/template.h"
#include "persist/rdb_codec.h"

#define FIELD_EXPIRY_MAX ((UINT64_C(1) << 48) - 1)

static bool has_expiries(const struct arena *a, const struct value *v) {
    if (v->enc != ENC_HASHTABLE) return hash_next_expiry(a, v) != 0;
    return ((const struct hash_table *)arena_ptr(a, v->root))->volatile_fields > 0;
}

/* Triples none of which expires are saved as pairs: any reader knows these. */
static uint8_t hash_type_byte(const struct arena *a, const struct entry *e) {
    struct value v = entry_value(e);
    switch (v.enc) {
    case ENC_HASHTABLE: return has_expiries(a, &v) ? RDB_HASH_FIELDS : RDB_HASH;
    case ENC_LISTPACKEX: return has_expiries(a, &v) ? RDB_HASH_PACK_FIELDS : RDB_HASH;
    default: return RDB_HASH_LISTPACK;
    }
}

/* --- saving --- */

struct saving {
    struct rdb_writer *w;
    bool fields; /* each field is led by its expiry: 1 more than its distance to the earliest */
    uint64_t earliest;
};

static bool find_earliest(void *ctx, const struct hash_field *f) {
    uint64_t *earliest = ctx;
    if (f->expiry && f->expiry < *earliest) *earliest = f->expiry;
    return true;
}

static bool put_field(void *ctx, const struct hash_field *f) {
    const struct saving *s = ctx;
    if (s->fields) rdb_put_length(s->w, f->expiry ? f->expiry - s->earliest + 1 : 0);
    rdb_put_string(s->w, f->name);
    rdb_put_string(s->w, f->value);
    return true;
}

static void save_fields(const struct arena *a, const struct value *v, struct rdb_writer *w,
                        bool with_expiries) {
    struct saving s = { .w = w, .fields = with_expiries, .earliest = UINT64_MAX };
    if (with_expiries) {
        hash_each(a, v, 0, find_earliest, &s.earliest);
        rdb_put_u64(w, s.earliest);
    }
    rdb_put_length(w, hash_length(a, v));
    hash_each(a, v, 0, put_field, &s);
}

static void hash_save(const struct arena *a, const struct entry *e, struct rdb_writer *w) {
    struct value v = entry_value(e);
    uint8_t type_byte = hash_type_byte(a, e);
    if (type_byte == RDB_HASH || type_byte == RDB_HASH_FIELDS) {
        save_fields(a, &v, w, type_byte == RDB_HASH_FIELDS);
        return;
    }
    const uint8_t *lp = arena_ptr(a, v.root);
    if (type_byte == RDB_HASH_PACK_FIELDS) rdb_put_u64(w, hash_next_expiry(a, &v));
    rdb_put_string(w, (struct str){ (const char *)lp, lp_bytes(lp) });
}

/* --- rewriting --- */

static struct str keep(struct rewriter *out, struct str s) {
    if (s.n >= 24) return s; /* shorter ones may be the visit's own text of an integer */
    memcpy(rewrite_text(out), s.p, s.n);
    return (struct str){ rewrite_text(out), s.n };
}

static bool rewrite_field(void *ctx, const struct hash_field *f) {
    struct rewriter *out = ctx;
    rewrite_add(out, keep(out, f->name));
    rewrite_add(out, keep(out, f->value));
    return true;
}

struct expiring {
    struct rewriter *out;
    struct str key;
};

static bool rewrite_expiry(void *ctx, const struct hash_field *f) {
    const struct expiring *x = ctx;
    char text[24];
    if (!f->expiry) return true;
    struct str time = { text, i64_to_text(text, (int64_t)f->expiry) };
    struct str argv[6] = { STR("HPEXPIREAT"), x->key, time, STR("FIELDS"), STR("1"), f->name };
    rewrite_command(x->out, 6, argv);
    return true;
}

static void hash_rewrite(const struct arena *a, const struct entry *e, struct rewriter *out) {
    struct value v = entry_value(e);
    rewrite_begin(out, STR("HMSET"), entry_key(e), 2);
    hash_each(a, &v, 0, rewrite_field, out);
    rewrite_end(out);
    struct expiring x = { out, entry_key(e) };
    if (has_expiries(a, &v)) hash_each(a, &v, 0, rewrite_expiry, &x);
}

/* --- loading: field by field --- */

static bool full(struct rdb_reader *r) {
    return source_fail(r->src, SOURCE_FULL, "The arena is full");
}

static bool put(struct rdb_reader *r, struct engine *eng, struct value *v, struct str name,
                struct str value, uint64_t expiry) {
    bool created;
    if (expiry > FIELD_EXPIRY_MAX) return rdb_bad(r, "A field expires too late");
    if (v->enc == ENC_HASHTABLE) {
        struct hash_item item = { name, value, expiry };
        struct hash_table *t = arena_ptr(&eng->arena, v->root);
        if (hash_table_put(&eng->arena, t, &item, &created) != ST_OK) return full(r);
    } else {
        uint64_t before = hash_length(&eng->arena, v);
        if (hash_set(eng, v, name, value, expiry, &created) != ST_OK) return full(r);
        created = hash_length(&eng->arena, v) > before;
    }
    return created || rdb_bad(r, "Duplicate hash fields detected");
}

/* How a field's expiry is written. */
enum expiry_form { TIME_NONE, TIME_ABSOLUTE, TIME_DISTANCE, TIME_BEHIND };

static enum expiry_form form_of(const struct rdb_reader *r, uint8_t type_byte) {
    if (type_byte == RDB_HASH) return TIME_NONE;
    if (type_byte == RDB_HASH_FIELDS) return TIME_DISTANCE;
    return r->version >= RDB_VALKEY ? TIME_BEHIND : TIME_ABSOLUTE;
}

static bool load_field(struct rdb_reader *r, struct engine *eng, enum expiry_form form,
                       uint64_t earliest, struct value *v) {
    struct str name, value;
    uint64_t expiry = 0;
    bool leads = form == TIME_ABSOLUTE || form == TIME_DISTANCE;
    if (leads && !rdb_get_length(r, &expiry)) return false;
    if (form == TIME_DISTANCE && expiry) {
        if (expiry > FIELD_EXPIRY_MAX || earliest > FIELD_EXPIRY_MAX)
            return rdb_bad(r, "A field expires too late");
        expiry += earliest - 1;
    }
    if (!rdb_get_string(r, RDB_PLACE_FIELD, &name)) return false;
    if (form != TIME_BEHIND)
        return rdb_get_string(r, RDB_PLACE_VALUE, &value) && put(r, eng, v, name, value, expiry);
    /* The expiry comes behind the value, which therefore needs a place of its own. */
    if (!rdb_get_string(r, RDB_PLACE_LATER, &value) || !rdb_get_u64(r, &expiry)) return false;
    return put(r, eng, v, name, value, expiry == UINT64_MAX ? 0 : expiry);
}

static bool load_fields(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                        struct value *v) {
    enum expiry_form form = form_of(r, type_byte);
    uint64_t n, earliest = 0;
    if (form == TIME_DISTANCE && !rdb_get_u64(r, &earliest)) return false;
    if (!rdb_get_length(r, &n)) return false;
    if (n == 0) return source_fail(r->src, SOURCE_EMPTY, "A value without elements");
    size_t fields = (size_t)rdb_possible(r, n, 2);
    if (hash_create(&eng->arena, v) != ST_OK || hash_reserve(eng, v, fields, 0) != ST_OK)
        return full(r);
    hash_expect(&eng->arena, v, fields);
    for (uint64_t i = 0; i < n; i++)
        if (!load_field(r, eng, form, earliest, v)) return false;
    return true;
}

/* --- loading: listpacks --- */

static const struct pack_shape pairs = { .owner = OWN_HASH, .width = 2, .unique = 1 };
static const struct pack_shape triples = { .owner = OWN_HASH, .width = 3, .unique = 1 };

/* Whether each third element is a time; *ordered: as ENC_LISTPACKEX has them. */
static bool times_valid(uint8_t *lp, bool *ordered) {
    uint64_t last = 0;
    *ordered = true;
    for (uint8_t *p = lp_first(lp); p; p = lp_next(lp, p)) {
        p = lp_next(lp, lp_next(lp, p));
        struct lp_value t = lp_get(p);
        if (t.s.p || t.integer < 0 || (uint64_t)t.integer > FIELD_EXPIRY_MAX) return false;
        uint64_t here = t.integer ? (uint64_t)t.integer : UINT64_MAX;
        if (here < last) *ordered = false;
        last = here;
    }
    return true;
}

/* Triples that are not in order. */
static bool rebuild(struct rdb_reader *r, struct engine *eng, struct value *v) {
    struct arena *a = &eng->arena;
    struct value built;
    char name_buf[24], value_buf[24];
    if (hash_create(a, &built) != ST_OK) return full(r);
    bool ok = hash_reserve(eng, &built, (size_t)hash_length(a, v), 0) == ST_OK || full(r);
    uint8_t *p = lp_first(arena_ptr(a, v->root));
    while (p && ok) {
        uint8_t *lp = arena_ptr(a, v->root);
        struct str name = lp_text(p, name_buf);
        p = lp_next(lp, p);
        struct str value = lp_text(p, value_buf);
        p = lp_next(lp, p);
        ok = put(r, eng, &built, name, value, (uint64_t)lp_get(p).integer);
        p = lp_next(lp, p);
    }
    value_free(eng, ok ? *v : built, false);
    if (ok) *v = built;
    return ok;
}

static bool load_pairs(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                       struct value *v) {
    struct arena *a = &eng->arena;
    struct pack pack;
    bool ok = type_byte == RDB_HASH_LISTPACK ? pack_load(r, a, &pairs, &pack)
              : type_byte == RDB_HASH_ZIPLIST
                  ? pack_load_legacy(r, a, &pairs, ziplist_to_pack, &pack)
                  : pack_load_legacy(r, a, &pairs, zipmap_to_pack, &pack);
    if (!ok) return false;
    v->enc = ENC_LISTPACK;
    v->root = pack.root;
    return true;
}

static bool load_triples(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                         struct value *v) {
    struct pack pack;
    uint64_t earliest;
    bool ordered;
    if (type_byte == RDB_HASH_PACK_FIELDS && !rdb_get_u64(r, &earliest)) return false;
    if (!pack_load(r, &eng->arena, &triples, &pack)) return false;
    v->enc = ENC_LISTPACKEX;
    v->root = pack.root;
    if (!times_valid(arena_ptr(&eng->arena, v->root), &ordered))
        return rdb_bad(r, "A field's expiry that is no time");
    if (!ordered && r->unique) return rdb_bad(r, "Fields are not in the order of their expiry");
    return ordered || rebuild(r, eng, v);
}

/* A listpack with more fields than the limit allows becomes a table. */
static bool fit(struct rdb_reader *r, struct engine *eng, struct value *v) {
    size_t before = (size_t)hash_length(&eng->arena, v);
    if (hash_reserve(eng, v, before, 0) != ST_OK) return full(r);
    return hash_length(&eng->arena, v) == before || rdb_bad(r, "Duplicate hash fields detected");
}

static bool load_value(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                       struct value *v) {
    switch (type_byte) {
    case RDB_HASH:
    case RDB_HASH_FIELDS:
    case RDB_HASH_FIELDS_RC: return load_fields(r, eng, type_byte, v);
    case RDB_HASH_TEMPLATE:
    case RDB_HASH_TEMPLATE_DUMP: return template_load(r, eng, type_byte, v) && fit(r, eng, v);
    case RDB_HASH_PACK_FIELDS:
    case RDB_HASH_PACK_FIELDS_RC: return load_triples(r, eng, type_byte, v) && fit(r, eng, v);
    default: return load_pairs(r, eng, type_byte, v) && fit(r, eng, v);
    }
}

static bool hash_load(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                      struct entry_spec *spec) {
    struct value v = { .type = TYPE_HASH };
    if (!load_value(r, eng, type_byte, &v)) {
        value_free(eng, v, false);
        return false;
    }
    spec->value = v;
    if (has_expiries(&eng->arena, &v)) spec->flags |= ENTRY_FIELD_TTL;
    return true;
}

const struct rdb_codec rdb_hash_codec = {
    .type = TYPE_HASH,
    .type_byte = hash_type_byte,
    .save = hash_save,
    .load = hash_load,
    .rewrite = hash_rewrite,
};
