/* heap.c - slabs of size classes, and spans.
 *
 * Classes are every 8 bytes up to 128, then eight to a doubling up to 512 KiB; larger blocks are
 * spans of whole pages. A slab has as many pages as keep its tail small. The partial slabs of each
 * owner and class are in FILL_LEVELS lists by how full they are, so that allocation and the
 * defragmenter take the fullest and sparse slabs run empty. All lists are in the arena; attaching
 * only rebuilds the bitmap of pages.
 */
#include "mem/heap.h"

#include "mem/page.h"
#include "mem/poison.h"

#define SMALL_STEP 8u
#define SMALL_MAX 128u
#define CLASS_MAX_BYTES ((size_t)512 << 10)
#define CLASSES 112u /* 16 small ones and 8 for each of 12 doublings */
#define FILL_LEVELS 8u
#define FILL_NONE 0xffu
#define SLAB_PAGES_MAX 9u
#define KEEP_EMPTY_MAX                                                                             \
    1024u /* an empty slab of blocks up to this is kept for the next allocation */

/* Behind the superblock in page 0. */
struct heap_root {
    uint32_t partial[OWN_COUNT][CLASSES][FILL_LEVELS]; /* first page of each list */
    uint64_t used, peak, blocks, moved, trimmed;
    uint64_t by_owner[OWN_COUNT];
    uint64_t slab_pages; /* pages of slabs and spans */
};
#define HEAP_ROOT_OFFSET 4096u
static_assert(HEAP_ROOT_OFFSET + sizeof(struct heap_root) <= PAGE_SIZE_BYTES, "fits in page 0");

struct class_info {
    uint32_t bytes;
    uint16_t blocks; /* in one slab */
    uint16_t pages;  /* of one slab */
};

/* Process-local. */
struct heap {
    struct page_map *pages;
    int64_t fail_after;
    uint32_t current[OWN_COUNT][CLASSES]; /* the slab that allocation takes from; 0: none */
    struct class_info classes[CLASSES];
};

static struct heap_root *root_of(const struct arena *a) {
    return (struct heap_root *)(void *)(a->base + HEAP_ROOT_OFFSET);
}

/* --- classes --- */

static uint32_t class_of(size_t size) {
    if (size <= SMALL_MAX) return (uint32_t)((size + SMALL_STEP - 1) / SMALL_STEP) - 1;
    unsigned log = 63u - (unsigned)__builtin_clzll(size - 1); /* 2^log <= size - 1 */
    unsigned eighth = (unsigned)((size - 1) >> (log - 3)) & 7;
    return 16 + (log - 7) * 8 + eighth;
}

static uint32_t class_bytes(uint32_t cls) {
    if (cls < 16) return (cls + 1) * SMALL_STEP;
    uint32_t log = 7 + (cls - 16) / 8, eighth = (cls - 16) % 8;
    return (1u << log) + ((eighth + 1) << (log - 3));
}

/* The fewest pages whose tail wastes at most a sixteenth, else the best there is. */
static uint16_t slab_pages(uint32_t bytes) {
    uint16_t best = 0;
    double best_waste = 2;
    for (uint16_t pages = 1; pages <= SLAB_PAGES_MAX; pages++) {
        size_t total = pages * PAGE_SIZE_BYTES;
        if (total < bytes) continue;
        double waste = (double)(total % bytes) / (double)total;
        if (waste < best_waste) best_waste = waste, best = pages;
        if (best_waste <= 1.0 / 16) break;
    }
    return best;
}

static struct heap *heap_new(struct arena *a) {
    struct heap *h = calloc(1, sizeof *h);
    ASSERT(h);
    h->fail_after = -1;
    for (uint32_t cls = 0; cls < CLASSES; cls++) {
        uint32_t bytes = class_bytes(cls);
        uint16_t pages = slab_pages(bytes);
        h->classes[cls] = (struct class_info){
            .bytes = bytes, .pages = pages, .blocks = (uint16_t)(pages * PAGE_SIZE_BYTES / bytes)
        };
        if (pages * PAGE_SIZE_BYTES / bytes > UINT16_MAX) abort();
    }
    a->heap = h;
    h->pages = page_map_new(a);
    return h;
}

status heap_create(struct arena *a) {
    memset(root_of(a), 0, sizeof(struct heap_root));
    struct heap *h = heap_new(a);
    /* The first growth backs the start of the page table too. */
    uint32_t page = page_take(a, h->pages, 1);
    if (!page) return ST_ARENA_FULL;
    page_give(a, h->pages, page, 1);
    return ST_OK;
}

status heap_attach(struct arena *a) {
    heap_new(a);
    return ST_OK;
}

void heap_detach(struct arena *a) {
    if (!a->heap) return;
    UNPOISON(a->base, arena_super(a)->size);
    page_map_delete(a->heap->pages);
    free(a->heap);
    a->heap = NULL;
}

/* --- partial lists --- */

static uint8_t fill_level(const struct heap *h, const struct page_desc *d) {
    uint32_t level = d->used * FILL_LEVELS / h->classes[d->cls].blocks;
    return (uint8_t)(level < FILL_LEVELS ? level : FILL_LEVELS - 1);
}

static uint32_t *list_of(struct arena *a, const struct page_desc *d, uint8_t fill) {
    return &root_of(a)->partial[d->owner][d->cls][fill];
}

static void list_remove(struct arena *a, uint32_t page, struct page_desc *d) {
    if (d->fill == FILL_NONE) return;
    if (d->prev)
        page_desc(a, d->prev)->next = d->next;
    else
        *list_of(a, d, d->fill) = d->next;
    if (d->next) page_desc(a, d->next)->prev = d->prev;
    d->next = d->prev = 0;
    d->fill = FILL_NONE;
    (void)page;
}

static void list_add(struct arena *a, uint32_t page, struct page_desc *d) {
    d->fill = fill_level(a->heap, d);
    uint32_t *first = list_of(a, d, d->fill);
    d->next = *first;
    d->prev = 0;
    if (*first) page_desc(a, *first)->prev = page;
    *first = page;
}

/* After `used` changed: the list that fits, none when full. */
static void relist(struct arena *a, uint32_t page, struct page_desc *d) {
    bool full = d->used == a->heap->classes[d->cls].blocks;
    if (full ? d->fill == FILL_NONE : d->fill == fill_level(a->heap, d)) return;
    list_remove(a, page, d);
    if (!full) list_add(a, page, d);
}

/* The fullest partial slab; 0: none. */
static uint32_t fullest(const struct arena *a, uint32_t owner, uint32_t cls) {
    const uint32_t *lists = root_of(a)->partial[owner][cls];
    for (uint32_t level = FILL_LEVELS; level-- > 0;)
        if (lists[level]) return lists[level];
    return 0;
}

/* --- blocks of a slab --- */

static char *block_ptr(const struct arena *a, uint32_t page, uint32_t bytes, uint32_t index) {
    return page_ptr(a, page) + (size_t)index * bytes;
}

static ref_t pop_block(struct arena *a, uint32_t page, struct page_desc *d) {
    uint32_t bytes = a->heap->classes[d->cls].bytes;
    uint32_t index;
    if (d->free_head) {
        index = d->free_head - 1u;
        UNPOISON(block_ptr(a, page, bytes, index), bytes);
        d->free_head = load_u16(block_ptr(a, page, bytes, index));
    } else {
        index = d->carved++;
        UNPOISON(block_ptr(a, page, bytes, index), bytes);
    }
    d->used++;
    relist(a, page, d);
#ifdef SHMREDIS_DEBUG
    memset(block_ptr(a, page, bytes, index), 0xaa, bytes);
#endif
    return arena_ref(a, block_ptr(a, page, bytes, index));
}

static void push_block(struct arena *a, uint32_t page, struct page_desc *d, ref_t r) {
    uint32_t bytes = a->heap->classes[d->cls].bytes;
    char *p = arena_ptr(a, r);
#ifdef SHMREDIS_DEBUG
    memset(p, 0x55, bytes);
#endif
    uint32_t index = (uint32_t)((size_t)(p - page_ptr(a, page)) / bytes);
    store_u16(p, d->free_head);
    d->free_head = (uint16_t)(index + 1);
    POISON(p, bytes);
    d->used--;
}

static uint32_t new_slab(struct arena *a, uint32_t owner, uint32_t cls) {
    const struct class_info *info = &a->heap->classes[cls];
    uint32_t page = page_take(a, a->heap->pages, info->pages);
    if (!page) return 0;
    struct page_desc *d = page_desc(a, page);
    *d = (struct page_desc){ .state = PAGE_SLAB,
                             .cls = (uint8_t)cls,
                             .owner = (uint8_t)owner,
                             .fill = FILL_NONE,
                             .span = info->pages };
    for (uint32_t i = 1; i < info->pages; i++)
        *page_desc(a, page + i) = (struct page_desc){ .state = PAGE_REST, .span = i };
    POISON(page_ptr(a, page), info->pages * PAGE_SIZE_BYTES);
    root_of(a)->slab_pages += info->pages;
    list_add(a, page, d);
    return page;
}

static void release_pages(struct arena *a, uint32_t page) {
    uint32_t n = page_desc(a, page)->span;
    UNPOISON(page_ptr(a, page), n * PAGE_SIZE_BYTES);
    root_of(a)->slab_pages -= n;
    page_give(a, a->heap->pages, page, n);
}

/* --- allocation --- */

static void account(struct arena *a, enum mem_owner owner, size_t bytes) {
    struct heap_root *root = root_of(a);
    root->used += bytes;
    root->by_owner[owner] += bytes;
    root->blocks++;
    if (root->used > root->peak) root->peak = root->used;
}

static bool fails_on_purpose(struct heap *h) {
    if (LIKELY(h->fail_after < 0)) return false;
    return h->fail_after-- == 0;
}

static ref_t alloc_span(struct arena *a, enum mem_owner owner, size_t size) {
    uint64_t pages = (size + PAGE_SIZE_BYTES - 1) >> PAGE_SHIFT;
    if (pages > a->reserved >> PAGE_SHIFT) return REF_NULL;
    uint32_t page = page_take(a, a->heap->pages, (uint32_t)pages);
    if (!page) return REF_NULL;
    *page_desc(a, page) = (struct page_desc){ .state = PAGE_SPAN,
                                              .owner = (uint8_t)owner,
                                              .used = 1,
                                              .fill = FILL_NONE,
                                              .span = (uint32_t)pages };
    for (uint32_t i = 1; i < pages; i++)
        *page_desc(a, page + i) = (struct page_desc){ .state = PAGE_REST, .span = i };
    root_of(a)->slab_pages += pages;
    account(a, owner, pages << PAGE_SHIFT);
    return page * PAGE_REFS;
}

ref_t heap_alloc(struct arena *a, enum mem_owner owner, size_t size) {
    struct heap *h = a->heap;
    if (UNLIKELY(fails_on_purpose(h))) return REF_NULL;
    if (UNLIKELY(size > CLASS_MAX_BYTES)) return alloc_span(a, owner, size);
    uint32_t cls = class_of(size), page = h->current[owner][cls];
    struct page_desc *d = page_desc(a, page);
    if (UNLIKELY(!page || d->used == h->classes[cls].blocks)) {
        page = fullest(a, owner, cls);
        if (!page) page = new_slab(a, owner, cls);
        if (!page) return REF_NULL;
        h->current[owner][cls] = page;
        d = page_desc(a, page);
    }
    account(a, owner, h->classes[cls].bytes);
    return pop_block(a, page, d);
}

/* The head page of the slab or span that r lies in. */
static uint32_t head_page(const struct arena *a, ref_t r) {
    uint32_t page = page_of(r);
    const struct page_desc *d = page_desc(a, page);
    return d->state == PAGE_REST ? page - d->span : page;
}

static size_t block_bytes(const struct arena *a, const struct page_desc *d) {
    if (d->state == PAGE_SPAN) return (size_t)d->span << PAGE_SHIFT;
    return a->heap->classes[d->cls].bytes;
}

size_t heap_usable(const struct arena *a, ref_t r) {
    return block_bytes(a, page_desc(a, head_page(a, r)));
}

void heap_free(struct arena *a, ref_t r) {
    uint32_t page = head_page(a, r);
    struct page_desc *d = page_desc(a, page);
    struct heap_root *root = root_of(a);
    size_t bytes = block_bytes(a, d);
    ASSERT(d->state == PAGE_SLAB || d->state == PAGE_SPAN);
    root->used -= bytes;
    root->by_owner[d->owner] -= bytes;
    root->blocks--;
    if (d->state == PAGE_SPAN) {
        release_pages(a, page);
        return;
    }
    push_block(a, page, d, r);
    uint32_t *current = &a->heap->current[d->owner][d->cls];
    if (d->used == 0 && (*current != page || bytes > KEEP_EMPTY_MAX)) {
        if (*current == page) *current = 0;
        list_remove(a, page, d);
        release_pages(a, page);
    } else {
        relist(a, page, d);
    }
}

/* Whether a block of `have` bytes serves for `size` without wasting more than its class would. */
static bool fits(size_t have, size_t size) {
    if (size > have) return false;
    if (size > CLASS_MAX_BYTES) return have - size < PAGE_SIZE_BYTES;
    return have <= CLASS_MAX_BYTES && class_bytes(class_of(size)) == have;
}

ref_t heap_realloc(struct arena *a, ref_t r, size_t size) {
    size_t have = heap_usable(a, r);
    if (fits(have, size)) return r;
    ref_t moved = heap_alloc(a, page_desc(a, head_page(a, r))->owner, size);
    if (!moved) return REF_NULL;
    memcpy(arena_ptr(a, moved), arena_ptr(a, r), have < size ? have : size);
    heap_free(a, r);
    return moved;
}

/* --- defragmentation --- */

/* The slab that heap_move would fill: the first of the fullest list, if that is a better place than
 * `page`. Within one list the first is the target of all others, so it fills up and leaves the
 * list; in the top list only a fuller one is worth the copying. */
static uint32_t better_slab(const struct arena *a, uint32_t page, const struct page_desc *d) {
    const uint32_t *lists = root_of(a)->partial[d->owner][d->cls];
    for (uint32_t level = FILL_LEVELS; level-- > 0;) {
        uint32_t other = lists[level];
        if (!other) continue;
        if (other == page) return 0;
        return level < FILL_LEVELS - 1 || page_desc(a, other)->used >= d->used ? other : 0;
    }
    return 0;
}

bool heap_sparse(const struct arena *a, ref_t r) {
    uint32_t page = head_page(a, r);
    const struct page_desc *d = page_desc(a, page);
    return d->state == PAGE_SLAB && d->fill != FILL_NONE && better_slab(a, page, d);
}

ref_t heap_move(struct arena *a, ref_t r) {
    uint32_t page = head_page(a, r);
    struct page_desc *d = page_desc(a, page);
    if (d->state != PAGE_SLAB || d->fill == FILL_NONE) return REF_NULL;
    uint32_t to = better_slab(a, page, d);
    if (!to) return REF_NULL;
    uint32_t bytes = a->heap->classes[d->cls].bytes;
    if (a->heap->current[d->owner][d->cls] == page) a->heap->current[d->owner][d->cls] = to;
    account(a, d->owner, bytes);
    ref_t moved = pop_block(a, to, page_desc(a, to));
    memcpy(arena_ptr(a, moved), arena_ptr(a, r), bytes);
    heap_free(a, r);
    root_of(a)->moved++;
    return moved;
}

size_t heap_trim(struct arena *a) {
    size_t bytes = (size_t)page_punch(a, a->heap->pages, UINT32_MAX) << PAGE_SHIFT;
    root_of(a)->trimmed += bytes;
    return bytes;
}

/* --- looking --- */

uint64_t heap_used(const struct arena *a) {
    return root_of(a)->used;
}

void heap_reset_peak(struct arena *a) {
    root_of(a)->peak = root_of(a)->used;
}

void heap_fail_after(struct arena *a, int64_t n) {
    a->heap->fail_after = n;
}

void heap_stats(const struct arena *a, struct heap_stats *out) {
    const struct heap_root *root = root_of(a);
    uint64_t punched = page_punched_count(a->heap->pages);
    uint64_t table = (uint64_t)page_total(a) * sizeof(struct page_desc);
    uint64_t unbacked = (uint64_t)(page_first(a) - 1) * PAGE_SIZE_BYTES - table;
    *out =
        (struct heap_stats){ .used = root->used,
                             .peak = root->peak,
                             .blocks = root->blocks,
                             .moved = root->moved,
                             .trimmed = root->trimmed,
                             .committed = (root->slab_pages << PAGE_SHIFT) + table,
                             .object = arena_super(a)->size - (punched << PAGE_SHIFT) - unbacked };
    memcpy(out->by_owner, root->by_owner, sizeof out->by_owner);
}

static void check_slab(const struct arena *a, uint32_t page, const struct page_desc *d) {
    const struct class_info *info = &a->heap->classes[d->cls];
    ASSERT(d->cls < CLASSES && d->owner > OWN_FREE && d->owner < OWN_COUNT);
    ASSERT(d->span == info->pages && d->carved <= info->blocks && d->used <= d->carved);
    uint32_t freed = 0;
    for (uint32_t i = d->free_head; i; freed++) {
        ASSERT(i <= d->carved && freed <= d->carved);
        char *p = block_ptr(a, page, info->bytes, i - 1);
        UNPOISON(p, 2);
        i = load_u16(p);
        POISON(p, 2);
    }
    ASSERT(freed + d->used == d->carved);
    ASSERT((d->fill == FILL_NONE) == (d->used == info->blocks));
    ASSERT(d->fill == FILL_NONE || d->fill == fill_level(a->heap, d));
}

void heap_check(const struct arena *a) {
    uint64_t used = 0, blocks = 0, pages = 0;
    for (uint32_t p = page_first(a); p < page_total(a); p++) {
        const struct page_desc *d = page_desc(a, p);
        ASSERT((d->state == PAGE_FREE) == page_is_free(a->heap->pages, p));
        if (d->state == PAGE_FREE) continue;
        ASSERT(d->state == PAGE_SLAB || d->state == PAGE_SPAN);
        if (d->state == PAGE_SLAB) check_slab(a, p, d);
        used += d->used * block_bytes(a, d);
        blocks += d->used;
        pages += d->span;
        for (uint32_t i = 1; i < d->span; i++) {
            ASSERT(page_desc(a, p + i)->state == PAGE_REST && page_desc(a, p + i)->span == i);
        }
        p += d->span - 1;
    }
    const struct heap_root *root = root_of(a);
    ASSERT(used == root->used && blocks == root->blocks && pages == root->slab_pages);
}
