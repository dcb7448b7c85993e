/* walk.c - noting which blocks were seen. */
#include "mem/walk.h"

#include "mem/heap_impl.h"
#include "mem/park.h"

struct heap_walk {
    uint64_t seen; /* blocks */
    uint8_t *bits; /* one for each REF_UNIT of the object */
};

void heap_walk_begin(struct arena *a) {
    struct heap_walk *w = calloc(1, sizeof *w);
    ASSERT(w && !a->heap->walk);
    w->bits = calloc(arena_super(a)->size / REF_UNIT / 8 + 1, 1);
    ASSERT(w->bits);
    a->heap->walk = w;
    park_each(a, heap_walk_see);
}

void heap_walk_see(const struct arena *a, ref_t r) {
    struct heap_walk *w = a->heap->walk;
    uint32_t page = page_of(r);
    ASSERT(page >= page_first(a) && page < page_total(a));
    if (page_desc(a, page)->state == PAGE_REST) page -= page_desc(a, page)->span;
    const struct page_desc *d = page_desc(a, page);
    size_t offset = (size_t)r * REF_UNIT - ((size_t)page << PAGE_SHIFT);
    ASSERT(d->state == PAGE_SLAB || (d->state == PAGE_SPAN && offset == 0));
    ASSERT(offset % block_bytes(a, d) == 0);
    ASSERT(d->state == PAGE_SPAN || offset / block_bytes(a, d) < d->carved);
    uint8_t bit = (uint8_t)(1u << r % 8);
    w->seen += !(w->bits[r / 8] & bit);
    w->bits[r / 8] |= bit;
}

uint64_t heap_walk_end(struct arena *a) {
    struct heap_walk *w = a->heap->walk;
    uint64_t missed = root_of(a)->blocks + root_of(a)->parked_blocks - w->seen;
    a->heap->walk = NULL;
    free(w->bits);
    free(w);
    return missed;
}
