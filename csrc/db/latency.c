/* latency.c - one ring of samples per event. */
#include "db/latency.h"

#include "core.h"

struct series {
    struct latency_event info;
    uint32_t head, count; /* head: where the next sample goes */
    struct latency_sample samples[LATENCY_SAMPLES];
};
struct latency {
    int count;
    struct series *series[LATENCY_EVENTS];
};

static struct series *find_series(const struct engine *eng, const char *event) {
    for (int i = 0; eng->latency && i < eng->latency->count; i++)
        if (!strcmp(eng->latency->series[i]->info.name, event)) return eng->latency->series[i];
    return NULL;
}

/* NULL when there are too many events: the sample is dropped. */
static struct series *add_series(struct engine *eng, const char *event) {
    if (!eng->latency) eng->latency = calloc(1, sizeof *eng->latency);
    ASSERT(eng->latency);
    struct latency *monitor = eng->latency;
    if (monitor->count == LATENCY_EVENTS) return NULL;
    struct series *s = calloc(1, sizeof *s);
    ASSERT(s);
    snprintf(s->info.name, sizeof s->info.name, "%s", event);
    monitor->series[monitor->count++] = s;
    return s;
}

static struct latency_sample *newest(struct series *s) {
    return &s->samples[(s->head + LATENCY_SAMPLES - 1) % LATENCY_SAMPLES];
}

void latency_add(struct engine *eng, const char *event, uint64_t ms) {
    struct series *s = find_series(eng, event);
    if (!s) s = add_series(eng, event);
    if (!s) return;
    uint64_t now_s = eng->now_ms / 1000;
    if (ms > s->info.max_ms) s->info.max_ms = ms;
    s->info.sum_ms += ms;
    s->info.total++;
    if (s->count && newest(s)->time_s == now_s) {
        if (ms > newest(s)->ms) newest(s)->ms = ms;
    } else {
        s->samples[s->head] = (struct latency_sample){ now_s, ms };
        s->head = (s->head + 1) % LATENCY_SAMPLES;
        if (s->count < LATENCY_SAMPLES) s->count++;
    }
    s->info.latest = *newest(s);
    s->info.samples = s->count;
}

static void drop_series(struct latency *monitor, int i) {
    free(monitor->series[i]);
    monitor->series[i] = monitor->series[--monitor->count];
}

void latency_delete(struct engine *eng) {
    while (eng->latency && eng->latency->count) drop_series(eng->latency, 0);
    free(eng->latency);
    eng->latency = NULL;
}

/* --- core.h --- */

void engine_latency_note(struct engine *eng, const char *event, uint64_t usec) {
    latency_note(eng, event, usec);
}

bool engine_latency_event(const struct engine *eng, int i, struct latency_event *out) {
    bool found = eng->latency && i >= 0 && i < eng->latency->count;
    if (found) *out = eng->latency->series[i]->info;
    return found;
}

int engine_latency_samples(const struct engine *eng, const char *event,
                           struct latency_sample *out160) {
    const struct series *s = find_series(eng, event);
    uint32_t n = s ? s->count : 0;
    for (uint32_t i = 0; i < n; i++)
        out160[i] = s->samples[(s->head + LATENCY_SAMPLES - n + i) % LATENCY_SAMPLES];
    return (int)n;
}

bool engine_latency_reset(struct engine *eng, const char *event) {
    for (int i = 0; eng->latency && i < eng->latency->count; i++) {
        if (strcmp(eng->latency->series[i]->info.name, event) != 0) continue;
        drop_series(eng->latency, i);
        return true;
    }
    return false;
}
