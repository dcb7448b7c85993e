/* heap.c - slabs of size classes, and spans.
 *
 * Classes are every 8 bytes up to 128, then eight to a doubling up to 512 KiB; larger blocks are
 * spans of whole pages. A slab has as many pages as keep its tail small. The partial slabs of each
 * owner and class are in FILL_LEVELS lists by how full they are, so that allocation and the
 * defragmenter take the fullest and sparse slabs run empty. All lists are in the arena; attaching
 * only rebuilds the bitmap of pages.
 */
#include "mem/heap_impl.h"
#include "mem/park.h"
#include "mem/poison.h"
#include "mem/share.h"
#include "mem/walk.h"

#define SMALL_STEP 8u
#define SMALL_MAX 128u
#define CLASS_MAX_BYTES ((size_t)512 << 10)
#define SLAB_PAGES_MAX 9u
#define KEEP_EMPTY_MAX 1024u /* an empty slab of such blocks is kept for the next allocation */

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
    if (!heap_table_problem(a)) return ST_OK;
    heap_detach(a);
    return ST_SHM_FORMAT;
}

void heap_detach(struct arena *a) {
    UNPOISON(a->base, arena_super(a)->size);
    page_map_delete(a->heap->pages);
    free(a->heap);
    a->heap = NULL;
}

/* --- partial lists --- */

static uint32_t *list_of(struct arena *a, const struct page_desc *d, uint8_t fill) {
    return &root_of(a)->partial[d->owner][d->cls][fill];
}

static void list_remove(struct arena *a, struct page_desc *d) {
    if (d->fill == FILL_NONE) return;
    if (d->prev)
        page_desc(a, d->prev)->next = d->next;
    else
        *list_of(a, d, d->fill) = d->next;
    if (d->next) page_desc(a, d->next)->prev = d->prev;
    d->next = d->prev = 0;
    d->fill = FILL_NONE;
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
    list_remove(a, d);
    if (!full) list_add(a, page, d);
}

/* Made since the arena was frozen, so that no snapshot reads it. */
static bool is_fresh(const struct arena *a, const struct page_desc *d) {
    return d->born == root_of(a)->freezes;
}

/* Whether what happens to blocks of this class is kept to fresh slabs. */
static bool keeps_apart(const struct arena *a, uint32_t cls) {
    if (LIKELY(arena_is_live(a))) return false;
    return a->heap->classes[cls].bytes <= PARK_BLOCK_MAX && park_has_room(a);
}

/* The fullest partial slab, a fresh one if `fresh`; 0: none. Since a freeze only fresh ones change,
 * and who changes is the first of its list. */
static uint32_t fullest(const struct arena *a, uint32_t owner, uint32_t cls, bool fresh) {
    const uint32_t *lists = root_of(a)->partial[owner][cls];
    for (uint32_t level = FILL_LEVELS; level-- > 0;)
        if (lists[level] && (!fresh || is_fresh(a, page_desc(a, lists[level]))))
            return lists[level];
    return 0;
}

/* --- blocks of a slab --- */

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

/* The pages [from, to) behind their head `page` belong to it. */
static void mark_rest(struct arena *a, uint32_t page, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++)
        *page_desc(a, page + i) = (struct page_desc){ .state = PAGE_REST, .span = i };
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
                             .span = info->pages,
                             .born = arena_is_live(a) ? 0 : root_of(a)->freezes };
    mark_rest(a, page, 1, info->pages);
    POISON(page_ptr(a, page), info->pages * PAGE_SIZE_BYTES);
    root_of(a)->slab_pages += info->pages;
    list_add(a, page, d);
    return page;
}

static void release_pages(struct arena *a, uint32_t page, uint32_t n) {
    root_of(a)->slab_pages -= n;
    page_give(a, a->heap->pages, page, n);
}

/* --- allocation --- */

/* Live bytes of the owner change, and so does the number of blocks. */
static void account(struct arena *a, uint32_t owner, size_t more, size_t less) {
    struct heap_root *root = root_of(a);
    root->used += more - less;
    root->by_owner[owner] += more - less;
    if (root->used > root->peak) root->peak = root->used;
}

static void account_alloc(struct arena *a, uint32_t owner, size_t bytes) {
    account(a, owner, bytes, 0);
    root_of(a)->blocks++;
}

static bool fails_on_purpose(struct heap *h) {
    if (LIKELY(h->fail_after < 0)) return false;
    return h->fail_after-- == 0;
}

static uint32_t span_pages(size_t size) {
    return (uint32_t)((size + PAGE_SIZE_BYTES - 1) >> PAGE_SHIFT);
}

static ref_t alloc_span(struct arena *a, enum mem_owner owner, size_t size) {
    if (size > a->reserved) return REF_NULL;
    uint32_t pages = span_pages(size), page = page_take(a, a->heap->pages, pages);
    if (!page) return REF_NULL;
    mark_rest(a, page, 1, pages);
    *page_desc(a, page) = (struct page_desc){
        .state = PAGE_SPAN, .owner = (uint8_t)owner, .used = 1, .fill = FILL_NONE, .span = pages
    };
    root_of(a)->slab_pages += pages;
    account_alloc(a, owner, (size_t)pages << PAGE_SHIFT);
    return page * PAGE_REFS;
}

/* One with a free block; 0: no memory. */
static uint32_t slab_for(struct arena *a, uint32_t owner, uint32_t cls) {
    bool apart = keeps_apart(a, cls);
    uint32_t page = fullest(a, owner, cls, apart);
    if (!page) page = new_slab(a, owner, cls);
    return page || !apart ? page : fullest(a, owner, cls, false);
}

ref_t heap_alloc_inner(struct arena *a, enum mem_owner owner, size_t size) {
    struct heap *h = a->heap;
    if (UNLIKELY(size > CLASS_MAX_BYTES)) return alloc_span(a, owner, size);
    uint32_t cls = class_of(size), page = h->current[owner][cls];
    struct page_desc *d = page_desc(a, page);
    if (UNLIKELY(!page || d->used == h->classes[cls].blocks)) {
        page = slab_for(a, owner, cls);
        if (!page) return REF_NULL;
        h->current[owner][cls] = page;
        d = page_desc(a, page);
    }
    account_alloc(a, owner, h->classes[cls].bytes);
    return pop_block(a, page, d);
}

ref_t heap_alloc(struct arena *a, enum mem_owner owner, size_t size) {
    if (UNLIKELY(fails_on_purpose(a->heap))) return REF_NULL;
    return heap_alloc_inner(a, owner, size);
}

/* The head page of the slab or span that r lies in. */
static uint32_t head_page(const struct arena *a, ref_t r) {
    uint32_t page = page_of(r);
    const struct page_desc *d = page_desc(a, page);
    return d->state == PAGE_REST ? page - d->span : page;
}

size_t heap_usable(const struct arena *a, ref_t r) {
    return block_bytes(a, page_desc(a, head_page(a, r)));
}

static void free_block(struct arena *a, uint32_t page, struct page_desc *d, ref_t r) {
    push_block(a, page, d, r);
    uint32_t *current = &a->heap->current[d->owner][d->cls];
    if (d->used || (*current == page && a->heap->classes[d->cls].bytes <= KEEP_EMPTY_MAX)) {
        relist(a, page, d);
        return;
    }
    if (*current == page) *current = 0;
    list_remove(a, d);
    release_pages(a, page, d->span);
}

bool heap_frozen_block(const struct arena *a, ref_t r) {
    const struct page_desc *d = page_desc(a, head_page(a, r));
    return d->state == PAGE_SLAB && !is_fresh(a, d) && keeps_apart(a, d->cls);
}

void heap_prefetch_page(const struct arena *a, ref_t r) {
    __builtin_prefetch(page_desc(a, page_of(r)));
}

void heap_free(struct arena *a, ref_t r) {
    const struct page_desc *d = page_desc(a, head_page(a, r));
    ASSERT(d->state == PAGE_SLAB || d->state == PAGE_SPAN);
    account(a, d->owner, 0, block_bytes(a, d));
    root_of(a)->blocks--;
    if (!heap_frozen(a, r) || !park_block(a, r)) heap_give_back(a, r);
}

void heap_give_back(struct arena *a, ref_t r) {
    uint32_t page = head_page(a, r);
    struct page_desc *d = page_desc(a, page);
    if (d->state == PAGE_SPAN)
        release_pages(a, page, d->span);
    else
        free_block(a, page, d, r);
}

/* --- reallocation --- */

/* Makes the span at `page` longer where it is; false: what follows is taken. */
static bool grow_span(struct arena *a, uint32_t page, struct page_desc *d, uint32_t pages) {
    uint32_t more = pages - d->span;
    if (!page_take_at(a, a->heap->pages, page + d->span, more)) return false;
    mark_rest(a, page, d->span, pages);
    d->span = pages;
    root_of(a)->slab_pages += more;
    account(a, d->owner, (size_t)more << PAGE_SHIFT, 0);
    return true;
}

static void shrink_span(struct arena *a, uint32_t page, struct page_desc *d, uint32_t pages) {
    uint32_t less = d->span - pages;
    d->span = pages;
    release_pages(a, page + pages, less);
    account(a, d->owner, 0, (size_t)less << PAGE_SHIFT);
}

/* A block of `have` bytes in a slab serves for `size` and no smaller class would. */
static bool fits_class(size_t have, size_t size) {
    return size <= have && class_bytes(class_of(size)) == have;
}

/* Whether the block could be given its new size where it is. */
static bool resize_in_place(struct arena *a, ref_t r, size_t size) {
    uint32_t page = head_page(a, r);
    struct page_desc *d = page_desc(a, page);
    if (d->state == PAGE_SLAB) return fits_class(a->heap->classes[d->cls].bytes, size);
    if (size <= CLASS_MAX_BYTES || size > a->reserved) return false;
    uint32_t pages = span_pages(size);
    if (pages < d->span) shrink_span(a, page, d, pages);
    return pages == d->span || grow_span(a, page, d, pages);
}

ref_t heap_realloc(struct arena *a, ref_t r, size_t size) {
    size_t have = heap_usable(a, r);
    if (UNLIKELY(size > have && fails_on_purpose(a->heap))) return REF_NULL;
    bool frozen = heap_frozen(a, r);
    if (!frozen && resize_in_place(a, r, size)) return r;
    ref_t moved = heap_alloc_inner(a, page_desc(a, head_page(a, r))->owner, size);
    if (!moved) return frozen && resize_in_place(a, r, size) ? r : REF_NULL;
    memcpy(arena_ptr(a, moved), arena_ptr(a, r), have < size ? have : size);
    heap_free(a, r);
    return moved;
}

status heap_reserve(struct arena *a, ref_t *r, size_t size) {
    if (heap_usable(a, *r) >= size) return ST_OK;
    ref_t moved = heap_realloc(a, *r, size);
    if (!moved) return ST_ARENA_FULL;
    *r = moved;
    return ST_OK;
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
    if (UNLIKELY(a->heap->walk)) {
        heap_walk_see(a, r);
        return false;
    }
    uint32_t page = head_page(a, r);
    const struct page_desc *d = page_desc(a, page);
    return d->state == PAGE_SLAB && d->fill != FILL_NONE && better_slab(a, page, d);
}

bool heap_holds(const struct arena *a, ref_t r, size_t size) {
    uint32_t page = page_of(r);
    if (page < page_first(a) || page >= page_total(a)) return false;
    const struct page_desc *d = page_desc(a, head_page(a, r));
    size_t at = ((size_t)r * REF_UNIT) - ((size_t)head_page(a, r) << PAGE_SHIFT);
    if (d->state != PAGE_SLAB && d->state != PAGE_SPAN) return false;
    return d->used && at % block_bytes(a, d) == 0 && size <= block_bytes(a, d);
}

ref_t heap_move(struct arena *a, ref_t r) {
    uint32_t page = head_page(a, r);
    struct page_desc *d = page_desc(a, page);
    if (d->state != PAGE_SLAB || d->fill == FILL_NONE) return REF_NULL;
    uint32_t to = better_slab(a, page, d);
    if (!to) return REF_NULL;
    uint32_t bytes = a->heap->classes[d->cls].bytes;
    if (a->heap->current[d->owner][d->cls] == page) a->heap->current[d->owner][d->cls] = to;
    account_alloc(a, d->owner, bytes);
    ref_t moved = pop_block(a, to, page_desc(a, to));
    memcpy(arena_ptr(a, moved), arena_ptr(a, r), bytes);
    heap_free(a, r);
    root_of(a)->moved++;
    return moved;
}

size_t heap_trim(struct arena *a) {
    size_t bytes = 0;
    share_begin(a);
    if (share_alone(a)) bytes = (size_t)page_punch(a, a->heap->pages) << PAGE_SHIFT;
    share_end(a);
    root_of(a)->trimmed += bytes;
    return bytes;
}

/* --- snapshots --- */

static void forget_current(struct heap *h) {
    memset(h->current, 0, sizeof h->current);
}

void heap_freeze(struct arena *a, uint64_t end) {
    root_of(a)->freezes++;
    page_prefer(a->heap->pages, (uint32_t)(end >> PAGE_SHIFT));
    forget_current(a->heap);
}

void heap_thawed(struct arena *a) {
    page_prefer(a->heap->pages, 0);
    forget_current(a->heap);
}

/* --- looking --- */

uint64_t heap_used(const struct arena *a) {
    return root_of(a)->used;
}

void heap_fail_after(struct arena *a, int64_t n) {
    a->heap->fail_after = n;
}
