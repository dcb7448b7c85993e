/* background.h - how the kernel schedules a process that writes while others serve.
 *
 * It is a nice batch process: when all CPUs are busy it gets a tenth of the share of whoever
 * serves. That is not all there is to it. The kernel takes a CPU on which a batch process runs for
 * busy, so a worker that wakes joins its client on the other one. A CPU on which nothing but
 * processes of the idle class run counts as free, but such a process can be kept from all CPUs for
 * ever. So it is of the idle class as long as it gets half of a CPU that way, and a batch process
 * when it gets less, or while its end is urgent. It is its parent who sees to that: it has a CPU.
 *
 * Leaving the idle class takes CAP_SYS_NICE or RLIMIT_NICE (systemd: LimitNICE=10); where that is
 * denied it is a batch process all the time.
 *
 * Owns      nothing but what this process may do. Callers: spare.c, fork.c.
 */
#ifndef SHMREDIS_BACKGROUND_H
#define SHMREDIS_BACKGROUND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BACKGROUND_MS 20 /* between two checks */

/* What a process has got of a CPU. */
struct share {
    uint64_t wall_ns, cpu_ns; /* when it was looked at last */
    int64_t credit_ns;        /* more than half a CPU since then, within bounds; negative: less */
    bool idles;               /* it is of the idle class */
};
/* Now, of a process that has run for `cpu_ns` in all; whether it should be of the idle class. */
bool share_idles(struct share *s, uint64_t wall_ns, uint64_t cpu_ns);

/* Finds out what is allowed, once in a process that will be a parent. */
void background_try(void);
/* This process, a child, is in the background from now on. */
void background_begin(void);
/* In its parent: its work begins. */
void background_watch(struct share *s, pid_t child);
/* In its parent, now and then meanwhile. */
void background_check(struct share *s, pid_t child, bool urgent);

#endif
