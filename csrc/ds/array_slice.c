/* array_slice.c - finding, adding and removing cells; growing, and changing between the forms. */
#include "ds/array_slice.h"

#define SPARSE_ROOM 4u /* of a new sparse slice */
#define WINDOW_MIN 8u  /* cells of a dense slice, at least */

static uint16_t *offsets_of(struct array_slice *s) {
    return (uint16_t *)(slice_cells(s) + s->room);
}

/* Cells that may be in use. */
static uint32_t cells_used(const struct array_slice *s) {
    return s->dense ? s->room : s->count;
}

static size_t slice_bytes(uint32_t room, bool dense) {
    size_t cell = sizeof(array_cell) + (dense ? 0 : sizeof(uint16_t));
    return sizeof(struct array_slice) + room * cell;
}

static ref_t new_block(struct arena *a, struct array_slice head) {
    ref_t r = heap_alloc(a, OWN_ARRAY, slice_bytes(head.room, head.dense));
    if (!r) return REF_NULL;
    struct array_slice *s = slice_at(a, r);
    *s = head;
    if (head.dense) memset(slice_cells(s), 0, head.room * sizeof(array_cell));
    return r;
}

/* How many offsets of a sparse slice are below this one. */
static uint32_t place_of(struct array_slice *s, uint32_t offset) {
    const uint16_t *offsets = offsets_of(s);
    uint32_t low = 0, high = s->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (offsets[middle] < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

array_cell *slice_find(struct array_slice *s, uint32_t offset) {
    array_cell *cells = slice_cells(s);
    if (s->dense) {
        if (offset < s->start || offset - s->start >= s->room) return NULL;
        return cells[offset - s->start] ? cells + (offset - s->start) : NULL;
    }
    uint32_t at = place_of(s, offset);
    return at < s->count && offsets_of(s)[at] == offset ? cells + at : NULL;
}

array_cell *slice_seek(struct array_slice *s, uint32_t *offset, bool forwards) {
    array_cell *cells = slice_cells(s);
    if (!s->dense) {
        uint32_t at = place_of(s, forwards ? *offset : *offset + 1);
        if (forwards ? at == s->count : at-- == 0) return NULL;
        *offset = offsets_of(s)[at];
        return cells + at;
    }
    uint32_t end = s->start + s->room;
    if (forwards) {
        uint32_t at = *offset > s->start ? *offset - s->start : 0;
        while (at < s->room && !cells[at]) at++;
        *offset = s->start + at;
        return at < s->room ? cells + at : NULL;
    }
    if (*offset < s->start) return NULL;
    uint32_t after = *offset < end ? *offset - s->start + 1 : s->room;
    while (after > 0 && !cells[after - 1]) after--;
    *offset = s->start + after - 1;
    return after > 0 ? cells + after - 1 : NULL;
}

/* --- adding --- */

static uint32_t window_for(uint32_t cells) {
    uint32_t room = WINDOW_MIN;
    while (room < cells) room *= 2;
    return room;
}

/* An empty window of the slice from `first` to `last` at least. */
static struct array_slice window(const struct slice_limits *l, uint32_t first, uint32_t last) {
    uint32_t room = window_for(last - first + 1);
    uint32_t start = first < l->size - room ? first : l->size - room;
    return (struct array_slice){ .room = room, .start = start, .dense = true };
}

ref_t slice_new(struct arena *a, const struct slice_limits *l, uint32_t offset, array_cell c) {
    struct array_slice head = { .room = SPARSE_ROOM < l->most ? SPARSE_ROOM : l->most };
    if (l->most == 0) head = window(l, offset, offset);
    head.count = 1;
    ref_t r = new_block(a, head);
    if (!r) return REF_NULL;
    struct array_slice *s = slice_at(a, r);
    slice_cells(s)[head.dense ? offset - head.start : 0] = c;
    if (!head.dense) offsets_of(s)[0] = (uint16_t)offset;
    return r;
}

static status grow_sparse(struct arena *a, ref_t *slice, uint32_t room) {
    struct array_slice head = *slice_at(a, *slice);
    head.room = room;
    ref_t r = new_block(a, head);
    if (!r) return ST_ARENA_FULL;
    struct array_slice *from = slice_at(a, *slice), *to = slice_at(a, r);
    memcpy(slice_cells(to), slice_cells(from), from->count * sizeof(array_cell));
    memcpy(offsets_of(to), offsets_of(from), from->count * sizeof(uint16_t));
    heap_free(a, *slice);
    *slice = r;
    return ST_OK;
}

static status add_sparse(struct arena *a, const struct slice_limits *l, ref_t *slice,
                         uint32_t offset, array_cell c) {
    struct array_slice *s = slice_at(a, *slice);
    if (s->count == s->room) {
        uint32_t room = s->room * 2 < l->most ? s->room * 2 : l->most;
        status st = grow_sparse(a, slice, room);
        if (st != ST_OK) return st;
        s = slice_at(a, *slice);
    }
    uint32_t at = place_of(s, offset), after = s->count - at;
    array_cell *cells = slice_cells(s);
    uint16_t *offsets = offsets_of(s);
    memmove(cells + at + 1, cells + at, after * sizeof *cells);
    memmove(offsets + at + 1, offsets + at, after * sizeof *offsets);
    cells[at] = c;
    offsets[at] = (uint16_t)offset;
    s->count++;
    return ST_OK;
}

/* The elements in another dense block, whose window holds them all; *slice is that then. */
static status to_window(struct arena *a, ref_t *slice, struct array_slice head) {
    ref_t r = new_block(a, head);
    if (!r) return ST_ARENA_FULL;
    struct array_slice *from = slice_at(a, *slice), *to = slice_at(a, r);
    array_cell *cells = slice_cells(to);
    to->count = from->count;
    if (from->dense)
        memcpy(cells + (from->start - to->start), slice_cells(from), from->room * sizeof *cells);
    for (uint32_t i = 0; !from->dense && i < from->count; i++)
        cells[offsets_of(from)[i] - to->start] = slice_cells(from)[i];
    heap_free(a, *slice);
    *slice = r;
    return ST_OK;
}

static status sparse_to_dense(struct arena *a, const struct slice_limits *l, ref_t *slice) {
    struct array_slice *s = slice_at(a, *slice);
    const uint16_t *offsets = offsets_of(s);
    return to_window(a, slice, window(l, offsets[0], offsets[s->count - 1]));
}

/* The window grows on the side of the new offset and keeps its other end, if there is room. */
static status add_dense(struct arena *a, const struct slice_limits *l, ref_t *slice,
                        uint32_t offset, array_cell c) {
    struct array_slice *s = slice_at(a, *slice), head = *s;
    uint32_t end = s->start + s->room;
    if (offset < s->start) {
        head.room = window_for(end - offset);
        head.start = end > head.room ? end - head.room : 0;
    } else if (offset >= end) {
        head = window(l, s->start, offset);
    }
    if (head.room != s->room) {
        status st = to_window(a, slice, head);
        if (st != ST_OK) return st;
        s = slice_at(a, *slice);
    }
    slice_cells(s)[offset - s->start] = c;
    s->count++;
    return ST_OK;
}

status slice_add(struct arena *a, const struct slice_limits *l, ref_t *slice, uint32_t offset,
                 array_cell c) {
    struct array_slice *s = slice_at(a, *slice);
    if (!s->dense) {
        if (s->count < l->most || s->count < s->room) return add_sparse(a, l, slice, offset, c);
        status st = sparse_to_dense(a, l, slice);
        if (st != ST_OK) return st;
    }
    return add_dense(a, l, slice, offset, c);
}

/* --- removing --- */

static uint32_t remove_sparse(struct arena *a, struct array_slice *s, uint32_t first,
                              uint32_t last) {
    uint32_t from = place_of(s, first), to = place_of(s, last + 1);
    array_cell *cells = slice_cells(s);
    uint16_t *offsets = offsets_of(s);
    for (uint32_t i = from; i < to; i++) array_cell_drop(a, cells[i]);
    memmove(cells + from, cells + to, (s->count - to) * sizeof *cells);
    memmove(offsets + from, offsets + to, (s->count - to) * sizeof *offsets);
    s->count -= to - from;
    return to - from;
}

/* A dense slice of few elements becomes sparse; if there is no memory, it stays as it is. */
static void dense_to_sparse(struct arena *a, ref_t *slice) {
    struct array_slice head = { .count = slice_at(a, *slice)->count };
    head.room = head.count;
    ref_t r = new_block(a, head);
    if (!r) return;
    struct array_slice *from = slice_at(a, *slice), *to = slice_at(a, r);
    for (uint32_t i = 0, n = 0; i < from->room; i++) {
        if (!slice_cells(from)[i]) continue;
        slice_cells(to)[n] = slice_cells(from)[i];
        offsets_of(to)[n++] = (uint16_t)(from->start + i);
    }
    heap_free(a, *slice);
    *slice = r;
}

uint32_t slice_remove(struct arena *a, const struct slice_limits *l, ref_t *slice, uint32_t first,
                      uint32_t last) {
    struct array_slice *s = slice_at(a, *slice);
    if (!s->dense) return remove_sparse(a, s, first, last);
    uint32_t removed = 0, end = s->start + s->room;
    if (first < s->start) first = s->start;
    for (uint32_t i = first; i <= last && i < end; i++) {
        array_cell *c = slice_cells(s) + (i - s->start);
        if (!*c) continue;
        array_cell_drop(a, *c);
        *c = 0;
        s->count--;
        removed++;
        if (s->count > l->least || s->count == 0) continue;
        dense_to_sparse(a, slice);
        s = slice_at(a, *slice);
        if (!s->dense) return removed + remove_sparse(a, s, first, last);
    }
    return removed;
}

/* --- whole slices --- */

bool slice_free_some(struct arena *a, ref_t slice, size_t *budget) {
    struct array_slice *s = slice_at(a, slice);
    uint32_t *used = s->dense ? &s->room : &s->count;
    for (; *used > 0 && *budget > 0; --*budget) array_cell_drop(a, slice_cells(s)[--*used]);
    if (*used > 0) return false;
    heap_free(a, slice);
    return true;
}

ref_t slice_copy(struct arena *to, const struct arena *from, ref_t slice) {
    struct array_slice *s = slice_at(from, slice);
    ref_t r = new_block(to, *s);
    if (!r) return REF_NULL;
    struct array_slice *copy = slice_at(to, r);
    memcpy(copy, s, slice_bytes(s->room, s->dense));
    array_cell *cells = slice_cells(copy);
    for (uint32_t i = 0; i < cells_used(s); i++) {
        char buf[CELL_TEXT];
        if (!cells[i] || array_cell_form(cells[i]) != CELL_REF) continue;
        struct str text = array_cell_text(from, cells[i], buf);
        if (array_cell_make(to, text, cells + i) == ST_OK) continue;
        while (i-- > 0) array_cell_drop(to, cells[i]);
        heap_free(to, r);
        return REF_NULL;
    }
    return r;
}

size_t slice_memory(const struct arena *a, ref_t slice) {
    struct array_slice *s = slice_at(a, slice);
    size_t bytes = heap_usable(a, slice);
    for (uint32_t i = 0; i < cells_used(s); i++) {
        array_cell c = slice_cells(s)[i];
        if (c && array_cell_form(c) == CELL_REF) bytes += heap_usable(a, array_cell_ref(c));
    }
    return bytes;
}

static ref_t moved(struct arena *a, ref_t r) {
    ref_t to = heap_sparse(a, r) ? heap_move(a, r) : REF_NULL;
    return to ? to : r;
}

void slice_relocate(struct arena *a, ref_t *slice) {
    *slice = moved(a, *slice);
    struct array_slice *s = slice_at(a, *slice);
    for (uint32_t i = 0; i < cells_used(s); i++) {
        array_cell *c = slice_cells(s) + i;
        if (*c && array_cell_form(*c) == CELL_REF)
            *c = (array_cell)moved(a, array_cell_ref(*c)) << 2 | CELL_REF;
    }
}

void slice_check(const struct arena *a, const struct slice_limits *l, ref_t slice) {
    struct array_slice *s = slice_at(a, slice);
    uint32_t n = 0;
    ASSERT(slice_bytes(s->room, s->dense) <= heap_usable(a, slice));
    ASSERT(s->count > 0 && s->count <= s->room && s->room <= l->size);
    if (s->dense) ASSERT(s->start + s->room <= l->size && s->room >= WINDOW_MIN);
    for (uint32_t i = 0; i < cells_used(s); i++) {
        if (s->dense && !slice_cells(s)[i]) continue;
        array_cell_check(a, slice_cells(s)[i]);
        n++;
        if (s->dense) continue;
        ASSERT(offsets_of(s)[i] < l->size);
        ASSERT(i == 0 || offsets_of(s)[i - 1] < offsets_of(s)[i]);
    }
    ASSERT(n == s->count);
}
