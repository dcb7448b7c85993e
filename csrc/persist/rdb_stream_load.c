/* rdb_stream_load.c - streams from hostile bytes. */
#include "db/stream_group.h"
#include "db/stream_idmp.h"
#include "db/stream_pack.h"
#include "persist/rdb_stream.h"

static bool full(struct rdb_reader *r) {
    return source_fail(r->src, SOURCE_FULL, "The arena is full");
}

static bool get_id(struct rdb_reader *r, struct stream_id *id) {
    return rdb_get_length(r, &id->ms) && rdb_get_length(r, &id->seq);
}

static bool get_raw_id(struct rdb_reader *r, struct stream_id *id) {
    const char *p = source_take(r->src, 16);
    if (!p) return false;
    *id = (struct stream_id){ __builtin_bswap64(load_u64(p)), __builtin_bswap64(load_u64(p + 8)) };
    return true;
}

/* --- nodes --- */

/* The greatest id so far, and how many entries. */
struct tally {
    struct stream_id last;
    uint64_t nodes, live;
};

static bool add_node(struct rdb_reader *r, struct arena *a, struct stream *s, struct tally *t,
                     struct stream_id base, struct str lp) {
    ref_t node;
    struct stream_id last;
    if (t->nodes++ > 0 && stream_id_cmp(base, t->last) <= 0)
        return rdb_bad(r, "Stream nodes are not in order");
    switch (stream_pack_read(a, (const uint8_t *)lp.p, lp.n, base, &node, &last)) {
    case STREAM_PACK_BAD: return rdb_bad(r, "Stream listpack integrity check failed.");
    case STREAM_PACK_FULL: return full(r);
    case STREAM_PACK_EMPTY: t->last = last; return true;
    default: break;
    }
    uint64_t key[2] = { base.ms, base.seq };
    t->last = last;
    t->live += stream_node_at(a, node)->live;
    if (idtree_insert(a, &stream_nodes_kind, &s->nodes, key, &node) == ST_OK) return true;
    heap_free(a, node);
    return full(r);
}

static bool load_nodes(struct rdb_reader *r, struct arena *a, struct stream *s, struct tally *t) {
    uint64_t n;
    if (!rdb_get_length(r, &n)) return false;
    for (; n > 0; n--) {
        struct str id, lp;
        if (!rdb_get_string(r, RDB_PLACE_FIELD, &id)) return false;
        if (id.n != 16) return rdb_bad(r, "Stream node key entry is not the size of a stream ID");
        struct stream_id base = { __builtin_bswap64(load_u64(id.p)),
                                  __builtin_bswap64(load_u64(id.p + 8)) };
        if (!rdb_get_string(r, RDB_PLACE_VALUE, &lp)) return false;
        if (!add_node(r, a, s, t, base, lp)) return false;
    }
    return true;
}

/* What is known of the stream as a whole, checked against its entries. */
static bool load_head(struct rdb_reader *r, const struct arena *a, struct stream *s,
                      uint8_t type_byte, const struct tally *t) {
    struct stream_id first;
    if (!rdb_get_length(r, &s->length) || !get_id(r, &s->last)) return false;
    if (s->length != t->live) return rdb_bad(r, "Stream length inconsistent with its entries");
    if (s->length && stream_id_cmp(s->last, t->last) < 0)
        return rdb_bad(r, "The last id of a stream is below its entries");
    s->added = s->length;
    if (type_byte != RDB_STREAM_1) {
        if (!get_id(r, &first) || !get_id(r, &s->max_deleted) || !rdb_get_length(r, &s->added))
            return false;
        if (s->added < s->length) s->added = s->length;
    }
    stream_settle(a, s);
    return true;
}

/* --- pending entries --- */

struct waiting {
    struct stream_id id;
    uint64_t time, count;
    uint32_t consumer;
    bool nacked;
};
struct waiting_list {
    struct waiting *p;
    size_t n, room;
};

static struct waiting *find_waiting(const struct waiting_list *l, struct stream_id id) {
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = stream_id_cmp(l->p[middle].id, id);
        if (order == 0) return &l->p[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool load_pending(struct rdb_reader *r, struct waiting_list *l) {
    uint64_t n;
    if (!rdb_get_length(r, &n)) return false;
    for (; n > 0; n--) {
        struct waiting w = { .consumer = ROSTER_NONE };
        if (!get_raw_id(r, &w.id) || !rdb_get_u64(r, &w.time) || !rdb_get_length(r, &w.count))
            return false;
        if (l->n > 0 && stream_id_cmp(l->p[l->n - 1].id, w.id) >= 0)
            return rdb_bad(r, "Duplicated global PEL entry loading stream consumer group");
        if (w.count > INT64_MAX) w.count = INT64_MAX;
        if (l->n == l->room) {
            l->room = l->room ? 2 * l->room : 16;
            l->p = realloc(l->p, l->room * sizeof *l->p);
            ASSERT(l->p);
        }
        l->p[l->n++] = w;
    }
    return true;
}

static bool load_consumer(struct rdb_reader *r, struct arena *a, struct stream_group *g,
                          uint8_t type_byte, struct waiting_list *l) {
    struct str name;
    uint64_t seen, active, n;
    uint32_t number;
    if (!rdb_get_string(r, RDB_PLACE_FIELD, &name) || !rdb_get_u64(r, &seen)) return false;
    active = seen;
    if (type_byte >= RDB_STREAM_3 && !rdb_get_u64(r, &active)) return false;
    if (stream_consumer_find(a, g, name) != ROSTER_NONE)
        return rdb_bad(r, "Duplicate stream consumer detected");
    if (stream_consumer_create(a, g, name, seen, &number) != ST_OK) return full(r);
    stream_consumer_at(a, g, number)->active_ms = active;
    if (!rdb_get_length(r, &n)) return false;
    for (; n > 0; n--) {
        struct stream_id id;
        if (!get_raw_id(r, &id)) return false;
        struct waiting *w = find_waiting(l, id);
        if (!w) return rdb_bad(r, "Consumer entry not found in group global PEL");
        if (w->consumer != ROSTER_NONE)
            return rdb_bad(r, "Duplicated consumer PEL entry loading a stream consumer group");
        w->consumer = number;
    }
    return true;
}

/* The ids that were given back, in that order. */
static bool load_nacked(struct rdb_reader *r, struct arena *a, struct stream_group *g,
                        struct waiting_list *l) {
    uint64_t n;
    if (!rdb_get_length(r, &n)) return false;
    for (; n > 0; n--) {
        struct stream_id id;
        if (!get_raw_id(r, &id)) return false;
        struct waiting *w = find_waiting(l, id);
        if (!w || w->consumer != ROSTER_NONE || w->nacked)
            return rdb_bad(r, "Entry given back by a stream consumer group is not pending");
        w->nacked = true;
        if (stream_give_back(a, g, id, w->count) != ST_OK) return full(r);
    }
    return true;
}

static int by_time(const void *a, const void *b) {
    const struct waiting *p = a, *q = b;
    if (p->time != q->time) return p->time < q->time ? -1 : 1;
    return stream_id_cmp(p->id, q->id);
}

static bool deliver_waiting(struct rdb_reader *r, struct arena *a, struct stream_group *g,
                            struct waiting_list *l) {
    if (l->n) qsort(l->p, l->n, sizeof *l->p, by_time);
    for (size_t i = 0; i < l->n; i++) {
        const struct waiting *w = &l->p[i];
        if (w->nacked) continue;
        if (w->consumer == ROSTER_NONE)
            return rdb_bad(r, "NACK entry without consumer found in a stream consumer group");
        if (stream_deliver(a, g, w->consumer, w->id, w->time, w->count) != ST_OK) return full(r);
    }
    return true;
}

/* --- groups --- */

static bool load_members(struct rdb_reader *r, struct arena *a, struct stream_group *g,
                         uint8_t type_byte, struct waiting_list *l) {
    uint64_t n;
    if (!load_pending(r, l) || !rdb_get_length(r, &n)) return false;
    for (; n > 0; n--)
        if (!load_consumer(r, a, g, type_byte, l)) return false;
    if (type_byte >= RDB_STREAM_5 && !load_nacked(r, a, g, l)) return false;
    return deliver_waiting(r, a, g, l);
}

static bool load_group(struct rdb_reader *r, struct arena *a, struct stream *s, uint8_t type_byte) {
    struct str name;
    struct stream_id last;
    struct stream_group *g;
    struct waiting_list l = { 0 };
    if (!rdb_get_string(r, RDB_PLACE_FIELD, &name)) return false;
    if (stream_group_find(a, s, name)) return rdb_bad(r, "Duplicated consumer group name");
    if (stream_group_create(a, s, name, STREAM_ID_MIN, ENTRIES_READ_UNKNOWN, &g) != ST_OK)
        return full(r);
    if (!get_id(r, &last)) return false;
    g->last = last;
    if (type_byte == RDB_STREAM_1)
        g->entries_read = stream_position(s, last);
    else if (!rdb_get_length(r, &g->entries_read))
        return false;
    bool ok = load_members(r, a, g, type_byte, &l);
    free(l.p);
    return ok;
}

/* --- producers --- */

static bool load_producer(struct rdb_reader *r, struct arena *a, struct stream *s) {
    struct str name, iid;
    struct stream_id id, there;
    uint64_t n;
    if (!rdb_get_string(r, RDB_PLACE_LATER, &name) || !rdb_get_length(r, &n)) return false;
    for (; n > 0; n--) {
        if (!rdb_get_string(r, RDB_PLACE_FIELD, &iid) || !get_id(r, &id)) return false;
        if (stream_idmp_find(a, s, name, iid, 0, &there))
            return rdb_bad(r, "Duplicated idempotent ID of a stream producer");
        if (stream_idmp_add(a, s, name, iid, id, 0) != ST_OK) return full(r);
    }
    return true;
}

static bool load_producers(struct rdb_reader *r, struct arena *a, struct stream *s) {
    uint64_t duration, maxsize, n, added, duplicates;
    if (!rdb_get_length(r, &duration) || !rdb_get_length(r, &maxsize)) return false;
    if (duration < 1 || duration > 86400 || maxsize < 1 || maxsize > 10000)
        return rdb_bad(r, "Limits of stream producers out of range");
    s->idmp_duration = (uint32_t)duration;
    s->idmp_maxsize = (uint32_t)maxsize;
    if (!rdb_get_length(r, &n)) return false;
    for (; n > 0; n--)
        if (!load_producer(r, a, s)) return false;
    if (!rdb_get_length(r, &added) || !rdb_get_length(r, &duplicates)) return false;
    if (!added && !duplicates && !s->idmp) return true;
    if (stream_idmp_make(a, s) != ST_OK) return full(r);
    stream_idmp_of(a, s)->added = added;
    stream_idmp_of(a, s)->duplicates = duplicates;
    return true;
}

/* --- all --- */

static bool load(struct rdb_reader *r, struct arena *a, struct stream *s, uint8_t type_byte) {
    struct tally t = { 0 };
    uint64_t n;
    if (!load_nodes(r, a, s, &t) || !load_head(r, a, s, type_byte, &t)) return false;
    if (!rdb_get_length(r, &n)) return false;
    for (; n > 0; n--)
        if (!load_group(r, a, s, type_byte)) return false;
    return type_byte < RDB_STREAM_4 || load_producers(r, a, s);
}

bool rdb_stream_load(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                     struct entry_spec *spec) {
    struct value v;
    if (stream_create(eng, &v) != ST_OK) return full(r);
    if (!load(r, &eng->arena, stream_of(&eng->arena, &v), type_byte)) {
        stream_of(&eng->arena, &v)->length = 0;
        while (!stream_type.free_some(&eng->arena, &v, SIZE_MAX / 2)) {
        }
        return false;
    }
    spec->value = v;
    return true;
}
