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

/* --- mem/number.h: text that is not NUL-terminated comes as pointer and length --- */
bool wb_str_to_i64(const char *p, size_t n, int64_t *out);
bool wb_str_to_double(const char *p, size_t n, double *out);
/* Reads both numbers as INCRBYFLOAT does and writes their sum; 0: one of them is no number. */
size_t wb_long_double_sum(const char *p, size_t n, const char *q, size_t m, char *out);
size_t i64_to_text(char out[24], int64_t v);
size_t double_to_text(char out[64], double v);

#endif
