/* clock.h - the clocks that are read often: monotonic time, and a cheap one for durations. */
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

/* ns a tick of the processor's counter, times 2^32; 0: it cannot be used. Set when the library is
 * loaded. */
extern uint64_t clock_tick_scale;

/* Nanoseconds since some moment; for the time that a command takes, read once a command. */
static inline uint64_t clock_duration_ns(void) {
#ifdef __x86_64__
    if (__builtin_expect(clock_tick_scale != 0, 1))
        return (uint64_t)((unsigned __int128)__builtin_ia32_rdtsc() * clock_tick_scale >> 32);
#endif
    return clock_monotonic_ns();
}

#endif
