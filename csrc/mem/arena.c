/* arena.c - reserving the address range, growing the object, attaching. */
#include "mem/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/heap.h"

static status map_failed(void) {
    return errno == ENOSPC || errno == EFBIG || errno == EDQUOT ? ST_ARENA_FULL : ST_SHM_MAP;
}

/* Allocates the object's bytes [from, to) and shows them through both mappings. */
static status show_range(struct arena *a, uint64_t from, uint64_t to) {
    size_t n = to - from;
    void *shared = mmap(a->shared + from, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, a->fd,
                        (off_t)from);
    void *private_ = mmap(a->private_ + from, n, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, a->fd, (off_t)from);
    return shared == MAP_FAILED || private_ == MAP_FAILED ? ST_SHM_MAP : ST_OK;
}

status arena_back(struct arena *a, uint64_t from, uint64_t to) {
    errno = posix_fallocate(a->fd, (off_t)from, (off_t)(to - from));
    if (errno) return map_failed();
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

static status reserve(struct arena *a, uint64_t bytes) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    a->shared = mmap(NULL, bytes, PROT_NONE, flags, -1, 0);
    a->private_ = mmap(NULL, bytes, PROT_NONE, flags, -1, 0);
    if (a->shared == MAP_FAILED || a->private_ == MAP_FAILED) return ST_SHM_MAP;
    a->reserved = bytes;
    a->base = a->shared;
    return ST_OK;
}

/* The object is as long as the reserved range, but sparse: only what is backed takes memory. */
static status open_object(struct arena *a, int fd, const char *name, uint64_t bytes) {
    *a = (struct arena){ .fd = fd };
    snprintf(a->name, sizeof a->name, "%s", name);
    status st = reserve(a, bytes);
    if (st != ST_OK) return st;
    return show_range(a, 0, bytes);
}

status arena_create(struct arena *a, int fd, const char *name, uint64_t max_size,
                    const uint8_t seed[16]) {
    uint64_t bytes = (max_size + PAGE_SIZE_BYTES - 1) & ~(uint64_t)(PAGE_SIZE_BYTES - 1);
    if (bytes > ARENA_MAX_BYTES) bytes = ARENA_MAX_BYTES;
    if (ftruncate(fd, (off_t)bytes)) return ST_SHM_SPACE;
    status st = open_object(a, fd, name, bytes);
    if (st != ST_OK) return st;
    if (arena_back(a, 0, PAGE_SIZE_BYTES) != ST_OK) return ST_SHM_SPACE;
    struct arena_super *super = arena_super(a);
    *super = (struct arena_super){
        .layout = ARENA_LAYOUT, .slot_last = 16383, .max_size = bytes, .size = PAGE_SIZE_BYTES
    };
    memcpy(super->hash_seed, seed, 16);
    st = heap_create(a);
    if (st == ST_OK) super->magic = ARENA_MAGIC;
    return st == ST_ARENA_FULL ? ST_SHM_SPACE : st;
}

status arena_attach(struct arena *a, int fd, const char *name) {
    struct arena_super head;
    if (pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head) return ST_SHM_FORMAT;
    if (head.magic != ARENA_MAGIC || head.layout != ARENA_LAYOUT) return ST_SHM_FORMAT;
    if (head.max_size > ARENA_MAX_BYTES || head.size > head.max_size) return ST_SHM_FORMAT;
    status st = open_object(a, fd, name, head.max_size);
    if (st != ST_OK) return st;
    arena_super(a)->generation++;
    return heap_attach(a);
}

void arena_close(struct arena *a) {
    heap_detach(a);
    if (a->shared && a->shared != MAP_FAILED) munmap(a->shared, a->reserved);
    if (a->private_ && a->private_ != MAP_FAILED) munmap(a->private_, a->reserved);
    if (a->fd >= 0) close(a->fd);
    *a = (struct arena){ .fd = -1 };
}
