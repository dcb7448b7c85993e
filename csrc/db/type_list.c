/* type_list.c - the chain of nodes, and the list type. */
#include "db/type_list.h"

#include "db/digest.h"
#include "ds/listpack.h"

struct node {
    ref_t prev, next;
    uint8_t lp[];
};

struct quicklist {
    ref_t head, tail;
    uint64_t count;
    uint32_t nodes;
};

#define COUNT_MODE_BYTES 8192u /* a node limited by elements is limited by this too */
#define GROWTH_SLACK 8u

static struct node *node_at(const struct arena *a, ref_t r) {
    return arena_ptr(a, r);
}
static struct quicklist *quick(const struct arena *a, const struct value *v) {
    return arena_ptr(a, v->root);
}
static bool is_quick(const struct value *v) {
    return v->enc == ENC_QUICKLIST;
}
static ref_t end_node(const struct arena *a, const struct value *v, enum list_end end) {
    if (!is_quick(v)) return v->root;
    return end == LIST_HEAD ? quick(a, v)->head : quick(a, v)->tail;
}

uint64_t list_length(const struct arena *a, const struct value *v) {
    return is_quick(v) ? quick(a, v)->count : lp_length(node_at(a, v->root)->lp);
}

static void count(const struct arena *a, struct value *v, int64_t delta) {
    if (is_quick(v)) quick(a, v)->count += (uint64_t)delta;
}

/* --- limits --- */

/* Bytes that a node may have. */
static size_t byte_limit(const struct engine *eng) {
    int64_t setting = eng->config.list_max_listpack_size;
    if (setting >= 0) return COUNT_MODE_BYTES;
    return (size_t)4096 << (setting < -5 ? 4 : -setting - 1);
}

static size_t count_limit(const struct engine *eng) {
    int64_t setting = eng->config.list_max_listpack_size;
    return setting < 0 ? SIZE_MAX : setting == 0 ? 1 : (size_t)setting;
}

/* An empty node, the first of a new list, takes anything. */
static bool node_takes(const struct engine *eng, const struct node *n, size_t bytes) {
    size_t elements = lp_length(n->lp);
    if (elements == 0) return true;
    return lp_bytes(n->lp) + bytes + GROWTH_SLACK <= byte_limit(eng) && elements < count_limit(eng);
}

/* --- blocks --- */

static ref_t new_node(struct arena *a, size_t lp_room) {
    ref_t r = heap_alloc(a, OWN_LIST, sizeof(struct node) + lp_room);
    if (!r) return REF_NULL;
    struct node *n = node_at(a, r);
    n->prev = n->next = REF_NULL;
    lp_init(n->lp);
    return r;
}

/* Everybody who refers to the node learns its ref. */
static void relink(struct arena *a, struct value *v, ref_t r) {
    const struct node *n = node_at(a, r);
    if (!is_quick(v)) {
        v->root = r;
        return;
    }
    *(n->prev ? &node_at(a, n->prev)->next : &quick(a, v)->head) = r;
    *(n->next ? &node_at(a, n->next)->prev : &quick(a, v)->tail) = r;
}

/* Gives the node's block room for a listpack of `bytes`; *r may change. */
static status node_reserve(struct arena *a, struct value *v, ref_t *r, size_t bytes) {
    size_t need = sizeof(struct node) + bytes;
    if (heap_usable(a, *r) >= need) return ST_OK;
    size_t slack = is_quick(v) ? need / 4 : 0; /* a growing node: fewer copies */
    ref_t moved = heap_realloc(a, *r, need + slack);
    if (!moved) return ST_ARENA_FULL;
    *r = moved;
    relink(a, v, moved);
    return ST_OK;
}

/* Gives back room that is no longer needed. */
static ref_t node_fit(struct arena *a, struct value *v, ref_t r) {
    ref_t moved = heap_realloc(a, r, sizeof(struct node) + lp_bytes(node_at(a, r)->lp));
    if (!moved || moved == r) return r;
    relink(a, v, moved);
    return moved;
}

/* Puts a new node behind `prev` (REF_NULL: at the head) of a quicklist. */
static void link_after(struct arena *a, struct value *v, ref_t prev, ref_t r) {
    struct quicklist *q = quick(a, v);
    struct node *n = node_at(a, r);
    n->prev = prev;
    n->next = prev ? node_at(a, prev)->next : q->head;
    relink(a, v, r);
    q->nodes++;
}

static void unlink_node(struct arena *a, struct value *v, ref_t r) {
    struct quicklist *q = quick(a, v);
    const struct node *n = node_at(a, r);
    *(n->prev ? &node_at(a, n->prev)->next : &q->head) = n->next;
    *(n->next ? &node_at(a, n->next)->prev : &q->tail) = n->prev;
    q->nodes--;
    heap_free(a, r);
}

/* --- encodings --- */

status list_create(struct arena *a, struct value *v) {
    ref_t r = new_node(a, LP_EMPTY_BYTES);
    *v = (struct value){ .type = TYPE_LIST, .enc = ENC_LISTPACK, .root = r };
    return r ? ST_OK : ST_ARENA_FULL;
}

status list_reserve(struct engine *eng, struct value *v, size_t elements, size_t bytes) {
    struct arena *a = &eng->arena;
    if (is_quick(v)) return ST_OK;
    const struct node *n = node_at(a, v->root);
    size_t after = lp_length(n->lp) + elements;
    if (lp_bytes(n->lp) + bytes <= byte_limit(eng) && after <= count_limit(eng)) return ST_OK;
    ref_t root = heap_alloc(a, OWN_LIST, sizeof(struct quicklist));
    if (!root) return ST_ARENA_FULL;
    *(struct quicklist *)arena_ptr(a, root) = (struct quicklist){
        .head = v->root, .tail = v->root, .count = lp_length(n->lp), .nodes = 1
    };
    v->root = root;
    v->enc = ENC_QUICKLIST;
    return ST_OK;
}

/* A quicklist of one node becomes a listpack, if that is not above the limits' `part`-th. */
static void to_listpack(struct engine *eng, struct value *v, size_t part) {
    struct arena *a = &eng->arena;
    if (!is_quick(v) || quick(a, v)->nodes != 1) return;
    ref_t only = quick(a, v)->head;
    const struct node *n = node_at(a, only);
    int64_t setting = eng->config.list_max_listpack_size;
    bool small = setting < 0 ? lp_bytes(n->lp) <= byte_limit(eng) / part
                             : lp_length(n->lp) <= count_limit(eng) / part;
    if (!small) return;
    heap_free(a, v->root);
    v->root = only;
    v->enc = ENC_LISTPACK;
    node_fit(a, v, only);
}

void list_settle(struct engine *eng, struct value *v) {
    to_listpack(eng, v, 2);
}

void list_fit(struct engine *eng, struct value *v) {
    to_listpack(eng, v, 1);
}

/* --- ends --- */

static status new_end(struct engine *eng, struct value *v, enum list_end end, struct str s) {
    struct arena *a = &eng->arena;
    ref_t full = end_node(a, v, end);
    ref_t r = new_node(a, LP_EMPTY_BYTES + lp_entry_bytes(s));
    if (!r) return ST_ARENA_FULL;
    if (full) full = node_fit(a, v, full);
    link_after(a, v, end == LIST_HEAD ? REF_NULL : full, r);
    lp_append(node_at(a, r)->lp, s);
    count(a, v, 1);
    return ST_OK;
}

status list_push(struct engine *eng, struct value *v, enum list_end end, struct str s) {
    struct arena *a = &eng->arena;
    ref_t r = end_node(a, v, end);
    size_t more = lp_entry_bytes(s);
    if (is_quick(v) && (!r || !node_takes(eng, node_at(a, r), more)))
        return new_end(eng, v, end, s);
    status st = node_reserve(a, v, &r, lp_bytes(node_at(a, r)->lp) + more);
    if (st != ST_OK) return st;
    uint8_t *lp = node_at(a, r)->lp;
    lp_insert(lp, end == LIST_HEAD ? lp_first(lp) : NULL, s);
    count(a, v, 1);
    return ST_OK;
}

static struct list_place end_place(const struct arena *a, const struct value *v,
                                   enum list_end end) {
    struct list_place at = { .node = end_node(a, v, end) };
    if (!at.node) return at;
    uint8_t *lp = node_at(a, at.node)->lp;
    at.p = end == LIST_HEAD ? lp_first(lp) : lp_last(lp);
    return at;
}

struct str list_peek(const struct arena *a, const struct value *v, enum list_end end,
                     char buf[24]) {
    return lp_text(end_place(a, v, end).p, buf);
}

void list_drop(struct arena *a, struct value *v, enum list_end end) {
    list_delete(a, v, end_place(a, v, end), false);
}

void list_drop_many(struct arena *a, struct value *v, enum list_end end, uint64_t n) {
    while (n > 0) {
        ref_t r = end_node(a, v, end);
        uint8_t *lp = node_at(a, r)->lp;
        size_t here = lp_length(lp);
        if (is_quick(v) && here <= n) {
            unlink_node(a, v, r);
            count(a, v, -(int64_t)here);
            n -= here;
            continue;
        }
        size_t some = n < here ? (size_t)n : here;
        lp_delete(lp, lp_seek(lp, end == LIST_HEAD ? 0 : -(int64_t)some), some);
        count(a, v, -(int64_t)some);
        node_fit(a, v, r);
        return;
    }
}

/* --- places --- */

struct list_place list_at(const struct arena *a, const struct value *v, int64_t index) {
    struct list_place none = { 0 };
    int64_t n = (int64_t)list_length(a, v);
    if (index < -n || index >= n) return none;
    if (index < 0) index += n;
    bool forward = index < n / 2 || !is_quick(v);
    ref_t r = end_node(a, v, forward ? LIST_HEAD : LIST_TAIL);
    if (!forward) index -= n; /* from the end: -1 is the last */
    while (true) {
        struct node *node = node_at(a, r);
        int64_t here = (int64_t)lp_length(node->lp);
        bool inside = forward ? index < here : index >= -here;
        if (inside) return (struct list_place){ r, lp_seek(node->lp, index) };
        index += forward ? -here : here;
        r = forward ? node->next : node->prev;
    }
}

struct list_place list_next(const struct arena *a, const struct list_place *at) {
    struct node *n = node_at(a, at->node);
    uint8_t *p = lp_next(n->lp, at->p);
    if (p || !n->next) return (struct list_place){ at->node, p };
    return (struct list_place){ n->next, lp_first(node_at(a, n->next)->lp) };
}

struct list_place list_prev(const struct arena *a, const struct list_place *at) {
    struct node *n = node_at(a, at->node);
    uint8_t *p = lp_prev(n->lp, at->p);
    if (p || !n->prev) return (struct list_place){ at->node, p };
    return (struct list_place){ n->prev, lp_last(node_at(a, n->prev)->lp) };
}

struct str list_text(const struct list_place *at, char buf[24]) {
    return lp_text(at->p, buf);
}

bool list_equal(const struct list_place *at, struct str s) {
    return lp_equal(at->p, s);
}

/* --- in the middle --- */

/* Moves the elements from p on (not the first) into a new node behind; the new node or REF_NULL. */
static ref_t split(struct arena *a, struct value *v, ref_t r, uint8_t *p) {
    uint8_t *lp = node_at(a, r)->lp;
    size_t bytes = lp_bytes(lp), before = (size_t)(p - lp);
    ref_t fresh = new_node(a, LP_EMPTY_BYTES + bytes - before);
    if (!fresh) return REF_NULL;
    char buf[24];
    for (uint8_t *q = p; q; q = lp_next(lp, q)) lp_append(node_at(a, fresh)->lp, lp_text(q, buf));
    lp_delete(lp, p, SIZE_MAX);
    link_after(a, v, r, fresh);
    return fresh;
}

/* A node of its own for s behind `prev` (REF_NULL: at the head). */
static status own_node(struct arena *a, struct value *v, ref_t prev, struct str s) {
    ref_t r = new_node(a, LP_EMPTY_BYTES + lp_entry_bytes(s));
    if (!r) return ST_ARENA_FULL;
    link_after(a, v, prev, r);
    lp_append(node_at(a, r)->lp, s);
    count(a, v, 1);
    return ST_OK;
}

status list_insert(struct engine *eng, struct value *v, struct list_place at, bool after,
                   struct str s) {
    struct arena *a = &eng->arena;
    ref_t r = at.node;
    uint8_t *lp = node_at(a, r)->lp, *p = after ? lp_next(lp, at.p) : at.p;
    size_t more = lp_entry_bytes(s), bytes = lp_bytes(lp);
    if (!is_quick(v) || node_takes(eng, node_at(a, r), more)) {
        size_t offset = p ? (size_t)(p - lp) : 0;
        status st = node_reserve(a, v, &r, bytes + more);
        if (st != ST_OK) return st;
        lp = node_at(a, r)->lp;
        lp_insert(lp, p ? lp + offset : NULL, s);
        count(a, v, 1);
        return ST_OK;
    }
    if (p && p != lp_first(lp) && !split(a, v, r, p)) return ST_ARENA_FULL;
    return own_node(a, v, p && p == lp_first(lp) ? node_at(a, r)->prev : r, s);
}

status list_set(struct engine *eng, struct value *v, struct list_place at, struct str s) {
    struct arena *a = &eng->arena;
    ref_t r = at.node;
    uint8_t *lp = node_at(a, r)->lp;
    size_t offset = (size_t)(at.p - lp), old = lp_size_at(at.p), now = lp_entry_bytes(s);
    size_t bytes = lp_bytes(lp) - old + now;
    if (is_quick(v) && now > old && bytes > byte_limit(eng) && lp_length(lp) > 1) {
        status st = list_insert(eng, v, at, true, s);
        if (st != ST_OK) return st;
        /* The old element is still where it was: what follows it was inserted or split off. */
        at.p = node_at(a, at.node)->lp + offset;
        list_delete(a, v, at, false);
        return ST_OK;
    }
    status st = node_reserve(a, v, &r, bytes > lp_bytes(lp) ? bytes : lp_bytes(lp));
    if (st != ST_OK) return st;
    lp = node_at(a, r)->lp;
    lp_replace(lp, lp + offset, s);
    return ST_OK;
}

struct list_place list_delete(struct arena *a, struct value *v, struct list_place at,
                              bool backwards) {
    struct node *n = node_at(a, at.node);
    ref_t other = backwards ? n->prev : n->next;
    count(a, v, -1);
    if (is_quick(v) && lp_length(n->lp) == 1) {
        unlink_node(a, v, at.node);
        at = (struct list_place){ .node = other };
    } else {
        uint8_t *before = backwards ? lp_prev(n->lp, at.p) : NULL;
        uint8_t *after = lp_delete(n->lp, at.p, 1);
        at.p = backwards ? before : after;
        if (at.p || !other) return at;
        at.node = other;
    }
    if (at.node) {
        uint8_t *lp = node_at(a, at.node)->lp;
        at.p = backwards ? lp_last(lp) : lp_first(lp);
    }
    return at;
}

/* --- whole nodes --- */

static_assert(sizeof(struct node) == LIST_NODE_HEADER, "what loaders leave free");

uint64_t list_nodes(const struct arena *a, const struct value *v) {
    return is_quick(v) ? quick(a, v)->nodes : 1;
}

uint8_t *list_next_node(const struct arena *a, const struct value *v, ref_t *node) {
    *node = *node ? node_at(a, *node)->next : end_node(a, v, LIST_HEAD);
    return *node ? node_at(a, *node)->lp : NULL;
}

status list_create_chain(struct arena *a, struct value *v) {
    ref_t root = heap_alloc(a, OWN_LIST, sizeof(struct quicklist));
    *v = (struct value){ .type = TYPE_LIST, .enc = ENC_QUICKLIST, .root = root };
    if (!root) return ST_ARENA_FULL;
    *quick(a, v) = (struct quicklist){ .head = REF_NULL };
    return ST_OK;
}

void list_append_node(struct arena *a, struct value *v, ref_t block) {
    link_after(a, v, quick(a, v)->tail, block);
    count(a, v, (int64_t)lp_length(node_at(a, block)->lp));
}

status list_append_alone(struct engine *eng, struct value *v, struct str s) {
    return own_node(&eng->arena, v, quick(&eng->arena, v)->tail, s);
}

/* --- the type --- */

static bool list_free_some(struct arena *a, struct value *v, size_t budget) {
    if (is_quick(v)) {
        for (size_t nodes = budget / 32 + 1; nodes && quick(a, v)->head; nodes--)
            unlink_node(a, v, quick(a, v)->head);
        if (quick(a, v)->head) return false;
    }
    heap_free(a, v->root);
    v->root = REF_NULL;
    return true;
}

static uint64_t list_effort(const struct arena *a, const struct value *v) {
    return is_quick(v) ? quick(a, v)->nodes : 1;
}

static ref_t copy_node(struct arena *to, const struct arena *from, ref_t node) {
    size_t n = sizeof(struct node) + lp_bytes(node_at(from, node)->lp);
    ref_t r = heap_alloc(to, OWN_LIST, n);
    if (!r) return REF_NULL;
    memcpy(node_at(to, r), node_at(from, node), n);
    node_at(to, r)->prev = node_at(to, r)->next = REF_NULL;
    return r;
}

static status list_copy(struct arena *to, const struct arena *from, const struct value *v,
                        struct value *dst) {
    *dst = *v;
    if (!is_quick(v)) {
        dst->root = copy_node(to, from, v->root);
        return dst->root ? ST_OK : ST_ARENA_FULL;
    }
    dst->root = heap_alloc(to, OWN_LIST, sizeof(struct quicklist));
    if (!dst->root) return ST_ARENA_FULL;
    *quick(to, dst) = (struct quicklist){ .count = quick(from, v)->count };
    for (ref_t r = quick(from, v)->head; r; r = node_at(from, r)->next) {
        ref_t copy = copy_node(to, from, r);
        if (!copy) {
            while (!list_free_some(to, dst, SIZE_MAX)) {
            }
            return ST_ARENA_FULL;
        }
        link_after(to, dst, quick(to, dst)->tail, copy);
    }
    return ST_OK;
}

static size_t list_memory(const struct arena *a, const struct value *v, size_t samples) {
    size_t bytes = heap_usable(a, v->root);
    if (!is_quick(v)) return bytes;
    size_t seen = 0, nodes = 0;
    for (ref_t r = quick(a, v)->head; r && (!samples || seen < samples); seen++) {
        nodes += heap_usable(a, r);
        r = node_at(a, r)->next;
    }
    return bytes + (seen ? nodes / seen * quick(a, v)->nodes : 0);
}

/* The cursor counts the nodes that are done; they are skipped by their links. */
static void list_relocate(struct arena *a, struct value *v, uint64_t *cursor, size_t budget) {
    if (*cursor == 0 && heap_sparse(a, v->root)) {
        ref_t moved = heap_move(a, v->root);
        if (moved) v->root = moved;
    }
    if (!is_quick(v)) return;
    uint64_t at = 0;
    ref_t r = quick(a, v)->head;
    for (; r && at < *cursor; at++) r = node_at(a, r)->next;
    for (; r && budget; budget--, at++) {
        ref_t moved = heap_sparse(a, r) ? heap_move(a, r) : REF_NULL;
        if (moved) relink(a, v, r = moved);
        r = node_at(a, r)->next;
    }
    *cursor = r ? at : 0;
}

static void list_digest(const struct arena *a, const struct value *v, struct digest *d) {
    char buf[24];
    for (struct list_place at = list_at(a, v, 0); at.p; at = list_next(a, &at)) {
        struct str s = list_text(&at, buf);
        digest_mix(d, s.p, s.n);
    }
}

static void list_check(const struct arena *a, const struct value *v) {
    uint64_t nodes = 0, elements = 0;
    ref_t before = REF_NULL;
    for (ref_t r = end_node(a, v, LIST_HEAD); r; nodes++) {
        const struct node *n = node_at(a, r);
        lp_check(n->lp);
        ASSERT(sizeof *n + lp_bytes(n->lp) <= heap_usable(a, r));
        ASSERT(n->prev == before && lp_length(n->lp) > 0);
        elements += lp_length(n->lp);
        before = r;
        r = n->next;
    }
    if (!is_quick(v)) return;
    const struct quicklist *q = quick(a, v);
    ASSERT(q->nodes == nodes && q->count == elements && q->tail == before);
}

const struct type_ops list_type = {
    .id = TYPE_LIST,
    .name = "list",
    .free_some = list_free_some,
    .effort = list_effort,
    .copy = list_copy,
    .length = list_length,
    .memory = list_memory,
    .relocate = list_relocate,
    .digest = list_digest,
    .check = list_check,
};
