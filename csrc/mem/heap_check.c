/* heap_check.c - the figures of a heap, and whether its page table, lists and sums hold together.
 */
#include "mem/heap_impl.h"
#include "mem/poison.h"

void heap_stats(const struct arena *a, struct heap_stats *out) {
    const struct heap_root *root = root_of(a);
    uint64_t pages = page_total(a) - page_first(a) - page_punched_count(a->heap->pages);
    uint64_t system = PAGE_SIZE_BYTES + page_table_bytes(a);
    *out = (struct heap_stats){ .used = root->used,
                                .peak = root->peak,
                                .blocks = root->blocks,
                                .moved = root->moved,
                                .trimmed = root->trimmed,
                                .committed = (root->slab_pages << PAGE_SHIFT) + system,
                                .object = (pages << PAGE_SHIFT) + system };
    memcpy(out->by_owner, root->by_owner, sizeof out->by_owner);
}

/* Gives the text of an invariant that is broken to the caller. */
#define EXPECT(x)                                                                                  \
    do                                                                                             \
        if (!(x)) return #x;                                                                       \
    while (0)

static const char *slab_problem(const struct arena *a, const struct page_desc *d) {
    EXPECT(d->cls < CLASSES && d->owner > OWN_FREE && d->owner < OWN_COUNT);
    const struct class_info *info = &a->heap->classes[d->cls];
    EXPECT(d->span == info->pages && d->carved <= info->blocks && d->used <= d->carved);
    EXPECT(d->free_head <= d->carved && (d->free_head == 0) == (d->used == d->carved));
    if (d->used == info->blocks)
        EXPECT(d->fill == FILL_NONE);
    else
        EXPECT(d->fill == fill_level(a->heap, d));
    return NULL;
}

static const char *span_problem(const struct page_desc *d) {
    EXPECT(d->owner > OWN_FREE && d->owner < OWN_COUNT);
    EXPECT(d->used == 1 && d->fill == FILL_NONE && d->span > 0);
    return NULL;
}

/* The pages of one slab or span. */
static const char *head_problem(const struct arena *a, uint32_t page) {
    const struct page_desc *d = page_desc(a, page);
    EXPECT(d->state == PAGE_SLAB || d->state == PAGE_SPAN);
    const char *problem = d->state == PAGE_SLAB ? slab_problem(a, d) : span_problem(d);
    if (problem) return problem;
    EXPECT(d->span <= page_total(a) - page);
    for (uint32_t i = 1; i < d->span; i++) {
        const struct page_desc *rest = page_desc(a, page + i);
        EXPECT(rest->state == PAGE_REST && rest->span == i);
    }
    return NULL;
}

/* What the root says, counted once more. */
struct sums {
    uint64_t used, blocks, pages, partial;
    uint64_t by_owner[OWN_COUNT];
};

static void add_up(const struct arena *a, const struct page_desc *d, struct sums *sums) {
    uint64_t bytes = d->used * block_bytes(a, d);
    sums->used += bytes;
    sums->by_owner[d->owner] += bytes;
    sums->blocks += d->used;
    sums->pages += d->span;
    sums->partial += d->fill != FILL_NONE;
}

static const char *pages_problem(const struct arena *a, struct sums *sums) {
    uint32_t total = page_total(a);
    EXPECT(total > page_first(a) && total <= a->reserved >> PAGE_SHIFT);
    for (uint32_t p = page_first(a); p < total; p++) {
        const struct page_desc *d = page_desc(a, p);
        EXPECT((d->state == PAGE_FREE) == page_is_free(a->heap->pages, p));
        if (d->state == PAGE_FREE) continue;
        const char *problem = head_problem(a, p);
        if (problem) return problem;
        add_up(a, d, sums);
        p += d->span - 1;
    }
    return NULL;
}

static const char *root_problem(const struct arena *a, const struct sums *sums) {
    const struct heap_root *root = root_of(a);
    EXPECT(sums->used == root->used + root->parked_bytes);
    EXPECT(sums->blocks == root->blocks + root->parked_blocks);
    EXPECT(sums->pages == root->slab_pages && root->peak >= root->used);
    uint64_t parked = 0;
    for (int i = 0; i < OWN_COUNT; i++) parked += sums->by_owner[i] - root->by_owner[i];
    EXPECT(parked == root->parked_bytes);
    return NULL;
}

/* One partial list; takes its slabs off `left`, so that a circle comes to an end. */
static const char *list_problem(const struct arena *a, uint32_t owner, uint32_t cls, uint32_t level,
                                uint64_t *left) {
    uint32_t prev = 0;
    for (uint32_t p = root_of(a)->partial[owner][cls][level]; p;) {
        EXPECT(p >= page_first(a) && p < page_total(a) && *left > 0);
        const struct page_desc *d = page_desc(a, p);
        EXPECT(d->state == PAGE_SLAB && d->owner == owner && d->cls == cls);
        EXPECT(d->fill == level && d->prev == prev);
        --*left;
        prev = p;
        p = d->next;
    }
    return NULL;
}

static const char *lists_problem(const struct arena *a, uint64_t partial) {
    for (uint32_t owner = 0; owner < OWN_COUNT; owner++)
        for (uint32_t cls = 0; cls < CLASSES; cls++)
            for (uint32_t level = 0; level < FILL_LEVELS; level++) {
                const char *problem = list_problem(a, owner, cls, level, &partial);
                if (problem) return problem;
            }
    EXPECT(partial == 0);
    return NULL;
}

const char *heap_table_problem(const struct arena *a) {
    struct sums sums = { .used = 0 };
    const char *problem = pages_problem(a, &sums);
    if (!problem) problem = root_problem(a, &sums);
    if (!problem) problem = lists_problem(a, sums.partial);
    return problem;
}

/* Each block that was carved and is not in use is in the free list once. */
static const char *free_list_problem(const struct arena *a, uint32_t page,
                                     const struct page_desc *d) {
    uint32_t bytes = a->heap->classes[d->cls].bytes, freed = 0;
    for (uint32_t i = d->free_head; i; freed++) {
        EXPECT(i <= d->carved && freed < d->carved);
        char *p = block_ptr(a, page, bytes, i - 1);
        UNPOISON(p, bytes);
        i = load_u16(p);
        POISON(p, bytes);
    }
    EXPECT(freed + d->used == d->carved);
    return NULL;
}

static const char *free_lists_problem(const struct arena *a) {
    for (uint32_t p = page_first(a); p < page_total(a); p++) {
        const struct page_desc *d = page_desc(a, p);
        const char *problem = d->state == PAGE_SLAB ? free_list_problem(a, p, d) : NULL;
        if (problem) return problem;
    }
    return NULL;
}

void heap_check(const struct arena *a) {
    const char *problem = heap_table_problem(a);
    if (!problem) problem = free_lists_problem(a);
    if (!problem) return;
    fprintf(stderr, "heap_check: broken: %s\n", problem);
    abort();
}
