/* zset_tree.c - a table of members and a tree of their order over the same items. */
#include "db/zset_tree.h"

const struct dict_kind zset_kind = { .key = btree_member };

status ztree_create(struct arena *a, struct value *v) {
    *v = (struct value){ TYPE_ZSET, ENC_SKIPLIST,
                         heap_alloc(a, OWN_ZSET, sizeof(struct zset_tree)) };
    if (!v->root) return ST_ARENA_FULL;
    memset(ztree_of(a, v), 0, sizeof(struct zset_tree));
    return ST_OK;
}

void *ztree_find(const struct arena *a, const struct zset_tree *z, struct str member) {
    const ref_t *place = dict_find(a, &zset_kind, &z->members, member, dict_hash(a, member));
    return place ? arena_ptr(a, *place) : NULL;
}

/* --- changing --- */

status ztree_add(struct arena *a, struct zset_tree *z, struct str member, double score) {
    uint64_t hash = dict_hash(a, member);
    ref_t item = btree_item_new(a, score, member);
    if (!item) return ST_ARENA_FULL;
    status st = dict_insert(a, &zset_kind, &z->members, item, hash);
    if (st == ST_OK) {
        st = btree_insert(a, &z->order, item);
        if (st == ST_OK) return ST_OK;
        ref_t *place = dict_find(a, &zset_kind, &z->members, member, hash);
        dict_remove(a, &zset_kind, &z->members, place, hash);
    }
    heap_free(a, item);
    return st;
}

status ztree_rescore(struct arena *a, struct zset_tree *z, struct str member, double score) {
    ref_t *place = dict_find(a, &zset_kind, &z->members, member, dict_hash(a, member));
    return btree_rescore(a, &z->order, *place, score);
}

static void drop(struct arena *a, struct zset_tree *z, ref_t *place, uint64_t hash) {
    ref_t item = *place;
    dict_remove(a, &zset_kind, &z->members, place, hash);
    heap_free(a, item);
}

bool ztree_remove(struct arena *a, struct zset_tree *z, struct str member) {
    uint64_t hash = dict_hash(a, member);
    ref_t *place = dict_find(a, &zset_kind, &z->members, member, hash);
    if (!place) return false;
    btree_remove(a, &z->order, btree_rank_of(a, &z->order, arena_ptr(a, *place)));
    drop(a, z, place, hash);
    return true;
}

void ztree_remove_range(struct arena *a, struct zset_tree *z, uint64_t rank, uint64_t n) {
    while (n-- > 0) {
        struct str member = btree_member(arena_ptr(a, btree_remove(a, &z->order, rank)));
        uint64_t hash = dict_hash(a, member);
        drop(a, z, dict_find(a, &zset_kind, &z->members, member, hash), hash);
    }
}

/* --- visiting --- */

void ztree_each(const struct arena *a, const struct zset_tree *z, uint64_t rank, uint64_t n,
                bool reverse, zset_visit_fn visit, void *ctx) {
    struct btree_iter it;
    if (rank >= z->order.count || !n) return;
    ref_t r = btree_seek(a, &z->order, rank, &it);
    for (; r && n-- > 0; r = reverse ? btree_prev(a, &it) : btree_next(a, &it)) {
        const void *item = arena_ptr(a, r);
        if (!visit(ctx, btree_member(item), btree_score(item))) return;
    }
}

/* --- what types do --- */

static void drop_item(void *ctx, ref_t item) {
    heap_free(ctx, item);
}

bool ztree_free_some(struct arena *a, struct value *v, size_t budget) {
    struct zset_tree *z = ztree_of(a, v);
    if (!dict_free_some(a, &z->members, budget / 8 + 1, drop_item, a)) return false;
    if (!btree_free_some(a, &z->order, budget / 8 + 1)) return false;
    heap_free(a, v->root);
    v->root = REF_NULL;
    return true;
}

static void move_item(struct arena *a, const struct zset_tree *z, ref_t *place) {
    if (!heap_sparse(a, *place)) return;
    ref_t *in_tree = btree_place(a, &z->order, arena_ptr(a, *place));
    ref_t moved = heap_move(a, *place);
    if (moved) *place = *in_tree = moved;
}

struct moving {
    struct arena *a;
    const struct zset_tree *z;
};

static void visit_place(void *ctx, ref_t *place) {
    const struct moving *m = ctx;
    move_item(m->a, m->z, place);
}

/* The cursor is a phase and a place in it: items, the table's blocks, the tree's nodes. */
#define PHASE_SHIFT 56
#define PHASE_AT(phase, at) ((uint64_t)(phase) << PHASE_SHIFT | (at))
enum { MOVE_ITEMS, MOVE_TABLE, MOVE_TREE };

void ztree_relocate(struct arena *a, struct value *v, uint64_t *cursor, size_t budget) {
    struct zset_tree *z = ztree_of(a, v);
    struct moving m = { a, z };
    uint64_t phase = *cursor >> PHASE_SHIFT, at = *cursor & (PHASE_AT(1, 0) - 1);
    if (phase == MOVE_ITEMS)
        at = dict_scan(a, &z->members, at, budget, visit_place, &m);
    else if (phase == MOVE_TABLE)
        dict_relocate(a, &z->members, &at, budget);
    else
        for (size_t leaves = budget / 32 + 1; leaves > 0; leaves--)
            if (!(at = btree_relocate(a, &z->order, at))) break;
    if (at)
        *cursor = PHASE_AT(phase, at);
    else
        *cursor = phase == MOVE_TREE ? 0 : PHASE_AT(phase + 1, 0);
}

size_t ztree_memory(const struct arena *a, const struct zset_tree *z, size_t samples) {
    size_t seen = 0, items = 0;
    struct dict_iter it = { 0 };
    for (ref_t r; (!samples || seen < samples) && (r = dict_next(a, &z->members, &it)); seen++)
        items += heap_usable(a, r);
    if (seen) items = (size_t)((double)items / (double)seen * (double)z->members.count);
    return items + dict_memory(a, &z->members) + btree_memory(a, &z->order);
}

void ztree_check(const struct arena *a, const struct zset_tree *z) {
    dict_check(a, &zset_kind, &z->members);
    btree_check(a, &z->order);
    ASSERT(z->members.count == z->order.count);
    struct btree_iter at;
    struct dict_iter it = { 0 };
    for (ref_t r; (r = dict_next(a, &z->members, &it));) {
        uint64_t rank = btree_rank_of(a, &z->order, arena_ptr(a, r));
        ASSERT(rank < z->order.count && btree_seek(a, &z->order, rank, &at) == r);
    }
}
