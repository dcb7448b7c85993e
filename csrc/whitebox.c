/* whitebox.c - checks whitebox.h against the inner headers, and what tests need besides. */
#define _GNU_SOURCE
#include "whitebox.h"

#include <sys/mman.h>

#include "mem/arena.h"

struct arena *wb_arena_new(uint64_t max_size) {
    static const uint8_t seed[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
    struct arena *a = calloc(1, sizeof *a);
    int fd = memfd_create("arena", 0);
    ASSERT(a && fd >= 0);
    if (arena_create(a, fd, "test", max_size, seed) == ST_OK) return a;
    arena_close(a);
    free(a);
    return NULL;
}

void wb_arena_delete(struct arena *a) {
    arena_close(a);
    free(a);
}
