/* engine.c - clock, randomness and hooks of the engine. */
#include "db/engine.h"

#include <stdarg.h>
#include <time.h>

#include "db/batch.h"

void engine_tick_clock(struct engine *eng) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    eng->now_us = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
    eng->now_ms = eng->now_us / 1000u;
    eng->lru_clock = (uint32_t)ts.tv_sec & 0xffffffu;
}

static uint64_t rotate(uint64_t x, unsigned k) {
    return x << k | x >> (64 - k);
}

/* xoroshiro128+ (Blackman and Vigna, 2018). */
uint64_t engine_random(void *ctx) {
    uint64_t *s = ((struct engine *)ctx)->random_state;
    uint64_t s0 = s[0], s1 = s[1], result = s0 + s1;
    s1 ^= s0;
    s[0] = rotate(s0, 24) ^ s1 ^ (s1 << 16);
    s[1] = rotate(s1, 37);
    return result;
}

/* Multiply-shift with rejection (Lemire, 2019): no bias, seldom a second draw. */
uint64_t engine_random_below(struct engine *eng, uint64_t n) {
    unsigned __int128 m = (unsigned __int128)engine_random(eng) * n;
    if (UNLIKELY((uint64_t)m < n)) {
        uint64_t reject = -n % n;
        while ((uint64_t)m < reject) m = (unsigned __int128)engine_random(eng) * n;
    }
    return (uint64_t)(m >> 64);
}

void engine_propagate(struct engine *eng, int db, int argc, const struct str *argv) {
    if (UNLIKELY(eng->batch) && batch_keep(eng, db, argc, argv)) return;
    if (eng->hooks.log) eng->hooks.log(eng->aof, db, argc, argv);
    if (eng->hooks.propagate) eng->hooks.propagate(eng->hooks.ctx, db, argc, argv);
}

void engine_say(const struct engine *eng, enum say_level level, const char *format, ...) {
    char text[512];
    va_list args;
    if (!eng->hooks.say) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    eng->hooks.say((int)level, text);
}

void engine_notify(struct engine *eng, enum notify_class cls, const char *event, struct str key,
                   int db) {
    if (LIKELY(!(eng->config.notify_events & (int64_t)cls)) || eng->copying) return;
    if (eng->hooks.notify) eng->hooks.notify(eng->hooks.ctx, cls, event, key, db);
    if (eng->hooks.event) eng->hooks.event(eng, event, key, db);
}

void engine_notify_fields(struct engine *eng, const char *event, struct str key, int db,
                          const struct field_list *f) {
    engine_notify(eng, NOTIFY_HASH, event, key, db);
    if (engine_tells_fields(eng) && eng->hooks.fields) eng->hooks.fields(eng, event, key, db, f);
}

void engine_regrouped(struct engine *eng, struct str key, int db) {
    if (eng->hooks.regrouped) eng->hooks.regrouped(eng, key, db);
}

void engine_modified(struct engine *eng, struct str key, int db) {
    if (eng->hooks.modified) eng->hooks.modified(eng, key, db);
}
