/* freeze.c - swapping the mappings, copying back what was written meanwhile.
 *
 * A page of a private file mapping that was never written shows the object's own page; the first
 * write makes an anonymous copy. /proc/self/pagemap tells the two apart, so a thaw copies only what
 * was written. Everything works on kernel pages of 4 KiB, whatever the object's huge pages: the
 * kernel splits those when it copies.
 */
#define _GNU_SOURCE
#include "mem/freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "mem/fault.h"
#include "mem/page.h"
#include "mem/poison.h"
#include "mem/share.h"

#define CHUNK ((uint64_t)2 << 20)
#define KERNEL_PAGE ((uint64_t)4096)
#define CHUNK_PAGES (CHUNK / KERNEL_PAGE)

/* Bits of an entry of pagemap. */
#define PM_PRESENT (UINT64_C(1) << 63)
#define PM_SWAPPED (UINT64_C(1) << 62)
#define PM_OBJECT (UINT64_C(1) << 61) /* a page of the file or shared object, not a copy */

static uint64_t now_us(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static uint64_t lesser(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* --- what the kernel offers --- */

static void look_around(struct arena *a) {
    struct freeze *f = &a->freeze;
    if (f->looked) return;
    f->looked = true;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    f->pagemap = fd + 1;
    if (fd < 0) f->lacks |= FREEZE_NO_PAGEMAP;
#ifdef MADV_POPULATE_READ
    if (madvise(a->base, KERNEL_PAGE, MADV_POPULATE_READ)) f->lacks |= FREEZE_NO_POPULATE;
#else
    f->lacks |= FREEZE_NO_POPULATE;
#endif
    f->aside = map_aligned(-1, CHUNK, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
}

unsigned freeze_lacks(const struct arena *a) {
    return a->freeze.lacks;
}

void freeze_set_lacks(struct arena *a, unsigned lacks) {
    look_around(a);
    a->freeze.lacks = lacks;
}

void freeze_close(struct arena *a) {
    if (a->freeze.pagemap) close(a->freeze.pagemap - 1);
    if (a->freeze.aside) munmap(a->freeze.aside, CHUNK);
}

/* --- page tables --- */

static void fill_by_touch(const char *p, uint64_t n) {
    for (uint64_t i = 0; i < n; i += KERNEL_PAGE) (void)*(const volatile char *)(p + i);
}

static void fill(const struct arena *a, char *mapping, uint64_t from, uint64_t to) {
#ifdef MADV_POPULATE_READ
    if (!(a->freeze.lacks & FREEZE_NO_POPULATE) &&
        !madvise(mapping + from, to - from, MADV_POPULATE_READ))
        return;
#endif
    fill_by_touch(mapping + from, to - from);
}

/* Fills the page tables of those parts of [from, to) that have memory; reading a hole would give it
 * some. */
static void fill_backed(const struct arena *a, char *mapping, uint64_t from, uint64_t to) {
    while (from < to) {
        uint64_t end = from;
        while (end < to && page_backed(a, (uint32_t)(end >> PAGE_SHIFT))) end += PAGE_SIZE_BYTES;
        if (end > from) fill(a, mapping, from, end);
        from = end + PAGE_SIZE_BYTES;
    }
}

bool freeze_prepare(struct arena *a, uint64_t budget_us) {
    struct freeze *f = &a->freeze;
    if (f->phase != ARENA_LIVE) return true;
    look_around(a);
    uint64_t end = now_us() + budget_us, size = arena_super(a)->size;
    while (f->filled < size) {
        uint64_t to = lesser((f->filled / CHUNK + 1) * CHUNK, size);
        fill_backed(a, a->private_, f->filled, to);
        f->filled = to;
        if (now_us() >= end) break;
    }
    return f->filled >= size;
}

/* --- the instant --- */

/* Maps [from, to) of the object at the same place of both ranges, the roles exchanged. Nothing is
 * there yet when it is behind the end of the object. */
static void map_again(struct arena *a, uint64_t from, uint64_t to) {
    int access = PROT_READ | PROT_WRITE;
    char *p =
        mmap(a->private_ + from, to - from, access, MAP_SHARED | MAP_FIXED, a->fd, (off_t)from);
    char *q = mmap(a->shared + from, to - from, access, MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED,
                   a->fd, (off_t)from);
    ASSERT(p != MAP_FAILED && q != MAP_FAILED);
}

/* Bytes that this process alone has; 0 when the kernel does not say. */
static uint64_t anonymous_bytes(void) {
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (n <= 0) return 0;
    text[n] = '\0';
    char *at;
    strtoull(text, &at, 10);
    uint64_t resident = strtoull(at, &at, 10), of_files = strtoull(at, &at, 10);
    return (resident - lesser(of_files, resident)) * KERNEL_PAGE;
}

static struct arena_super *object_super(const struct arena *a) {
    return (struct arena_super *)(void *)a->shared;
}

void freeze_begin(struct arena *a) {
    struct freeze *f = &a->freeze;
    ASSERT(f->phase == ARENA_LIVE && a->private_ && a->base == a->shared && !arena_super(a)->busy);
    look_around(a);
    UNPOISON(a->shared, arena_super(a)->size); /* blocks are poisoned where base is */
    UNPOISON(a->private_, arena_super(a)->size);
    __atomic_store_n(&object_super(a)->frozen, ARENA_FROZEN, __ATOMIC_SEQ_CST);
    share_shut(a, SHARE_FROZEN); /* other workers look into the object */
    f->phase = ARENA_FROZEN;
    f->anonymous = anonymous_bytes();
    FAULT("freeze.marked");
    a->base = a->private_;
    f->end = lesser((arena_super(a)->size + CHUNK - 1) / CHUNK * CHUNK, a->reserved);
    if (f->end < a->reserved) map_again(a, f->end, a->reserved);
    heap_freeze(a, f->end);
}

uint64_t freeze_copied(const struct arena *a) {
    const struct freeze *f = &a->freeze;
    if (f->phase != ARENA_FROZEN) return f->copied;
    uint64_t now = anonymous_bytes();
    return now - lesser(now, f->anonymous);
}

/* --- the way back --- */

static void copy_back(struct arena *a, uint64_t from, uint64_t n) {
    memcpy(a->shared + from, a->private_ + from, n);
    a->freeze.copied += n;
}

/* Pages that differ: all that were written, but for those that were given the bytes they had. */
static void copy_different(struct arena *a, uint64_t from, uint64_t to) {
    for (uint64_t at = from; at < to; at += KERNEL_PAGE)
        if (memcmp(a->shared + at, a->private_ + at, KERNEL_PAGE)) copy_back(a, at, KERNEL_PAGE);
}

/* Without looking at holes, which reading would fill. */
static void copy_backed(struct arena *a, uint64_t from, uint64_t to) {
    for (uint64_t at = from; at < to; at += PAGE_SIZE_BYTES)
        if (page_backed(a, (uint32_t)(at >> PAGE_SHIFT)))
            copy_different(a, at, at + PAGE_SIZE_BYTES);
}

/* Reads what pagemap says of [from, to); false: nothing. */
static bool read_pagemap(const struct arena *a, uint64_t from, uint64_t to, uint64_t *entries) {
    if (a->freeze.lacks & FREEZE_NO_PAGEMAP) return false;
    uint64_t first = (uint64_t)(uintptr_t)(a->private_ + from) / KERNEL_PAGE;
    size_t want = (size_t)((to - from) / KERNEL_PAGE * sizeof *entries);
    ssize_t got;
    do got = pread(a->freeze.pagemap - 1, entries, want, (off_t)(first * sizeof *entries));
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)want;
}

static bool is_copy(uint64_t entry) {
    return entry & (PM_PRESENT | PM_SWAPPED) && !(entry & PM_OBJECT);
}

/* All that was written returns to the object; false: nothing was. */
static bool copy_chunk(struct arena *a, uint64_t from, uint64_t to) {
    uint64_t entries[CHUNK_PAGES];
    if (!read_pagemap(a, from, to, entries)) {
        copy_backed(a, from, to);
        return true;
    }
    uint64_t copied = a->freeze.copied, n = (to - from) / KERNEL_PAGE;
    for (uint64_t i = 0, end; i < n; i = end + 1) {
        end = i;
        while (end < n && is_copy(entries[end])) end++;
        if (end > i) copy_back(a, from + i * KERNEL_PAGE, (end - i) * KERNEL_PAGE);
    }
    return a->freeze.copied != copied;
}

/* The private mapping shows the object again. */
static void drop_copies(struct arena *a, uint64_t from, uint64_t n) {
    int error = madvise(a->private_ + from, n, MADV_DONTNEED);
    ASSERT(!error);
}

/* Moves the mapping with its page table to another address; at `from` it stays, but empty, so that
 * no other thread is given that place. */
static bool move_mapping(char *from, char *to, uint64_t n) {
#ifdef MREMAP_DONTUNMAP
    return mremap(from, n, n, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) != MAP_FAILED;
#else
    (void)from, (void)to, (void)n;
    return false;
#endif
}

/* Exchanges the roles of the chunk at `from` and keeps both page tables as they are; false: the
 * kernel cannot, and nothing has changed. */
static bool exchange(struct arena *a, uint64_t from, uint64_t n) {
    char *p = a->private_ + from, *q = a->shared + from, *aside = a->freeze.aside;
    if (!aside || a->freeze.lacks & FREEZE_NO_EXCHANGE || !move_mapping(p, aside, n)) return false;
    bool moved = move_mapping(q, p, n) && move_mapping(aside, q, n);
    ASSERT(moved);
    return true;
}

static void thaw_chunk(struct arena *a, uint64_t from, uint64_t to) {
    UNPOISON(a->private_ + from, to - from); /* free blocks are copied along */
    bool written = copy_chunk(a, from, to);
    FAULT("thaw.copied");
    if (written) drop_copies(a, from, to - from);
    if (exchange(a, from, to - from)) return;
    map_again(a, from, to);
    fill_backed(a, a->private_, from, to);
}

static void begin_thaw(struct arena *a) {
    struct freeze *f = &a->freeze;
    __atomic_store_n(&object_super(a)->frozen, ARENA_THAWING, __ATOMIC_SEQ_CST);
    arena_super(a)->frozen = ARENA_THAWING; /* this copy of the page is the one that returns */
    f->phase = ARENA_THAWING;
    f->thawed = f->copied = 0;
}

static void end_thaw(struct arena *a) {
    struct freeze *f = &a->freeze;
    a->private_ = a->shared;
    a->shared = a->base;
    f->filled = 0;
    f->phase = ARENA_LIVE;
    heap_thawed(a);
    FAULT("thaw.ending");
    __atomic_store_n(&object_super(a)->frozen, ARENA_LIVE, __ATOMIC_SEQ_CST);
    share_open(a, SHARE_FROZEN);
}

bool freeze_thaw(struct arena *a, uint64_t budget_us) {
    struct freeze *f = &a->freeze;
    if (f->phase == ARENA_LIVE) return true;
    if (f->phase == ARENA_FROZEN) begin_thaw(a);
    uint64_t end = now_us() + budget_us;
    while (f->thawed < f->end) {
        uint64_t to = lesser(f->thawed + CHUNK, f->end);
        thaw_chunk(a, f->thawed, to);
        f->thawed = to;
        if (now_us() >= end) return false;
    }
    end_thaw(a);
    return true;
}
