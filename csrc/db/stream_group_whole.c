/* stream_group_whole.c - copying, measuring, moving and checking groups as a whole. */
#include "db/stream_group.h"

static struct stream_group *group_ptr(const struct arena *a, ref_t r) {
    return (struct stream_group *)arena_ptr(a, r);
}
static struct stream_consumer *consumer_ptr(const struct arena *a, ref_t r) {
    return (struct stream_consumer *)arena_ptr(a, r);
}

/* --- copying --- */

/* A copy of the consumer's block with an empty tree, filled after it has its place. */
static status copy_consumer(struct arena *to, const struct arena *from,
                            const struct stream_consumer *c, ref_t *place) {
    size_t bytes = sizeof *c + c->name_bytes;
    ref_t r = heap_alloc(to, OWN_STREAM, bytes);
    if (!r) return ST_ARENA_FULL;
    memcpy(arena_ptr(to, r), c, bytes);
    consumer_ptr(to, r)->pending = (struct idtree){ 0 };
    *place = r;
    return idtree_copy(to, from, &stream_ids_kind, &c->pending, &consumer_ptr(to, r)->pending);
}

/* Copies of the members of a roster come in the order of their names; when one fails, the roster
 * keeps those that are there. */
static void cut_roster(struct roster *r, uint32_t count) {
    r->count = count;
}

static status copy_consumers(struct arena *to, const struct arena *from,
                             const struct stream_group *g, struct stream_group *dst) {
    status st = roster_copy(to, from, &stream_consumers_kind, &g->consumers, &dst->consumers);
    for (uint32_t i = 0; st == ST_OK && i < g->consumers.count; i++) {
        uint32_t number = stream_consumer_number(from, g, i);
        ref_t *place = roster_place(to, &dst->consumers, number);
        st = copy_consumer(to, from, stream_consumer_at(from, g, number), place);
        if (st != ST_OK) cut_roster(&dst->consumers, *place ? i + 1 : i);
    }
    if (dst->consumers.count == 0) roster_free(to, &dst->consumers);
    return st;
}

static status copy_group(struct arena *to, const struct arena *from, const struct stream_group *g,
                         ref_t *place) {
    size_t bytes = sizeof *g + g->name_bytes;
    ref_t r = heap_alloc(to, OWN_STREAM, bytes);
    if (!r) return ST_ARENA_FULL;
    struct stream_group *dst = group_ptr(to, r);
    memcpy(dst, g, bytes);
    dst->pending = dst->by_time = (struct idtree){ 0 };
    dst->consumers = (struct roster){ 0 };
    *place = r;
    status st = copy_consumers(to, from, g, dst);
    if (st == ST_OK) st = idtree_copy(to, from, &stream_pending_kind, &g->pending, &dst->pending);
    if (st == ST_OK) st = idtree_copy(to, from, &stream_times_kind, &g->by_time, &dst->by_time);
    return st;
}

status stream_groups_copy(struct arena *to, const struct arena *from, const struct stream *s,
                          struct stream *dst) {
    status st = roster_copy(to, from, &stream_groups_kind, &s->groups, &dst->groups);
    for (uint32_t i = 0; st == ST_OK && i < s->groups.count; i++) {
        uint32_t number = roster_number(from, &s->groups, i);
        ref_t *place = roster_place(to, &dst->groups, number);
        st = copy_group(to, from, stream_group_at(from, s, i), place);
        if (st != ST_OK) cut_roster(&dst->groups, *place ? i + 1 : i);
    }
    if (dst->groups.count == 0) roster_free(to, &dst->groups);
    return st;
}

/* --- memory --- */

size_t stream_group_memory(const struct arena *a, const struct stream_group *g) {
    size_t bytes = heap_usable(a, arena_ref(a, g));
    bytes += idtree_memory(a, &stream_pending_kind, &g->pending);
    bytes += idtree_memory(a, &stream_times_kind, &g->by_time);
    if (g->consumers.block) bytes += heap_usable(a, g->consumers.block);
    for (uint32_t i = 0; i < g->consumers.count; i++) {
        const struct stream_consumer *c = stream_consumer_at(a, g, stream_consumer_number(a, g, i));
        bytes += heap_usable(a, arena_ref(a, c));
        bytes += idtree_memory(a, &stream_ids_kind, &c->pending);
    }
    return bytes;
}

/* --- moving --- */

static void move(struct arena *a, ref_t *place) {
    ref_t moved = heap_sparse(a, *place) ? heap_move(a, *place) : REF_NULL;
    if (moved) *place = moved;
}

static bool relocate_group(struct arena *a, ref_t *place, struct idtree_walk *w) {
    move(a, place);
    struct stream_group *g = group_ptr(a, *place);
    roster_relocate(a, &g->consumers);
    if (!idtree_relocate(a, &stream_pending_kind, &g->pending, w)) return false;
    if (!idtree_relocate(a, &stream_times_kind, &g->by_time, w)) return false;
    for (uint32_t i = 0; i < g->consumers.count; i++) {
        ref_t *member = roster_place(a, &g->consumers, stream_consumer_number(a, g, i));
        move(a, member);
        if (!idtree_relocate(a, &stream_ids_kind, &consumer_ptr(a, *member)->pending, w))
            return false;
    }
    return true;
}

bool stream_groups_relocate(struct arena *a, struct stream *s, struct idtree_walk *w) {
    roster_relocate(a, &s->groups);
    for (uint32_t i = 0; i < s->groups.count; i++) {
        ref_t *place = roster_place(a, &s->groups, roster_number(a, &s->groups, i));
        if (!relocate_group(a, place, w)) return false;
    }
    return true;
}

/* --- check --- */

/* Every record of the group is in the tree of times and in its consumer's. */
static void check_pending(const struct arena *a, const struct stream_group *g) {
    struct idtree_iter it;
    uint32_t nacked = 0;
    uint8_t *record = idtree_first(a, &stream_pending_kind, &g->pending, &it);
    for (; record; record = idtree_next(a, &stream_pending_kind, &it)) {
        struct stream_pending p;
        stream_pending_read(record, &p);
        uint64_t time[3] = { p.when, p.id.ms, p.id.seq };
        ASSERT(idtree_find(a, &stream_times_kind, &g->by_time, time));
        ASSERT((p.when >> 63 == 0) == (p.consumer == ROSTER_NONE));
        if (p.consumer == ROSTER_NONE) {
            ASSERT(p.when <= g->nack_clock);
            nacked++;
            continue;
        }
        ASSERT(p.consumer < g->consumers.room && *roster_place(a, &g->consumers, p.consumer));
        const struct stream_consumer *c = stream_consumer_at(a, g, p.consumer);
        ASSERT(idtree_find(a, &stream_ids_kind, &c->pending, time + 1));
    }
    ASSERT(nacked == g->nacked && g->by_time.count == g->pending.count);
}

static void check_group(const struct arena *a, const struct stream_group *g) {
    uint64_t owned = 0;
    idtree_check(a, &stream_pending_kind, &g->pending);
    idtree_check(a, &stream_times_kind, &g->by_time);
    roster_check(a, &stream_consumers_kind, &g->consumers);
    for (uint32_t i = 0; i < g->consumers.count; i++) {
        const struct stream_consumer *c = stream_consumer_at(a, g, stream_consumer_number(a, g, i));
        idtree_check(a, &stream_ids_kind, &c->pending);
        owned += c->pending.count;
    }
    check_pending(a, g);
    ASSERT(owned + g->nacked == g->pending.count);
}

void stream_groups_check(const struct arena *a, const struct stream *s) {
    roster_check(a, &stream_groups_kind, &s->groups);
    for (uint32_t i = 0; i < s->groups.count; i++) check_group(a, stream_group_at(a, s, i));
}
