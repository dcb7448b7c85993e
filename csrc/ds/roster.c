/* roster.c - an array of members and the order of their names. */
#include "ds/roster.h"

#define FIRST_ROOM 2u

static ref_t *members(const struct arena *a, const struct roster *r) {
    return arena_ptr(a, r->block);
}
static uint32_t *numbers(const struct arena *a, const struct roster *r) {
    return (uint32_t *)members(a, r) + r->room;
}
static size_t block_bytes(uint32_t room) {
    return room * (sizeof(ref_t) + sizeof(uint32_t));
}

static struct str roster_name(const struct arena *a, const struct roster_kind *k, ref_t member) {
    const char *p = arena_ptr(a, member);
    return (struct str){ p + k->name_at, load_u32(p) };
}

uint32_t roster_number(const struct arena *a, const struct roster *r, uint32_t rank) {
    return numbers(a, r)[rank];
}

ref_t *roster_place(const struct arena *a, const struct roster *r, uint32_t number) {
    return members(a, r) + number;
}

uint32_t roster_find(const struct arena *a, const struct roster_kind *k, const struct roster *r,
                     struct str name, uint32_t *rank) {
    uint32_t low = 0, high = r->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2, number = numbers(a, r)[middle];
        int order = str_cmp(roster_name(a, k, members(a, r)[number]), name);
        if (order == 0) {
            *rank = middle;
            return number;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *rank = low;
    return ROSTER_NONE;
}

static status grow(struct arena *a, const struct roster_kind *k, struct roster *r) {
    struct roster bigger = { .count = r->count, .room = r->room ? 2 * r->room : FIRST_ROOM };
    bigger.block = heap_alloc(a, k->owner, block_bytes(bigger.room));
    if (!bigger.block) return ST_ARENA_FULL;
    memset(members(a, &bigger), 0, block_bytes(bigger.room));
    if (r->room) {
        memcpy(members(a, &bigger), members(a, r), r->room * sizeof(ref_t));
        memcpy(numbers(a, &bigger), numbers(a, r), r->count * sizeof(uint32_t));
        heap_free(a, r->block);
    }
    *r = bigger;
    return ST_OK;
}

status roster_add(struct arena *a, const struct roster_kind *k, struct roster *r, ref_t member,
                  uint32_t *number) {
    uint32_t rank, free = r->count;
    roster_find(a, k, r, roster_name(a, k, member), &rank);
    if (r->count == r->room && grow(a, k, r) != ST_OK) return ST_ARENA_FULL;
    ref_t *m = members(a, r);
    if (m[free]) /* somebody below has left */
        for (free = 0; m[free];) free++;
    uint32_t *order = numbers(a, r) + rank;
    memmove(order + 1, order, (r->count - rank) * sizeof *order);
    *order = *number = free;
    m[free] = member;
    r->count++;
    return ST_OK;
}

ref_t roster_remove(struct arena *a, struct roster *r, uint32_t rank) {
    uint32_t *order = numbers(a, r) + rank;
    ref_t *place = members(a, r) + *order, member = *place;
    *place = REF_NULL;
    r->count--;
    memmove(order, order + 1, (r->count - rank) * sizeof *order);
    if (r->count == 0) roster_free(a, r);
    return member;
}

void roster_free(struct arena *a, struct roster *r) {
    if (r->block) heap_free(a, r->block);
    *r = (struct roster){ 0 };
}

status roster_copy(struct arena *to, const struct arena *from, const struct roster_kind *k,
                   const struct roster *r, struct roster *dst) {
    *dst = (struct roster){ 0 };
    if (!r->block) return ST_OK;
    ref_t block = heap_alloc(to, k->owner, block_bytes(r->room));
    if (!block) return ST_ARENA_FULL;
    *dst = (struct roster){ .count = r->count, .room = r->room, .block = block };
    memset(members(to, dst), 0, r->room * sizeof(ref_t));
    memcpy(numbers(to, dst), numbers(from, r), r->room * sizeof(uint32_t));
    return ST_OK;
}

void roster_relocate(struct arena *a, struct roster *r) {
    ref_t moved = r->block && heap_sparse(a, r->block) ? heap_move(a, r->block) : REF_NULL;
    if (moved) r->block = moved;
}

void roster_check(const struct arena *a, const struct roster_kind *k, const struct roster *r) {
    uint32_t there = 0;
    ASSERT((r->count == 0) == (r->block == REF_NULL) && r->count <= r->room);
    if (!r->count) return;
    ASSERT(block_bytes(r->room) <= heap_usable(a, r->block));
    for (uint32_t i = 0; i < r->room; i++) there += members(a, r)[i] != REF_NULL;
    ASSERT(there == r->count);
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t number = numbers(a, r)[i];
        ASSERT(number < r->room && members(a, r)[number]);
        struct str name = roster_name(a, k, members(a, r)[number]);
        ASSERT(k->name_at + name.n <= heap_usable(a, members(a, r)[number]));
        if (i == 0) continue;
        ref_t before = members(a, r)[numbers(a, r)[i - 1]];
        ASSERT(str_cmp(roster_name(a, k, before), name) < 0);
    }
}
