/* access.c - the 24-bit access clock of an entry: LRU seconds, or LFU minutes and counter. */
#include "db/evict.h"

#define LFU_INITIAL 5u
#define CLOCK_MASK 0xffffffu

static uint32_t lfu_minutes(const struct engine *eng) {
    return (uint32_t)(eng->now_us / 60000000u) & 0xffffu;
}

uint32_t access_clock_new(const struct engine *eng) {
    if (policy_is_lfu(eng)) return lfu_minutes(eng) << 8 | LFU_INITIAL;
    return eng->lru_clock;
}

uint8_t access_frequency(const struct engine *eng, const struct entry *e) {
    uint32_t clock = entry_clock(e), counter = clock & 0xff;
    uint32_t elapsed = (lfu_minutes(eng) - (clock >> 8)) & 0xffffu;
    if (!eng->config.lfu_decay_time) return (uint8_t)counter;
    uint64_t periods = elapsed / (uint64_t)eng->config.lfu_decay_time;
    return (uint8_t)(periods > counter ? 0 : counter - periods);
}

/* Logarithmic: the higher the counter, the less likely the next step. */
static uint32_t lfu_increment(struct engine *eng, uint32_t counter) {
    if (counter >= 255) return 255;
    uint64_t base = counter > LFU_INITIAL ? counter - LFU_INITIAL : 0;
    uint64_t odds = base * (uint64_t)eng->config.lfu_log_factor + 1;
    return counter + (engine_random_below(eng, odds) == 0);
}

uint32_t access_touched(struct engine *eng, const struct entry *e, bool modified) {
    if (policy_is_lfu(eng))
        return lfu_minutes(eng) << 8 | lfu_increment(eng, access_frequency(eng, e));
    return modified || !policy_is_lrm(eng) ? eng->lru_clock : entry_clock(e);
}

void access_touch(struct engine *eng, struct entry *e, bool modified) {
    if (!modified && !arena_is_live(&eng->arena)) return;
    uint32_t clock = access_touched(eng, e, modified);
    if (entry_clock(e) != clock) entry_set_clock(e, clock);
}

uint64_t access_idle_seconds(const struct engine *eng, const struct entry *e) {
    return (eng->lru_clock - entry_clock(e)) & CLOCK_MASK;
}

void access_set_idle(const struct engine *eng, struct entry *e, uint64_t seconds) {
    if (!policy_is_lfu(eng)) entry_set_clock(e, (eng->lru_clock - (uint32_t)seconds) & CLOCK_MASK);
}

void access_set_frequency(const struct engine *eng, struct entry *e, uint8_t frequency) {
    if (policy_is_lfu(eng)) entry_set_clock(e, lfu_minutes(eng) << 8 | frequency);
}
