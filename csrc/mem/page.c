/* page.c - runs of free pages. */
#define _GNU_SOURCE
#include "mem/page.h"

#include <fcntl.h>

#include "mem/poison.h"

#define WORD_BITS 64u
/* Memory is asked of the kernel in steps of 128 KiB, which take 0.1 ms: a turn of the event loop
 * seldom needs more, and larger ones would be pauses that clients notice. */
#define STEP_PAGES 2u

struct page_map {
    uint64_t *bits; /* 1: free */
    uint32_t words;
    uint32_t hint;      /* no free page below this word */
    uint32_t preferred; /* first page that is better than all before it */
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

static void set_free(const struct arena *a, struct page_map *m, uint32_t page) {
    POISON(page_ptr(a, page), PAGE_SIZE_BYTES);
    m->bits[page / WORD_BITS] |= (uint64_t)1 << page % WORD_BITS;
    m->free++;
    if (page / WORD_BITS < m->hint) m->hint = page / WORD_BITS;
}

static void set_taken(const struct arena *a, struct page_map *m, uint32_t page) {
    UNPOISON(page_ptr(a, page), PAGE_SIZE_BYTES);
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
        set_free(a, m, p);
        m->punched += d->flags & PAGE_PUNCHED;
    }
    return m;
}

void page_map_delete(struct page_map *m) {
    if (!m) return;
    free(m->bits);
    free(m);
}

/* The bits of w at which n or more set bits begin; 0 < n <= 64. */
static uint64_t runs_within(uint64_t w, uint32_t n) {
    for (uint32_t have = 1, more; have < n; have += more) {
        more = have < n - have ? have : n - have;
        w &= w >> more;
    }
    return w;
}

/* First run of n free pages from `first` on; 0: none. */
static uint32_t find_run_from(const struct page_map *m, uint32_t first, uint32_t n) {
    uint32_t run = 0; /* free pages right before this word */
    for (uint32_t i = first / WORD_BITS; i < m->words; i++) {
        uint64_t bits = m->bits[i];
        if (i == first / WORD_BITS) bits &= UINT64_MAX << first % WORD_BITS;
        uint64_t taken = ~bits;
        uint32_t low = taken ? (uint32_t)__builtin_ctzll(taken) : WORD_BITS;
        if (run + low >= n) return i * WORD_BITS - run;
        uint64_t within = n < WORD_BITS ? runs_within(bits, n) : 0;
        if (within) return i * WORD_BITS + (uint32_t)__builtin_ctzll(within);
        run = taken ? (uint32_t)__builtin_clzll(taken) : run + WORD_BITS;
    }
    return 0;
}

/* First run of n free pages, among the preferred ones if `preferred`; 0: none. */
static uint32_t find_run(struct page_map *m, uint32_t n, bool preferred) {
    if (m->free < n) return 0;
    while (m->hint < m->words && !m->bits[m->hint]) m->hint++;
    uint32_t first = m->hint * WORD_BITS;
    return find_run_from(m, preferred && m->preferred > first ? m->preferred : first, n);
}

/* Free pages at the very end of the object, which growth makes longer. */
static uint32_t tail_run(const struct arena *a, const struct page_map *m) {
    uint32_t p = page_total(a), n = 0;
    while (p > page_first(a) && page_is_free(m, p - 1)) p--, n++;
    return n;
}

static uint64_t table_bytes(uint32_t pages) {
    uint64_t bytes = (uint64_t)pages * sizeof(struct page_desc);
    return (bytes + PAGE_SIZE_BYTES - 1) / PAGE_SIZE_BYTES * PAGE_SIZE_BYTES;
}

uint64_t page_table_bytes(const struct arena *a) {
    return table_bytes(page_total(a));
}

/* Makes the object `total` pages long, its page table along with it. Before the first growth it
 * ends in front of the page table. */
static bool extend(struct arena *a, struct page_map *m, uint32_t total) {
    uint32_t old = page_total(a), first = page_first(a);
    uint64_t have = old < first ? 0 : table_bytes(old), want = table_bytes(total);
    if (want > have && arena_back(a, PAGE_TABLE_OFFSET + have, PAGE_TABLE_OFFSET + want) != ST_OK)
        return false;
    if (old < first) {
        arena_super(a)->size = (uint64_t)first << PAGE_SHIFT;
        old = first;
    }
    if (arena_grow(a, (uint64_t)total << PAGE_SHIFT) != ST_OK) return false;
    for (uint32_t p = old; p < total; p++) set_free(a, m, p);
    return true;
}

/* Makes the object longer so that it ends with n free pages: by a step, or when that is too much by
 * as little as possible. */
static bool grow(struct arena *a, struct page_map *m, uint32_t n) {
    uint64_t limit = a->reserved >> PAGE_SHIFT;
    uint64_t old = page_total(a) < page_first(a) ? page_first(a) : page_total(a);
    uint64_t least = old + n - tail_run(a, m);
    if (least > limit) return false;
    uint64_t good = old + STEP_PAGES;
    if (good > limit) good = limit;
    if (good > least && extend(a, m, (uint32_t)good)) return true;
    return extend(a, m, (uint32_t)least);
}

static void flag_run(struct arena *a, uint32_t page, uint32_t end, uint8_t flags) {
    for (uint32_t p = page; p < end; p++) page_desc(a, p)->flags = flags;
}

/* Gives memory to the hole that begins at `page` and reaches at most to `end`. */
static bool back_hole(struct arena *a, struct page_map *m, uint32_t page, uint32_t end) {
    uint32_t stop = page;
    while (stop < end && page_is_free(m, stop) && page_desc(a, stop)->flags & PAGE_PUNCHED) stop++;
    if (arena_back(a, (uint64_t)page << PAGE_SHIFT, (uint64_t)stop << PAGE_SHIFT) != ST_OK)
        return false;
    flag_run(a, page, stop, 0);
    m->punched -= stop - page;
    return true;
}

/* Holes get memory again before anybody writes there, and some of what follows with them; false:
 * there is none. */
static bool back_run(struct arena *a, struct page_map *m, uint32_t page, uint32_t n) {
    uint32_t end = page + n, total = page_total(a);
    uint32_t further = total - page > STEP_PAGES ? page + STEP_PAGES : total;
    for (uint32_t p = page; p < end; p++) {
        if (!(page_desc(a, p)->flags & PAGE_PUNCHED)) continue;
        if (further > end && back_hole(a, m, p, further)) continue;
        if (!back_hole(a, m, p, end)) return false;
    }
    return true;
}

static void take_run(struct arena *a, struct page_map *m, uint32_t page, uint32_t n) {
    for (uint32_t p = page; p < page + n; p++) set_taken(a, m, p);
}

uint32_t page_take(struct arena *a, struct page_map *m, uint32_t n) {
    bool choosy = m->preferred && m->free <= page_total(a) / 4;
    uint32_t page = find_run(m, n, choosy);
    if (!page && grow(a, m, n)) page = find_run(m, n, choosy);
    if (!page && choosy) page = find_run(m, n, false);
    if (!page || !back_run(a, m, page, n)) return 0;
    take_run(a, m, page, n);
    return page;
}

bool page_take_at(struct arena *a, struct page_map *m, uint32_t page, uint32_t n) {
    uint32_t total = page_total(a), limit = (uint32_t)(a->reserved >> PAGE_SHIFT);
    if (page > limit || n > limit - page) return false;
    uint32_t end = page + n, known = end < total ? end : total;
    for (uint32_t p = page; p < known; p++)
        if (!page_is_free(m, p)) return false;
    if (end > total && !grow(a, m, n)) return false;
    if (!back_run(a, m, page, n)) return false;
    take_run(a, m, page, n);
    return true;
}

void page_prefer(struct page_map *m, uint32_t first) {
    m->preferred = first;
}

void page_give(struct arena *a, struct page_map *m, uint32_t page, uint32_t n) {
    for (uint32_t p = page; p < page + n; p++) {
        *page_desc(a, p) = (struct page_desc){ .state = PAGE_FREE };
        set_free(a, m, p);
    }
}

/* Punches the free pages [page, end); false when the kernel refuses. The flags come first: after a
 * crash between the two, memory is asked for once too often and not once too seldom. */
static bool punch_run(struct arena *a, struct page_map *m, uint32_t page, uint32_t end) {
    flag_run(a, page, end, PAGE_PUNCHED);
    if (fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)((uint64_t)page << PAGE_SHIFT),
                  (off_t)((uint64_t)(end - page) << PAGE_SHIFT))) {
        flag_run(a, page, end, 0);
        return false;
    }
    m->punched += end - page;
    return true;
}

static bool can_punch(const struct arena *a, const struct page_map *m, uint32_t page) {
    return page_is_free(m, page) && !(page_desc(a, page)->flags & PAGE_PUNCHED);
}

uint32_t page_punch(struct arena *a, struct page_map *m) {
    uint32_t before = m->punched, total = page_total(a);
    if (!arena_is_live(a)) return 0;
    for (uint32_t p = page_first(a); p < total; p++) {
        uint32_t end = p;
        while (end < total && can_punch(a, m, end)) end++;
        if (end > p && !punch_run(a, m, p, end)) break;
        p = end;
    }
    return m->punched - before;
}

bool page_backed(const struct arena *a, uint32_t page) {
    if (page == 0) return true;
    if (page < page_first(a)) return (uint64_t)(page - 1) << PAGE_SHIFT < page_table_bytes(a);
    if (page >= page_total(a)) return false;
    const struct page_desc *d = page_desc(a, page);
    return d->state != PAGE_FREE || !(d->flags & PAGE_PUNCHED);
}

uint32_t page_punched_count(const struct page_map *m) {
    return m->punched;
}
