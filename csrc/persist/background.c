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

static bool tried, may_return; /* whether it may come back from the idle class; of children, too */

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

/* Of a process; 0: of this one. */
static bool set_class(pid_t pid, uint32_t policy) {
    const struct schedule s = {
        .size = sizeof s, .policy = policy, .nice = NICENESS, .runtime_ns = SLICE_NS
    };
    return syscall(SYS_sched_setattr, pid, &s, 0) == 0;
}

/* By a process that is none the worse if it may not. */
void background_try(void) {
    if (tried) return;
    tried = true;
    pid_t pid = vfork();
    if (pid == 0) {
        set_class(0, SCHED_BATCH);
        _exit(!(set_class(0, SCHED_IDLE) && set_class(0, SCHED_BATCH)));
    }
    int status = 1;
    may_return = pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

void background_begin(void) {
    set_class(0, SCHED_BATCH); /* the idle class has no niceness of its own: it is kept */
    if (may_return) set_class(0, SCHED_IDLE);
}

/* --- in the parent --- */

/* What it has run; false: it is gone. */
static bool cpu_ns(pid_t pid, uint64_t *out) {
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t)) return false;
    *out = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    return true;
}

void background_watch(struct share *s, pid_t child) {
    *s = (struct share){ .wall_ns = clock_monotonic_ns(), .idles = true };
    cpu_ns(child, &s->cpu_ns);
}

void background_check(struct share *s, pid_t child, bool urgent) {
    uint64_t cpu;
    if (!may_return || !cpu_ns(child, &cpu)) return;
    bool idles = share_idles(s, clock_monotonic_ns(), cpu) && !urgent;
    set_class(child, idles ? SCHED_IDLE : SCHED_BATCH);
}
