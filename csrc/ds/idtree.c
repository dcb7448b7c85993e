/* idtree.c - descents, insertion, removal, iteration. */
#include "ds/idtree.h"

#define NODE_BYTES 1024u
#define ROOT_RECORDS 2u /* of a tree's first leaf */

struct node {
    uint32_t count;
    uint32_t unused;
    uint8_t entries[];
};

static struct node *node_at(const struct arena *a, ref_t r) {
    return arena_ptr(a, r);
}

/* --- entries --- */

static uint32_t entry_bytes(const struct idtree_kind *k, bool leaf) {
    return k->words * 8u + (leaf ? k->payload : (uint32_t)sizeof(ref_t));
}
static uint32_t node_max(const struct idtree_kind *k, bool leaf) {
    return (NODE_BYTES - (uint32_t)sizeof(struct node)) / entry_bytes(k, leaf);
}
static uint8_t *entry_at(struct node *n, const struct idtree_kind *k, bool leaf, uint32_t i) {
    return n->entries + (size_t)i * entry_bytes(k, leaf);
}
static ref_t child_at(struct node *n, const struct idtree_kind *k, uint32_t i) {
    return load_u32(entry_at(n, k, false, i) + 8 * (size_t)k->words);
}
static void set_child(struct node *n, const struct idtree_kind *k, uint32_t i, ref_t r) {
    store_u32(entry_at(n, k, false, i) + 8 * (size_t)k->words, r);
}

static int compare(const struct idtree_kind *k, const uint8_t *entry, const uint64_t *key) {
    for (unsigned i = 0; i < k->words; i++) {
        uint64_t w = idtree_word(entry, i);
        if (w != key[i]) return w < key[i] ? -1 : 1;
    }
    return 0;
}

static void read_key(const struct idtree_kind *k, const uint8_t *entry, uint64_t *key) {
    memcpy(key, entry, 8 * (size_t)k->words);
}

/* How many of the entries from `low` on are below the key; with `equal`, or equal to it. */
static uint32_t position(struct node *n, const struct idtree_kind *k, bool leaf, uint32_t low,
                         const uint64_t *key, bool equal) {
    uint32_t high = n->count;
    /* Appending and reading the end are the most frequent. */
    if (high > low && compare(k, entry_at(n, k, leaf, high - 1), key) < (equal ? 1 : 0))
        return high;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (compare(k, entry_at(n, k, leaf, middle), key) < (equal ? 1 : 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The path to the leaf where the key is or belongs; the leaf's position is left at 0. */
static struct node *descend(const struct arena *a, const struct idtree_kind *k,
                            const struct idtree *t, const uint64_t *key, struct idtree_iter *it) {
    ref_t r = t->root;
    it->depth = t->height;
    for (uint32_t level = 0; level < t->height; level++) {
        struct node *n = node_at(a, r);
        uint32_t at = position(n, k, false, 1, key, true) - 1;
        it->node[level] = r;
        it->at[level] = (uint16_t)at;
        r = child_at(n, k, at);
    }
    it->node[t->height] = r;
    it->at[t->height] = 0;
    return node_at(a, r);
}

uint8_t *idtree_find(const struct arena *a, const struct idtree_kind *k, const struct idtree *t,
                     const uint64_t *key) {
    struct idtree_iter it;
    if (!t->count) return NULL;
    struct node *n = descend(a, k, t, key, &it);
    uint32_t at = position(n, k, true, 0, key, false);
    if (at == n->count) return NULL;
    uint8_t *record = entry_at(n, k, true, at);
    return compare(k, record, key) == 0 ? record : NULL;
}

/* --- iteration --- */

/* Goes to the leaf beside this one; its first or last record. */
static uint8_t *beside(const struct arena *a, const struct idtree_kind *k, struct idtree_iter *it,
                       bool forward) {
    uint32_t level = it->depth;
    struct node *n = NULL;
    while (level-- > 0) {
        n = node_at(a, it->node[level]);
        if (forward ? it->at[level] + 1u < n->count : it->at[level] > 0) break;
    }
    if (level == UINT32_MAX) return NULL;
    it->at[level] = (uint16_t)(it->at[level] + (forward ? 1 : -1));
    for (; level < it->depth; level++) {
        ref_t child = child_at(n, k, it->at[level]);
        n = node_at(a, child);
        it->node[level + 1] = child;
        it->at[level + 1] = (uint16_t)(forward ? 0 : n->count - 1);
    }
    return entry_at(n, k, true, it->at[it->depth]);
}

uint8_t *idtree_seek(const struct arena *a, const struct idtree_kind *k, const struct idtree *t,
                     const uint64_t *key, struct idtree_iter *it) {
    if (!t->count) return NULL;
    struct node *n = descend(a, k, t, key, it);
    uint32_t at = position(n, k, true, 0, key, false);
    it->at[it->depth] = (uint16_t)at;
    return at < n->count ? entry_at(n, k, true, at) : beside(a, k, it, true);
}

uint8_t *idtree_seek_back(const struct arena *a, const struct idtree_kind *k,
                          const struct idtree *t, const uint64_t *key, struct idtree_iter *it) {
    if (!t->count) return NULL;
    struct node *n = descend(a, k, t, key, it);
    uint32_t at = position(n, k, true, 0, key, true);
    if (at == 0) return beside(a, k, it, false);
    it->at[it->depth] = (uint16_t)(at - 1);
    return entry_at(n, k, true, at - 1);
}

uint8_t *idtree_first(const struct arena *a, const struct idtree_kind *k, const struct idtree *t,
                      struct idtree_iter *it) {
    static const uint64_t least[IDTREE_WORDS_MAX] = { 0 };
    return idtree_seek(a, k, t, least, it);
}

uint8_t *idtree_last(const struct arena *a, const struct idtree_kind *k, const struct idtree *t,
                     struct idtree_iter *it) {
    static const uint64_t greatest[IDTREE_WORDS_MAX] = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
    return idtree_seek_back(a, k, t, greatest, it);
}

uint8_t *idtree_next(const struct arena *a, const struct idtree_kind *k, struct idtree_iter *it) {
    struct node *n = node_at(a, it->node[it->depth]);
    if (it->at[it->depth] + 1u >= n->count) return beside(a, k, it, true);
    return entry_at(n, k, true, ++it->at[it->depth]);
}

uint8_t *idtree_prev(const struct arena *a, const struct idtree_kind *k, struct idtree_iter *it) {
    struct node *n = node_at(a, it->node[it->depth]);
    if (it->at[it->depth] == 0) return beside(a, k, it, false);
    return entry_at(n, k, true, --it->at[it->depth]);
}

/* --- insertion --- */

static void insert_entry(struct node *n, const struct idtree_kind *k, bool leaf, uint32_t at,
                         const uint64_t *key, const void *rest) {
    size_t bytes = entry_bytes(k, leaf), key_bytes = 8 * (size_t)k->words;
    uint8_t *p = entry_at(n, k, leaf, at);
    memmove(p + bytes, p, (n->count - at) * bytes);
    memcpy(p, key, key_bytes);
    if (bytes > key_bytes) memcpy(p + key_bytes, rest, bytes - key_bytes);
    n->count++;
}

static void remove_entry(struct node *n, const struct idtree_kind *k, bool leaf, uint32_t at) {
    size_t bytes = entry_bytes(k, leaf);
    uint8_t *p = entry_at(n, k, leaf, at);
    memmove(p, p + bytes, (n->count - at - 1) * bytes);
    n->count--;
}

/* Nodes for all splits that an insertion will make, taken before anything changes. */
struct spare {
    ref_t nodes[IDTREE_DEPTH_MAX + 1];
    uint32_t n;
};

static status take_spares(struct arena *a, const struct idtree_kind *k,
                          const struct idtree_iter *path, struct spare *s) {
    uint32_t need = 0;
    for (uint32_t level = path->depth + 1; level-- > 0;) {
        if (node_at(a, path->node[level])->count < node_max(k, level == path->depth)) break;
        need += level == 0 ? 2 : 1; /* and a new root */
    }
    if (path->depth + 2 > IDTREE_DEPTH_MAX) return ST_ARENA_FULL;
    for (s->n = 0; s->n < need; s->n++) {
        s->nodes[s->n] = heap_alloc(a, k->owner, NODE_BYTES);
        if (s->nodes[s->n]) continue;
        while (s->n > 0) heap_free(a, s->nodes[--s->n]);
        return ST_ARENA_FULL;
    }
    return ST_OK;
}

/* A root leaf that is smaller than a node grows before it splits. */
static status grow_root_leaf(struct arena *a, const struct idtree_kind *k, struct idtree *t) {
    uint32_t bytes = entry_bytes(k, true), max = node_max(k, true);
    size_t room = t->root ? (heap_usable(a, t->root) - sizeof(struct node)) / bytes : 0;
    uint32_t have = t->root ? node_at(a, t->root)->count : 0;
    if (t->root && (have < room || have >= max)) return ST_OK;
    uint32_t records = have ? 2 * have : ROOT_RECORDS;
    size_t size = records >= max ? NODE_BYTES : sizeof(struct node) + (size_t)records * bytes;
    ref_t r = t->root ? heap_realloc(a, t->root, size) : heap_alloc(a, k->owner, size);
    if (!r) return ST_ARENA_FULL;
    if (!t->root) *node_at(a, r) = (struct node){ 0, 0 };
    t->root = r;
    return ST_OK;
}

/* Halves the full node; at the end of the tree everything stays on the left. */
static ref_t split(struct arena *a, const struct idtree_kind *k, struct node *n, bool leaf,
                   bool at_end, struct spare *s) {
    ref_t fresh = s->nodes[--s->n];
    struct node *right = node_at(a, fresh);
    uint32_t keep = at_end ? n->count : n->count / 2;
    *right = (struct node){ n->count - keep, 0 };
    memcpy(right->entries, entry_at(n, k, leaf, keep), (size_t)right->count * entry_bytes(k, leaf));
    n->count = keep;
    return fresh;
}

static void new_root(struct arena *a, const struct idtree_kind *k, struct idtree *t,
                     const uint64_t *key, ref_t right, struct spare *s) {
    static const uint64_t least[IDTREE_WORDS_MAX] = { 0 };
    ref_t root = s->nodes[--s->n];
    struct node *n = node_at(a, root);
    *n = (struct node){ 0, 0 };
    insert_entry(n, k, false, 0, least, &t->root);
    insert_entry(n, k, false, 1, key, &right);
    t->root = root;
    t->height++;
}

/* Puts the entry in at the path's level, splitting upwards as needed. */
static void insert_upwards(struct arena *a, const struct idtree_kind *k, struct idtree *t,
                           const struct idtree_iter *path, const uint64_t *key, const void *payload,
                           struct spare *s) {
    uint64_t carried[IDTREE_WORDS_MAX];
    ref_t child; /* what `rest` is from the second level on */
    memcpy(carried, key, 8 * (size_t)k->words);
    const void *rest = payload;
    for (uint32_t level = path->depth;; level--) {
        bool leaf = level == path->depth;
        struct node *n = node_at(a, path->node[level]);
        uint32_t at = path->at[level] + (leaf ? 0u : 1u);
        if (n->count < node_max(k, leaf)) {
            insert_entry(n, k, leaf, at, carried, rest);
            return;
        }
        ref_t fresh = split(a, k, n, leaf, at == n->count, s);
        struct node *right = node_at(a, fresh);
        if (at > n->count || right->count == 0)
            insert_entry(right, k, leaf, at - n->count, carried, rest);
        else
            insert_entry(n, k, leaf, at, carried, rest);
        read_key(k, entry_at(right, k, leaf, 0), carried);
        child = fresh;
        rest = &child;
        if (level == 0) {
            new_root(a, k, t, carried, fresh, s);
            return;
        }
    }
}

status idtree_insert(struct arena *a, const struct idtree_kind *k, struct idtree *t,
                     const uint64_t *key, const void *payload) {
    struct idtree_iter path;
    struct spare s;
    if (t->height == 0 && grow_root_leaf(a, k, t) != ST_OK) return ST_ARENA_FULL;
    struct node *n = descend(a, k, t, key, &path);
    path.at[path.depth] = (uint16_t)position(n, k, true, 0, key, false);
    status st = take_spares(a, k, &path, &s);
    if (st != ST_OK) {
        if (!t->count) { /* an empty leaf is no tree */
            heap_free(a, t->root);
            t->root = REF_NULL;
        }
        return st;
    }
    insert_upwards(a, k, t, &path, key, payload, &s);
    t->count++;
    return ST_OK;
}

/* --- removal --- */

/* Joins the node at the path's level with a neighbour of the same parent when both fit in three
 * quarters of a node. Whether the parent lost an entry. */
static bool join(struct arena *a, const struct idtree_kind *k, const struct idtree_iter *path,
                 uint32_t level) {
    bool leaf = level == path->depth;
    struct node *parent = node_at(a, path->node[level - 1]);
    uint32_t at = path->at[level - 1];
    if (node_at(a, path->node[level])->count > node_max(k, leaf) / 4 || parent->count < 2)
        return false;
    uint32_t left_at = at > 0 ? at - 1 : 0;
    struct node *left = node_at(a, child_at(parent, k, left_at));
    ref_t gone = child_at(parent, k, left_at + 1);
    struct node *right = node_at(a, gone);
    if (left->count + right->count > node_max(k, leaf) * 3 / 4) return false;
    uint8_t *to = entry_at(left, k, leaf, left->count);
    memcpy(to, right->entries, (size_t)right->count * entry_bytes(k, leaf));
    /* A first child's key is of no meaning; among others it is what its parent says. */
    if (!leaf && right->count)
        memcpy(to, entry_at(parent, k, false, left_at + 1), 8 * (size_t)k->words);
    left->count += right->count;
    remove_entry(parent, k, false, left_at + 1);
    heap_free(a, gone);
    return true;
}

/* After a record left the leaf at the end of the path. */
static void shrink(struct arena *a, const struct idtree_kind *k, struct idtree *t,
                   const struct idtree_iter *path) {
    for (uint32_t level = path->depth; level > 0; level--) {
        struct node *n = node_at(a, path->node[level]);
        if (n->count == 0) {
            heap_free(a, path->node[level]);
            remove_entry(node_at(a, path->node[level - 1]), k, false, path->at[level - 1]);
        } else if (!join(a, k, path, level)) {
            break;
        }
    }
    while (t->height > 0 && node_at(a, t->root)->count == 1) {
        ref_t child = child_at(node_at(a, t->root), k, 0);
        heap_free(a, t->root);
        t->root = child;
        t->height--;
    }
    if (t->count) return;
    heap_free(a, t->root);
    t->root = REF_NULL;
    t->height = 0;
}

bool idtree_remove(struct arena *a, const struct idtree_kind *k, struct idtree *t,
                   const uint64_t *key) {
    struct idtree_iter path;
    if (!t->count) return false;
    struct node *n = descend(a, k, t, key, &path);
    uint32_t at = position(n, k, true, 0, key, false);
    if (at == n->count || compare(k, entry_at(n, k, true, at), key) != 0) return false;
    remove_entry(n, k, true, at);
    t->count--;
    shrink(a, k, t, &path);
    return true;
}

/* --- whole trees --- */

bool idtree_free_some(struct arena *a, const struct idtree_kind *k, struct idtree *t,
                      size_t leaves) {
    if (!t->root) return true;
    for (; leaves > 0 && t->height > 0; leaves--) {
        ref_t path[IDTREE_DEPTH_MAX];
        path[0] = t->root;
        for (uint32_t level = 0; level < t->height; level++) {
            struct node *n = node_at(a, path[level]);
            path[level + 1] = child_at(n, k, n->count - 1);
        }
        uint32_t level = t->height;
        heap_free(a, path[level]);
        while (level > 0 && --node_at(a, path[level - 1])->count == 0) {
            heap_free(a, path[--level]);
            if (level > 0) continue;
            *t = (struct idtree){ 0 };
            return true;
        }
    }
    if (t->height > 0) return false;
    heap_free(a, t->root);
    *t = (struct idtree){ 0 };
    return true;
}

status idtree_copy(struct arena *to, const struct arena *from, const struct idtree_kind *k,
                   const struct idtree *t, struct idtree *dst) {
    struct idtree_iter it;
    *dst = (struct idtree){ 0 };
    for (uint8_t *r = idtree_first(from, k, t, &it); r; r = idtree_next(from, k, &it)) {
        uint64_t key[IDTREE_WORDS_MAX];
        read_key(k, r, key);
        if (idtree_insert(to, k, dst, key, idtree_payload(k, r)) == ST_OK) continue;
        while (!idtree_free_some(to, k, dst, SIZE_MAX)) {
        }
        return ST_ARENA_FULL;
    }
    return ST_OK;
}

static size_t memory(const struct arena *a, const struct idtree_kind *k, ref_t r, uint32_t height) {
    size_t bytes = heap_usable(a, r);
    struct node *n = node_at(a, r);
    for (uint32_t i = 0; height && i < n->count; i++)
        bytes += memory(a, k, child_at(n, k, i), height - 1);
    return bytes;
}

size_t idtree_memory(const struct arena *a, const struct idtree_kind *k, const struct idtree *t) {
    return t->root ? memory(a, k, t->root, t->height) : 0;
}

static bool relocate(struct arena *a, const struct idtree_kind *k, ref_t *place, uint32_t height,
                     struct idtree_walk *w) {
    if (height == 0 && w->skip > 0) {
        w->skip--;
        w->done++;
        return true;
    }
    if (height == 0 && w->budget == 0) return false;
    ref_t moved = heap_sparse(a, *place) ? heap_move(a, *place) : REF_NULL;
    if (moved) *place = moved;
    struct node *n = node_at(a, *place);
    if (height == 0) {
        w->budget--;
        w->done++;
        for (uint32_t i = 0; w->visit && i < n->count; i++)
            w->visit(a, idtree_payload(k, entry_at(n, k, true, i)));
        return true;
    }
    for (uint32_t i = 0; i < n->count; i++) {
        ref_t child = child_at(n, k, i);
        bool all = relocate(a, k, &child, height - 1, w);
        set_child(n, k, i, child);
        if (!all) return false;
    }
    return true;
}

bool idtree_relocate(struct arena *a, const struct idtree_kind *k, struct idtree *t,
                     struct idtree_walk *w) {
    return !t->root || relocate(a, k, &t->root, t->height, w);
}

/* --- check --- */

/* Every key of the node is at or above `low`, if there is one, and below `high`, likewise. */
static uint64_t check_node(const struct arena *a, const struct idtree_kind *k, ref_t r,
                           uint32_t height, const uint8_t *low, const uint8_t *high) {
    struct node *n = node_at(a, r);
    uint64_t key[IDTREE_WORDS_MAX], items = 0;
    ASSERT(n->count > 0 && n->count <= node_max(k, height == 0));
    ASSERT(sizeof *n + (size_t)n->count * entry_bytes(k, height == 0) <= heap_usable(a, r));
    for (uint32_t i = height ? 1 : 0; i < n->count; i++) {
        uint8_t *e = entry_at(n, k, height == 0, i);
        read_key(k, e, key);
        if (low) ASSERT(compare(k, low, key) <= 0);
        if (high) ASSERT(compare(k, high, key) > 0);
        if (i > (height ? 1u : 0u)) ASSERT(compare(k, e - entry_bytes(k, height == 0), key) < 0);
    }
    if (height == 0) return n->count;
    for (uint32_t i = 0; i < n->count; i++) {
        const uint8_t *from = i > 0 ? entry_at(n, k, false, i) : low;
        const uint8_t *to = i + 1 < n->count ? entry_at(n, k, false, i + 1) : high;
        items += check_node(a, k, child_at(n, k, i), height - 1, from, to);
    }
    return items;
}

void idtree_check(const struct arena *a, const struct idtree_kind *k, const struct idtree *t) {
    ASSERT((t->count == 0) == (t->root == REF_NULL));
    if (!t->count) {
        ASSERT(t->height == 0);
        return;
    }
    ASSERT(check_node(a, k, t->root, t->height, NULL, NULL) == t->count);
}
