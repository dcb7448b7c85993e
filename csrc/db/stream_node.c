/* stream_node.c - appending to a node and reading it. */
#include "db/stream_node.h"

#include "db/stream_pen.h"

#define ENTRY_HEAD_MAX (1 + 3 * LP_BODY_INTEGER_MAX) /* flags, two differences, count of fields */

/* --- sizes --- */

/* Bytes that n strings take at most, of every `step`-th of the words. */
static size_t room_for(const struct str *words, size_t n, size_t step) {
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += words[i * step].n + LP_BODY_HEAD;
    return bytes;
}

size_t stream_node_pack_bytes(const struct stream_node *n) {
    return n->pack_bytes + whole_integer(n->live) + whole_integer(n->deleted);
}

/* --- writing --- */

ref_t stream_node_new(struct arena *a, const struct str *pairs, uint32_t n) {
    size_t names = room_for(pairs, n, 2), entry = room_for(pairs + 1, n, 2) + ENTRY_HEAD_MAX;
    ref_t r = heap_alloc(a, OWN_STREAM, sizeof(struct stream_node) + names + entry);
    if (!r) return REF_NULL;
    struct stream_node *node = stream_node_at(a, r);
    struct pen pen = { node->data, 0 };
    for (uint32_t i = 0; i < n; i++) pen_string(&pen, pairs[2 * i]);
    uint32_t used = (uint32_t)(pen.p - node->data);
    *node = (struct stream_node){ .bytes = used, .fields = n, .names_bytes = used };
    node->pack_bytes = (uint32_t)(LP_EMPTY_BYTES + whole_integer(n) + pen.pack + whole_integer(0));
    return r;
}

/* Whether the pairs have the node's own names in its order. */
static bool same_names(const struct stream_node *node, const struct str *pairs, uint32_t n) {
    if (n != node->fields) return false;
    const uint8_t *p = node->data;
    for (uint32_t i = 0; i < n; i++) {
        if (!lp_equal(p, pairs[2 * i])) return false;
        p += lp_body_bytes(p);
    }
    return true;
}

/* Makes room for `more` bytes; a node that grows gets a quarter more, so that copies are few. */
static status reserve(struct arena *a, ref_t *r, size_t more) {
    size_t need = sizeof(struct stream_node) + stream_node_at(a, *r)->bytes + more;
    if (heap_usable(a, *r) >= need) return ST_OK;
    ref_t moved = heap_realloc(a, *r, need + need / 4);
    if (!moved) return ST_ARENA_FULL;
    *r = moved;
    return ST_OK;
}

static void put_pairs(struct pen *pen, const struct str *pairs, uint32_t n, bool same) {
    if (!same) pen_integer(pen, n);
    for (uint32_t i = 0; i < n; i++) {
        if (!same) pen_string(pen, pairs[2 * i]);
        pen_string(pen, pairs[2 * i + 1]);
    }
    pen->pack += whole_integer(entry_elements(same, n)); /* count of elements */
}

status stream_node_append(struct arena *a, ref_t *r, struct stream_id base, struct stream_id id,
                          const struct str *pairs, uint32_t n) {
    bool same = same_names(stream_node_at(a, *r), pairs, n);
    size_t more = ENTRY_HEAD_MAX + room_for(pairs + 1, n, 2) + (same ? 0 : room_for(pairs, n, 2));
    if (reserve(a, r, more) != ST_OK) return ST_ARENA_FULL;
    struct stream_node *node = stream_node_at(a, *r);
    struct pen pen = { stream_node_end(node), 0 };
    pen_integer(&pen, same ? STREAM_ENTRY_SAME : 0);
    pen_integer(&pen, (int64_t)(id.ms - base.ms));
    pen_integer(&pen, (int64_t)(id.seq - base.seq));
    put_pairs(&pen, pairs, n, same);
    node->bytes = (uint32_t)(pen.p - node->data);
    node->pack_bytes += (uint32_t)pen.pack;
    node->live++;
    return ST_OK;
}

ref_t stream_node_fit(struct arena *a, ref_t r) {
    ref_t moved = heap_realloc(a, r, sizeof(struct stream_node) + stream_node_at(a, r)->bytes);
    return moved ? moved : r;
}

/* --- reading --- */

static int64_t take_integer(uint8_t **p) {
    int64_t v = **p < 0x80 ? **p : lp_get(*p).integer;
    *p += **p < 0x80 ? 1 : lp_body_bytes(*p);
    return v;
}

uint8_t *stream_node_read(struct stream_node *n, struct stream_id base, uint8_t *p,
                          struct stream_entry *e) {
    e->flags = p;
    bool same = *p++ & STREAM_ENTRY_SAME;
    e->id.ms = base.ms + (uint64_t)take_integer(&p);
    e->id.seq = base.seq + (uint64_t)take_integer(&p);
    e->fields = same ? n->fields : (uint32_t)take_integer(&p);
    e->names = same ? n->data : NULL;
    e->values = p;
    for (uint32_t bodies = same ? e->fields : 2 * e->fields; bodies > 0; bodies--)
        p += lp_body_bytes(p);
    return p;
}

bool stream_field_next(struct stream_field *f) {
    if (f->left == 0) return false;
    f->left--;
    if (f->next_name) {
        f->name = f->next_name;
        f->next_name += lp_body_bytes(f->next_name);
    } else {
        f->name = f->next_value;
        f->next_value += lp_body_bytes(f->next_value);
    }
    f->value = f->next_value;
    f->next_value += lp_body_bytes(f->next_value);
    return true;
}

void stream_node_mark_deleted(struct stream_node *n, struct stream_entry *e) {
    *e->flags |= STREAM_ENTRY_DELETED;
    n->live--;
    n->deleted++;
}

/* --- check --- */

void stream_node_check(const struct arena *a, ref_t r, struct stream_id base,
                       struct stream_id *last) {
    struct stream_node *n = stream_node_at(a, r);
    struct stream_entry e, before = { .id = STREAM_ID_MIN };
    uint32_t live = 0, deleted = 0;
    ASSERT(sizeof *n + n->bytes <= heap_usable(a, r));
    uint8_t *p = stream_node_begin(n);
    while (p < stream_node_end(n)) {
        p = stream_node_read(n, base, p, &e);
        ASSERT(live + deleted == 0 || stream_id_cmp(before.id, e.id) < 0);
        *(*e.flags & STREAM_ENTRY_DELETED ? &deleted : &live) += 1;
        before = e;
    }
    *last = before.id;
    ASSERT(p == stream_node_end(n) && live == n->live && deleted == n->deleted && live > 0);
}
