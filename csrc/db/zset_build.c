/* zset_build.c - collect, sort, plant. */
#include "db/zset_build.h"

#include "db/zset_tree.h"

/* Before an item is put in. */
static void make_room(struct zset_builder *b) {
    if (b->members.count < b->room) return;
    b->room = b->room ? 2 * b->room : 16;
    b->items = realloc(b->items, b->room * sizeof *b->items);
    ASSERT(b->items);
}

status zset_builder_put(struct zset_builder *b, struct str member, double **score, bool *fresh) {
    uint64_t hash = dict_hash(b->a, member);
    const ref_t *place = dict_find(b->a, &zset_kind, &b->members, member, hash);
    *fresh = !place;
    ref_t item = place ? *place : btree_item_new(b->a, 0, member);
    if (!item) return ST_ARENA_FULL;
    if (*fresh) {
        make_room(b);
        b->items[b->members.count] = item;
        if (dict_insert(b->a, &zset_kind, &b->members, item, hash) != ST_OK) {
            heap_free(b->a, item);
            return ST_ARENA_FULL;
        }
    }
    if (member.n > b->longest) b->longest = member.n;
    *score = arena_ptr(b->a, item);
    return ST_OK;
}

struct sortable {
    double score; /* here too: most comparisons need not look at the item */
    const void *item;
};

static int by_order(const void *x, const void *y) {
    const struct sortable *l = x, *r = y;
    if (l->score != r->score) return l->score < r->score ? -1 : 1;
    return str_cmp(btree_member(l->item), btree_member(r->item));
}

/* Files have them from the highest down, copies from the lowest up. */
static bool ascends(const struct sortable *items, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (by_order(&items[i - 1], &items[i]) > 0) return false;
    return true;
}

static void reverse(struct sortable *items, size_t n) {
    for (size_t i = 0; i < n / 2; i++) {
        struct sortable low = items[i];
        items[i] = items[n - 1 - i];
        items[n - 1 - i] = low;
    }
}

static struct sortable *sorted_items(const struct zset_builder *b) {
    size_t n = b->members.count;
    struct sortable *items = malloc(n * sizeof *items);
    ASSERT(items);
    for (size_t i = 0; i < n; i++) {
        const void *item = arena_ptr(b->a, b->items[i]);
        items[i] = (struct sortable){ btree_score(item), item };
    }
    if (n > 1 && by_order(&items[0], &items[1]) > 0) reverse(items, n);
    if (!ascends(items, n)) qsort(items, n, sizeof *items, by_order);
    return items;
}

static status plant(struct zset_builder *b, struct btree *order) {
    struct sortable *items = sorted_items(b);
    status st = ST_OK;
    for (size_t i = 0; i < b->members.count && st == ST_OK; i++)
        st = btree_insert(b->a, order, arena_ref(b->a, items[i].item));
    free(items);
    return st;
}

status zset_builder_finish(struct zset_builder *b, struct value *v) {
    if (ztree_create(b->a, v) != ST_OK) return ST_ARENA_FULL;
    struct zset_tree *z = ztree_of(b->a, v);
    if (plant(b, &z->order) == ST_OK) {
        z->members = b->members;
        free(b->items);
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
    free(b->items);
    b->items = NULL;
    b->room = 0;
}
