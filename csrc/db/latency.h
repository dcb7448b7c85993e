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

#include "db/engine.h"

enum { LATENCY_EVENTS = 64, LATENCY_SAMPLES = 160 };

void latency_add(struct engine *eng, const char *event, uint64_t ms);

/* `event` is static text or copied; it has no more than 31 bytes. */
static inline void latency_note(struct engine *eng, const char *event, uint64_t usec) {
    int64_t threshold = eng->config.latency_monitor_threshold;
    if (UNLIKELY(threshold > 0) && usec / 1000 >= (uint64_t)threshold)
        latency_add(eng, event, usec / 1000);
}
/* Frees everything; for engine_delete. */
void latency_delete(struct engine *eng);

#endif
