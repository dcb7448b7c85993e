/* rdb_stream.c - streams in files.
 *
 *   nodes | length | last id | first id, greatest deleted id, entries ever added (from type 19)
 *   groups: name | last id | entries read (19) | pending: id, time, count
 *           consumers: name | seen | active (21) | pending ids | given back: ids (27)
 *   producers (26): duration, size, each with its records | added | duplicates
 *
 * Saved as 21, which Redis 7.2 and Valkey read, unless there is what only 27 has.
 */
#include "db/stream_group.h"
#include "db/stream_idmp.h"
#include "db/stream_pack.h"
#include "persist/rdb_codec.h"
#include "persist/rdb_stream.h"

static const struct stream *saved_stream(const struct arena *a, const struct entry *e) {
    struct value v = entry_value(e);
    return stream_of(a, &v);
}

static uint8_t stream_type_byte(const struct arena *a, const struct entry *e) {
    const struct stream *s = saved_stream(a, e);
    bool producers =
        s->idmp || s->idmp_duration != RDB_IDMP_DURATION || s->idmp_maxsize != RDB_IDMP_MAXSIZE;
    for (uint32_t i = 0; i < s->groups.count && !producers; i++)
        producers = stream_group_at(a, s, i)->nacked > 0;
    return producers ? RDB_STREAM_5 : RDB_STREAM_3;
}

/* --- saving --- */

static void put_id(struct rdb_writer *w, struct stream_id id) {
    rdb_put_length(w, id.ms);
    rdb_put_length(w, id.seq);
}

static void raw_id(uint8_t out[16], struct stream_id id) {
    store_u64(out, __builtin_bswap64(id.ms));
    store_u64(out + 8, __builtin_bswap64(id.seq));
}

static void put_raw_id(struct rdb_writer *w, struct stream_id id) {
    uint8_t raw[16];
    raw_id(raw, id);
    sink_put(w->sink, raw, sizeof raw);
}

static struct stream_id record_id(const uint8_t *record) {
    return (struct stream_id){ idtree_word(record, 0), idtree_word(record, 1) };
}

static void put_nodes(struct rdb_writer *w, const struct arena *a, const struct stream *s) {
    struct idtree_iter it;
    rdb_put_length(w, s->nodes.count);
    uint8_t *record = idtree_first(a, &stream_nodes_kind, &s->nodes, &it);
    for (; record; record = idtree_next(a, &stream_nodes_kind, &it)) {
        struct stream_node *n =
            stream_node_at(a, load_u32(idtree_payload(&stream_nodes_kind, record)));
        struct stream_id base = record_id(record);
        uint8_t raw[16];
        raw_id(raw, base);
        rdb_put_length(w, sizeof raw);
        sink_put(w->sink, raw, sizeof raw);
        size_t bytes = stream_node_pack_bytes(n);
        uint8_t *lp = malloc(bytes);
        ASSERT(lp);
        stream_pack_write(n, base, lp);
        rdb_put_string(w, (struct str){ (const char *)lp, bytes });
        free(lp);
    }
}

static void put_pending(struct rdb_writer *w, const struct arena *a, const struct stream_group *g) {
    struct idtree_iter it;
    rdb_put_length(w, g->pending.count);
    uint8_t *record = idtree_first(a, &stream_pending_kind, &g->pending, &it);
    for (; record; record = idtree_next(a, &stream_pending_kind, &it)) {
        struct stream_pending p;
        stream_pending_read(record, &p);
        put_raw_id(w, p.id);
        rdb_put_u64(w, pending_time(&p));
        rdb_put_length(w, p.count);
    }
}

static void put_consumer(struct rdb_writer *w, const struct arena *a,
                         const struct stream_consumer *c) {
    struct idtree_iter it;
    rdb_put_string(w, stream_consumer_name(c));
    rdb_put_u64(w, c->seen_ms);
    rdb_put_u64(w, c->active_ms);
    rdb_put_length(w, c->pending.count);
    uint8_t *record = idtree_first(a, &stream_ids_kind, &c->pending, &it);
    for (; record; record = idtree_next(a, &stream_ids_kind, &it)) put_raw_id(w, record_id(record));
}

/* Entries that were given back, the first first: they are at the head of those by time. */
static void put_nacked(struct rdb_writer *w, const struct arena *a, const struct stream_group *g) {
    struct idtree_iter it;
    rdb_put_length(w, g->nacked);
    uint8_t *record = idtree_first(a, &stream_times_kind, &g->by_time, &it);
    for (uint32_t n = g->nacked; n > 0; n--) {
        put_raw_id(w, (struct stream_id){ idtree_word(record, 1), idtree_word(record, 2) });
        record = idtree_next(a, &stream_times_kind, &it);
    }
}

static void put_group(struct rdb_writer *w, const struct arena *a, const struct stream_group *g,
                      bool with_nacked) {
    rdb_put_string(w, stream_group_name(g));
    put_id(w, g->last);
    rdb_put_length(w, g->entries_read);
    put_pending(w, a, g);
    rdb_put_length(w, g->consumers.count);
    for (uint32_t i = 0; i < g->consumers.count; i++)
        put_consumer(w, a, stream_consumer_at(a, g, stream_consumer_number(a, g, i)));
    if (with_nacked) put_nacked(w, a, g);
}

static void put_producers(struct rdb_writer *w, const struct arena *a, const struct stream *s) {
    const struct stream_idmp *m = stream_idmp_of(a, s);
    uint32_t n = m ? m->producers.count : 0;
    rdb_put_length(w, s->idmp_duration);
    rdb_put_length(w, s->idmp_maxsize);
    rdb_put_length(w, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct stream_producer *p = stream_producer_at(a, m, i);
        struct stream_record r;
        size_t offset = 0;
        rdb_put_string(w, (struct str){ p->name, p->name_bytes });
        rdb_put_length(w, p->count);
        while (stream_record_next(a, p, &offset, &r)) {
            rdb_put_string(w, r.iid);
            put_id(w, r.id);
        }
    }
    rdb_put_length(w, m ? m->added : 0);
    rdb_put_length(w, m ? m->duplicates : 0);
}

static void stream_save(const struct arena *a, const struct entry *e, struct rdb_writer *w) {
    const struct stream *s = saved_stream(a, e);
    bool all = stream_type_byte(a, e) == RDB_STREAM_5;
    put_nodes(w, a, s);
    rdb_put_length(w, s->length);
    put_id(w, s->last);
    put_id(w, s->first);
    put_id(w, s->max_deleted);
    rdb_put_length(w, s->added);
    rdb_put_length(w, s->groups.count);
    for (uint32_t i = 0; i < s->groups.count; i++) put_group(w, a, stream_group_at(a, s, i), all);
    if (all) put_producers(w, a, s);
}

const struct rdb_codec rdb_stream_codec = { .type = TYPE_STREAM,
                                            .type_byte = stream_type_byte,
                                            .save = stream_save,
                                            .load = rdb_stream_load,
                                            .rewrite = rdb_stream_rewrite };
