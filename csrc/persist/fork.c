/* fork.c - preparing, forking, the child's life, what is known of it. */
#define _GNU_SOURCE
#include "persist/fork.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "db/clock.h"
#include "db/keyspace.h"
#include "db/latency.h"
#include "mem/fault.h"
#include "mem/freeze.h"
#include "mem/park.h"
#include "mem/poison.h"
#include "persist/aof.h"
#include "persist/aof_base.h"
#include "persist/background.h"
#include "persist/rdb_save.h"
#include "persist/spare.h"

/* What a spare cannot know of its parent's memory. */
struct order {
    int kind;
    struct fork_options options;
    struct engine_config config;
    uint64_t now_ms, now_us;
    uint32_t lru_clock;
    char faults[FAULT_TEXT_MAX];
};

/* Shared with the children. */
struct sheet {
    struct order order;
    struct fork_report report;
    pid_t spare; /* who stands by */
};

struct forks {
    bool prepared;
    uint64_t id;
    int kind, fd;
    struct fork_options options;
    struct sheet *sheet;
    struct spare spare;
    struct fork_state state;
    struct share share; /* of the child at work */
};

static void at_instant(struct engine *eng, uint64_t id) {
    engine_fork(eng, id);
}

/* A snapshot of what is gone is not worth its time: as in Redis it ends, which is no failure. */
static void at_emptied(struct engine *eng, uint64_t changes) {
    struct forks *f = eng->forks;
    f->state.emptied++;
    f->state.emptied_dirty = eng->stats.dirty + changes;
    if (f->state.pid && f->options.expendable) kill(f->state.pid, SIGUSR1);
}

static void forget_prepared(struct forks *f) {
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
    f->prepared = false;
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

/* By enum fork_kind. */
static void (*const writers[])(struct fork_task *task) = {
    [FORK_RDB] = write_rdb_records, [FORK_COMMANDS] = aof_write_base
};

static void run_writer(struct fork_task *task, int kind) {
    FAULT("fork.writing");
    writers[kind](task);
    if (!task->report->error && FAULT_FAILS("fork.sync")) task->report->error = EIO;
    if (!task->report->error && fdatasync(task->fd)) task->report->error = errno;
    task->report->done = true;
}

/* The other mapping is for the worker alone. */
static void prepare_spare(void *ctx) {
    struct arena *a = &((struct engine *)ctx)->arena;
    UNPOISON(a->shared, arena_super(a)->size); /* what is free now need not be free then */
    munmap(a->private_, a->reserved);
    a->private_ = NULL;
}

static int obey(void *ctx, int fd) {
    struct engine *eng = ctx;
    struct sheet *sheet = eng->forks->sheet;
    const struct order *order = &sheet->order;
    struct fork_task task = { eng, fd, order->options, &sheet->report };
    fault_plan((struct str){ order->faults, strlen(order->faults) });
    eng->config = order->config;
    eng->now_ms = order->now_ms;
    eng->now_us = order->now_us;
    eng->lru_clock = order->lru_clock;
    run_writer(&task, order->kind);
    FAULT("fork.done");
    return task.report->error ? 1 : 0;
}

void engine_write(struct engine *eng, int kind, int fd, const struct fork_options *options,
                  struct fork_report *report) {
    struct fork_task task = { .eng = eng, .fd = fd, .options = *options, .report = report };
    *report = (struct fork_report){ .keys_total = keyspace_total(eng) };
    run_writer(&task, kind);
}

/* --- life --- */

struct forks *forks_new(struct engine *eng) {
    struct forks *f = calloc(1, sizeof *f);
    ASSERT(f);
    f->fd = -1;
    background_try();
    f->sheet =
        mmap(NULL, sizeof *f->sheet, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(f->sheet != MAP_FAILED);
    spare_init(&f->spare, &f->sheet->spare, &(struct spare_job){ prepare_spare, obey, eng });
    eng->hooks.instant = at_instant;
    eng->hooks.emptied = at_emptied;
    return f;
}

void forks_delete(struct forks *f) {
    if (!f) return;
    forget_prepared(f);
    spare_end(&f->spare);
    munmap(f->sheet, sizeof *f->sheet);
    free(f);
}

int engine_fork_ahead(struct engine *eng) {
    return spare_begin(&eng->forks->spare);
}

/* --- the instant --- */

static void write_order(struct engine *eng) {
    struct forks *f = eng->forks;
    struct order *order = &f->sheet->order;
    *order = (struct order){ .kind = f->kind,
                             .options = f->options,
                             .config = eng->config,
                             .now_ms = eng->now_ms,
                             .now_us = eng->now_us,
                             .lru_clock = eng->lru_clock };
    snprintf(order->faults, sizeof order->faults, "%s", fault_text());
    f->sheet->report = (struct fork_report){ .keys_total = keyspace_total(eng) };
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
    if (!arena_is_live(&eng->arena) || arena_super(&eng->arena)->guests) return EBUSY;
    int error = spare_begin(&f->spare);
    if (!error) error = log_up_to_here(eng);
    if (!error && FAULT_FAILS("fork.fork")) error = EAGAIN;
    if (error) return error;
    uint64_t started = clock_monotonic_us();
    write_order(eng);
    pid_t pid = spare_send(&f->spare, f->fd);
    if (pid < 0) return -pid;
    freeze_begin(&eng->arena);
    f->state.pid = pid;
    background_watch(&f->share, pid);
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

void engine_fork_report(const struct engine *eng, struct fork_report *out) {
    *out = eng->forks->sheet->report;
}

bool engine_fork_ended(struct engine *eng, uint64_t budget_us) {
    eng->forks->state.pid = 0;
    return freeze_thaw(&eng->arena, budget_us);
}

uint64_t forks_cron(struct engine *eng, uint64_t budget_us) {
    struct forks *f = eng->forks;
    pid_t child = f->state.pid;
    if (child) background_check(&f->share, child, park_is_urgent(&eng->arena));
    if (f->spare.group && !child) spare_begin(&f->spare); /* in place of one that was killed */
    if (!freeze_prepare(&eng->arena, budget_us)) return 0;
    return child ? BACKGROUND_MS : UINT64_MAX;
}
