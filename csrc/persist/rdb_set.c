/* rdb_set.c - sets in files. */
#include "db/keyspace.h"
#include "db/type_set.h"
#include "ds/intset.h"
#include "ds/listpack.h"
#include "persist/pack.h"
#include "persist/rdb_codec.h"

static uint8_t set_type_byte(const struct arena *a, const struct entry *e) {
    (void)a;
    switch (entry_encoding(e)) {
    case ENC_INTSET: return RDB_SET_INTSET;
    case ENC_LISTPACK: return RDB_SET_LISTPACK;
    default: return RDB_SET;
    }
}

/* --- saving --- */

static bool put_member(void *ctx, struct str member) {
    rdb_put_string(ctx, member);
    return true;
}

static void set_save(const struct arena *a, const struct entry *e, struct rdb_writer *w) {
    struct value v = entry_value(e);
    if (v.enc == ENC_HASHTABLE) {
        rdb_put_length(w, set_length(a, &v));
        set_each(a, &v, put_member, w);
        return;
    }
    const uint8_t *block = arena_ptr(a, v.root);
    size_t n = v.enc == ENC_INTSET ? intset_bytes(block) : lp_bytes(block);
    rdb_put_string(w, (struct str){ (const char *)block, n });
}

static bool rewrite_member(void *ctx, struct str member) {
    struct rewriter *out = ctx;
    if (member.n < 24) { /* it may be the visit's own text of an integer */
        memcpy(rewrite_text(out), member.p, member.n);
        member.p = rewrite_text(out);
    }
    rewrite_add(out, member);
    return true;
}

static void set_rewrite(const struct arena *a, const struct entry *e, struct rewriter *out) {
    struct value v = entry_value(e);
    rewrite_begin(out, STR("SADD"), entry_key(e), 1);
    set_each(a, &v, rewrite_member, out);
    rewrite_end(out);
}

/* --- loading --- */

static bool full(struct rdb_reader *r) {
    return source_fail(r->src, SOURCE_FULL, "The arena is full");
}

static bool add(struct rdb_reader *r, struct engine *eng, struct value *v, size_t members) {
    struct str s;
    bool added;
    if (!rdb_get_string(r, RDB_PLACE_VALUE, &s)) return false;
    if (!v->root) {
        if (set_create(eng, v, s, members) != ST_OK) return full(r);
        set_expect(&eng->arena, v, members);
    }
    if (set_add(eng, v, s, &added) != ST_OK) return full(r);
    return added || rdb_bad(r, "Duplicate set members detected");
}

static bool load_members(struct rdb_reader *r, struct engine *eng, struct value *v) {
    uint64_t n;
    if (!rdb_get_length(r, &n)) return false;
    if (n == 0) return source_fail(r->src, SOURCE_EMPTY, "A value without elements");
    size_t members = (size_t)rdb_possible(r, n, 1);
    for (uint64_t i = 0; i < n; i++)
        if (!add(r, eng, v, members)) return false;
    return true;
}

static bool load_intset(struct rdb_reader *r, struct arena *a, struct value *v) {
    struct str s;
    if (!rdb_get_string(r, RDB_PLACE_VALUE, &s)) return false;
    if (s.n == INTSET_HEADER) return source_fail(r->src, SOURCE_EMPTY, "A value without elements");
    r->sanitized += r->unique;
    if (!intset_valid((const uint8_t *)s.p, s.n))
        return rdb_bad(r, "Intset integrity check failed");
    v->enc = ENC_INTSET;
    v->root = heap_alloc(a, OWN_SET, s.n);
    if (!v->root) return full(r);
    memcpy(arena_ptr(a, v->root), s.p, s.n);
    return true;
}

static bool load_pack(struct rdb_reader *r, struct arena *a, struct value *v) {
    static const struct pack_shape shape = { .owner = OWN_SET, .width = 1, .unique = 1 };
    struct pack pack;
    if (!pack_load(r, a, &shape, &pack)) return false;
    v->enc = ENC_LISTPACK;
    v->root = pack.root;
    return true;
}

/* A small encoding with more members than the limits allow becomes a table. */
static bool fit(struct rdb_reader *r, struct engine *eng, struct value *v) {
    uint64_t before = set_length(&eng->arena, v);
    if (set_fit(eng, v) != ST_OK) return full(r);
    return set_length(&eng->arena, v) == before || rdb_bad(r, "Duplicate set members detected");
}

static bool set_load(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                     struct entry_spec *spec) {
    struct value v = { .type = TYPE_SET };
    bool ok = type_byte == RDB_SET_INTSET     ? load_intset(r, &eng->arena, &v)
              : type_byte == RDB_SET_LISTPACK ? load_pack(r, &eng->arena, &v)
                                              : load_members(r, eng, &v);
    if (ok && fit(r, eng, &v)) {
        spec->value = v;
        return true;
    }
    value_free(eng, v, false);
    return false;
}

const struct rdb_codec rdb_set_codec = {
    .type = TYPE_SET,
    .type_byte = set_type_byte,
    .save = set_save,
    .load = set_load,
    .rewrite = set_rewrite,
};
