/* rdb_zset.c - sorted sets in files. */
#include "db/keyspace.h"
#include "db/type_zset.h"
#include "db/zset_build.h"
#include "ds/listpack.h"
#include "mem/number.h"
#include "persist/pack.h"
#include "persist/rdb_codec.h"

static uint8_t zset_type_byte(const struct arena *a, const struct entry *e) {
    (void)a;
    return entry_encoding(e) == ENC_LISTPACK ? RDB_ZSET_LISTPACK : RDB_ZSET;
}

/* --- saving --- */

static bool put_member(void *ctx, struct str member, double score) {
    rdb_put_string(ctx, member);
    rdb_put_double(ctx, score);
    return true;
}

/* Tables from the highest rank down: a reader that keeps them in order then adds at one end. */
static void zset_save(const struct arena *a, const struct entry *e, struct rdb_writer *w) {
    struct value v = entry_value(e);
    if (v.enc == ENC_LISTPACK) {
        const uint8_t *lp = arena_ptr(a, v.root);
        rdb_put_string(w, (struct str){ (const char *)lp, lp_bytes(lp) });
        return;
    }
    uint64_t n = zset_length(a, &v);
    rdb_put_length(w, n);
    zset_each(a, &v, n - 1, n, true, put_member, w);
}

static bool rewrite_member(void *ctx, struct str member, double score) {
    struct rewriter *out = ctx;
    char *text = rewrite_text(out);
    rewrite_add(out, (struct str){ text, double_to_text(text, score) });
    if (member.n < 24) { /* it may be the visit's own text of an integer */
        memcpy(rewrite_text(out), member.p, member.n);
        member.p = rewrite_text(out);
    }
    rewrite_add(out, member);
    return true;
}

static void zset_rewrite(const struct arena *a, const struct entry *e, struct rewriter *out) {
    struct value v = entry_value(e);
    rewrite_begin(out, STR("ZADD"), entry_key(e), 2);
    zset_each(a, &v, 0, UINT64_MAX, false, rewrite_member, out);
    rewrite_end(out);
}

/* --- loading --- */

static bool full(struct rdb_reader *r) {
    return source_fail(r->src, SOURCE_FULL, "The arena is full");
}

static bool build(struct rdb_reader *r, struct zset_builder *b, struct str member, double score) {
    double *place;
    bool fresh;
    if (score != score) return rdb_bad(r, "Zset with NAN score detected");
    if (zset_builder_put(b, member, &place, &fresh) != ST_OK) return full(r);
    if (!fresh) return rdb_bad(r, "Duplicate zset fields detected");
    *place = score;
    return true;
}

static bool finish(struct rdb_reader *r, struct engine *eng, struct zset_builder *b,
                   struct value *v) {
    size_t longest = b->longest;
    if (zset_builder_finish(b, v) != ST_OK) return full(r);
    zset_compact(eng, v, longest);
    return true;
}

static bool load_pair(struct rdb_reader *r, struct zset_builder *b, uint8_t type_byte) {
    struct str member;
    double score;
    if (!rdb_get_string(r, RDB_PLACE_FIELD, &member)) return false;
    bool ok = type_byte == RDB_ZSET ? rdb_get_double(r, &score) : rdb_get_text_double(r, &score);
    return ok && build(r, b, member, score);
}

static bool load_pairs(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                       struct value *v) {
    struct zset_builder b = { .a = &eng->arena };
    uint64_t n;
    if (!rdb_get_length(r, &n)) return false;
    if (n == 0) return source_fail(r->src, SOURCE_EMPTY, "A value without elements");
    bool ok = true;
    dict_expect(b.a, &b.members, rdb_possible(r, n, 2));
    for (uint64_t i = 0; i < n && ok; i++) ok = load_pair(r, &b, type_byte);
    ok = ok && finish(r, eng, &b, v);
    zset_builder_free(&b);
    return ok;
}

/* --- listpacks --- */

static bool score_of(const uint8_t *p, double *score) {
    struct lp_value v = lp_get(p);
    if (!v.s.p) return *score = (double)v.integer, true;
    return str_to_double(v.s, score);
}

/* Whether all scores are numbers; *ordered: pairs ascend, so the listpack can stay as it is. */
static bool scores_valid(uint8_t *lp, bool *ordered) {
    struct str before = { NULL, 0 };
    double last = 0, score;
    char texts[2][24];
    *ordered = true;
    for (uint8_t *p = lp_first(lp); p; p = lp_next(lp, p)) {
        struct str member = lp_text(p, texts[before.p == texts[0]]);
        p = lp_next(lp, p);
        if (!score_of(p, &score)) return false;
        struct btree_bound here = { .score = score, .member = member };
        if (before.p && !btree_below(&here, last, before)) *ordered = false;
        before = member;
        last = score;
    }
    return true;
}

/* Pairs that are not in order, or twice there. */
static bool rebuild(struct rdb_reader *r, struct engine *eng, struct value *v) {
    struct zset_builder b = { .a = &eng->arena };
    uint8_t *lp = arena_ptr(b.a, v->root);
    struct value built;
    char buf[24];
    double score;
    bool ok = true;
    for (uint8_t *p = lp_first(lp); p && ok; p = lp_next(lp, p)) {
        struct str member = lp_text(p, buf);
        p = lp_next(lp, p);
        ok = score_of(p, &score) && build(r, &b, member, score);
    }
    ok = ok && finish(r, eng, &b, &built);
    zset_builder_free(&b);
    if (!ok) return false;
    heap_free(b.a, v->root);
    *v = built;
    return true;
}

static bool load_pack(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                      struct value *v) {
    static const struct pack_shape shape = { .owner = OWN_ZSET, .width = 2, .unique = 1 };
    struct arena *a = &eng->arena;
    struct pack pack;
    bool ordered;
    if (!(type_byte == RDB_ZSET_LISTPACK ? pack_load(r, a, &shape, &pack)
                                         : pack_load_legacy(r, a, &shape, ziplist_to_pack, &pack)))
        return false;
    v->enc = ENC_LISTPACK;
    v->root = pack.root;
    if (!scores_valid(arena_ptr(a, v->root), &ordered))
        return rdb_bad(r, "A score that is not a number");
    if (!ordered) return rebuild(r, eng, v);
    uint64_t before = zset_length(a, v);
    if (zset_fit(eng, v) != ST_OK) return full(r);
    return zset_length(a, v) == before || rdb_bad(r, "Duplicate zset fields detected");
}

static bool zset_load(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                      struct entry_spec *spec) {
    struct value v = { .type = TYPE_ZSET };
    bool plain = type_byte == RDB_ZSET || type_byte == RDB_ZSET_TEXT;
    if (plain ? load_pairs(r, eng, type_byte, &v) : load_pack(r, eng, type_byte, &v)) {
        spec->value = v;
        return true;
    }
    value_free(eng, v, false);
    return false;
}

const struct rdb_codec rdb_zset_codec = {
    .type = TYPE_ZSET,
    .type_byte = zset_type_byte,
    .save = zset_save,
    .load = zset_load,
    .rewrite = zset_rewrite,
};
