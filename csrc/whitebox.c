/* whitebox.c - checks whitebox.h against the inner headers, and what tests need besides. */
#define _GNU_SOURCE
#include "whitebox.h"

#include <sys/mman.h>

#include "mem/arena.h"
#include "mem/heap.h"
#include "mem/number.h"

struct arena *wb_arena_new(uint64_t max_size) {
    int fd = memfd_create("arena", 0), st;
    ASSERT(fd >= 0);
    return wb_arena_create(fd, max_size, &st);
}

struct arena *wb_arena_create(int fd, uint64_t max_size, int *st) {
    static const uint8_t seed[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
    struct arena *a = calloc(1, sizeof *a);
    ASSERT(a);
    *st = (int)arena_create(a, fd, "test", max_size, seed);
    if (*st == ST_OK) return a;
    free(a);
    return NULL;
}

struct arena *wb_arena_attach(int fd, int *st) {
    struct arena *a = calloc(1, sizeof *a);
    ASSERT(a);
    *st = (int)arena_attach(a, fd, "test");
    if (*st == ST_OK) return a;
    free(a);
    return NULL;
}

void wb_arena_delete(struct arena *a) {
    arena_close(a);
    free(a);
}

int wb_arena_fd(const struct arena *a) {
    return a->fd;
}

char *wb_arena_ptr(const struct arena *a, uint32_t r) {
    return arena_ptr(a, r);
}

uint32_t wb_heap_alloc(struct arena *a, int owner, size_t size) {
    return heap_alloc(a, (enum mem_owner)owner, size);
}

void wb_heap_stats(const struct arena *a, uint64_t out[23]) {
    struct heap_stats stats;
    static_assert(sizeof stats == 23 * sizeof *out, "whitebox.h lists the fields");
    heap_stats(a, &stats);
    memcpy(out, &stats, sizeof stats);
}

bool wb_str_to_i64(const char *p, size_t n, int64_t *out) {
    return str_to_i64((struct str){ p, n }, out);
}

bool wb_str_to_double(const char *p, size_t n, double *out) {
    return str_to_double((struct str){ p, n }, out);
}

size_t wb_long_double_sum(const char *p, size_t n, const char *q, size_t m, char *out) {
    long double x, y;
    if (!str_to_long_double((struct str){ p, n }, &x)) return 0;
    if (!str_to_long_double((struct str){ q, m }, &y)) return 0;
    return long_double_to_text(out, x + y);
}
