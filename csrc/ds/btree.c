/* btree.c - descents, insertion, removal, iteration. */
#include "ds/btree.h"

#define NODE_BYTES 512u
#define LEAF_MAX 63u
#define INNER_MAX 42u
#define LONG_MEMBER 255u

struct leaf_entry {
    ref_t item;
    uint32_t prefix;
};
struct inner_entry {
    ref_t child;
    uint32_t items;
    uint32_t prefix; /* of the first item below */
};
struct node {
    uint32_t count;
    uint32_t unused;
    union {
        struct leaf_entry leaf[LEAF_MAX];
        struct inner_entry inner[INNER_MAX];
    };
};
static_assert(sizeof(struct node) == NODE_BYTES, "a node is one size class");

static struct node *node_at(const struct arena *a, ref_t r) {
    return arena_ptr(a, r);
}

/* --- items --- */

ref_t btree_item_new(struct arena *a, double score, struct str member) {
    bool is_long = member.n >= LONG_MEMBER;
    ref_t r = heap_alloc(a, OWN_ZSET, sizeof score + (is_long ? 5u : 1u) + member.n);
    if (!r) return REF_NULL;
    uint8_t *p = arena_ptr(a, r);
    memcpy(p, &score, sizeof score);
    p += sizeof score;
    *p++ = (uint8_t)(is_long ? LONG_MEMBER : member.n);
    if (is_long) store_u32(p, (uint32_t)member.n), p += 4;
    memcpy(p, member.p, member.n);
    return r;
}

struct str btree_member(const void *item) {
    const uint8_t *p = (const uint8_t *)item + sizeof(double);
    if (*p < LONG_MEMBER) return (struct str){ (const char *)p + 1, *p };
    return (struct str){ (const char *)p + 5, load_u32(p + 1) };
}

/* Bits of a score whose unsigned order is the order of scores; both zeros are one. */
static uint32_t score_prefix(double score) {
    uint64_t bits;
    score += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &score, sizeof bits);
    bits = bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
    return (uint32_t)(bits >> 32);
}

/* --- descents --- */

static ref_t first_item(const struct arena *a, ref_t r, uint32_t height) {
    while (height-- > 0) r = node_at(a, r)->inner[0].child;
    return node_at(a, r)->leaf[0].item;
}

bool btree_below(const struct btree_bound *b, double score, struct str member) {
    switch (b->kind) {
    case BOUND_SCORE: return score < b->score;
    case BOUND_AFTER_SCORE: return score <= b->score;
    case BOUND_MEMBER: return str_cmp(member, b->member) < 0;
    case BOUND_AFTER_MEMBER: return str_cmp(member, b->member) <= 0;
    default: return score < b->score || (score == b->score && str_cmp(member, b->member) < 0);
    }
}

/* A bound ready for many comparisons with items of one arena. */
struct search {
    const struct arena *a;
    const struct btree_bound *bound;
    uint32_t prefix;
    bool by_score;
};

static struct search search_for(const struct arena *a, const struct btree_bound *b) {
    return (struct search){ .a = a,
                            .bound = b,
                            .prefix = score_prefix(b->score),
                            .by_score = b->kind <= BOUND_AFTER_SCORE };
}

static bool item_below(const struct search *s, ref_t item) {
    const void *p = arena_ptr(s->a, item);
    return btree_below(s->bound, btree_score(p), btree_member(p));
}

static uint32_t leaf_position(const struct search *s, const struct node *n) {
    uint32_t low = 0, high = n->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct leaf_entry *e = &n->leaf[middle];
        bool decided = s->by_score && e->prefix != s->prefix;
        if (decided ? e->prefix < s->prefix : item_below(s, e->item))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The last child whose first item is below the bound, else the first child. */
static uint32_t child_position(const struct search *s, const struct node *n, uint32_t height) {
    uint32_t low = 1, high = n->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct inner_entry *e = &n->inner[middle];
        bool decided = s->by_score && e->prefix != s->prefix;
        if (decided ? e->prefix < s->prefix : item_below(s, first_item(s->a, e->child, height - 1)))
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

/* The path to where the bound is; returns how many items are below it. The tree is not empty. */
static uint64_t descend(const struct arena *a, const struct btree *t, const struct btree_bound *b,
                        struct btree_iter *path) {
    uint64_t rank = 0;
    struct search s = search_for(a, b);
    ref_t r = t->root;
    for (uint32_t level = 0; level < t->height; level++) {
        const struct node *n = node_at(a, r);
        uint32_t at = child_position(&s, n, t->height - level);
        for (uint32_t i = 0; i < at; i++) rank += n->inner[i].items;
        path->node[level] = r;
        path->at[level] = (uint16_t)at;
        r = n->inner[at].child;
    }
    uint32_t at = leaf_position(&s, node_at(a, r));
    path->depth = t->height;
    path->node[t->height] = r;
    path->at[t->height] = (uint16_t)at;
    return rank + at;
}

uint64_t btree_rank(const struct arena *a, const struct btree *t, const struct btree_bound *b) {
    struct btree_iter path;
    return t->count ? descend(a, t, b, &path) : 0;
}

static struct btree_bound bound_of(const void *item) {
    return (struct btree_bound){ .score = btree_score(item), .member = btree_member(item) };
}

uint64_t btree_rank_of(const struct arena *a, const struct btree *t, const void *item) {
    struct btree_bound b = bound_of(item);
    return btree_rank(a, t, &b);
}

/* --- insertion --- */

static uint32_t entry_bytes(bool leaf) {
    return leaf ? sizeof(struct leaf_entry) : sizeof(struct inner_entry);
}
static uint32_t node_max(bool leaf) {
    return leaf ? LEAF_MAX : INNER_MAX;
}
static char *entry_at(struct node *n, bool leaf, uint32_t i) {
    return (char *)n->leaf + (size_t)i * entry_bytes(leaf);
}

static void insert_entry(struct node *n, bool leaf, uint32_t at, const void *entry) {
    uint32_t bytes = entry_bytes(leaf);
    char *p = entry_at(n, leaf, at);
    memmove(p + bytes, p, (size_t)(n->count - at) * bytes);
    memcpy(p, entry, bytes);
    n->count++;
}

static void remove_entry(struct node *n, bool leaf, uint32_t at) {
    uint32_t bytes = entry_bytes(leaf);
    char *p = entry_at(n, leaf, at);
    memmove(p, p + bytes, (size_t)(n->count - at - 1) * bytes);
    n->count--;
}

/* Splits the full node into itself and `fresh` so that an entry can go in at `at`. At the right end
 * of the tree everything stays on the left: ascending inserts leave full nodes. */
static void split_node(struct node *n, struct node *fresh, bool leaf, uint32_t at, bool right_end) {
    uint32_t keep = right_end && at == n->count ? n->count : n->count / 2;
    fresh->unused = 0;
    fresh->count = n->count - keep;
    memcpy(entry_at(fresh, leaf, 0), entry_at(n, leaf, keep),
           (size_t)fresh->count * entry_bytes(leaf));
    n->count = keep;
}

static uint32_t node_items(const struct node *n, bool leaf) {
    if (leaf) return n->count;
    uint32_t items = 0;
    for (uint32_t i = 0; i < n->count; i++) items += n->inner[i].items;
    return items;
}

static struct inner_entry entry_of(const struct arena *a, ref_t r, bool leaf) {
    const struct node *n = node_at(a, r);
    return (struct inner_entry){ r, node_items(n, leaf),
                                 leaf ? n->leaf[0].prefix : n->inner[0].prefix };
}

/* Nodes for all splits that an insertion will make, taken before anything changes. */
struct spare {
    ref_t nodes[BTREE_DEPTH_MAX + 1];
    uint32_t n;
};

static status take_spares(struct arena *a, const struct btree *t, const struct btree_iter *path,
                          struct spare *s) {
    uint32_t need = 0;
    uint32_t level = path->depth + 1;
    while (level-- > 0) {
        bool leaf = level == path->depth;
        if (node_at(a, path->node[level])->count < node_max(leaf)) break;
        need++;
        if (level == 0) need++; /* a new root */
    }
    if (t->height + 2 > BTREE_DEPTH_MAX) return ST_ARENA_FULL;
    for (s->n = 0; s->n < need; s->n++) {
        s->nodes[s->n] = heap_alloc(a, OWN_ZSET, NODE_BYTES);
        if (s->nodes[s->n]) continue;
        while (s->n > 0) heap_free(a, s->nodes[--s->n]);
        return ST_ARENA_FULL;
    }
    return ST_OK;
}

static void grow_root(struct arena *a, struct btree *t, ref_t left, ref_t right, bool leaf,
                      ref_t root) {
    struct node *n = node_at(a, root);
    n->unused = 0;
    n->count = 2;
    n->inner[0] = entry_of(a, left, leaf);
    n->inner[1] = entry_of(a, right, leaf);
    t->root = root;
    t->height++;
}

/* Every node from here up is at the right end of the tree. */
static bool at_right_end(const struct arena *a, const struct btree_iter *path, uint32_t level) {
    while (level-- > 0)
        if (path->at[level] + 1u != node_at(a, path->node[level])->count) return false;
    return true;
}

/* Puts the entry in at the path's level, splitting upwards as needed. */
static void insert_upwards(struct arena *a, struct btree *t, struct btree_iter *path,
                           const struct leaf_entry *entry, struct spare *s) {
    struct inner_entry carried;
    const void *putting = entry;
    uint32_t level = path->depth;
    while (true) {
        bool leaf = level == path->depth;
        struct node *n = node_at(a, path->node[level]);
        uint32_t at = path->at[level] + (leaf ? 0u : 1u);
        if (n->count < node_max(leaf)) {
            insert_entry(n, leaf, at, putting);
            return;
        }
        ref_t fresh = s->nodes[--s->n];
        struct node *right = node_at(a, fresh);
        split_node(n, right, leaf, at, at_right_end(a, path, level));
        if (at > n->count || (at == n->count && right->count == 0))
            insert_entry(right, leaf, at - n->count, putting);
        else
            insert_entry(n, leaf, at, putting);
        if (level == 0) {
            grow_root(a, t, path->node[0], fresh, leaf, s->nodes[--s->n]);
            return;
        }
        level--;
        struct inner_entry *own = &node_at(a, path->node[level])->inner[path->at[level]];
        *own = entry_of(a, own->child, leaf);
        carried = entry_of(a, fresh, leaf);
        putting = &carried;
    }
}

/* One more item below the path. Only an item that comes before all others gets to the front of a
 * leaf, so its path is the left edge of the tree, whose first prefixes are now its own. */
static void count_up(struct arena *a, const struct btree_iter *path, uint32_t prefix) {
    bool first = path->at[path->depth] == 0;
    for (uint32_t level = 0; level < path->depth; level++) {
        struct inner_entry *e = &node_at(a, path->node[level])->inner[path->at[level]];
        e->items++;
        if (first) e->prefix = prefix;
    }
}

static status plant(struct arena *a, struct btree *t) {
    t->root = heap_alloc(a, OWN_ZSET, NODE_BYTES);
    if (!t->root) return ST_ARENA_FULL;
    node_at(a, t->root)->count = node_at(a, t->root)->unused = 0;
    return ST_OK;
}

static status insert_at(struct arena *a, struct btree *t, struct btree_iter *path,
                        struct leaf_entry entry) {
    struct spare s;
    if (take_spares(a, t, path, &s) != ST_OK) return ST_ARENA_FULL;
    count_up(a, path, entry.prefix);
    insert_upwards(a, t, path, &entry, &s);
    t->count++;
    return ST_OK;
}

status btree_insert(struct arena *a, struct btree *t, ref_t item) {
    if (!t->root && plant(a, t) != ST_OK) return ST_ARENA_FULL;
    struct btree_bound b = bound_of(arena_ptr(a, item));
    struct btree_iter path = { .node = { t->root } };
    if (t->count) descend(a, t, &b, &path);
    return insert_at(a, t, &path, (struct leaf_entry){ item, score_prefix(b.score) });
}

/* --- removal --- */

/* Moves the entries of the child at `left` + 1 into the one at `left` if they fit. */
static void join(struct arena *a, struct node *up, uint32_t left, bool leaf) {
    struct inner_entry *e = &up->inner[left];
    struct node *l = node_at(a, e[0].child), *r = node_at(a, e[1].child);
    if (l->count + r->count > node_max(leaf)) return;
    memcpy(entry_at(l, leaf, l->count), entry_at(r, leaf, 0), (size_t)r->count * entry_bytes(leaf));
    l->count += r->count;
    heap_free(a, e[1].child);
    e[0].items += e[1].items;
    remove_entry(up, false, left + 1);
}

/* An entry has gone from the child at `at`: what the parent says of it follows, and it joins a
 * neighbour when it has become small, or goes when it is empty. */
static void settle_child(struct arena *a, struct node *up, uint32_t at, bool leaf) {
    struct inner_entry *e = &up->inner[at];
    const struct node *n = node_at(a, e->child);
    e->items--;
    if (n->count == 0) {
        heap_free(a, e->child);
        remove_entry(up, false, at);
        return;
    }
    e->prefix = leaf ? n->leaf[0].prefix : n->inner[0].prefix;
    if (n->count >= node_max(leaf) / 3) return;
    if (at > 0)
        join(a, up, at - 1, leaf);
    else if (up->count > 1)
        join(a, up, 0, leaf);
}

/* A root with one child gives way to it; an empty one goes. */
static void shrink_root(struct arena *a, struct btree *t) {
    if (!t->count) {
        heap_free(a, t->root);
        *t = (struct btree){ 0 };
    }
    while (t->height && node_at(a, t->root)->count == 1) {
        ref_t old = t->root;
        t->root = node_at(a, old)->inner[0].child;
        t->height--;
        heap_free(a, old);
    }
}

ref_t btree_remove(struct arena *a, struct btree *t, uint64_t rank) {
    struct btree_iter path;
    ref_t item = btree_seek(a, t, rank, &path);
    remove_entry(node_at(a, path.node[path.depth]), true, path.at[path.depth]);
    for (uint32_t level = path.depth; level-- > 0;)
        settle_child(a, node_at(a, path.node[level]), path.at[level], level + 1 == path.depth);
    t->count--;
    shrink_root(a, t);
    return item;
}

/* --- another score --- */

/* The leaf entry at the path has a new prefix; so has every child of which it is the first item. */
static void set_prefix(struct arena *a, const struct btree_iter *path, uint32_t prefix) {
    uint32_t level = path->depth;
    node_at(a, path->node[level])->leaf[path->at[level]].prefix = prefix;
    while (path->at[level] == 0 && level-- > 0)
        node_at(a, path->node[level])->inner[path->at[level]].prefix = prefix;
}

status btree_rescore(struct arena *a, struct btree *t, ref_t item, double score) {
    void *p = arena_ptr(a, item);
    struct btree_bound b = { .score = score, .member = btree_member(p) };
    struct btree_iter path;
    uint64_t old = btree_rank_of(a, t, p), fresh = descend(a, t, &b, &path);
    if (fresh == old || fresh == old + 1) {
        btree_seek(a, t, old, &path);
        set_prefix(a, &path, score_prefix(score));
    } else {
        status st = insert_at(a, t, &path, (struct leaf_entry){ item, score_prefix(score) });
        if (st != ST_OK) return st;
        btree_remove(a, t, fresh <= old ? old + 1 : old);
    }
    memcpy(p, &score, sizeof score);
    return ST_OK;
}

/* --- iteration --- */

ref_t btree_seek(const struct arena *a, const struct btree *t, uint64_t rank,
                 struct btree_iter *it) {
    ref_t r = t->root;
    it->depth = t->height;
    for (uint32_t level = 0; level < t->height; level++) {
        const struct node *n = node_at(a, r);
        uint32_t i = 0;
        while (rank >= n->inner[i].items) rank -= n->inner[i++].items;
        it->node[level] = r;
        it->at[level] = (uint16_t)i;
        r = n->inner[i].child;
    }
    it->node[t->height] = r;
    it->at[t->height] = (uint16_t)rank;
    return node_at(a, r)->leaf[rank].item;
}

/* From a new child at `level` down its left or right edge. */
static ref_t edge_down(const struct arena *a, struct btree_iter *it, uint32_t level, bool right) {
    for (; level < it->depth; level++) {
        const struct node *n = node_at(a, it->node[level]);
        it->node[level + 1] = n->inner[it->at[level]].child;
        uint32_t count = node_at(a, it->node[level + 1])->count;
        it->at[level + 1] = (uint16_t)(right ? count - 1 : 0);
    }
    return node_at(a, it->node[it->depth])->leaf[it->at[it->depth]].item;
}

ref_t btree_next(const struct arena *a, struct btree_iter *it) {
    for (uint32_t level = it->depth + 1; level-- > 0;) {
        if (it->at[level] + 1u < node_at(a, it->node[level])->count) {
            it->at[level]++;
            return edge_down(a, it, level, false);
        }
    }
    return REF_NULL;
}

ref_t btree_prev(const struct arena *a, struct btree_iter *it) {
    for (uint32_t level = it->depth + 1; level-- > 0;) {
        if (it->at[level] > 0) {
            it->at[level]--;
            return edge_down(a, it, level, true);
        }
    }
    return REF_NULL;
}

/* --- moving, freeing, looking --- */

ref_t *btree_place(struct arena *a, const struct btree *t, const void *item) {
    struct btree_iter path;
    btree_seek(a, t, btree_rank_of(a, t, item), &path);
    return &node_at(a, path.node[path.depth])->leaf[path.at[path.depth]].item;
}

uint64_t btree_relocate(struct arena *a, struct btree *t, uint64_t rank) {
    if (rank >= t->count) return 0;
    struct btree_iter path;
    btree_seek(a, t, rank, &path);
    uint64_t next = rank - path.at[path.depth] + node_at(a, path.node[path.depth])->count;
    for (uint32_t level = 0; level <= path.depth; level++) {
        if (!heap_sparse(a, path.node[level])) continue;
        ref_t moved = heap_move(a, path.node[level]);
        if (!moved) continue;
        if (level == 0)
            t->root = moved;
        else
            node_at(a, path.node[level - 1])->inner[path.at[level - 1]].child = moved;
        path.node[level] = moved;
    }
    return next < t->count ? next : 0;
}

/* Frees the rightmost leaf, and the nodes above it that run empty by that. */
static void free_last_leaf(struct arena *a, struct btree *t) {
    ref_t path[BTREE_DEPTH_MAX];
    path[0] = t->root;
    for (uint32_t level = 0; level < t->height; level++) {
        const struct node *n = node_at(a, path[level]);
        path[level + 1] = n->inner[n->count - 1].child;
    }
    for (uint32_t level = t->height; level > 0; level--) {
        heap_free(a, path[level]);
        if (--node_at(a, path[level - 1])->count > 0) return;
    }
    heap_free(a, t->root);
    *t = (struct btree){ 0 };
}

bool btree_free_some(struct arena *a, struct btree *t, size_t leaves) {
    while (leaves-- > 0 && t->root) free_last_leaf(a, t);
    return !t->root;
}

static size_t count_nodes(const struct arena *a, ref_t r, uint32_t height) {
    const struct node *n = node_at(a, r);
    size_t nodes = 1;
    if (height == 1) return nodes + n->count;
    for (uint32_t i = 0; height && i < n->count; i++)
        nodes += count_nodes(a, n->inner[i].child, height - 1);
    return nodes;
}

size_t btree_memory(const struct arena *a, const struct btree *t) {
    return t->root ? count_nodes(a, t->root, t->height) * NODE_BYTES : 0;
}

static uint64_t check_node(const struct arena *a, ref_t r, uint32_t height) {
    const struct node *n = node_at(a, r);
    uint64_t items = 0;
    ASSERT(n->count > 0 && n->count <= node_max(height == 0));
    if (height == 0) {
        for (uint32_t i = 0; i < n->count; i++)
            ASSERT(n->leaf[i].prefix == score_prefix(btree_score(arena_ptr(a, n->leaf[i].item))));
        return n->count;
    }
    for (uint32_t i = 0; i < n->count; i++) {
        const struct inner_entry *e = &n->inner[i];
        ref_t first = first_item(a, e->child, height - 1);
        ASSERT(e->prefix == score_prefix(btree_score(arena_ptr(a, first))));
        ASSERT(check_node(a, e->child, height - 1) == e->items);
        items += e->items;
    }
    return items;
}

void btree_check(const struct arena *a, const struct btree *t) {
    ASSERT((t->count == 0) == (t->root == REF_NULL));
    if (!t->count) return;
    ASSERT(check_node(a, t->root, t->height) == t->count);
    struct btree_iter it;
    ref_t before = btree_seek(a, t, 0, &it);
    for (ref_t r; (r = btree_next(a, &it)); before = r) {
        struct btree_bound b = bound_of(arena_ptr(a, r));
        const void *p = arena_ptr(a, before);
        ASSERT(btree_below(&b, btree_score(p), btree_member(p)));
    }
}
