/* heap.h - blocks of bytes inside an arena: size-class slabs and multi-page spans.
 *
 * Owns      every page behind the superblock, its descriptor, the free lists: all in the arena.
 * Callers   the worker that owns the arena; never a snapshotter; tools read descriptors only.
 * Promises  O(1) for slabs; at most 12.5 % internal waste above 64 bytes, classes every 8 bytes
 *           below 128; blocks are 8-byte aligned, 64-byte aligned when the size is a multiple of
 *           that; allocation never moves another block and never changes `base`.
 * Fails     REF_NULL when the arena cannot grow; the caller answers -OOM, having changed nothing.
 * Crash     the page table stays walkable at every store, so tools can read it post mortem.
 */
#ifndef SHMREDIS_HEAP_H
#define SHMREDIS_HEAP_H

#include "mem/arena.h"

/* What a page's blocks are for. Ids live in arenas: append only, never renumber. */
enum mem_owner {
    OWN_FREE = 0,
    OWN_SYSTEM = 1, /* keyspace roots and the like */
    OWN_ENTRY = 2,  /* one per key, db/entry.h */
    OWN_TABLE = 3,  /* dict buckets and directories */
    OWN_STRING = 4, /* string values that are not inside their entry */
    OWN_LIST = 5,
    OWN_HASH = 6,
    OWN_SET = 7,
    OWN_ZSET = 8,
    OWN_STREAM = 9,
    OWN_ARRAY = 14, /* 10 to 13 are free */
    OWN_COUNT = 16
};

/* `size` > 0. Content is undefined. */
ref_t heap_alloc(struct arena *a, enum mem_owner owner, size_t size);
/* Keeps the first min(old, new) bytes; the old ref is dead unless REF_NULL is returned. Shrinks and
 * grows in place when the class allows. */
ref_t heap_realloc(struct arena *a, ref_t r, size_t size);
/* Makes the block of *r at least so large; ST_ARENA_FULL: it is as it was. */
status heap_reserve(struct arena *a, ref_t *r, size_t size);
void heap_free(struct arena *a, ref_t r);
/* True when a snapshot reads the block's page, and a copy of the page is better avoided: whoever
 * wants to overwrite the whole block takes a new one instead, mem/park.h. heap_realloc does. */
bool heap_frozen_block(const struct arena *a, ref_t r);
static inline bool heap_frozen(const struct arena *a, ref_t r) {
    return UNLIKELY(!arena_is_live(a)) && heap_frozen_block(a, r);
}
/* Bytes usable behind r: its class size or its span's bytes. */
size_t heap_usable(const struct arena *a, ref_t r);

/* Begins to load what heap_frozen and heap_free will look at into the processor's cache. */
void heap_prefetch_page(const struct arena *a, ref_t r);
/* Begins to load the block, and what a write to it needs. */
static inline void heap_prefetch(const struct arena *a, ref_t r) {
    __builtin_prefetch(arena_ptr(a, r));
    if (UNLIKELY(!arena_is_live(a))) heap_prefetch_page(a, r);
}

/* --- defragmentation: mechanism only; who moves what is db/defrag.h's business --- */

/* True when r lies in a page so sparse that moving it would help to empty the page. Whoever can
 * move blocks asks this of each of its blocks: mem/walk.h relies on it. */
bool heap_sparse(const struct arena *a, ref_t r);
/* Whether r can be the beginning of a live block of at least `size` bytes: for roots that another
 * process wrote. */
bool heap_holds(const struct arena *a, ref_t r, size_t size);
/* Copies the block into the fullest page of its class and frees the old one; REF_NULL if there is
 * no better place. The caller stores the new ref at once in the block's one owner. */
ref_t heap_move(struct arena *a, ref_t r);
/* Gives whole empty pages back to the kernel, when no other process reads in the arena; returns
 * bytes released. Not while frozen. */
size_t heap_trim(struct arena *a);

struct heap_stats {
    uint64_t used;         /* bytes of live blocks, class sizes */
    uint64_t peak;         /* highest `used` since the heap was made or reset */
    uint64_t committed;    /* bytes of pages that hold at least one block, and page table */
    uint64_t object;       /* bytes of the object that the kernel backs now (holes left out) */
    uint64_t blocks;       /* live blocks */
    uint64_t by_owner[16]; /* bytes of live blocks by enum mem_owner */
    uint64_t moved;        /* blocks moved by heap_move, ever */
    uint64_t trimmed;      /* bytes given back, ever */
};
void heap_stats(const struct arena *a, struct heap_stats *out);
/* Bytes of live blocks, cheap enough for every command. */
uint64_t heap_used(const struct arena *a);
/* Walks every descriptor and free list; aborts on a broken invariant. Tests call it. */
void heap_check(const struct arena *a);
/* Makes the n-th allocation from now fail (0: the next one; negative: never). Fault tests. */
void heap_fail_after(struct arena *a, int64_t n);

/* For arena.c: lays out or attaches the allocator of a fresh or existing arena. */
status heap_create(struct arena *a);
status heap_attach(struct arena *a);
void heap_detach(struct arena *a);
/* For freeze.c: a snapshot reads what is before `end`, nobody what is behind it; the arena is live
 * again. */
void heap_freeze(struct arena *a, uint64_t end);
void heap_thawed(struct arena *a);

#endif
