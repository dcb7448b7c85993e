/* latency.h - the latency monitor: how long events took that took too long (LATENCY).
 *
 * Owns      up to LATENCY_EVENTS named series of LATENCY_SAMPLES samples each (malloc). One second
 *           has one sample, the longest of that second. The monitor hangs at engine.latency and is
 *           made by the first sample.
 * Callers   expiry, eviction, dispatch ("command", "fast-command"), Python by core.h.
 * Promises  noting an event while the monitor is off, or that was quick, costs two comparisons.
 */
#ifndef SHMREDIS_LATENCY_H
#define SHMREDIS_LATENCY_H

#include "db/clock.h"
#include "db/engine.h"

enum { LATENCY_EVENTS = 64, LATENCY_SAMPLES = 160 };

void latency_add(struct engine *eng, const char *event, uint64_t ms);

/* `event` is static text or copied; it has no more than 31 bytes. */
static inline void latency_note(struct engine *eng, const char *event, uint64_t usec) {
    int64_t threshold = eng->config.latency_monitor_threshold;
    if (UNLIKELY(threshold > 0) && usec / 1000 >= (uint64_t)threshold)
        latency_add(eng, event, usec / 1000);
}

/* The time now while the monitor is on, else 0: what is only measured for it costs nothing. */
static inline uint64_t latency_begin(const struct engine *eng) {
    return UNLIKELY(eng->config.latency_monitor_threshold > 0) ? clock_monotonic_us() : 0;
}
/* `begun_us` is of latency_begin. */
static inline void latency_end(struct engine *eng, const char *event, uint64_t begun_us) {
    if (UNLIKELY(begun_us)) latency_note(eng, event, clock_monotonic_us() - begun_us);
}

/* Frees everything; for engine_delete. */
void latency_delete(struct engine *eng);

#endif
