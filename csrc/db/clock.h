/* clock.h - the two clocks that are read often: monotonic microseconds, and CPU ticks for
 * durations. */
#ifndef SHMREDIS_CLOCK_H
#define SHMREDIS_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_monotonic_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
static inline uint64_t clock_monotonic_us(void) {
    return clock_monotonic_ns() / 1000u;
}

#endif
