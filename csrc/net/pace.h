/* pace.h - how soon a worker looks at its sockets again: at once, or after a short rest.
 *
 * A worker that is a little faster than its clients finds one or two requests each time it looks.
 * For these it pays a look, an append to the log and, most of the time, a wait that the next
 * request has to end; waking a sleeping processor costs its client more than the request does.
 * Resting for some microseconds between rounds lets requests gather: network cards do the same with
 * their interrupts (interrupt moderation).
 *
 * A rest is a loss for clients that have nothing else to do than to wait for their replies, so it
 * is not taken on trust. Time is cut into stretches. Now and then one without rests is compared
 * with one with them, and what served more commands is kept; if both did, rests are, because they
 * save CPU time. Nothing is tried unless many clients keep the worker busy.
 *
 * Owns      nothing; part of the hub. It knows no clock: times are given to it.
 * Callers   net/poll.c.
 */
#ifndef SHMREDIS_PACE_H
#define SHMREDIS_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum pace_phase {
    PACE_IDLE,    /* too little to do for rests to be of use */
    PACE_PLAIN,   /* no rests: the first stretch of a trial */
    PACE_RESTING, /* rests: the second one */
    PACE_SETTLED  /* what has won */
};

struct pace {
    enum pace_phase phase;
    int favour;        /* trials that rests have won less those that they lost, within bounds */
    unsigned left;     /* stretches until the next trial */
    double plain_rate; /* commands a second in the trial's first stretch */
    uint64_t rest_ns;  /* how long a rest is now */
    uint32_t stretch;  /* number of the present one */
    uint32_t clients;  /* different ones that were served in it */
    uint64_t start_ns; /* of it */
    uint64_t commands; /* the worker's count of commands at its start */
};

/* A client is served; *met is its own memory of the last stretch in which it was. */
static inline void pace_meet(struct pace *p, uint32_t *met) {
    p->clients += *met != p->stretch;
    *met = p->stretch;
}
/* A round is over, at `end_ns`. `commands` is what the worker has executed ever;
 * rests may last `longest_ns` (0: none are wanted). */
void pace_round(struct pace *p, uint64_t end_ns, uint64_t commands, uint64_t longest_ns);
/* How long to rest after a round of so many commands; 0: not at all. */
uint64_t pace_rest(const struct pace *p, uint64_t commands);

#endif
