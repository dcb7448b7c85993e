/* stream_group.c - groups, consumers, and the pending entries that they share. */
#include "db/stream_group.h"

const struct roster_kind stream_groups_kind = { OWN_STREAM, offsetof(struct stream_group, name) };
const struct roster_kind stream_consumers_kind = { OWN_STREAM,
                                                   offsetof(struct stream_consumer, name) };
/* The payload of a pending entry, unaligned: u64 when | u64 count | u32 consumer. */
const struct idtree_kind stream_pending_kind = { OWN_STREAM, 2, 20 };
const struct idtree_kind stream_times_kind = { OWN_STREAM, 3, 0 };
const struct idtree_kind stream_ids_kind = { OWN_STREAM, 2, 0 };

/* --- groups --- */

static struct stream_group *group_ptr(const struct arena *a, ref_t r) {
    return (struct stream_group *)arena_ptr(a, r);
}

struct stream_group *stream_group_find(const struct arena *a, const struct stream *s,
                                       struct str name) {
    uint32_t rank, n = roster_find(a, &stream_groups_kind, &s->groups, name, &rank);
    return n == ROSTER_NONE ? NULL : group_ptr(a, *roster_place(a, &s->groups, n));
}

struct stream_group *stream_group_at(const struct arena *a, const struct stream *s, uint32_t rank) {
    return group_ptr(a, *roster_place(a, &s->groups, roster_number(a, &s->groups, rank)));
}

status stream_group_create(struct arena *a, struct stream *s, struct str name,
                           struct stream_id last, uint64_t entries_read,
                           struct stream_group **out) {
    uint32_t number;
    ref_t r = heap_alloc(a, OWN_STREAM, sizeof(struct stream_group) + name.n);
    if (!r) return ST_ARENA_FULL;
    struct stream_group *g = group_ptr(a, r);
    *g = (struct stream_group){ .name_bytes = (uint32_t)name.n,
                                .last = last,
                                .entries_read = entries_read };
    memcpy(g->name, name.p, name.n);
    if (roster_add(a, &stream_groups_kind, &s->groups, r, &number) != ST_OK) {
        heap_free(a, r);
        return ST_ARENA_FULL;
    }
    if (out) *out = g;
    return ST_OK;
}

static void free_consumer(struct arena *a, struct stream_group *g, uint32_t rank) {
    heap_free(a, roster_remove(a, &g->consumers, rank));
}

bool stream_group_destroy_some(struct arena *a, struct stream *s, uint32_t rank, size_t budget) {
    struct stream_group *g = stream_group_at(a, s, rank);
    size_t leaves = budget / 32 + 1;
    if (!idtree_free_some(a, &stream_times_kind, &g->by_time, leaves)) return false;
    if (!idtree_free_some(a, &stream_pending_kind, &g->pending, leaves)) return false;
    for (; g->consumers.count > 0 && budget > 0; budget--) {
        uint32_t last = g->consumers.count - 1;
        struct stream_consumer *c = stream_consumer_at(a, g, stream_consumer_number(a, g, last));
        if (!idtree_free_some(a, &stream_ids_kind, &c->pending, leaves)) return false;
        free_consumer(a, g, last);
    }
    if (g->consumers.count > 0) return false;
    heap_free(a, roster_remove(a, &s->groups, rank));
    return true;
}

void stream_group_destroy(struct arena *a, struct stream *s, struct str name) {
    uint32_t rank;
    if (roster_find(a, &stream_groups_kind, &s->groups, name, &rank) == ROSTER_NONE) return;
    while (!stream_group_destroy_some(a, s, rank, SIZE_MAX / 2)) {
    }
}

/* --- consumers --- */

struct stream_consumer *stream_consumer_at(const struct arena *a, const struct stream_group *g,
                                           uint32_t number) {
    return (struct stream_consumer *)arena_ptr(a, *roster_place(a, &g->consumers, number));
}

uint32_t stream_consumer_number(const struct arena *a, const struct stream_group *g,
                                uint32_t rank) {
    return roster_number(a, &g->consumers, rank);
}

uint32_t stream_consumer_find(const struct arena *a, const struct stream_group *g,
                              struct str name) {
    uint32_t rank;
    return roster_find(a, &stream_consumers_kind, &g->consumers, name, &rank);
}

status stream_consumer_create(struct arena *a, struct stream_group *g, struct str name,
                              uint64_t now_ms, uint32_t *number) {
    ref_t r = heap_alloc(a, OWN_STREAM, sizeof(struct stream_consumer) + name.n);
    if (!r) return ST_ARENA_FULL;
    struct stream_consumer *c = (struct stream_consumer *)arena_ptr(a, r);
    *c = (struct stream_consumer){ .name_bytes = (uint32_t)name.n,
                                   .seen_ms = now_ms,
                                   .active_ms = NEVER_MS };
    memcpy(c->name, name.p, name.n);
    status st = roster_add(a, &stream_consumers_kind, &g->consumers, r, number);
    if (st != ST_OK) heap_free(a, r);
    return st;
}

uint64_t stream_consumer_destroy(struct arena *a, struct stream_group *g, struct str name) {
    uint32_t rank, number = roster_find(a, &stream_consumers_kind, &g->consumers, name, &rank);
    if (number == ROSTER_NONE) return 0;
    struct stream_consumer *c = stream_consumer_at(a, g, number);
    uint64_t pending = c->pending.count;
    struct idtree_iter it;
    const uint8_t *record;
    while ((record = idtree_last(a, &stream_ids_kind, &c->pending, &it)))
        stream_acknowledge(a, g,
                           (struct stream_id){ idtree_word(record, 0), idtree_word(record, 1) });
    free_consumer(a, g, rank);
    return pending;
}

/* --- pending entries --- */

void stream_pending_read(const uint8_t *record, struct stream_pending *out) {
    const uint8_t *p = record + 16;
    *out = (struct stream_pending){ .id = { idtree_word(record, 0), idtree_word(record, 1) },
                                    .when = load_u64(p),
                                    .count = load_u64(p + 8),
                                    .consumer = load_u32(p + 16) };
}

static void write_payload(uint8_t p[20], const struct stream_pending *from) {
    store_u64(p, from->when);
    store_u64(p + 8, from->count);
    store_u32(p + 16, from->consumer);
}

bool stream_pending_find(const struct arena *a, const struct stream_group *g, struct stream_id id,
                         struct stream_pending *out) {
    const uint8_t *record =
        idtree_find(a, &stream_pending_kind, &g->pending, (uint64_t[]){ id.ms, id.seq });
    if (record) stream_pending_read(record, out);
    return record;
}

static void remove_time(struct arena *a, struct stream_group *g, const struct stream_pending *p) {
    ASSERT(idtree_remove(a, &stream_times_kind, &g->by_time,
                         (uint64_t[]){ p->when, p->id.ms, p->id.seq }));
}

static void remove_owner(struct arena *a, struct stream_group *g, const struct stream_pending *p) {
    if (p->consumer == ROSTER_NONE) {
        g->nacked--;
        return;
    }
    struct stream_consumer *c = stream_consumer_at(a, g, p->consumer);
    ASSERT(idtree_remove(a, &stream_ids_kind, &c->pending, (uint64_t[]){ p->id.ms, p->id.seq }));
}

static status add_owner(struct arena *a, struct stream_group *g, const struct stream_pending *p) {
    if (p->consumer == ROSTER_NONE) {
        g->nacked++;
        return ST_OK;
    }
    struct stream_consumer *c = stream_consumer_at(a, g, p->consumer);
    return idtree_insert(a, &stream_ids_kind, &c->pending, (uint64_t[]){ p->id.ms, p->id.seq },
                         NULL);
}

static status add_time(struct arena *a, struct stream_group *g, const struct stream_pending *p) {
    return idtree_insert(a, &stream_times_kind, &g->by_time,
                         (uint64_t[]){ p->when, p->id.ms, p->id.seq }, NULL);
}

/* A new pending entry in all its trees. */
static status add(struct arena *a, struct stream_group *g, const struct stream_pending *p) {
    uint8_t payload[20];
    write_payload(payload, p);
    if (add_owner(a, g, p) != ST_OK) return ST_ARENA_FULL;
    if (add_time(a, g, p) != ST_OK) {
        remove_owner(a, g, p);
        return ST_ARENA_FULL;
    }
    status st = idtree_insert(a, &stream_pending_kind, &g->pending,
                              (uint64_t[]){ p->id.ms, p->id.seq }, payload);
    if (st == ST_OK) return ST_OK;
    remove_time(a, g, p);
    remove_owner(a, g, p);
    return st;
}

/* Makes the pending entry `old` what `p` says: first what may fail. */
static status change(struct arena *a, struct stream_group *g, const struct stream_pending *old,
                     const struct stream_pending *p) {
    bool moves = old->consumer != p->consumer;
    if (moves && add_owner(a, g, p) != ST_OK) return ST_ARENA_FULL;
    if (old->when != p->when) {
        if (add_time(a, g, p) != ST_OK) {
            if (moves) remove_owner(a, g, p);
            return ST_ARENA_FULL;
        }
        remove_time(a, g, old);
    }
    if (moves) remove_owner(a, g, old);
    uint8_t *record =
        idtree_find(a, &stream_pending_kind, &g->pending, (uint64_t[]){ p->id.ms, p->id.seq });
    write_payload(record + 16, p);
    return ST_OK;
}

static status put(struct arena *a, struct stream_group *g, const struct stream_pending *p) {
    struct stream_pending old;
    return stream_pending_find(a, g, p->id, &old) ? change(a, g, &old, p) : add(a, g, p);
}

status stream_deliver(struct arena *a, struct stream_group *g, uint32_t consumer,
                      struct stream_id id, uint64_t time_ms, uint64_t count) {
    if (time_ms > WHEN_MS_MAX) time_ms = WHEN_MS_MAX;
    uint64_t ticket = g->ticket++ & ((1u << WHEN_TICKET_BITS) - 1);
    struct stream_pending p = { .id = id,
                                .when = WHEN_DELIVERED | time_ms << WHEN_TICKET_BITS | ticket,
                                .count = count,
                                .consumer = consumer };
    return put(a, g, &p);
}

status stream_give_back(struct arena *a, struct stream_group *g, struct stream_id id,
                        uint64_t count) {
    struct stream_pending p = {
        .id = id, .when = g->nack_clock + 1, .count = count, .consumer = ROSTER_NONE
    };
    status st = put(a, g, &p);
    if (st == ST_OK) g->nack_clock++;
    return st;
}

bool stream_acknowledge(struct arena *a, struct stream_group *g, struct stream_id id) {
    struct stream_pending p;
    if (!stream_pending_find(a, g, id, &p)) return false;
    remove_owner(a, g, &p);
    remove_time(a, g, &p);
    idtree_remove(a, &stream_pending_kind, &g->pending, (uint64_t[]){ id.ms, id.seq });
    return true;
}

/* --- entries and all groups --- */

static bool pending_anywhere(const struct arena *a, const struct stream *s, struct stream_id id) {
    struct stream_pending p;
    for (uint32_t i = 0; i < s->groups.count; i++)
        if (stream_pending_find(a, stream_group_at(a, s, i), id, &p)) return true;
    return false;
}

bool stream_wanted(const struct arena *a, const struct stream *s, struct stream_id id) {
    for (uint32_t i = 0; i < s->groups.count; i++)
        if (stream_id_cmp(stream_group_at(a, s, i)->last, id) < 0) return true;
    return pending_anywhere(a, s, id);
}

void stream_forget(struct arena *a, struct stream *s, struct stream_id id) {
    for (uint32_t i = 0; i < s->groups.count; i++)
        stream_acknowledge(a, stream_group_at(a, s, i), id);
}

/* --- how far a group has read --- */

/* Whether an entry above `id` may have been deleted by its id. */
static bool holes_after(const struct stream *s, struct stream_id id) {
    return s->length && !stream_id_zero(s->max_deleted) && stream_id_cmp(id, s->max_deleted) <= 0;
}

/* Known are the ends, and what lies before the first entry as long as nothing behind it was
 * deleted.
 */
uint64_t stream_position(const struct stream *s, struct stream_id id) {
    if (!s->added) return 0;
    if (!s->length && stream_id_cmp(id, s->last) <= 0) return s->added;
    if (!stream_id_zero(id) && stream_id_cmp(id, s->max_deleted) < 0) return ENTRIES_READ_UNKNOWN;
    int at_end = stream_id_cmp(id, s->last);
    if (at_end == 0) return s->added;
    if (at_end > 0) return ENTRIES_READ_UNKNOWN;
    int at_start = stream_id_cmp(id, s->first);
    bool no_holes = stream_id_zero(s->max_deleted) || stream_id_cmp(s->max_deleted, s->first) < 0;
    if (!no_holes || at_start > 0) return ENTRIES_READ_UNKNOWN;
    return s->added - s->length + (at_start == 0);
}

void stream_group_advance(const struct stream *s, struct stream_group *g, struct stream_id id) {
    bool in_step = stream_id_cmp(g->last, s->first) >= 0 && !holes_after(s, g->last);
    if (g->entries_read != ENTRIES_READ_UNKNOWN && in_step)
        g->entries_read++;
    else if (s->added)
        g->entries_read = stream_position(s, id);
    g->last = id;
}

bool stream_group_lag(const struct stream *s, const struct stream_group *g, uint64_t *lag) {
    uint64_t read = g->entries_read;
    *lag = 0;
    if (!s->added || !s->length) return true;
    bool none_read = stream_id_cmp(g->last, s->first) < 0;
    if (none_read && stream_id_cmp(s->max_deleted, s->first) < 0) {
        *lag = s->length;
        return true;
    }
    if (read == ENTRIES_READ_UNKNOWN || holes_after(s, g->last)) read = stream_position(s, g->last);
    if (read == ENTRIES_READ_UNKNOWN) return false;
    *lag = s->added - read;
    return true;
}
