/* page.h - the page table of an arena: what each 64 KiB page is used for, and runs of free pages.
 *
 *   page 0: superblock and struct heap_root | page table | heap pages …
 *
 * Owns      the descriptors (in the arena) and a bitmap of free pages (process-local, rebuilt at
 *           attach).
 * Callers   heap.c only. Tools read descriptors.
 */
#ifndef SHMREDIS_PAGE_H
#define SHMREDIS_PAGE_H

#include "mem/heap.h"

enum page_state {
    PAGE_FREE = 0,
    PAGE_SLAB = 1, /* blocks of one class; the first page of a slab */
    PAGE_SPAN = 2, /* one block of whole pages; its first page */
    PAGE_REST = 3  /* a further page of a slab or span: `span` pages after its head */
};
#define PAGE_PUNCHED 1u /* flag: free, and the kernel has its memory back */

/* 32 bytes a page. Lists link page numbers; 0 ends them (page 0 is the superblock). */
struct page_desc {
    uint8_t state, cls, owner, flags;
    uint16_t used;      /* live blocks */
    uint16_t carved;    /* blocks handed out at least once; those after are fresh */
    uint16_t free_head; /* index + 1 of the first freed block; each holds the next one's */
    uint8_t fill;       /* which partial list it is in: 0 … FILL_LEVELS - 1; FILL_NONE */
    uint8_t unused;
    uint32_t next, prev;
    uint32_t span; /* pages of the slab or span (head), or distance to the head (rest) */
    uint32_t born; /* slab: the freeze during which it was made, struct heap_root; 0: none */
    uint32_t reserved;
};
static_assert(sizeof(struct page_desc) == 32, "tools rely on the size of a descriptor");

#define PAGE_TABLE_OFFSET PAGE_SIZE_BYTES
#define PAGE_REFS ((ref_t)(PAGE_SIZE_BYTES / REF_UNIT))

static inline struct page_desc *page_desc(const struct arena *a, uint32_t page) {
    return (struct page_desc *)(void *)(a->base + PAGE_TABLE_OFFSET) + page;
}
static inline uint32_t page_of(ref_t r) {
    return r / PAGE_REFS;
}
static inline char *page_ptr(const struct arena *a, uint32_t page) {
    return a->base + ((uint64_t)page << PAGE_SHIFT);
}

struct page_map; /* process-local bitmap of free pages */

struct page_map *page_map_new(const struct arena *a);
void page_map_delete(struct page_map *m);
/* A run of n pages that are backed by memory, lowest first; grows the arena if need be. 0: none. */
uint32_t page_take(struct arena *a, struct page_map *m, uint32_t n);
/* Pages from `first` on are taken first, growing the arena, unless a quarter of it is free: those
 * before are read by a snapshot. 0: no longer. */
void page_prefer(struct page_map *m, uint32_t first);
/* Takes exactly the n pages from `page` on, behind the end of the object too; false: not all of
 * them are free, or there is no memory for them. */
bool page_take_at(struct arena *a, struct page_map *m, uint32_t page, uint32_t n);
void page_give(struct arena *a, struct page_map *m, uint32_t page, uint32_t n);
/* Punches all free pages that still have memory; returns how many. None unless ARENA_LIVE: the
 * object has to stay as it is. */
uint32_t page_punch(struct arena *a, struct page_map *m);
/* Free pages that are punched. */
uint32_t page_punched_count(const struct page_map *m);
uint32_t page_total(const struct arena *a);
uint32_t page_first(const struct arena *a); /* first page behind the page table */
/* Bytes of the page table that have memory. */
uint64_t page_table_bytes(const struct arena *a);
bool page_is_free(const struct page_map *m, uint32_t page);
/* Whether the kernel backs this page of the object, superblock and page table among them. */
bool page_backed(const struct arena *a, uint32_t page);

#endif
