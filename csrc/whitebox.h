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

#endif
