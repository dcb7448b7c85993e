/* stream_trim.c - removing the oldest entries of a stream. */
#include "db/stream_group.h"

#define KIND (&stream_nodes_kind)

static struct stream_id id_of(const uint8_t *record) {
    return (struct stream_id){ idtree_word(record, 0), idtree_word(record, 1) };
}
static struct stream_node *node_of(const struct arena *a, uint8_t *record) {
    return stream_node_at(a, load_u32(idtree_payload(KIND, record)));
}

/* Whether no entry of the node is to stay. */
static bool goes_whole(const struct stream *s, struct stream_node *n, struct stream_id base,
                       const struct stream_trim *t) {
    if (t->how == TRIM_LENGTH) return s->length - n->live >= t->length;
    struct stream_entry e = { .id = base };
    for (uint8_t *p = stream_node_begin(n); p < stream_node_end(n);)
        p = stream_node_read(n, base, p, &e);
    return stream_id_cmp(e.id, t->id) < 0;
}

static bool enough(const struct stream *s, const struct stream_entry *e,
                   const struct stream_trim *t) {
    return t->how == TRIM_LENGTH ? s->length <= t->length : stream_id_cmp(e->id, t->id) >= 0;
}

/* Removes entries of one node one by one; the node itself too when none is left. */
static uint64_t trim_entries(struct arena *a, struct stream *s, struct stream_node *n,
                             struct stream_id base, const struct stream_trim *t) {
    uint64_t removed = 0;
    struct stream_entry e;
    for (uint8_t *p = stream_node_begin(n); p < stream_node_end(n);) {
        p = stream_node_read(n, base, p, &e);
        if (*e.flags & STREAM_ENTRY_DELETED) continue;
        if (enough(s, &e, t)) break;
        if (t->refs == REFS_ACKED && stream_wanted(a, s, e.id)) continue;
        if (t->refs == REFS_DROP) stream_forget(a, s, e.id);
        removed++;
        if (n->live == 1) {
            stream_drop_node(a, s, base);
            break;
        }
        stream_node_mark_deleted(n, &e);
        s->length--;
    }
    return removed;
}

/* What to do about the first node that is left; *removed grows. False: nothing more. */
static bool trim_node(struct arena *a, struct stream *s, uint8_t *record, struct stream_trim *t,
                      uint64_t *removed) {
    struct stream_node *n = node_of(a, record);
    struct stream_id base = id_of(record);
    if (t->how == TRIM_LENGTH && s->length <= t->length) return false;
    if (t->limit && *removed + n->live > t->limit) return t->stopped_at = base, false;
    bool whole = goes_whole(s, n, base, t);
    if (!whole && t->approximate && t->refs == REFS_KEEP) return false; /* others are exact */
    if (whole && (t->refs == REFS_KEEP || !s->groups.count)) {
        *removed += n->live;
        stream_drop_node(a, s, base);
        return true;
    }
    *removed += trim_entries(a, s, n, base, t);
    return whole;
}

uint64_t stream_trim(struct arena *a, struct stream *s, struct stream_trim *t) {
    uint64_t removed = 0;
    t->stopped_at = STREAM_ID_MAX;
    struct idtree_iter it;
    if (t->how == TRIM_NONE) return 0;
    uint8_t *record = idtree_first(a, KIND, &s->nodes, &it);
    while (record) {
        struct stream_id base = id_of(record);
        if (!trim_node(a, s, record, t, &removed) || !stream_id_next(&base)) break;
        record = idtree_seek(a, KIND, &s->nodes, (uint64_t[]){ base.ms, base.seq }, &it);
    }
    if (removed) stream_settle(a, s);
    return removed;
}

/* --- what a radix tree would be --- */

static unsigned common_bytes(struct stream_id a, struct stream_id b) {
    if (a.ms != b.ms) return (unsigned)__builtin_clzll(a.ms ^ b.ms) / 8;
    return 8 + (a.seq != b.seq ? (unsigned)__builtin_clzll(a.seq ^ b.seq) / 8 : 8);
}

static uint64_t byte_of(struct stream_id id, unsigned at) {
    uint64_t word = at < 8 ? id.ms : id.seq;
    return word >> (56 - 8 * (at % 8)) & 0xff;
}

/* Nodes below a branch that shares `depth` bytes: one for a run of bytes that all ids share, one
 * for the branch, and those of its children; an id's last byte lies in its branch. */
static uint64_t radix_nodes(const struct stream_id *ids, size_t n, unsigned depth) {
    if (n == 1) return depth < 16;
    unsigned shared = common_bytes(ids[0], ids[n - 1]);
    uint64_t nodes = 1 + (shared > depth);
    for (size_t from = 0, to; from < n; from = to) {
        uint64_t byte = byte_of(ids[from], shared);
        for (to = from + 1; to < n && byte_of(ids[to], shared) == byte;) to++;
        nodes += radix_nodes(ids + from, to - from, shared + 1);
    }
    return nodes;
}

uint64_t stream_radix_nodes(const struct arena *a, const struct stream *s) {
    struct idtree_iter it;
    size_t n = 0;
    if (!s->nodes.count) return 1;
    struct stream_id *ids = malloc((size_t)s->nodes.count * sizeof *ids);
    ASSERT(ids);
    for (uint8_t *r = idtree_first(a, KIND, &s->nodes, &it); r; r = idtree_next(a, KIND, &it))
        ids[n++] = id_of(r);
    uint64_t nodes = radix_nodes(ids, n, 0);
    free(ids);
    return nodes;
}
