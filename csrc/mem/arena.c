/* arena.c - reserving the address range, growing the object, attaching. */
#define _GNU_SOURCE
#include "mem/arena.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/back.h"
#include "mem/freeze.h"
#include "mem/heap.h"
#include "mem/seal.h"

status arena_back(struct arena *a, uint64_t from, uint64_t to) {
    if (!back_range(a->fd, from, to)) return ST_ARENA_FULL;
#ifdef MADV_POPULATE_WRITE
    /* Page faults now, not inside commands; a failure only means that they come later. */
    madvise(a->base + from, to - from, MADV_POPULATE_WRITE);
#endif
    return ST_OK;
}

status arena_grow(struct arena *a, uint64_t size) {
    struct arena_super *super = arena_super(a);
    uint64_t old = super->size;
    if (size > a->reserved) return ST_ARENA_FULL;
    if (size <= old) return ST_OK;
    status st = arena_back(a, old, size);
    if (st == ST_OK) super->size = size;
    return st;
}

#define TABLE_SPAN ((uint64_t)2 << 20) /* what one page of a page table maps */

char *map_aligned(int fd, uint64_t bytes, int flags) {
    char *p = mmap(NULL, bytes + TABLE_SPAN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED) return NULL;
    size_t before = (size_t)(-(uintptr_t)p % TABLE_SPAN);
    char *q = mmap(p + before, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);
    if (before) munmap(p, before);
    munmap(p + before + bytes, TABLE_SPAN - before);
    if (q != MAP_FAILED) return q;
    munmap(p + before, bytes);
    return NULL;
}

/* Maps the whole object twice. Holes take neither memory nor page tables until they are touched,
 * and nobody touches them: the heap asks for memory first. */
static status map_object(struct arena *a, uint64_t bytes) {
    a->reserved = bytes;
    a->shared = map_aligned(a->fd, bytes, MAP_SHARED);
    a->private_ = map_aligned(a->fd, bytes, MAP_PRIVATE | MAP_NORESERVE);
    a->base = a->shared;
    return a->shared && a->private_ ? ST_OK : ST_SHM_MAP;
}

static void open_handle(struct arena *a, int fd, const char *name) {
    *a = (struct arena){ .fd = fd };
    snprintf(a->name, sizeof a->name, "%s", name);
}

static status lay_out(struct arena *a, uint64_t bytes, const uint8_t seed[16]) {
    if (ftruncate(a->fd, (off_t)bytes)) return ST_SHM_SPACE;
    status st = map_object(a, bytes);
    if (st != ST_OK) return st;
    if (arena_back(a, 0, PAGE_SIZE_BYTES) != ST_OK) return ST_SHM_SPACE;
    struct arena_super *super = arena_super(a);
    *super = (struct arena_super){
        .layout = ARENA_LAYOUT, .slot_last = 16383, .max_size = bytes, .size = PAGE_SIZE_BYTES
    };
    memcpy(super->hash_seed, seed, 16);
    st = heap_create(a);
    if (st == ST_OK) super->magic = ARENA_MAGIC;
    arena_stamp(a);
    return st == ST_ARENA_FULL ? ST_SHM_SPACE : st;
}

status arena_create(struct arena *a, int fd, const char *name, uint64_t max_size,
                    const uint8_t seed[16]) {
    if (max_size > ARENA_MAX_BYTES) max_size = ARENA_MAX_BYTES;
    open_handle(a, fd, name);
    uint64_t bytes = (max_size + PAGE_SIZE_BYTES - 1) & ~(uint64_t)(PAGE_SIZE_BYTES - 1);
    status st = lay_out(a, bytes, seed);
    if (st != ST_OK) arena_close(a);
    return st;
}

/* What must hold before a single byte of the object is mapped and believed. */
static bool is_arena(int fd, struct arena_super *head) {
    struct stat file;
    if (pread(fd, head, sizeof *head, 0) != (ssize_t)sizeof *head || fstat(fd, &file)) return false;
    if (head->magic != ARENA_MAGIC || head->layout != ARENA_LAYOUT) return false;
    if (head->max_size > ARENA_MAX_BYTES || head->size > head->max_size) return false;
    if (head->max_size % PAGE_SIZE_BYTES || head->size % PAGE_SIZE_BYTES) return false;
    return (uint64_t)file.st_size >= head->max_size;
}

status arena_attach(struct arena *a, int fd, const char *name) {
    struct arena_super head;
    open_handle(a, fd, name);
    status st = is_arena(fd, &head) ? map_object(a, head.max_size) : ST_SHM_FORMAT;
    if (st == ST_OK) st = heap_attach(a);
    if (st != ST_OK) arena_close(a);
    return st;
}

status arena_view(struct arena *a, int fd, const char *name) {
    struct arena_super head;
    open_handle(a, fd, name);
    status st = is_arena(fd, &head) ? ST_OK : ST_SHM_FORMAT;
    if (st == ST_OK) {
        void *p = mmap(NULL, head.max_size, PROT_READ, MAP_SHARED, fd, 0);
        a->reserved = head.max_size;
        a->shared = a->base = p == MAP_FAILED ? NULL : p;
        st = a->shared ? ST_OK : ST_SHM_MAP;
    }
    if (st != ST_OK) arena_close(a);
    return st;
}

void arena_close(struct arena *a) {
    if (a->heap) heap_detach(a);
    freeze_close(a);
    if (a->shared) munmap(a->shared, a->reserved);
    if (a->private_) munmap(a->private_, a->reserved);
    if (a->fd >= 0) close(a->fd);
    *a = (struct arena){ .fd = -1 };
}
