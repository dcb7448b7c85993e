/* type_stream.c - the stream type as a whole. */
#include "db/type_stream.h"

#include "db/digest.h"
#include "db/stream_group.h"
#include "db/stream_idmp.h"
#include "ds/listpack.h"

#define NODES (&stream_nodes_kind)

status stream_create(struct engine *eng, struct value *v) {
    ref_t r = heap_alloc(&eng->arena, OWN_STREAM, sizeof(struct stream));
    *v = (struct value){ .type = TYPE_STREAM, .enc = ENC_STREAM, .root = r };
    if (!r) return ST_ARENA_FULL;
    *stream_of(&eng->arena, v) =
        (struct stream){ .idmp_duration = (uint32_t)eng->config.stream_idmp_duration,
                         .idmp_maxsize = (uint32_t)eng->config.stream_idmp_maxsize };
    return ST_OK;
}

/* --- freeing --- */

static bool free_nodes(struct arena *a, struct stream *s, size_t budget) {
    struct idtree_iter it;
    for (size_t n = budget / 16 + 1; n > 0; n--) {
        uint8_t *record = idtree_last(a, NODES, &s->nodes, &it);
        if (!record) return true;
        stream_drop_node(a, s,
                         (struct stream_id){ idtree_word(record, 0), idtree_word(record, 1) });
    }
    return s->nodes.count == 0;
}

static bool stream_free_some(struct arena *a, struct value *v, size_t budget) {
    struct stream *s = stream_of(a, v);
    if (!free_nodes(a, s, budget)) return false;
    for (size_t n = budget / 16 + 1; s->groups.count > 0 && n > 0; n--)
        if (!stream_group_destroy_some(a, s, s->groups.count - 1, budget)) return false;
    if (s->groups.count > 0) return false;
    stream_idmp_free(a, s);
    heap_free(a, v->root);
    v->root = REF_NULL;
    return true;
}

static uint64_t stream_effort(const struct arena *a, const struct value *v) {
    const struct stream *s = stream_of(a, v);
    uint64_t effort = s->nodes.count + s->groups.count;
    for (uint32_t i = 0; i < s->groups.count; i++) {
        const struct stream_group *g = stream_group_at(a, s, i);
        effort += g->consumers.count + g->pending.count;
    }
    return effort ? effort : 1;
}

/* --- copying --- */

static status copy_nodes(struct arena *to, const struct arena *from, const struct stream *s,
                         struct stream *dst) {
    struct idtree_iter it;
    uint8_t *record = idtree_first(from, NODES, &s->nodes, &it);
    for (; record; record = idtree_next(from, NODES, &it)) {
        const struct stream_node *n = stream_node_at(from, load_u32(idtree_payload(NODES, record)));
        size_t bytes = sizeof *n + n->bytes;
        ref_t r = heap_alloc(to, OWN_STREAM, bytes);
        if (!r) return ST_ARENA_FULL;
        memcpy(arena_ptr(to, r), n, bytes);
        uint64_t key[2] = { idtree_word(record, 0), idtree_word(record, 1) };
        if (idtree_insert(to, NODES, &dst->nodes, key, &r) != ST_OK) {
            heap_free(to, r);
            return ST_ARENA_FULL;
        }
    }
    return ST_OK;
}

static status stream_copy(struct arena *to, const struct arena *from, const struct value *v,
                          struct value *dst) {
    const struct stream *s = stream_of(from, v);
    *dst = *v;
    dst->root = heap_alloc(to, OWN_STREAM, sizeof(struct stream));
    if (!dst->root) return ST_ARENA_FULL;
    struct stream *copy = stream_of(to, dst);
    *copy = *s;
    copy->nodes = (struct idtree){ 0 };
    copy->groups = (struct roster){ 0 };
    copy->idmp = REF_NULL;
    status st = copy_nodes(to, from, s, copy);
    if (st == ST_OK) st = stream_groups_copy(to, from, s, copy);
    if (st == ST_OK) st = stream_idmp_copy(to, from, s, copy);
    if (st == ST_OK) return ST_OK;
    while (!stream_free_some(to, dst, SIZE_MAX / 2)) {
    }
    return st;
}

/* --- figures --- */

static uint64_t stream_length(const struct arena *a, const struct value *v) {
    return stream_of(a, v)->length;
}

static size_t stream_memory(const struct arena *a, const struct value *v, size_t samples) {
    const struct stream *s = stream_of(a, v);
    struct idtree_iter it;
    size_t bytes = heap_usable(a, v->root) + idtree_memory(a, NODES, &s->nodes);
    size_t seen = 0, nodes = 0;
    uint8_t *record = idtree_first(a, NODES, &s->nodes, &it);
    for (; record && (!samples || seen < samples); seen++) {
        nodes += heap_usable(a, load_u32(idtree_payload(NODES, record)));
        record = idtree_next(a, NODES, &it);
    }
    if (seen) bytes += (size_t)((double)nodes / (double)seen * (double)s->nodes.count);
    if (s->groups.block) bytes += heap_usable(a, s->groups.block);
    for (uint32_t i = 0; i < s->groups.count; i++)
        bytes += stream_group_memory(a, stream_group_at(a, s, i));
    return bytes + stream_idmp_memory(a, s);
}

/* --- moving --- */

static void move_node(struct arena *a, uint8_t *payload) {
    ref_t r = load_u32(payload), moved = heap_sparse(a, r) ? heap_move(a, r) : REF_NULL;
    if (moved) store_u32(payload, moved);
}

/* The cursor counts the leaves of all trees that are done. */
static void stream_relocate(struct arena *a, struct value *v, uint64_t *cursor, size_t budget) {
    if (*cursor == 0 && heap_sparse(a, v->root)) {
        ref_t moved = heap_move(a, v->root);
        if (moved) v->root = moved;
    }
    struct stream *s = stream_of(a, v);
    struct idtree_walk w = { .skip = *cursor, .budget = budget / 16 + 1, .visit = move_node };
    bool all = idtree_relocate(a, NODES, &s->nodes, &w);
    w.visit = NULL;
    all = all && stream_groups_relocate(a, s, &w);
    if (all) stream_idmp_relocate(a, s);
    *cursor = all ? 0 : w.done;
}

/* --- digest and check --- */

static void mix_body(struct digest *d, const uint8_t *body) {
    char buf[24];
    struct str s = lp_text(body, buf);
    digest_mix(d, s.p, s.n);
}

static void stream_digest(const struct arena *a, const struct value *v, struct digest *d) {
    struct stream_cursor c;
    struct stream_entry e;
    stream_seek(a, stream_of(a, v), STREAM_ID_MIN, STREAM_ID_MAX, false, &c);
    while (stream_next(&c, &e)) {
        char id[STREAM_ID_TEXT];
        size_t n = stream_id_text(id, e.id);
        *(char *)memchr(id, '-', n) = '.';
        digest_mix(d, id, n);
        struct stream_field f = stream_fields(&e);
        while (stream_field_next(&f)) {
            mix_body(d, f.name);
            mix_body(d, f.value);
        }
    }
    stream_cursor_close(&c);
}

static void stream_check(const struct arena *a, const struct value *v) {
    const struct stream *s = stream_of(a, v);
    struct idtree_iter it;
    uint64_t length = 0;
    struct stream_id last = STREAM_ID_MIN;
    idtree_check(a, NODES, &s->nodes);
    uint8_t *record = idtree_first(a, NODES, &s->nodes, &it);
    for (; record; record = idtree_next(a, NODES, &it)) {
        struct stream_id base = { idtree_word(record, 0), idtree_word(record, 1) };
        ref_t r = load_u32(idtree_payload(NODES, record));
        ASSERT(length == 0 || stream_id_cmp(last, base) < 0);
        stream_node_check(a, r, base, &last);
        length += stream_node_at(a, r)->live;
    }
    ASSERT(length == s->length && stream_id_cmp(last, s->last) <= 0);
    struct stream now = *s;
    stream_settle(a, &now);
    ASSERT(stream_id_cmp(now.first, s->first) == 0);
    stream_groups_check(a, s);
    stream_idmp_check(a, s);
}

const struct type_ops stream_type = {
    .id = TYPE_STREAM,
    .name = "stream",
    .free_some = stream_free_some,
    .effort = stream_effort,
    .copy = stream_copy,
    .length = stream_length,
    .memory = stream_memory,
    .relocate = stream_relocate,
    .digest = stream_digest,
    .check = stream_check,
};
