/* rdb_list.c - lists in files: node by node, as they lie in memory. */
#include "db/keyspace.h"
#include "db/type_list.h"
#include "ds/listpack.h"
#include "persist/pack.h"
#include "persist/rdb_codec.h"

enum container { CONTAINER_PLAIN = 1, CONTAINER_PACKED = 2 };

static uint8_t list_type_byte(const struct arena *a, const struct entry *e) {
    (void)a, (void)e;
    return RDB_QUICKLIST;
}

/* --- saving --- */

/* The one large element of a node, which Redis has outside of any listpack; .p NULL: it is none. */
static struct str plain_element(uint8_t *lp, size_t plain_bytes) {
    struct str none = { NULL, 0 };
    if (lp_bytes(lp) <= plain_bytes || lp_length(lp) != 1) return none;
    struct lp_value v = lp_get(lp_first(lp));
    return v.s.p && v.s.n > plain_bytes ? v.s : none;
}

static void list_save(const struct arena *a, const struct entry *e, struct rdb_writer *w) {
    struct value v = entry_value(e);
    rdb_put_length(w, list_nodes(a, &v));
    ref_t node = REF_NULL;
    for (uint8_t *lp; (lp = list_next_node(a, &v, &node));) {
        struct str plain = plain_element(lp, w->plain_bytes);
        rdb_put_length(w, plain.p ? CONTAINER_PLAIN : CONTAINER_PACKED);
        rdb_put_string(w, plain.p ? plain : (struct str){ (const char *)lp, lp_bytes(lp) });
    }
}

static void list_rewrite(const struct arena *a, const struct entry *e, struct rewriter *out) {
    struct value v = entry_value(e);
    rewrite_begin(out, STR("RPUSH"), entry_key(e), 1);
    for (struct list_place at = list_at(a, &v, 0); at.p; at = list_next(a, &at))
        rewrite_add(out, list_text(&at, rewrite_text(out)));
    rewrite_end(out);
}

/* --- loading --- */

static const struct pack_shape node_shape = { .owner = OWN_LIST,
                                              .width = 1,
                                              .header = LIST_NODE_HEADER };

static bool full(struct rdb_reader *r) {
    return source_fail(r->src, SOURCE_FULL, "The arena is full");
}

static bool get_element(struct rdb_reader *r, struct str *s) {
    if (!rdb_get_string(r, RDB_PLACE_VALUE, s)) return false;
    return s->n < LP_MAX_BYTES - 64 || rdb_bad(r, "An element that is too large");
}

static bool push(struct rdb_reader *r, struct engine *eng, struct value *v) {
    struct str s;
    if (!get_element(r, &s)) return false;
    return list_push(eng, v, LIST_TAIL, s) == ST_OK || full(r);
}

static bool load_plain(struct rdb_reader *r, struct engine *eng, struct value *v) {
    struct str s;
    if (!get_element(r, &s)) return false;
    if (s.n == 0) return rdb_bad(r, "A plain node without bytes");
    return list_append_alone(eng, v, s) == ST_OK || full(r);
}

/* A node that is a listpack; one without elements is passed over. */
static bool load_packed(struct rdb_reader *r, struct engine *eng, struct value *v,
                        uint8_t type_byte) {
    struct pack pack;
    bool ok = type_byte == RDB_QUICKLIST
                  ? pack_load(r, &eng->arena, &node_shape, &pack)
                  : pack_load_legacy(r, &eng->arena, &node_shape, ziplist_to_pack, &pack);
    if (ok)
        list_append_node(&eng->arena, v, pack.root);
    else if (r->src->error == SOURCE_EMPTY)
        source_forgive(r->src);
    return !r->src->error;
}

static bool load_node(struct rdb_reader *r, struct engine *eng, struct value *v,
                      uint8_t type_byte) {
    uint64_t container = CONTAINER_PACKED;
    if (type_byte == RDB_LIST) return push(r, eng, v);
    if (type_byte == RDB_QUICKLIST && !rdb_get_length(r, &container)) return false;
    if (container == CONTAINER_PLAIN) return load_plain(r, eng, v);
    if (container != CONTAINER_PACKED) return rdb_bad(r, "Quicklist integrity check failed");
    return load_packed(r, eng, v, type_byte);
}

static bool list_load(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                      struct entry_spec *spec) {
    uint64_t n = 1;
    struct value v;
    if (type_byte != RDB_LIST_ZIPLIST && !rdb_get_length(r, &n)) return false;
    if (n == 0) return source_fail(r->src, SOURCE_EMPTY, "A value without elements");
    if (list_create_chain(&eng->arena, &v) != ST_OK) return full(r);
    for (uint64_t i = 0; i < n; i++) {
        if (load_node(r, eng, &v, type_byte)) continue;
        value_free(eng, v, false);
        return false;
    }
    if (list_length(&eng->arena, &v) == 0) {
        value_free(eng, v, false);
        return source_fail(r->src, SOURCE_EMPTY, "A value without elements");
    }
    list_fit(eng, &v);
    spec->value = v;
    return true;
}

const struct rdb_codec rdb_list_codec = {
    .type = TYPE_LIST,
    .type_byte = list_type_byte,
    .save = list_save,
    .load = list_load,
    .rewrite = list_rewrite,
};
