/* page.c - runs of free pages. */
#define _GNU_SOURCE
#include "mem/page.h"

#include <fcntl.h>

#define WORD_BITS 64u
#define GROW_MIN ((uint64_t)1 << 20)
#define GROW_MAX ((uint64_t)4 << 20) /* backing memory takes time: about 0.2 ms a MiB */

struct page_map {
    uint64_t *bits; /* 1: free */
    uint32_t words;
    uint32_t hint; /* no free page below this word */
    uint32_t free, punched;
};

uint32_t page_total(const struct arena *a) {
    return (uint32_t)(arena_super(a)->size >> PAGE_SHIFT);
}

uint32_t page_first(const struct arena *a) {
    uint64_t pages = a->reserved >> PAGE_SHIFT;
    uint64_t table = pages * sizeof(struct page_desc);
    return (uint32_t)(1 + (table + PAGE_SIZE_BYTES - 1) / PAGE_SIZE_BYTES);
}

bool page_is_free(const struct page_map *m, uint32_t page) {
    return m->bits[page / WORD_BITS] >> page % WORD_BITS & 1;
}

static void set_free(struct page_map *m, uint32_t page) {
    m->bits[page / WORD_BITS] |= (uint64_t)1 << page % WORD_BITS;
    m->free++;
    if (page / WORD_BITS < m->hint) m->hint = page / WORD_BITS;
}

static void set_taken(struct page_map *m, uint32_t page) {
    m->bits[page / WORD_BITS] &= ~((uint64_t)1 << page % WORD_BITS);
    m->free--;
}

struct page_map *page_map_new(const struct arena *a) {
    struct page_map *m = calloc(1, sizeof *m);
    ASSERT(m);
    m->words = (uint32_t)((a->reserved >> PAGE_SHIFT) / WORD_BITS + 1);
    m->bits = calloc(m->words, sizeof *m->bits);
    ASSERT(m->bits);
    for (uint32_t p = page_first(a); p < page_total(a); p++) {
        const struct page_desc *d = page_desc(a, p);
        if (d->state != PAGE_FREE) continue;
        set_free(m, p);
        m->punched += d->flags & PAGE_PUNCHED;
    }
    return m;
}

void page_map_delete(struct page_map *m) {
    if (!m) return;
    free(m->bits);
    free(m);
}

/* First run of n free pages; 0: none. Whole empty words are skipped. */
static uint32_t find_run(const struct arena *a, struct page_map *m, uint32_t n) {
    uint32_t total = page_total(a), run = 0;
    while (m->hint < m->words && !m->bits[m->hint]) m->hint++;
    for (uint32_t p = m->hint * WORD_BITS; p < total; p++) {
        if (p % WORD_BITS == 0 && !m->bits[p / WORD_BITS]) {
            run = 0;
            p += WORD_BITS - 1;
            continue;
        }
        run = page_is_free(m, p) ? run + 1 : 0;
        if (run == n) return p + 1 - n;
    }
    return 0;
}

/* Free pages at the very end of the object, which growth makes longer. */
static uint32_t tail_run(const struct arena *a, const struct page_map *m) {
    uint32_t p = page_total(a), n = 0;
    while (p > page_first(a) && page_is_free(m, p - 1)) p--, n++;
    return n;
}

/* The page table's bytes for the pages below `total` are backed. */
static status back_table(struct arena *a, uint32_t from, uint32_t total) {
    uint64_t unit = PAGE_SIZE_BYTES;
    uint64_t have = PAGE_TABLE_OFFSET + (uint64_t)from * sizeof(struct page_desc);
    uint64_t want = PAGE_TABLE_OFFSET + (uint64_t)total * sizeof(struct page_desc);
    have = (have + unit - 1) / unit * unit;
    want = (want + unit - 1) / unit * unit;
    if (from == 0) have = PAGE_TABLE_OFFSET;
    return want > have ? arena_back(a, have, want) : ST_OK;
}

static bool grow(struct arena *a, struct page_map *m, uint32_t n) {
    uint64_t size = arena_super(a)->size, step = size / 32;
    uint32_t old = page_total(a), first = page_first(a);
    uint64_t need = (uint64_t)(n - tail_run(a, m)) << PAGE_SHIFT;
    if (old < first) { /* the first growth: the table's range is not heap */
        need += (uint64_t)(first - old) << PAGE_SHIFT;
    }
    step = step < GROW_MIN ? GROW_MIN : step > GROW_MAX ? GROW_MAX : step;
    if (step < need) step = need;
    if (size + step > a->reserved) step = need;
    uint32_t total = (uint32_t)((size + step) >> PAGE_SHIFT);
    if (size + step > a->reserved) return false;
    if (back_table(a, old < first ? 0 : old, total) != ST_OK) return false;
    if (old < first) {
        arena_super(a)->size = (uint64_t)first << PAGE_SHIFT;
        old = first;
    }
    if (arena_grow(a, (uint64_t)total << PAGE_SHIFT) != ST_OK) {
        if (step == need) return false;
        total = old + (uint32_t)(need >> PAGE_SHIFT);
        if (arena_grow(a, (uint64_t)total << PAGE_SHIFT) != ST_OK) return false;
    }
    for (uint32_t p = old; p < total; p++) set_free(m, p);
    return true;
}

/* Holes get memory again before anybody writes there; false: there is none. */
static bool back_run(struct arena *a, struct page_map *m, uint32_t page, uint32_t n) {
    for (uint32_t p = page; p < page + n; p++) {
        struct page_desc *d = page_desc(a, p);
        if (!(d->flags & PAGE_PUNCHED)) continue;
        if (arena_back(a, (uint64_t)p << PAGE_SHIFT, (uint64_t)(p + 1) << PAGE_SHIFT) != ST_OK)
            return false;
        d->flags = 0;
        m->punched--;
    }
    return true;
}

uint32_t page_take(struct arena *a, struct page_map *m, uint32_t n) {
    uint32_t page = m->free >= n ? find_run(a, m, n) : 0;
    if (!page) {
        if (!grow(a, m, n)) return 0;
        page = find_run(a, m, n);
    }
    if (!page || !back_run(a, m, page, n)) return 0;
    for (uint32_t p = page; p < page + n; p++) set_taken(m, p);
    return page;
}

void page_give(struct arena *a, struct page_map *m, uint32_t page, uint32_t n) {
    for (uint32_t p = page; p < page + n; p++) {
        *page_desc(a, p) = (struct page_desc){ .state = PAGE_FREE };
        set_free(m, p);
    }
}

uint32_t page_punch(struct arena *a, struct page_map *m, uint32_t max) {
    uint32_t done = 0, total = page_total(a);
    for (uint32_t p = page_first(a); p < total && done < max; p++) {
        struct page_desc *d = page_desc(a, p);
        if (!page_is_free(m, p) || d->flags & PAGE_PUNCHED) continue;
        if (fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)((uint64_t)p << PAGE_SHIFT), (off_t)PAGE_SIZE_BYTES))
            break;
        d->flags |= PAGE_PUNCHED;
        m->punched++;
        done++;
    }
    return done;
}

uint32_t page_free_count(const struct page_map *m) {
    return m->free;
}

uint32_t page_punched_count(const struct page_map *m) {
    return m->punched;
}
