/* array_slice.h - a run of an array's indexes in one block: sparse or dense.
 *
 *   struct array_slice | array_cell x room | sparse: uint16_t offset x room
 *
 * A sparse slice has the `count` elements that there are, by ascending offset. A dense one has a
 * cell for each offset of the window [start, start + room), empty ones among them.
 *
 * Owns      its block and what its cells refer to.
 * Promises  O(log n) to find a cell; at most two copies of the cells to set one.
 * Fails     ST_ARENA_FULL, having changed nothing. Removing needs no memory.
 */
#ifndef SHMREDIS_ARRAY_SLICE_H
#define SHMREDIS_ARRAY_SLICE_H

#include "ds/array_cell.h"

#define SLICE_SIZE_MIN 256u
#define SLICE_SIZE_MAX 65536u

/* In the arena. */
struct array_slice {
    uint32_t count; /* elements */
    uint32_t room;  /* cells */
    uint32_t start; /* dense: the offset of the first cell */
    uint32_t dense;
};
static_assert(sizeof(struct array_slice) == 16, "layout of arenas");

/* When slices change their form: a sparse one has at most `most` elements; a dense one of no more
 * than `least` becomes sparse. */
struct slice_limits {
    uint32_t size; /* offsets a slice has */
    uint32_t least, most;
};

static inline struct array_slice *slice_at(const struct arena *a, ref_t r) {
    return (struct array_slice *)arena_ptr(a, r);
}
static inline array_cell *slice_cells(struct array_slice *s) {
    return (array_cell *)(s + 1);
}

/* A slice of one element; REF_NULL: the arena is full. */
ref_t slice_new(struct arena *a, const struct slice_limits *l, uint32_t offset, array_cell c);
/* The cell of an offset; NULL: nothing is there. */
array_cell *slice_find(struct array_slice *s, uint32_t offset);
/* Adds a cell at an offset where nothing is; may move the slice. */
status slice_add(struct arena *a, const struct slice_limits *l, ref_t *slice, uint32_t offset,
                 array_cell c);
/* Drops the elements of [first, last], all or some; how many went. */
uint32_t slice_remove(struct arena *a, const struct slice_limits *l, ref_t *slice, uint32_t first,
                      uint32_t last);

/* The nearest element at or above (forwards) or at or below the offset; NULL: none. *offset then is
 * its own. */
array_cell *slice_seek(struct array_slice *s, uint32_t *offset, bool forwards);

/* Frees the cells from the end, at most *budget, which it lowers; true: the whole slice is free. */
bool slice_free_some(struct arena *a, ref_t slice, size_t *budget);
/* A copy in another arena; REF_NULL: it is full, nothing is left behind. */
ref_t slice_copy(struct arena *to, const struct arena *from, ref_t slice);
/* Bytes of the block and of those that its cells refer to. */
size_t slice_memory(const struct arena *a, ref_t slice);
/* Moves the block and what its cells refer to out of sparse pages. */
void slice_relocate(struct arena *a, ref_t *slice);
void slice_check(const struct arena *a, const struct slice_limits *l, ref_t slice);

#endif
