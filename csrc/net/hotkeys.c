/* hotkeys.c - counting the shares of keys, and what Python asks of it. */
#include "net/hotkeys.h"

#include <sys/resource.h>

#include "core.h"
#include "cmd/keys.h"
#include "db/clock.h"
#include "net/hub.h"
#include "net/session.h"
#include "net/topk.h"

#define COUNTERS 8u /* for each key that is asked for: those that share a place blur little */
#define KEYS_HERE 32

struct hotkeys {
    struct hotkeys_plan plan;
    struct topk keys[HOTKEYS_METRICS];
    struct hotkeys_report found;
    uint64_t until_ms; /* 0: for ever */
    struct rusage begun;
};

/* --- counting --- */

static uint64_t millis(struct timeval t, struct timeval since) {
    int64_t us = (int64_t)(t.tv_sec - since.tv_sec) * 1000000 + (t.tv_usec - since.tv_usec);
    return us > 0 ? (uint64_t)us / 1000u : 0;
}

/* Brings times up to date; the session ends when its time is over. */
static void look_at_clocks(struct hotkeys *h, uint64_t now_ms) {
    struct rusage now;
    if (!h->found.active) return;
    bool over = h->until_ms && now_ms >= h->until_ms;
    uint64_t to_ms = over ? h->until_ms : now_ms;
    h->found.duration_ms = to_ms > h->found.start_ms ? to_ms - h->found.start_ms : 0;
    getrusage(RUSAGE_SELF, &now);
    h->found.user_ms = millis(now.ru_utime, h->begun.ru_utime);
    h->found.system_ms = millis(now.ru_stime, h->begun.ru_stime);
    h->found.active = !over;
}

static bool is_counting(struct engine *eng) {
    struct hotkeys *h = eng->hotkeys;
    if (UNLIKELY(h->until_ms && eng->now_ms >= h->until_ms)) look_at_clocks(h, eng->now_ms);
    return h->found.active;
}

static void add_share(struct engine *eng, struct str key, uint64_t ns, uint64_t bytes) {
    struct hotkeys *h = eng->hotkeys;
    if (h->plan.sample > 1 && engine_random_below(eng, (uint64_t)h->plan.sample)) return;
    uint64_t hash = dict_hash(&eng->arena, key);
    h->found.sampled_ns += ns;
    h->found.sampled_bytes += bytes;
    if (h->plan.cpu && ns) topk_add(&h->keys[HOTKEYS_CPU], key, hash, ns);
    if (h->plan.net && bytes) topk_add(&h->keys[HOTKEYS_NET], key, hash, bytes);
}

void hotkeys_add(struct engine *eng, const struct hot_command *hot) {
    struct key_at here[KEYS_HERE], *keys = here;
    if (!is_counting(eng)) return;
    uint64_t begun_ns = clock_duration_ns();
    int n = command_keys(hot->cmd, hot->argc, hot->argv, here, KEYS_HERE);
    if (n <= 0) return;
    if (n > KEYS_HERE) {
        keys = malloc((size_t)n * sizeof *keys);
        ASSERT(keys);
        command_keys(hot->cmd, hot->argc, hot->argv, keys, n);
    }
    struct hotkeys_report *found = &eng->hotkeys->found;
    found->all_ns += hot->ns;
    found->all_bytes += hot->bytes;
    for (int i = 0; i < n; i++)
        add_share(eng, hot->argv[keys[i].index], hot->ns / (uint64_t)n, hot->bytes / (uint64_t)n);
    if (keys != here) free(keys);
    found->own_ns += clock_duration_ns() - begun_ns;
}

/* --- the size of what was said --- */

static size_t digits(uint64_t v) {
    size_t n = 1;
    while (v >= 10) {
        v /= 10;
        n++;
    }
    return n;
}

size_t hotkeys_request_bytes(int argc, const struct str *argv) {
    const size_t around = 3; /* a sign and the end of a line */
    size_t total = around + digits((uint64_t)argc);
    for (int i = 0; i < argc; i++) total += around + digits(argv[i].n) + argv[i].n + 2;
    return total;
}

/* As it came, if it is still where it was parsed. */
static size_t request_bytes(const struct call *c) {
    const struct session *s = c->session;
    if (c->request == REQUEST_NOTHING) return 0;
    if (c->request) return c->request;
    if (s) {
        const struct resp_parser *p = s->stash ? &s->stash->parser : &c->eng->hub->parser;
        if (p->argv == c->argv) return p->pos;
    }
    return hotkeys_request_bytes(c->argc, c->argv);
}

static size_t reply_bytes(const struct call *c, size_t mark) {
    const struct reply *out = c->out;
    bool silent = c->session && c->session->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
    if (silent) return 0;
    return out->n - mark + (out->borrowed.p && out->borrow_at >= mark ? out->borrowed.n : 0);
}

void hotkeys_add_call(const struct call *c, size_t mark, uint64_t ns) {
    if (c->resumed || c->request == REQUEST_HIDDEN) return;
    struct hot_command hot = { c->cmd, c->argc, c->argv, ns,
                               request_bytes(c) + reply_bytes(c, mark) };
    hotkeys_add(c->eng, &hot);
}

/* --- core.h --- */

void engine_hotkeys_reset(struct engine *eng) {
    struct hotkeys *h = eng->hotkeys;
    if (!h) return;
    for (int i = 0; i < HOTKEYS_METRICS; i++) topk_delete(&h->keys[i]);
    free(h);
    eng->hotkeys = NULL;
}

void engine_hotkeys_start(struct engine *eng, const struct hotkeys_plan *plan) {
    engine_hotkeys_reset(eng);
    struct hotkeys *h = calloc(1, sizeof *h);
    ASSERT(h);
    h->plan = *plan;
    for (int i = 0; i < HOTKEYS_METRICS; i++)
        topk_create(&h->keys[i], COUNTERS * (size_t)plan->count);
    engine_tick_clock(eng);
    h->found.active = true;
    h->found.start_ms = eng->now_ms;
    h->until_ms = plan->duration_ms ? eng->now_ms + plan->duration_ms : 0;
    getrusage(RUSAGE_SELF, &h->begun);
    eng->hotkeys = h;
}

bool engine_hotkeys_stop(struct engine *eng) {
    struct hotkeys *h = eng->hotkeys;
    if (!h) return false;
    engine_tick_clock(eng);
    look_at_clocks(h, eng->now_ms);
    bool was_active = h->found.active;
    h->found.active = false;
    return was_active;
}

bool engine_hotkeys_report(struct engine *eng, struct hotkeys_plan *plan,
                           struct hotkeys_report *out) {
    struct hotkeys *h = eng->hotkeys;
    if (!h) return false;
    engine_tick_clock(eng);
    look_at_clocks(h, eng->now_ms);
    *plan = h->plan;
    *out = h->found;
    return true;
}

const char *engine_hotkeys_key(const struct engine *eng, int metric, size_t i, size_t *n,
                               uint64_t *weight) {
    const struct hotkeys *h = eng->hotkeys;
    if (!h || metric < 0 || metric >= HOTKEYS_METRICS || i >= h->keys[metric].n) return NULL;
    struct str key = topk_key(&h->keys[metric], i, weight);
    *n = key.n;
    return key.p;
}
