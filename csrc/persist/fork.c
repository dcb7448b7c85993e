/* fork.c - preparing, forking, the child's life, what is known of it. */
#define _GNU_SOURCE
#include "persist/fork.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "db/clock.h"
#include "db/keyspace.h"
#include "db/latency.h"
#include "mem/fault.h"
#include "mem/freeze.h"
#include "persist/aof.h"
#include "persist/aof_base.h"
#include "persist/rdb_save.h"

#define CHILD_FD 3

struct forks {
    bool prepared;
    uint64_t id;
    int kind, fd;
    struct fork_options options;
    struct fork_report *report; /* shared with the child; NULL: there never was one */
    struct fork_state state;
};

static void at_instant(struct engine *eng, uint64_t id) {
    engine_fork(eng, id);
}

/* A snapshot of what is gone is not worth its time: as in Redis it ends, which is no failure. */
static void at_emptied(struct engine *eng) {
    struct forks *f = eng->forks;
    f->state.emptied++;
    if (f->state.pid && f->options.expendable) kill(f->state.pid, SIGUSR1);
}

struct forks *forks_new(struct engine *eng) {
    struct forks *f = calloc(1, sizeof *f);
    ASSERT(f);
    f->fd = -1;
    eng->hooks.instant = at_instant;
    eng->hooks.emptied = at_emptied;
    return f;
}

static void forget_prepared(struct forks *f) {
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
    f->prepared = false;
}

void forks_delete(struct forks *f) {
    if (!f) return;
    forget_prepared(f);
    if (f->report) munmap(f->report, sizeof *f->report);
    free(f);
}

/* --- before --- */

void engine_fork_prepare(struct engine *eng, uint64_t id, int kind, int fd,
                         const struct fork_options *options) {
    struct forks *f = eng->forks;
    forget_prepared(f);
    f->prepared = true;
    f->id = id;
    f->kind = kind;
    f->fd = dup(fd);
    f->options = *options;
}

void engine_fork_cancel(struct engine *eng) {
    forget_prepared(eng->forks);
}

/* --- the child --- */

static void write_rdb_records(struct fork_task *task) {
    struct fork_report *report = task->report;
    struct file_sink file;
    struct rdb_writer w;
    file_sink_init(&file, task->fd, task->options.sync_every);
    file.sink.checksum = task->options.checksum;
    rdb_writer_init(&w, &file.sink, task->options.compress);
    struct rdb_save_options options = { .compress = task->options.compress,
                                        .checksum = task->options.checksum,
                                        .key_delay_us = task->options.key_delay_us,
                                        .keys_done = &report->keys_done };
    rdb_save_part(task->eng, &w, &options);
    sink_flush(&file.sink);
    report->bytes = sink_bytes(&file.sink);
    report->crc = sink_crc(&file.sink);
    report->error = file.sink.error;
    report->field_ttls = rdb_save_version(task->eng) > RDB_VERSION_PLAIN;
    rdb_writer_free(&w);
    sink_free(&file.sink);
}

static fork_writer *const writers[] = {
    [FORK_RDB] = write_rdb_records, [FORK_COMMANDS] = aof_write_base
};

/* Keeps nothing of the parent's but the descriptor to write to and standard error: clients must see
 * their connections end when the parent goes. */
static void cut_off(struct fork_task *task, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    prctl(PR_SET_NAME, "shmredis-write");
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    signal(SIGINT, SIG_IGN);  /* of a terminal, meant for the front */
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
    struct sched_param none_needed = { 0 };
    sched_setscheduler(0, SCHED_BATCH, &none_needed); /* wakes up in nobody's way */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(task->fd, CHILD_FD) < 0) _exit(1);
    task->fd = CHILD_FD;
    close_range(CHILD_FD + 1, ~0U, 0);
}

static void run_writer(struct fork_task *task, int kind) {
    FAULT("fork.writing");
    writers[kind](task);
    if (!task->report->error && FAULT_FAILS("fork.sync")) task->report->error = EIO;
    if (!task->report->error && fdatasync(task->fd)) task->report->error = errno;
    task->report->done = true;
}

static _Noreturn void live(struct fork_task *task, int kind, pid_t parent) {
    cut_off(task, parent);
    run_writer(task, kind);
    FAULT("fork.done");
    _exit(task->report->error ? 1 : 0);
}

void engine_write(struct engine *eng, int kind, int fd, const struct fork_options *options,
                  struct fork_report *report) {
    struct fork_task task = { .eng = eng, .fd = fd, .options = *options, .report = report };
    *report = (struct fork_report){ .keys_total = keyspace_total(eng) };
    run_writer(&task, kind);
}

/* --- the instant --- */

static bool new_report(struct engine *eng) {
    struct forks *f = eng->forks;
    void *p = f->report;
    if (!p)
        p = mmap(NULL, sizeof *f->report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                 0);
    if (p == MAP_FAILED) return false;
    f->report = p;
    *f->report = (struct fork_report){ .keys_total = keyspace_total(eng) };
    return true;
}

/* The log and the frozen object show the same state, and a rewrite's next file begins here. 0 or an
 * errno. */
static int log_up_to_here(struct engine *eng) {
    int error = aof_is_open(eng->aof) ? aof_flush(eng->aof) : 0;
    return error ? error : aof_instant(eng->aof);
}

static int fork_prepared(struct engine *eng) {
    struct forks *f = eng->forks;
    if (f->kind == FORK_NOTHING) return log_up_to_here(eng);
    if (f->fd < 0) return EBADF; /* the duplicate could not be made */
    if (eng->arena.freeze.phase != ARENA_LIVE || arena_super(&eng->arena)->guests) return EBUSY;
    if (!new_report(eng)) return ENOMEM;
    struct fork_task task = { .eng = eng, .fd = f->fd, .options = f->options, .report = f->report };
    int error = log_up_to_here(eng);
    if (error) return error;
    uint64_t started = clock_monotonic_us();
    pid_t parent = getpid(), pid = FAULT_FAILS("fork.fork") ? -1 : fork();
    if (pid == 0) live(&task, f->kind, parent);
    if (pid < 0) return errno ? errno : EAGAIN;
    freeze_begin(&eng->arena);
    f->state.pid = pid;
    f->state.dirty = eng->stats.dirty;
    f->state.fork_us = clock_monotonic_us() - started;
    latency_note(eng, "fork", f->state.fork_us);
    FAULT("fork.frozen");
    return 0;
}

int engine_fork(struct engine *eng, uint64_t id) {
    struct forks *f = eng->forks;
    f->state.id = id;
    f->state.error = f->prepared && f->id == id ? fork_prepared(eng) : ECANCELED;
    if (f->prepared && f->id == id) forget_prepared(f);
    return f->state.error;
}

/* --- afterwards --- */

void engine_fork_state(const struct engine *eng, struct fork_state *out) {
    *out = eng->forks->state;
    out->phase = (int)eng->arena.freeze.phase;
    out->guests = arena_super(&eng->arena)->guests;
    out->inside = arena_super(&eng->arena)->busy;
    out->copied = freeze_copied(&eng->arena);
    out->lacks = freeze_lacks(&eng->arena);
}

bool engine_fork_report(const struct engine *eng, struct fork_report *out) {
    if (!eng->forks->report) return false;
    *out = *eng->forks->report;
    return true;
}

bool engine_fork_ended(struct engine *eng, uint64_t budget_us) {
    eng->forks->state.pid = 0;
    return freeze_thaw(&eng->arena, budget_us);
}

bool forks_cron(struct engine *eng, uint64_t budget_us) {
    return !freeze_prepare(&eng->arena, budget_us);
}
