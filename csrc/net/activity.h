/* activity.h - how many sessions have done something within the last second.
 *
 * A session counts in the bin of the time at which it was last active; a bin is forgotten when its
 * place is needed for a later one. The times are those of session.last_ms.
 */
#ifndef SHMREDIS_ACTIVITY_H
#define SHMREDIS_ACTIVITY_H

#include <stdint.h>

#define ACTIVITY_BIN_MS 128u
#define ACTIVITY_BINS 8u

struct activity {
    struct activity_bin {
        uint64_t number; /* time / ACTIVITY_BIN_MS */
        uint32_t sessions;
    } bins[ACTIVITY_BINS];
};

static inline struct activity_bin *activity_bin(struct activity *a, uint64_t ms) {
    return &a->bins[ms / ACTIVITY_BIN_MS % ACTIVITY_BINS];
}

/* A session is active, after it was not there or has been counted as of another time. */
static inline void activity_enter(struct activity *a, uint64_t ms) {
    struct activity_bin *bin = activity_bin(a, ms);
    if (bin->number != ms / ACTIVITY_BIN_MS)
        *bin = (struct activity_bin){ .number = ms / ACTIVITY_BIN_MS };
    bin->sessions++;
}

/* A session that counted as of `ms` no longer does. */
static inline void activity_leave(struct activity *a, uint64_t ms) {
    struct activity_bin *bin = activity_bin(a, ms);
    if (bin->number == ms / ACTIVITY_BIN_MS && bin->sessions) bin->sessions--;
}

static inline void activity_move(struct activity *a, uint64_t was_ms, uint64_t ms) {
    if (was_ms / ACTIVITY_BIN_MS == ms / ACTIVITY_BIN_MS) return;
    activity_leave(a, was_ms);
    activity_enter(a, ms);
}

/* Sessions that were active in the second before `ms`. */
static inline uint64_t activity_count(const struct activity *a, uint64_t ms) {
    uint64_t n = 0, now = ms / ACTIVITY_BIN_MS;
    for (unsigned i = 0; i < ACTIVITY_BINS; i++) {
        uint64_t number = a->bins[i].number;
        if (number <= now && now - number < ACTIVITY_BINS) n += a->bins[i].sessions;
    }
    return n;
}

#endif
