/* array.c - the slices of an array: finding, adding, removing, walking. */
#include "ds/array.h"

const struct idtree_kind array_slices_kind = { OWN_ARRAY, 2, sizeof(ref_t) };
#define SLICES (&array_slices_kind)

static uint32_t bits_of(const struct array *r) {
    return (uint32_t)__builtin_ctz(r->size);
}
static uint8_t *find_slice(const struct arena *a, const struct array *r, uint64_t number) {
    return idtree_find(a, SLICES, &r->slices, (uint64_t[]){ number, 0 });
}
static struct slice_limits limits_of(const struct array *r, const struct array_limits *l) {
    return (struct slice_limits){ .size = r->size, .least = l->least, .most = l->most };
}

void array_init(struct array *r, uint32_t size) {
    ASSERT(size >= SLICE_SIZE_MIN && size <= SLICE_SIZE_MAX && (size & (size - 1)) == 0);
    *r = (struct array){ .last = ARRAY_NONE, .size = size };
}

/* --- looking --- */

uint64_t array_length(const struct arena *a, const struct array *r) {
    struct idtree_iter it;
    uint8_t *record = idtree_last(a, SLICES, &r->slices, &it);
    if (!record) return 0;
    uint32_t offset = r->size - 1;
    slice_seek(slice_at(a, array_slice_of(record)), &offset, false);
    return (idtree_word(record, 0) << bits_of(r)) + offset + 1;
}

bool array_get(const struct arena *a, const struct array *r, uint64_t index, char buf[CELL_TEXT],
               struct str *out) {
    uint8_t *record = find_slice(a, r, index >> bits_of(r));
    if (!record) return false;
    const array_cell *c =
        slice_find(slice_at(a, array_slice_of(record)), (uint32_t)(index & (r->size - 1)));
    if (c) *out = array_cell_text(a, *c, buf);
    return c;
}

/* --- the directory --- */

/* Whether the slice's group has other slices. */
static bool group_used(const struct arena *a, const struct array *r, uint64_t number) {
    struct idtree_iter it;
    uint64_t first = number & ~(uint64_t)(ARRAY_GROUP - 1);
    uint8_t *record = idtree_seek(a, SLICES, &r->slices, (uint64_t[]){ first, 0 }, &it);
    return record && idtree_word(record, 0) - first < ARRAY_GROUP;
}

/* Groups are counted from when a slice is beyond the first one; their room never shrinks. */
static void count_group(struct array *r, uint64_t number, bool used) {
    if (!used) r->groups++;
    if (!r->group_room && number >= ARRAY_GROUP) r->group_room = 4;
    while (r->group_room && r->group_room < r->groups) r->group_room *= 2;
}

uint64_t array_directory(const struct arena *a, const struct array *r) {
    struct idtree_iter it;
    uint8_t *record = idtree_last(a, SLICES, &r->slices, &it);
    if (r->group_room || !record) return r->group_room;
    uint64_t room = 1;
    while (room <= idtree_word(record, 0)) room *= 2;
    return room;
}

static status add_slice(struct arena *a, const struct slice_limits *l, struct array *r,
                        uint64_t index, array_cell c) {
    uint64_t number = index >> bits_of(r);
    bool used = group_used(a, r, number);
    ref_t slice = slice_new(a, l, (uint32_t)(index & (r->size - 1)), c);
    if (!slice) return ST_ARENA_FULL;
    status st = idtree_insert(a, SLICES, &r->slices, (uint64_t[]){ number, 0 }, &slice);
    if (st == ST_OK)
        count_group(r, number, used);
    else
        heap_free(a, slice);
    return st;
}

/* Takes an empty or unwanted slice out of the tree. */
static void drop_slice(struct arena *a, struct array *r, uint64_t number) {
    idtree_remove(a, SLICES, &r->slices, (uint64_t[]){ number, 0 });
    if (!group_used(a, r, number)) r->groups--;
}

/* --- changing --- */

static status put_cell(struct arena *a, const struct slice_limits *l, struct array *r,
                       uint64_t index, array_cell c, bool *added) {
    uint8_t *record = find_slice(a, r, index >> bits_of(r));
    uint32_t offset = (uint32_t)(index & (r->size - 1));
    *added = true;
    if (!record) return add_slice(a, l, r, index, c);
    ref_t slice = array_slice_of(record);
    array_cell *place = slice_find(slice_at(a, slice), offset);
    if (place) {
        *added = false;
        array_cell_drop(a, *place);
        *place = c;
        return ST_OK;
    }
    status st = slice_add(a, l, &slice, offset, c);
    store_u32(idtree_payload(SLICES, record), slice);
    return st;
}

status array_set(struct arena *a, const struct array_limits *limits, struct array *r,
                 uint64_t index, struct str s, bool *added) {
    struct slice_limits l = limits_of(r, limits);
    array_cell c;
    status st = array_cell_make(a, s, &c);
    if (st != ST_OK) return st;
    st = put_cell(a, &l, r, index, c, added);
    if (st != ST_OK)
        array_cell_drop(a, c);
    else
        r->count += *added;
    return st;
}

/* The elements of one slice within [first, last]. */
static uint64_t remove_of_slice(struct arena *a, const struct slice_limits *l, struct array *r,
                                uint8_t *record, uint64_t first, uint64_t last) {
    uint64_t number = idtree_word(record, 0), base = number << bits_of(r);
    ref_t slice = array_slice_of(record);
    uint64_t from = first > base ? first - base : 0;
    uint64_t to = last - base < r->size ? last - base : r->size - 1;
    uint64_t count = slice_at(a, slice)->count;
    if (from == 0 && to == r->size - 1) {
        size_t budget = SIZE_MAX;
        slice_free_some(a, slice, &budget);
        drop_slice(a, r, number);
        return count;
    }
    uint32_t removed = slice_remove(a, l, &slice, (uint32_t)from, (uint32_t)to);
    store_u32(idtree_payload(SLICES, record), slice);
    if (removed == count) {
        heap_free(a, slice);
        drop_slice(a, r, number);
    }
    return removed;
}

uint64_t array_remove(struct arena *a, const struct array_limits *limits, struct array *r,
                      uint64_t first, uint64_t last) {
    struct slice_limits l = limits_of(r, limits);
    uint64_t removed = 0, number = first >> bits_of(r), end = last >> bits_of(r);
    for (;;) {
        struct idtree_iter it;
        uint8_t *record = idtree_seek(a, SLICES, &r->slices, (uint64_t[]){ number, 0 }, &it);
        if (!record || idtree_word(record, 0) > end) break;
        number = idtree_word(record, 0) + 1;
        removed += remove_of_slice(a, &l, r, record, first, last);
    }
    r->count -= removed;
    return removed;
}

void array_clear(struct arena *a, struct array *r) {
    while (!array_free_some(a, r, SIZE_MAX)) {
    }
}

/* --- walking --- */

void array_seek(const struct arena *a, const struct array *r, uint64_t from, uint64_t to,
                struct array_walk *w) {
    w->a = a;
    w->next = from;
    w->end = to;
    w->backwards = from > to;
    w->over = false;
    w->bits = bits_of(r);
    w->record = (w->backwards ? idtree_seek_back : idtree_seek)(
        a, SLICES, &r->slices, (uint64_t[]){ from >> w->bits, 0 }, &w->it);
}

/* Where the walk goes on inside of its slice; false: the slice is beyond the end. */
static bool offset_within(const struct array_walk *w, uint32_t *offset) {
    uint64_t number = idtree_word(w->record, 0), here = w->next >> w->bits;
    uint64_t end = w->end >> w->bits, mask = ((uint64_t)1 << w->bits) - 1;
    if (w->backwards ? number < end : number > end) return false;
    *offset = (uint32_t)(number == here ? w->next & mask : w->backwards ? mask : 0);
    return true;
}

static array_cell found(struct array_walk *w, uint64_t index, array_cell c) {
    if (w->backwards ? index < w->end : index > w->end) return 0;
    w->over = index == w->end;
    w->next = w->backwards ? index - 1 : index + 1;
    return c;
}

array_cell array_next_cell(struct array_walk *w, uint64_t *index) {
    uint32_t offset;
    while (!w->over && w->record && offset_within(w, &offset)) {
        struct array_slice *s = slice_at(w->a, array_slice_of(w->record));
        uint64_t number = idtree_word(w->record, 0);
        /* The last step may have left the slice. */
        bool here = w->backwards ? number <= w->next >> w->bits : number >= w->next >> w->bits;
        const array_cell *c = here ? slice_seek(s, &offset, !w->backwards) : NULL;
        if (c) {
            *index = (number << w->bits) + offset;
            return found(w, *index, *c);
        }
        w->record = (w->backwards ? idtree_prev : idtree_next)(w->a, SLICES, &w->it);
    }
    return 0;
}

bool array_next(struct array_walk *w, uint64_t *index, struct str *out) {
    array_cell c = array_next_cell(w, index);
    if (c) *out = array_cell_text(w->a, c, w->buf);
    return c;
}
