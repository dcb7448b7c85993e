/* array_whole.c - arrays as a whole: figures, freeing, copying, moving, checking. */
#include "ds/array.h"

#define SLICES (&array_slices_kind)

void array_measure(const struct arena *a, const struct array *r, struct array_figures *f) {
    struct idtree_iter it;
    *f = (struct array_figures){ 0 };
    uint8_t *record = idtree_first(a, SLICES, &r->slices, &it);
    for (; record; record = idtree_next(a, SLICES, &it)) {
        const struct array_slice *s = slice_at(a, array_slice_of(record));
        if (s->dense) {
            f->dense++;
            f->dense_room += s->room;
            f->dense_elements += s->count;
        } else {
            f->sparse++;
            f->sparse_room += s->room;
        }
    }
}

bool array_free_some(struct arena *a, struct array *r, size_t budget) {
    struct idtree_iter it;
    uint8_t *record;
    while ((record = idtree_last(a, SLICES, &r->slices, &it))) {
        if (budget == 0 || !slice_free_some(a, array_slice_of(record), &budget)) return false;
        uint64_t key[2] = { idtree_word(record, 0), 0 };
        idtree_remove(a, SLICES, &r->slices, key);
    }
    r->count = 0;
    r->groups = 0;
    return true;
}

status array_copy(struct arena *to, const struct arena *from, const struct array *r,
                  struct array *dst) {
    struct idtree_iter it;
    *dst = *r;
    dst->slices = (struct idtree){ 0 };
    uint8_t *record = idtree_first(from, SLICES, &r->slices, &it);
    for (; record; record = idtree_next(from, SLICES, &it)) {
        uint64_t key[2] = { idtree_word(record, 0), 0 };
        ref_t slice = slice_copy(to, from, array_slice_of(record));
        if (slice && idtree_insert(to, SLICES, &dst->slices, key, &slice) == ST_OK) continue;
        size_t budget = SIZE_MAX;
        if (slice) slice_free_some(to, slice, &budget);
        array_clear(to, dst);
        return ST_ARENA_FULL;
    }
    return ST_OK;
}

size_t array_memory(const struct arena *a, const struct array *r, size_t samples) {
    struct idtree_iter it;
    size_t seen = 0, bytes = 0;
    uint8_t *record = idtree_first(a, SLICES, &r->slices, &it);
    for (; record && (!samples || seen < samples); seen++) {
        bytes += slice_memory(a, array_slice_of(record));
        record = idtree_next(a, SLICES, &it);
    }
    if (seen) bytes = (size_t)((double)bytes / (double)seen * (double)r->slices.count);
    return bytes + idtree_memory(a, SLICES, &r->slices);
}

/* The cursor is the number of the next slice, plus 1. */
void array_relocate(struct arena *a, struct array *r, uint64_t *cursor, size_t budget) {
    struct idtree_iter it;
    struct idtree_walk nodes = { .budget = SIZE_MAX };
    if (*cursor == 0) idtree_relocate(a, SLICES, &r->slices, &nodes);
    uint64_t key[2] = { *cursor ? *cursor - 1 : 0, 0 };
    uint8_t *record = idtree_seek(a, SLICES, &r->slices, key, &it);
    for (size_t done = 0; record; record = idtree_next(a, SLICES, &it)) {
        *cursor = idtree_word(record, 0) + 1;
        if (done > budget) return;
        ref_t slice = array_slice_of(record);
        slice_relocate(a, &slice);
        store_u32(idtree_payload(SLICES, record), slice);
        done += slice_at(a, slice)->room + 1;
    }
    *cursor = 0;
}

void array_check(const struct arena *a, const struct array *r) {
    struct idtree_iter it;
    struct slice_limits l = { .size = r->size };
    uint64_t count = 0, groups = 0, group = UINT64_MAX;
    idtree_check(a, SLICES, &r->slices);
    uint8_t *record = idtree_first(a, SLICES, &r->slices, &it);
    for (; record; record = idtree_next(a, SLICES, &it)) {
        ref_t slice = array_slice_of(record);
        slice_check(a, &l, slice);
        count += slice_at(a, slice)->count;
        ASSERT(idtree_word(record, 0) <= ARRAY_INDEX_MAX / r->size);
        groups += idtree_word(record, 0) / ARRAY_GROUP != group;
        group = idtree_word(record, 0) / ARRAY_GROUP;
    }
    ASSERT(count == r->count && groups == r->groups);
    ASSERT(!r->group_room || r->groups <= r->group_room);
}
