/* array.h - a sparse map from indexes 0 to 2^64 - 2 to strings, and one cursor for insertions.
 *
 *   struct array -> idtree of slices: number -> ref_t of an array_slice (array_slice.h)
 *
 * Slice n has the indexes from n * size on. Those without elements do not exist.
 *
 * Owns      its slices and what their cells refer to; not struct array itself.
 * Promises  O(log slices) to find an element, then O(1) for its neighbours. Strings that are given
 *           out are valid until the array changes or the walk goes on.
 * Fails     ST_ARENA_FULL, having changed nothing. Removing needs no memory.
 */
#ifndef SHMREDIS_ARRAY_H
#define SHMREDIS_ARRAY_H

#include "ds/array_slice.h"
#include "ds/idtree.h"

#define ARRAY_INDEX_MAX (UINT64_MAX - 1)
#define ARRAY_NONE UINT64_MAX /* no index: nothing was inserted yet */

/* In the arena. */
struct array {
    uint64_t count;       /* elements */
    uint64_t last;        /* where the last insertion went, or ARRAY_NONE */
    struct idtree slices; /* two words, the second of them 0 */
    uint32_t size;        /* indexes of a slice: a power of two */
    uint32_t groups;      /* runs of ARRAY_GROUP slices that have any */
    uint32_t group_room;  /* what ARINFO calls directory-size, once there are groups; 0 before */
    uint32_t unused;
};
static_assert(sizeof(struct array) == 48, "layout of arenas");
#define ARRAY_GROUP 2048u

extern const struct idtree_kind array_slices_kind;
/* The block that a record of the tree refers to. */
static inline ref_t array_slice_of(uint8_t *record) {
    return load_u32(idtree_payload(&array_slices_kind, record));
}

/* When slices change their form; array_slice.h. */
struct array_limits {
    uint32_t least, most;
};

/* Makes zero bytes or anything else an empty array. */
void array_init(struct array *r, uint32_t size);
/* Highest index that is used, plus 1. */
uint64_t array_length(const struct arena *a, const struct array *r);
/* The string at an index; false: nothing is there. */
bool array_get(const struct arena *a, const struct array *r, uint64_t index, char buf[CELL_TEXT],
               struct str *out);
/* *added: nothing was there before. */
status array_set(struct arena *a, const struct array_limits *l, struct array *r, uint64_t index,
                 struct str s, bool *added);
/* Removes the elements of [first, last]; how many went. */
uint64_t array_remove(struct arena *a, const struct array_limits *l, struct array *r,
                      uint64_t first, uint64_t last);
/* Takes every element out. */
void array_clear(struct arena *a, struct array *r);

/* A walk over the elements from one index to another, upwards or, if the first is greater,
 * downwards; dead when the array changes. */
struct array_walk {
    const struct arena *a;
    uint64_t next, end;
    bool backwards, over;
    uint32_t bits; /* of an offset */
    struct idtree_iter it;
    uint8_t *record; /* of the slice; NULL: none is left */
    char buf[CELL_TEXT];
};
void array_seek(const struct arena *a, const struct array *r, uint64_t from, uint64_t to,
                struct array_walk *w);
/* The next cell and its index; 0: the walk is over. */
array_cell array_next_cell(struct array_walk *w, uint64_t *index);
bool array_next(struct array_walk *w, uint64_t *index, struct str *out);

/* What ARINFO tells. */
struct array_figures {
    uint64_t dense, sparse;                           /* slices */
    uint64_t dense_room, dense_elements, sparse_room; /* of all of them */
};
void array_measure(const struct arena *a, const struct array *r, struct array_figures *f);
/* Entries of the directory that Redis would have for these slices. */
uint64_t array_directory(const struct arena *a, const struct array *r);

/* Frees about `budget` elements from the end; true: the array is empty. Between calls it must not
 * be used otherwise. */
bool array_free_some(struct arena *a, struct array *r, size_t budget);
/* A copy in *dst; ST_ARENA_FULL: that is an empty one. */
status array_copy(struct arena *to, const struct arena *from, const struct array *r,
                  struct array *dst);
/* Bytes of all blocks, measured on `samples` slices (0: all). */
size_t array_memory(const struct arena *a, const struct array *r, size_t samples);
/* Moves blocks out of sparse pages, about `budget` cells from *cursor; 0 when all are done. */
void array_relocate(struct arena *a, struct array *r, uint64_t *cursor, size_t budget);
void array_check(const struct arena *a, const struct array *r);

#endif
