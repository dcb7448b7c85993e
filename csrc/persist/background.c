/* background.c - batch or idle class, by the share of a CPU. */
#define _GNU_SOURCE /* SCHED_BATCH, SCHED_IDLE, vfork */
#include "persist/background.h"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "db/clock.h"

#define NICENESS 10         /* a tenth of the share of whoever serves, when all CPUs are busy */
#define SLICE_NS 100000000u /* who has a shorter one gets its CPU at once; Linux 6.12 on */
#define WANTED 2            /* the second part of a CPU */
#define SWING_NS 20000000   /* of the credit between two changes of class */

static struct {
    bool may_return;    /* from the idle class */
    const bool *urgent; /* NULL: it does not work */
    bool idles;
    struct share share;
} background;

/* --- the share --- */

static int64_t bounded(int64_t ns) {
    if (ns > SWING_NS) return SWING_NS;
    return ns < -SWING_NS ? -SWING_NS : ns;
}

bool share_idles(struct share *s, uint64_t wall_ns, uint64_t cpu_ns) {
    int64_t got = (int64_t)(cpu_ns - s->cpu_ns);
    int64_t wanted = (int64_t)((wall_ns - s->wall_ns) / WANTED);
    s->credit_ns = bounded(s->credit_ns + got - wanted);
    s->wall_ns = wall_ns;
    s->cpu_ns = cpu_ns;
    if (s->credit_ns == SWING_NS) s->idles = true;
    if (s->credit_ns == -SWING_NS) s->idles = false;
    return s->idles;
}

/* --- the class --- */

/* struct sched_attr of Linux, its first version; no C library before 2025 has it. */
struct schedule {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static bool set_class(uint32_t policy) {
    const struct schedule s = {
        .size = sizeof s, .policy = policy, .nice = NICENESS, .runtime_ns = SLICE_NS
    };
    return syscall(SYS_sched_setattr, 0, &s, 0) == 0;
}

/* Tried by a process that is none the worse if it may not. */
static bool may_return(void) {
    pid_t pid = vfork();
    if (pid == 0) _exit(!(set_class(SCHED_IDLE) && set_class(SCHED_BATCH)));
    int status = 1;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

void background_begin(void) {
    set_class(SCHED_BATCH);
    background.may_return = may_return();
}

static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void background_work(const bool *urgent) {
    if (!background.may_return) return;
    background.urgent = urgent;
    background.share =
        (struct share){ .wall_ns = clock_monotonic_ns(), .cpu_ns = cpu_ns(), .idles = true };
    background.idles = set_class(SCHED_IDLE);
}

void background_check(void) {
    if (!background.urgent) return;
    bool idles = share_idles(&background.share, clock_monotonic_ns(), cpu_ns()) &&
                 !__atomic_load_n(background.urgent, __ATOMIC_RELAXED);
    if (idles == background.idles) return;
    set_class(idles ? SCHED_IDLE : SCHED_BATCH);
    background.idles = idles;
}
