/* type_zset.c - sorted sets over their two encodings, and conversions between them. */
#include "db/type_zset.h"

#include "db/digest.h"
#include "db/zset_build.h"
#include "db/zset_pack.h"
#include "db/zset_tree.h"
#include "ds/listpack.h"
#include "ds/sample.h"
#include "mem/number.h"

static bool is_pack(const struct value *v) {
    return v->enc == ENC_LISTPACK;
}

/* --- reading --- */

uint64_t zset_length(const struct arena *a, const struct value *v) {
    return is_pack(v) ? lp_length(arena_ptr(a, v->root)) / 2 : ztree_of(a, v)->order.count;
}

bool zset_score(const struct arena *a, const struct value *v, struct str member, double *score) {
    uint64_t rank;
    if (is_pack(v)) return zpack_find(a, v, member, &rank, score);
    const void *item = ztree_find(a, ztree_of(a, v), member);
    if (item) *score = btree_score(item);
    return item;
}

bool zset_rank(const struct arena *a, const struct value *v, struct str member, uint64_t *rank,
               double *score) {
    if (is_pack(v)) return zpack_find(a, v, member, rank, score);
    const struct zset_tree *z = ztree_of(a, v);
    const void *item = ztree_find(a, z, member);
    if (!item) return false;
    *rank = btree_rank_of(a, &z->order, item);
    *score = btree_score(item);
    return true;
}

uint64_t zset_count_below(const struct arena *a, const struct value *v,
                          const struct btree_bound *b) {
    return is_pack(v) ? zpack_count_below(a, v, b) : btree_rank(a, &ztree_of(a, v)->order, b);
}

void zset_each(const struct arena *a, const struct value *v, uint64_t rank, uint64_t n,
               bool reverse, zset_visit_fn visit, void *ctx) {
    if (is_pack(v))
        zpack_each(a, v, rank, n, reverse, visit, ctx);
    else
        ztree_each(a, ztree_of(a, v), rank, n, reverse, visit, ctx);
}

struct scan {
    const struct arena *a;
    zset_visit_fn visit;
    void *ctx;
};

static void scan_item(void *ctx, ref_t *place) {
    const struct scan *s = ctx;
    const void *item = arena_ptr(s->a, *place);
    s->visit(s->ctx, btree_member(item), btree_score(item));
}

uint64_t zset_scan(struct arena *a, const struct value *v, uint64_t cursor, size_t count,
                   zset_visit_fn visit, void *ctx) {
    if (!is_pack(v)) {
        struct scan s = { a, visit, ctx };
        return dict_scan(a, &ztree_of(a, v)->members, cursor, count, scan_item, &s);
    }
    zpack_each(a, v, 0, UINT64_MAX, false, visit, ctx);
    return 0;
}

/* --- random members --- */

static void random_of_pack(struct engine *eng, const struct value *v, size_t want,
                           zset_visit_fn visit, void *ctx) {
    size_t n = (size_t)zset_length(&eng->arena, v);
    size_t *picked = malloc((n + 1) * sizeof *picked);
    ASSERT(picked);
    size_t k = sample_indexes(n, want, engine_random, eng, picked);
    for (size_t i = 0; i < k; i++) zpack_each(&eng->arena, v, picked[i], 1, false, visit, ctx);
    free(picked);
}

static void random_of_tree(struct engine *eng, const struct zset_tree *z, size_t want,
                           zset_visit_fn visit, void *ctx) {
    struct scan s = { &eng->arena, visit, ctx };
    if (want > z->members.count) want = (size_t)z->members.count;
    ref_t *picked = malloc((want + 1) * sizeof *picked);
    ASSERT(picked);
    size_t n = dict_sample(&eng->arena, &z->members, want, engine_random, eng, picked);
    for (size_t i = 0; i < n; i++) scan_item(&s, &picked[i]);
    free(picked);
}

void zset_random(struct engine *eng, const struct value *v, size_t want, bool repeat,
                 zset_visit_fn visit, void *ctx) {
    size_t n = (size_t)zset_length(&eng->arena, v);
    if (repeat)
        while (want-- > 0)
            zset_each(&eng->arena, v, sample_below(n, engine_random, eng), 1, false, visit, ctx);
    else if (want >= n) /* Source: ZRANDMEMBER of Redis 8.10: all of them, downwards */
        zset_each(&eng->arena, v, n - 1, n, true, visit, ctx);
    else if (is_pack(v))
        random_of_pack(eng, v, want, visit, ctx);
    else
        random_of_tree(eng, ztree_of(&eng->arena, v), want, visit, ctx);
}

/* --- making and converting --- */

static bool suits_pack(const struct engine *eng, size_t members, size_t longest) {
    return (int64_t)members <= eng->config.zset_max_listpack_entries &&
           (int64_t)longest <= eng->config.zset_max_listpack_value;
}

status zset_create(struct engine *eng, struct value *v, size_t members, size_t longest) {
    return suits_pack(eng, members, longest) ? zpack_create(&eng->arena, v)
                                             : ztree_create(&eng->arena, v);
}

struct building {
    struct zset_builder b;
    status st;
};

static bool build(void *ctx, struct str member, double score) {
    struct building *f = ctx;
    double *place;
    bool fresh;
    f->st = zset_builder_put(&f->b, member, &place, &fresh);
    if (f->st == ST_OK) *place = score;
    return f->st == ST_OK;
}

/* The same members as a tree. */
static status copy_to_tree(struct arena *to, const struct arena *from, const struct value *v,
                           struct value *dst) {
    struct building f = { .b = { .a = to }, .st = ST_OK };
    zset_each(from, v, 0, UINT64_MAX, false, build, &f);
    if (f.st == ST_OK) f.st = zset_builder_finish(&f.b, dst);
    if (f.st != ST_OK) zset_builder_free(&f.b);
    return f.st;
}

static status to_tree(struct arena *a, struct value *v) {
    struct value tree;
    status st = zset_length(a, v) ? copy_to_tree(a, a, v, &tree) : ztree_create(a, &tree);
    if (st != ST_OK) return st;
    heap_free(a, v->root);
    *v = tree;
    return ST_OK;
}

status zset_fit(struct engine *eng, struct value *v) {
    if (!is_pack(v) || suits_pack(eng, (size_t)zset_length(&eng->arena, v), 0)) return ST_OK;
    return to_tree(&eng->arena, v);
}

struct packing {
    struct arena *a;
    struct value v;
    status st;
};

static bool pack_one(void *ctx, struct str member, double score) {
    struct packing *p = ctx;
    p->st = zpack_put(p->a, &p->v, member, score, ZPACK_NONE);
    return p->st == ST_OK;
}

void zset_compact(struct engine *eng, struct value *v, size_t longest) {
    struct packing p = { .a = &eng->arena };
    if (is_pack(v) || !suits_pack(eng, (size_t)zset_length(p.a, v), longest)) return;
    if (zpack_create(p.a, &p.v) != ST_OK) return;
    zset_each(p.a, v, 0, UINT64_MAX, false, pack_one, &p);
    if (p.st != ST_OK) {
        heap_free(p.a, p.v.root);
        return;
    }
    ztree_free_some(p.a, v, SIZE_MAX);
    *v = p.v;
}

/* --- changing --- */

static bool pack_takes(const struct engine *eng, const struct value *v, struct str member) {
    return suits_pack(eng, (size_t)zset_length(&eng->arena, v) + 1, member.n) &&
           zpack_fits(&eng->arena, v, member);
}

static status add(struct engine *eng, struct value *v, struct str member, double score) {
    struct arena *a = &eng->arena;
    if (is_pack(v)) {
        if (pack_takes(eng, v, member)) return zpack_put(a, v, member, score, ZPACK_NONE);
        status st = to_tree(a, v);
        if (st != ST_OK) return st;
    }
    return ztree_add(a, ztree_of(a, v), member, score);
}

static status change(struct arena *a, struct value *v, struct str member, double score,
                     uint64_t rank) {
    if (is_pack(v)) return zpack_put(a, v, member, score, rank);
    return ztree_rescore(a, ztree_of(a, v), member, score);
}

static bool found(const struct arena *a, const struct value *v, struct str member, uint64_t *rank,
                  double *score) {
    return is_pack(v) ? zpack_find(a, v, member, rank, score) : zset_score(a, v, member, score);
}

static bool refuses(unsigned flags, double old, double score) {
    return flags & ZSET_NX || (flags & ZSET_GT && score <= old) ||
           (flags & ZSET_LT && score >= old);
}

status zset_put(struct engine *eng, struct value *v, struct str member, double score,
                unsigned flags, struct zset_outcome *out) {
    uint64_t rank = 0;
    double old;
    *out = (struct zset_outcome){ .score = score };
    if (!found(&eng->arena, v, member, &rank, &old)) {
        out->refused = flags & ZSET_XX;
        if (out->refused) return ST_OK;
        status st = add(eng, v, member, score);
        out->added = st == ST_OK;
        return st;
    }
    if (flags & ZSET_INCR && !(flags & ZSET_NX)) score += old;
    if (score != score) return ST_NAN_SCORE;
    out->refused = refuses(flags, old, score);
    out->score = out->refused ? old : score;
    if (out->score == old) return ST_OK;
    status st = change(&eng->arena, v, member, score, rank);
    out->updated = st == ST_OK;
    return st;
}

bool zset_remove(struct arena *a, struct value *v, struct str member) {
    uint64_t rank;
    double score;
    if (!is_pack(v)) return ztree_remove(a, ztree_of(a, v), member);
    if (!zpack_find(a, v, member, &rank, &score)) return false;
    zpack_remove(a, v, rank, 1);
    return true;
}

void zset_remove_range(struct arena *a, struct value *v, uint64_t rank, uint64_t n) {
    if (!n) return;
    if (is_pack(v))
        zpack_remove(a, v, rank, n);
    else
        ztree_remove_range(a, ztree_of(a, v), rank, n);
}

/* --- the type --- */

static bool zset_free_some(struct arena *a, struct value *v, size_t budget) {
    if (!is_pack(v)) return ztree_free_some(a, v, budget);
    heap_free(a, v->root);
    v->root = REF_NULL;
    return true;
}

static uint64_t zset_effort(const struct arena *a, const struct value *v) {
    return is_pack(v) ? 1 : zset_length(a, v);
}

static status zset_copy(struct arena *to, const struct arena *from, const struct value *v,
                        struct value *dst) {
    if (!is_pack(v)) return copy_to_tree(to, from, v, dst);
    const uint8_t *lp = arena_ptr(from, v->root);
    *dst = (struct value){ v->type, v->enc, heap_alloc(to, OWN_ZSET, lp_bytes(lp)) };
    if (!dst->root) return ST_ARENA_FULL;
    memcpy(arena_ptr(to, dst->root), lp, lp_bytes(lp));
    return ST_OK;
}

static size_t zset_memory(const struct arena *a, const struct value *v, size_t samples) {
    size_t bytes = heap_usable(a, v->root);
    return is_pack(v) ? bytes : bytes + ztree_memory(a, ztree_of(a, v), samples);
}

static void zset_relocate(struct arena *a, struct value *v, uint64_t *cursor, size_t budget) {
    if (*cursor == 0 && heap_sparse(a, v->root)) {
        ref_t moved = heap_move(a, v->root);
        if (moved) v->root = moved;
    }
    if (is_pack(v))
        *cursor = 0;
    else
        ztree_relocate(a, v, cursor, budget);
}

static bool digest_member(void *ctx, struct str member, double score) {
    struct digest one;
    char text[64];
    digest_init(&one);
    digest_mix(&one, member.p, member.n);
    digest_mix(&one, text, double_to_digits(text, score));
    digest_xor(ctx, one.sum, sizeof one.sum);
    return true;
}

static void zset_digest(const struct arena *a, const struct value *v, struct digest *d) {
    zset_each(a, v, 0, UINT64_MAX, false, digest_member, d);
}

static void zset_check(const struct arena *a, const struct value *v) {
    if (is_pack(v))
        zpack_check(a, v);
    else
        ztree_check(a, ztree_of(a, v));
    ASSERT(zset_length(a, v) > 0);
}

const struct type_ops zset_type = {
    .id = TYPE_ZSET,
    .name = "zset",
    .free_some = zset_free_some,
    .effort = zset_effort,
    .copy = zset_copy,
    .length = zset_length,
    .memory = zset_memory,
    .relocate = zset_relocate,
    .digest = zset_digest,
    .check = zset_check,
};
