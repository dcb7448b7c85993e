/* stream_entries.c - appending, deleting, walking entries. */
#include "db/type_stream.h"

#include "ds/listpack.h"

const struct idtree_kind stream_nodes_kind = { .owner = OWN_STREAM,
                                               .words = 2,
                                               .payload = sizeof(ref_t) };
#define KIND (&stream_nodes_kind)

static struct stream_id id_of(const uint8_t *record) {
    return (struct stream_id){ idtree_word(record, 0), idtree_word(record, 1) };
}
static ref_t ref_of(uint8_t *record) {
    return load_u32(idtree_payload(KIND, record));
}

/* --- ids --- */

bool stream_next_id(const struct engine *eng, const struct stream *s, struct stream_id *id) {
    *id = s->last;
    if (eng->now_ms <= s->last.ms) return stream_id_next(id);
    *id = (struct stream_id){ eng->now_ms, 0 };
    return true;
}

/* --- appending --- */

static bool node_takes(const struct engine *eng, const struct stream_node *n, size_t bytes) {
    int64_t max_bytes = eng->config.stream_node_max_bytes;
    int64_t max_entries = eng->config.stream_node_max_entries;
    size_t limit = max_bytes && (size_t)max_bytes < LP_MAX_BYTES ? (size_t)max_bytes : LP_MAX_BYTES;
    if (stream_node_pack_bytes(n) + bytes >= limit) return false;
    return !max_entries || (int64_t)n->live + (int64_t)n->deleted < max_entries;
}

static status new_node(struct arena *a, struct stream *s, struct stream_id id,
                       const struct str *pairs, uint32_t n) {
    ref_t r = stream_node_new(a, pairs, n);
    if (!r) return ST_ARENA_FULL;
    status st = stream_node_append(a, &r, id, id, pairs, n);
    if (st == ST_OK) st = idtree_insert(a, KIND, &s->nodes, (uint64_t[]){ id.ms, id.seq }, &r);
    if (st != ST_OK) heap_free(a, r);
    return st;
}

static size_t pairs_bytes(const struct str *pairs, uint32_t n) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < 2 * n; i++) bytes += pairs[i].n;
    return bytes;
}

static status append(struct engine *eng, struct stream *s, struct stream_id id,
                     const struct str *pairs, uint32_t n) {
    struct arena *a = &eng->arena;
    struct idtree_iter it;
    uint8_t *record = idtree_last(a, KIND, &s->nodes, &it);
    if (!record) return new_node(a, s, id, pairs, n);
    ref_t r = ref_of(record);
    if (node_takes(eng, stream_node_at(a, r), pairs_bytes(pairs, n))) {
        status st = stream_node_append(a, &r, id_of(record), id, pairs, n);
        store_u32(idtree_payload(KIND, record), r);
        return st;
    }
    status st = new_node(a, s, id, pairs, n);
    if (st != ST_OK) return st;
    record = idtree_last(a, KIND, &s->nodes, &it);
    record = idtree_prev(a, KIND, &it);
    store_u32(idtree_payload(KIND, record), stream_node_fit(a, ref_of(record)));
    return ST_OK;
}

status stream_append(struct engine *eng, struct stream *s, struct stream_id id,
                     const struct str *pairs, uint32_t n) {
    status st = append(eng, s, id, pairs, n);
    if (st != ST_OK) return st;
    if (s->length++ == 0) s->first = id;
    s->added++;
    s->last = id;
    return ST_OK;
}

/* --- deleting --- */

/* Finds the entry, deleted or not; the node's record, or NULL. */
static uint8_t *find_entry(const struct arena *a, const struct stream *s, struct stream_id id,
                           struct stream_entry *e) {
    struct idtree_iter it;
    uint8_t *record = idtree_seek_back(a, KIND, &s->nodes, (uint64_t[]){ id.ms, id.seq }, &it);
    if (!record) return NULL;
    struct stream_node *n = stream_node_at(a, ref_of(record));
    for (uint8_t *p = stream_node_begin(n); p < stream_node_end(n);) {
        p = stream_node_read(n, id_of(record), p, e);
        int order = stream_id_cmp(e->id, id);
        if (order == 0) return record;
        if (order > 0) break;
    }
    return NULL;
}

bool stream_has(const struct arena *a, const struct stream *s, struct stream_id id) {
    struct stream_entry e;
    return find_entry(a, s, id, &e) && !(*e.flags & STREAM_ENTRY_DELETED);
}

void stream_drop_node(struct arena *a, struct stream *s, struct stream_id base) {
    uint64_t key[2] = { base.ms, base.seq };
    uint8_t *record = idtree_find(a, KIND, &s->nodes, key);
    ref_t r = ref_of(record);
    s->length -= stream_node_at(a, r)->live;
    idtree_remove(a, KIND, &s->nodes, key);
    heap_free(a, r);
}

void stream_settle(const struct arena *a, struct stream *s) {
    struct stream_cursor c;
    struct stream_entry e;
    s->first = STREAM_ID_MIN;
    if (!s->length) return;
    stream_seek(a, s, STREAM_ID_MIN, STREAM_ID_MAX, false, &c);
    if (stream_next(&c, &e)) s->first = e.id;
    stream_cursor_close(&c);
}

bool stream_delete(struct arena *a, struct stream *s, struct stream_id id) {
    struct stream_entry e;
    uint8_t *record = find_entry(a, s, id, &e);
    if (!record || *e.flags & STREAM_ENTRY_DELETED) return false;
    struct stream_node *n = stream_node_at(a, ref_of(record));
    if (n->live == 1) {
        stream_drop_node(a, s, id_of(record));
    } else {
        stream_node_mark_deleted(n, &e);
        s->length--;
    }
    if (stream_id_cmp(id, s->max_deleted) > 0) s->max_deleted = id;
    if (stream_id_cmp(id, s->first) == 0) stream_settle(a, s);
    return true;
}

/* --- walking --- */

static void enter_node(struct stream_cursor *c, uint8_t *record) {
    c->node = record ? stream_node_at(c->a, ref_of(record)) : NULL;
    if (!record) return;
    c->base = id_of(record);
    c->p = stream_node_begin(c->node);
    c->n = 0;
    if (!c->backwards) return;
    struct stream_entry e;
    for (uint8_t *p = c->p; p < stream_node_end(c->node);) {
        if (c->n == c->room) {
            c->room = c->room ? 2 * c->room : 128;
            c->offsets = realloc(c->offsets, c->room * sizeof *c->offsets);
            ASSERT(c->offsets);
        }
        c->offsets[c->n++] = (uint32_t)(p - c->node->data);
        p = stream_node_read(c->node, c->base, p, &e);
    }
}

void stream_seek(const struct arena *a, const struct stream *s, struct stream_id start,
                 struct stream_id end, bool backwards, struct stream_cursor *c) {
    uint64_t key[2] = { start.ms, start.seq };
    *c = (struct stream_cursor){ .a = a, .end = end, .backwards = backwards };
    uint8_t *record = idtree_seek_back(a, KIND, &s->nodes, key, &c->it);
    if (!record && !backwards) record = idtree_first(a, KIND, &s->nodes, &c->it);
    enter_node(c, record);
    struct stream_entry e;
    while (c->node && !backwards) { /* past what is below the start */
        if (c->p == stream_node_end(c->node)) {
            enter_node(c, idtree_next(a, KIND, &c->it));
            break;
        }
        uint8_t *next = stream_node_read(c->node, c->base, c->p, &e);
        if (stream_id_cmp(e.id, start) >= 0) break;
        c->p = next;
    }
    while (c->node && backwards && c->n > 0) {
        stream_node_read(c->node, c->base, c->node->data + c->offsets[c->n - 1], &e);
        if (stream_id_cmp(e.id, start) <= 0) break;
        c->n--;
    }
}

/* The next entry, deleted or not. */
static bool step(struct stream_cursor *c, struct stream_entry *e) {
    while (c->node) {
        if (!c->backwards && c->p < stream_node_end(c->node)) {
            c->p = stream_node_read(c->node, c->base, c->p, e);
            return true;
        }
        if (c->backwards && c->n > 0) {
            stream_node_read(c->node, c->base, c->node->data + c->offsets[--c->n], e);
            return true;
        }
        enter_node(c, c->backwards ? idtree_prev(c->a, KIND, &c->it)
                                   : idtree_next(c->a, KIND, &c->it));
    }
    return false;
}

bool stream_next(struct stream_cursor *c, struct stream_entry *e) {
    while (step(c, e)) {
        int order = stream_id_cmp(e->id, c->end);
        if (c->backwards ? order < 0 : order > 0) break;
        if (!(*e->flags & STREAM_ENTRY_DELETED)) return true;
    }
    c->node = NULL;
    return false;
}

void stream_cursor_close(struct stream_cursor *c) {
    free(c->offsets);
    c->offsets = NULL;
}
