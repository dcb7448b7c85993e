/* pace.c - stretches of time, and what is tried in them. */
#include "net/pace.h"

#define STRETCH_NS 50000000u /* long beside the pauses that a busy machine makes */
#define SETTLED_STRETCHES 40 /* between trials */
#define FAVOUR 2             /* trials won, or lost, that settle it */
#define SAME_RATE .95        /* equal stretches differ by so much; and rests save CPU time */
#define GATHERED 8           /* a rest is so long that one client of so many asks meanwhile */
#define SHORTEST_NS 8000u    /* a shorter one costs more than it saves */
#define FULL_ROUND 16        /* commands; more would not make them much cheaper */

static void judge(struct pace *p, double rate) {
    bool won = rate >= p->plain_rate * SAME_RATE;
    if (won && p->favour < FAVOUR) p->favour++;
    if (!won && p->favour > -FAVOUR) p->favour--;
}

/* What has won is kept for a while; if nothing has, there is another trial. */
static enum pace_phase settle(struct pace *p) {
    if (p->favour != FAVOUR && p->favour != -FAVOUR) return PACE_PLAIN;
    p->left = SETTLED_STRETCHES;
    return PACE_SETTLED;
}

/* A stretch with such a rate is over: what the next one is for. */
static enum pace_phase next_phase(struct pace *p, double rate) {
    switch (p->phase) {
    case PACE_IDLE: /* a load begins: it is taken to be like the last one */ return settle(p);
    case PACE_PLAIN: p->plain_rate = rate; return PACE_RESTING;
    case PACE_RESTING: judge(p, rate); return settle(p);
    case PACE_SETTLED: return --p->left ? PACE_SETTLED : PACE_PLAIN;
    }
    return PACE_IDLE;
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
    p->phase = was_lively(p, length_ns, rate) ? next_phase(p, rate) : PACE_IDLE;
    begin(p, end_ns, commands);
}

uint64_t pace_rest(const struct pace *p, uint64_t commands) {
    bool rests = p->phase == PACE_RESTING || (p->phase == PACE_SETTLED && p->favour > 0);
    return rests && commands < FULL_ROUND ? p->rest_ns : 0;
}
