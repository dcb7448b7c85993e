/* heap_impl.h - inner parts of the heap, for heap.c and heap_check.c alone. */
#ifndef SHMREDIS_HEAP_IMPL_H
#define SHMREDIS_HEAP_IMPL_H

#include "mem/heap.h"
#include "mem/page.h"

#define CLASSES 112u /* 16 small ones and 8 for each of 12 doublings */
#define FILL_LEVELS 8u
#define FILL_NONE 0xffu

/* Behind the superblock in page 0. */
struct heap_root {
    uint32_t partial[OWN_COUNT][CLASSES][FILL_LEVELS]; /* first page of each list */
    uint64_t used, peak, blocks, moved, trimmed;
    uint64_t by_owner[OWN_COUNT];
    uint64_t slab_pages;                  /* pages of slabs and spans */
    uint64_t parked_bytes, parked_blocks; /* not among used and blocks: mem/park.h */
    ref_t parked;                         /* the newest note of them */
    uint32_t freezes; /* how many there were; slabs say in which they were made */
};
#define HEAP_ROOT_OFFSET 4096u
static_assert(sizeof(struct arena_super) <= HEAP_ROOT_OFFSET, "before the root");
static_assert(HEAP_ROOT_OFFSET + sizeof(struct heap_root) <= PAGE_SIZE_BYTES, "fits in page 0");

struct class_info {
    uint32_t bytes;
    uint16_t blocks; /* in one slab */
    uint16_t pages;  /* of one slab */
};

struct heap_walk; /* mem/walk.h */

/* Process-local. */
struct heap {
    struct page_map *pages;
    struct heap_walk *walk; /* NULL: none is on */
    int64_t fail_after;
    uint32_t current[OWN_COUNT][CLASSES]; /* the slab that allocation takes from; 0: none */
    struct class_info classes[CLASSES];
};

static inline struct heap_root *root_of(const struct arena *a) {
    return (struct heap_root *)(void *)(a->base + HEAP_ROOT_OFFSET);
}

/* Which partial list a slab that is not full belongs to. */
static inline uint8_t fill_level(const struct heap *h, const struct page_desc *d) {
    return (uint8_t)(d->used * FILL_LEVELS / h->classes[d->cls].blocks);
}

/* Bytes of each block in the slab or span that d is the head of. */
static inline size_t block_bytes(const struct arena *a, const struct page_desc *d) {
    if (d->state == PAGE_SPAN) return (size_t)d->span << PAGE_SHIFT;
    return a->heap->classes[d->cls].bytes;
}

static inline char *block_ptr(const struct arena *a, uint32_t page, uint32_t bytes,
                              uint32_t index) {
    return page_ptr(a, page) + (size_t)index * bytes;
}

/* For park.c: heap_alloc without the failures of tests; the end of heap_free, behind the figures.
 */
ref_t heap_alloc_inner(struct arena *a, enum mem_owner owner, size_t size);
void heap_give_back(struct arena *a, ref_t r);

/* What in the page table and its lists does not hold together, or NULL: all that is needed to trust
 * the heap of another process. Free lists inside slabs are left to heap_check. */
const char *heap_table_problem(const struct arena *a);

#endif
