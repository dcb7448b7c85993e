/* pace.c - stretches of time, and what is tried in them. */
#include "net/pace.h"

#define STRETCH_NS 50000000u /* long beside the pauses that a busy machine makes */
#define SETTLED_STRETCHES 40 /* between trials */
#define FAVOUR 2             /* trials won, or lost, that settle it */
#define SAME_RATE .95        /* equal stretches differ by so much; and rests save CPU time */
#define GATHERED 8           /* a rest is so long that one client of so many asks meanwhile */
#define SHORTEST_NS 8000u    /* a shorter one costs more than it saves */
#define FULL_ROUND 16        /* commands; more would not make them much cheaper */

static void go_on(struct pace *p, enum pace_phase phase, bool resting) {
    p->phase = phase;
    p->resting = resting;
}

static bool is_decided(const struct pace *p) {
    return p->favour == FAVOUR || p->favour == -FAVOUR;
}

static void settle(struct pace *p) {
    p->left = SETTLED_STRETCHES;
    go_on(p, PACE_SETTLED, p->favour > 0);
}

static void judge(struct pace *p, double rate) {
    bool won = rate >= p->plain_rate * SAME_RATE;
    if (won && p->favour < FAVOUR) p->favour++;
    if (!won && p->favour > -FAVOUR) p->favour--;
}

/* A stretch with such a rate is over: what the next one is for. */
static void choose(struct pace *p, double rate) {
    switch (p->phase) {
    case PACE_IDLE: /* a load begins: what has won before is good for a while */
        if (is_decided(p))
            settle(p);
        else
            go_on(p, PACE_PLAIN, false);
        return;
    case PACE_PLAIN:
        p->plain_rate = rate;
        go_on(p, PACE_RESTING, true);
        return;
    case PACE_RESTING:
        judge(p, rate);
        if (is_decided(p))
            settle(p);
        else
            go_on(p, PACE_PLAIN, false);
        return;
    case PACE_SETTLED:
        if (!--p->left) go_on(p, PACE_PLAIN, false);
    }
}

/* Whether a rest gathers anything, and requests came in all the time. */
static bool was_lively(const struct pace *p, uint64_t length_ns, double rate) {
    return (double)p->rest_ns * rate >= 1e9 && p->rest_ns >= SHORTEST_NS &&
           length_ns < 2 * STRETCH_NS;
}

static void begin(struct pace *p, uint64_t now_ns, uint64_t commands) {
    p->stretch++;
    p->clients = 0;
    p->start_ns = now_ns;
    p->commands = commands;
}

void pace_round(struct pace *p, uint64_t end_ns, uint64_t commands, uint64_t longest_ns) {
    uint64_t length_ns = end_ns - p->start_ns;
    if (length_ns < STRETCH_NS) return;
    /* Not positive: CONFIG RESETSTAT has set the count back. */
    double rate = ((double)commands - (double)p->commands) * 1e9 / (double)length_ns;
    double rest_ns = rate > 0 ? p->clients * 1e9 / GATHERED / rate : 0;
    p->rest_ns = rest_ns < (double)longest_ns ? (uint64_t)rest_ns : longest_ns;
    if (was_lively(p, length_ns, rate))
        choose(p, rate);
    else
        go_on(p, PACE_IDLE, false);
    begin(p, end_ns, commands);
}

uint64_t pace_rest(const struct pace *p, uint64_t commands) {
    return p->resting && commands < FULL_ROUND ? p->rest_ns : 0;
}
