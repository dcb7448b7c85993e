/* zset_pack.c - member, score pairs in a listpack. */
#include "db/zset_pack.h"

#include "ds/listpack.h"
#include "mem/number.h"

#define WHOLE_MAX 4503599627370496.0 /* 2^52 */

static uint8_t *pack_of(const struct arena *a, const struct value *v) {
    return arena_ptr(a, v->root);
}

static struct str score_text(char buf[64], double score) {
    if (score > -WHOLE_MAX && score < WHOLE_MAX && score == (double)(int64_t)score)
        return (struct str){ buf, i64_to_text(buf, (int64_t)score) };
    return (struct str){ buf, double_to_text(buf, score) };
}

static double score_at(const uint8_t *p) {
    struct lp_value v = lp_get(p);
    double score = 0;
    if (!v.s.p) return (double)v.integer;
    ASSERT(str_to_double(v.s, &score));
    return score;
}

status zpack_create(struct arena *a, struct value *v) {
    *v = (struct value){ TYPE_ZSET, ENC_LISTPACK, heap_alloc(a, OWN_ZSET, LP_EMPTY_BYTES) };
    if (!v->root) return ST_ARENA_FULL;
    lp_init(pack_of(a, v));
    return ST_OK;
}

bool zpack_find(const struct arena *a, const struct value *v, struct str member, uint64_t *rank,
                double *score) {
    uint8_t *lp = pack_of(a, v);
    *rank = 0;
    for (uint8_t *p = lp_first(lp); p; p = lp_next(lp, lp_next(lp, p)), ++*rank) {
        if (!lp_equal(p, member)) continue;
        *score = score_at(lp_next(lp, p));
        return true;
    }
    return false;
}

/* The first pair that is not below the bound, or NULL. */
static uint8_t *lower_bound(uint8_t *lp, const struct btree_bound *b, uint64_t *rank) {
    char buf[24];
    *rank = 0;
    for (uint8_t *p = lp_first(lp), *score; p; p = lp_next(lp, score), ++*rank) {
        score = lp_next(lp, p);
        if (!btree_below(b, score_at(score), lp_text(p, buf))) return p;
    }
    return NULL;
}

uint64_t zpack_count_below(const struct arena *a, const struct value *v,
                           const struct btree_bound *b) {
    uint64_t rank;
    lower_bound(pack_of(a, v), b, &rank);
    return rank;
}

#define SCORE_BYTES_MAX 80 /* of its text in a listpack */

bool zpack_fits(const struct arena *a, const struct value *v, struct str member) {
    return lp_bytes(pack_of(a, v)) + lp_entry_bytes(member) + SCORE_BYTES_MAX <= LP_MAX_BYTES;
}

static void delete_pairs(uint8_t *lp, uint64_t rank, uint64_t n) {
    lp_delete(lp, lp_seek(lp, (int64_t)(2 * rank)), (size_t)(2 * n));
}

status zpack_put(struct arena *a, struct value *v, struct str member, double score,
                 uint64_t replaced) {
    char buf[64];
    struct str text = score_text(buf, score);
    size_t more = lp_entry_bytes(member) + lp_entry_bytes(text);
    if (heap_reserve(a, &v->root, lp_bytes(pack_of(a, v)) + more) != ST_OK) return ST_ARENA_FULL;
    uint8_t *lp = pack_of(a, v);
    if (replaced != ZPACK_NONE) delete_pairs(lp, replaced, 1);
    struct btree_bound b = { .score = score, .member = member };
    uint64_t rank;
    uint8_t *p = lower_bound(lp, &b, &rank);
    if (!p) {
        lp_append(lp, member);
        lp_append(lp, text);
    } else {
        p = lp_insert(lp, p, member);
        lp_insert(lp, lp_next(lp, p), text);
    }
    return ST_OK;
}

void zpack_remove(struct arena *a, struct value *v, uint64_t rank, uint64_t n) {
    delete_pairs(pack_of(a, v), rank, n);
    ref_t root = heap_realloc(a, v->root, lp_bytes(pack_of(a, v)));
    if (root) v->root = root;
}

void zpack_each(const struct arena *a, const struct value *v, uint64_t rank, uint64_t n,
                bool reverse, zset_visit_fn visit, void *ctx) {
    uint8_t *lp = pack_of(a, v), *p = lp_seek(lp, (int64_t)(2 * rank));
    char buf[24];
    while (p && n-- > 0) {
        uint8_t *score = lp_next(lp, p);
        if (!visit(ctx, lp_text(p, buf), score_at(score))) return;
        p = reverse ? lp_prev(lp, p) : lp_next(lp, score);
        if (p && reverse) p = lp_prev(lp, p);
    }
}

struct order {
    double score;
    struct str member;
    char buf[24];
    bool begun;
};

static bool in_order(void *ctx, struct str member, double score) {
    struct order *o = ctx;
    struct btree_bound b = { .score = score, .member = member };
    ASSERT(!o->begun || btree_below(&b, o->score, o->member));
    ASSERT(score == score);
    o->begun = true;
    o->score = score;
    o->member = member;
    if (member.n <= sizeof o->buf) { /* it may be the visit's own text of an integer */
        memcpy(o->buf, member.p, member.n);
        o->member.p = o->buf;
    }
    return true;
}

void zpack_check(const struct arena *a, const struct value *v) {
    const uint8_t *lp = pack_of(a, v);
    struct order o = { .begun = false };
    lp_check(lp);
    ASSERT(lp_length(lp) % 2 == 0);
    zpack_each(a, v, 0, UINT64_MAX, false, in_order, &o);
}
