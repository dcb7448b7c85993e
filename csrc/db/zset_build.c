/* zset_build.c - collect, sort, plant. */
#include "db/zset_build.h"

#include "db/zset_tree.h"

status zset_builder_put(struct zset_builder *b, struct str member, double **score, bool *fresh) {
    uint64_t hash = dict_hash(b->a, member);
    const ref_t *place = dict_find(b->a, &zset_kind, &b->members, member, hash);
    *fresh = !place;
    ref_t item = place ? *place : btree_item_new(b->a, 0, member);
    if (!item) return ST_ARENA_FULL;
    if (*fresh && dict_insert(b->a, &zset_kind, &b->members, item, hash) != ST_OK) {
        heap_free(b->a, item);
        return ST_ARENA_FULL;
    }
    if (member.n > b->longest) b->longest = member.n;
    *score = arena_ptr(b->a, item);
    return ST_OK;
}

struct sortable {
    const void *item;
    ref_t ref;
};

static int by_order(const void *x, const void *y) {
    const struct sortable *l = x, *r = y;
    double a = btree_score(l->item), b = btree_score(r->item);
    if (a != b) return a < b ? -1 : 1;
    return str_cmp(btree_member(l->item), btree_member(r->item));
}

static struct sortable *sorted_items(const struct zset_builder *b) {
    struct sortable *items = malloc(b->members.count * sizeof *items);
    ASSERT(items);
    struct dict_iter it = { 0 };
    size_t n = 0;
    for (ref_t r; (r = dict_next(b->a, &b->members, &it));)
        items[n++] = (struct sortable){ arena_ptr(b->a, r), r };
    qsort(items, n, sizeof *items, by_order);
    return items;
}

static status plant(struct zset_builder *b, struct btree *order) {
    struct sortable *items = sorted_items(b);
    status st = ST_OK;
    for (size_t i = 0; i < b->members.count && st == ST_OK; i++)
        st = btree_insert(b->a, order, items[i].ref);
    free(items);
    return st;
}

status zset_builder_finish(struct zset_builder *b, struct value *v) {
    if (ztree_create(b->a, v) != ST_OK) return ST_ARENA_FULL;
    struct zset_tree *z = ztree_of(b->a, v);
    if (plant(b, &z->order) == ST_OK) {
        z->members = b->members;
        *b = (struct zset_builder){ .a = b->a };
        return ST_OK;
    }
    btree_free_some(b->a, &z->order, SIZE_MAX);
    heap_free(b->a, v->root);
    v->root = REF_NULL;
    return ST_ARENA_FULL;
}

static void drop_item(void *ctx, ref_t item) {
    heap_free(ctx, item);
}

void zset_builder_free(struct zset_builder *b) {
    while (!dict_free_some(b->a, &b->members, SIZE_MAX, drop_item, b->a)) {
    }
}
