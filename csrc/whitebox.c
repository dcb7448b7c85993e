/* whitebox.c - checks whitebox.h against the inner headers, and what tests need besides. */
#define _GNU_SOURCE
#include "whitebox.h"

#include <sys/mman.h>

#include "mem/arena.h"
#include "mem/number.h"

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
