/* whitebox.h - inner functions of the core that unit tests drive through cffi (tests/unit).
 *
 * The product uses core.h only. Every declaration here repeats one of an inner header; whitebox.c
 * includes them all, so the compiler refuses any difference. Types are plain or opaque.
 */
#ifndef SHMREDIS_WHITEBOX_H
#define SHMREDIS_WHITEBOX_H
#include "core.h"

/* An arena on an unnamed memory object (memfd) for tests, not registered anywhere; NULL on failure.
 */
struct arena *wb_arena_new(uint64_t max_size);
void wb_arena_delete(struct arena *a);

/* --- mem/arena.h: the same on an object that the test made or keeps; `fd` is taken over --- */
struct arena *wb_arena_create(int fd, uint64_t max_size, int *st);
struct arena *wb_arena_attach(int fd, int *st);
int wb_arena_fd(const struct arena *a);
char *wb_arena_ptr(const struct arena *a, uint32_t r);

/* --- mem/heap.h: refs are uint32_t --- */
uint32_t wb_heap_alloc(struct arena *a, int owner, size_t size);
uint32_t heap_realloc(struct arena *a, uint32_t r, size_t size);
void heap_free(struct arena *a, uint32_t r);
size_t heap_usable(const struct arena *a, uint32_t r);
bool heap_sparse(const struct arena *a, uint32_t r);
uint32_t heap_move(struct arena *a, uint32_t r);
size_t heap_trim(struct arena *a);
/* struct heap_stats field by field: used, peak, committed, object, blocks, by_owner, moved,
 * trimmed. */
void wb_heap_stats(const struct arena *a, uint64_t out[23]);
void heap_reset_peak(struct arena *a);
uint64_t heap_used(const struct arena *a);
void heap_check(const struct arena *a);
void heap_fail_after(struct arena *a, int64_t n);

/* --- mem/number.h: text that is not NUL-terminated comes as pointer and length --- */
bool wb_str_to_i64(const char *p, size_t n, int64_t *out);
bool wb_str_to_double(const char *p, size_t n, double *out);
/* Reads both numbers as INCRBYFLOAT does and writes their sum; 0: one of them is no number. */
size_t wb_long_double_sum(const char *p, size_t n, const char *q, size_t m, char *out);
size_t i64_to_text(char out[24], int64_t v);
size_t double_to_text(char out[64], double v);

#endif
