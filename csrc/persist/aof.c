/* aof.c - the append-only file: encoding into the buffer, writing, when to sync.
 *
 * `written` and `synced` count bytes since the log was opened, over all its files, so that a sync
 * that ends after a switch of files still says something.
 */
#include "persist/aof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "db/clock.h"
#include "db/latency.h"
#include "mem/fault.h"
#include "mem/number.h"
#include "mem/share.h"
#include "mem/wire.h"
#include "persist/aof_sync.h"

#define BUFFER_FIRST ((size_t)64 * 1024)
#define BUFFER_KEEP ((size_t)4 << 20) /* a larger buffer is not kept when it is empty */
#define SYNC_EVERY_US 1000000u
#define POSTPONE_US 2000000u /* a write waits so long for a sync that is running */
#define SAY_AGAIN_US 30000000u

struct aof {
    struct engine *eng;
    struct aof_sync *sync;
    int fd;     /* -1: not open */
    int old_fd; /* the file before, not synced yet; -1: it is */
    int write_error;
    uint64_t seq, size;
    char *buf;
    size_t n, cap;
    bool shut;      /* other workers do not read here: what is there is not on disk */
    int db;         /* of the last SELECT in this file; -1: none */
    uint64_t ts_s;  /* of the last #TS line */
    size_t part_at; /* where the part that is being logged begins */
    size_t part_body;
    int part_db; /* `db` before it */
    bool in_part;
    struct aof_part part;
    uint64_t written, synced;
    uint64_t asked_us;     /* when a sync was begun last */
    uint64_t postponed_us; /* since when the write waits; 0: it does not */
    uint64_t delayed, said_us;
    int next_fd; /* for aof_instant; -1: none */
    uint64_t next_seq, next_size;
    char next_note[AOF_NOTE_MAX];
};

struct aof *aof_new(struct engine *eng) {
    struct aof *aof = calloc(1, sizeof *aof);
    ASSERT(aof);
    aof->eng = eng;
    aof->sync = aof_sync_new();
    aof->fd = aof->old_fd = aof->next_fd = -1;
    return aof;
}

static void forget_old(struct aof *aof) {
    if (aof->old_fd >= 0) close(aof->old_fd);
    aof->old_fd = -1;
}

void aof_delete(struct aof *aof) {
    if (!aof) return;
    aof_sync_delete(aof->sync);
    forget_old(aof);
    if (aof->fd >= 0) close(aof->fd);
    if (aof->next_fd >= 0) close(aof->next_fd);
    free(aof->buf);
    free(aof);
}

bool aof_is_open(const struct aof *aof) {
    return aof->fd >= 0;
}

bool aof_is_written(const struct aof *aof) {
    return !aof->n;
}

/* --- the buffer --- */

static char *reserve(struct aof *aof, size_t more) {
    if (UNLIKELY(aof->cap - aof->n < more)) {
        size_t cap = aof->cap ? aof->cap : BUFFER_FIRST;
        while (cap - aof->n < more) cap *= 2;
        aof->buf = realloc(aof->buf, cap);
        ASSERT(aof->buf);
        aof->cap = cap;
    }
    return aof->buf + aof->n;
}

/* Nothing that tells of a change leaves before the change is logged. Others read this arena without
 * a word, so they are kept out as long as `always` promises that what is seen is on disk. */
static void set_unlogged(struct aof *aof, bool on) {
    struct engine *eng = aof->eng;
    bool shut = on && eng->config.appendfsync == AOF_FSYNC_ALWAYS;
    eng->unlogged = on;
    if (LIKELY(shut == aof->shut)) return;
    aof->shut = shut;
    if (shut)
        share_shut(&eng->arena, SHARE_LOGGING);
    else
        share_open(&eng->arena, SHARE_LOGGING);
}

static void note_growth(struct aof *aof) {
    if (!aof->eng->unlogged) set_unlogged(aof, true);
    arena_super(&aof->eng->arena)->aof_ahead = aof->n;
}

static void put_command(struct aof *aof, int argc, const struct str *argv) {
    size_t most = WIRE_HEAD;
    for (int i = 0; i < argc; i++) most += argv[i].n + WIRE_HEAD;
    char *p = wire_head(reserve(aof, most), '*', (size_t)argc);
    for (int i = 0; i < argc; i++) p = wire_bulk(p, argv[i]);
    aof->n = (size_t)(p - aof->buf);
}

static void put_line(struct aof *aof, const char *format, va_list args) {
    char text[200];
    int n = vsnprintf(text, sizeof text, format, args);
    ASSERT(n >= 0 && n < (int)sizeof text);
    char *p = reserve(aof, (size_t)n + 3);
    *p = '#';
    memcpy(p + 1, text, (size_t)n);
    memcpy(p + 1 + n, "\r\n", 2);
    aof->n += (size_t)n + 3;
}

static void put_linef(struct aof *aof, const char *format, ...) {
    va_list args;
    va_start(args, format);
    put_line(aof, format, args);
    va_end(args);
}

void aof_note(struct aof *aof, const char *format, ...) {
    if (aof->fd < 0) return;
    va_list args;
    va_start(args, format);
    put_line(aof, format, args);
    va_end(args);
    note_growth(aof);
}

static void put_timestamp(struct aof *aof) {
    uint64_t now_s = aof->eng->now_ms / 1000;
    if (!aof->eng->config.aof_timestamp_enabled || now_s == aof->ts_s) return;
    aof->ts_s = now_s;
    put_linef(aof, "TS:%llu", (unsigned long long)now_s);
}

static void put_select(struct aof *aof, int db) {
    char text[24];
    struct str argv[2] = { STR("SELECT"), { text, i64_to_text(text, db) } };
    put_command(aof, 2, argv);
    aof->db = db;
}

/* The propagation hook. */
static void append(struct aof *aof, int db, int argc, const struct str *argv) {
    bool bracket = argc == 1 && (str_is(argv[0], "MULTI") || str_is(argv[0], "EXEC"));
    if (aof->in_part && bracket) return; /* it is inside of a pair already */
    if (!aof->in_part) put_timestamp(aof);
    if (UNLIKELY(db != aof->db)) put_select(aof, db);
    put_command(aof, argc, argv);
    note_growth(aof);
}

/* --- parts --- */

static void put_part(struct aof *aof, const char *how) {
    const struct aof_part *p = &aof->part;
    put_linef(aof, "TXN %llx-%llu-%llx %d/%d%s", (unsigned long long)p->life,
              (unsigned long long)p->position, (unsigned long long)p->owners, p->part, p->parts,
              how);
}

void aof_begin_part(struct aof *aof, const struct aof_part *part) {
    struct str multi = STR("MULTI");
    if (aof->fd < 0) return;
    put_timestamp(aof);
    aof->part = *part;
    aof->part_at = aof->n;
    aof->part_db = aof->db;
    put_part(aof, "");
    put_command(aof, 1, &multi);
    aof->part_body = aof->n;
    aof->in_part = true;
}

void aof_end_part(struct aof *aof) {
    struct str exec = STR("EXEC");
    if (!aof->in_part) return;
    aof->in_part = false;
    if (aof->n == aof->part_body) {
        aof->n = aof->part_at;
        aof->db = aof->part_db;
        put_part(aof, " empty");
    } else {
        put_command(aof, 1, &exec);
    }
    note_growth(aof);
}

/* --- writing --- */

static void say_error(struct aof *aof, uint64_t now_us, ssize_t taken, int error) {
    if (aof->write_error == error && now_us - aof->said_us < SAY_AGAIN_US) return;
    aof->said_us = now_us;
    if (taken < 0)
        engine_say(aof->eng, SAY_WARNING, "Error writing to the AOF file: %s", strerror(error));
    else
        engine_say(aof->eng, SAY_WARNING,
                   "Short write while writing to the AOF file: (nwritten=%lld, expected=%lld)",
                   (long long)taken, (long long)aof->n);
}

/* With `always` a promise would be broken by going on. */
static void give_up(const struct aof *aof, const char *what, int error) {
    engine_say(aof->eng, SAY_WARNING,
               "Can't %s error when the AOF fsync policy is 'always': %s. Exiting...", what,
               strerror(error));
    _exit(EXIT_GAVE_UP);
}

/* Writes are refused as long as the log cannot be written or synced. */
static void set_write_error(struct aof *aof, int error) {
    bool solved = aof->write_error && !error;
    aof->write_error = error;
    aof->eng->log_error = error ? error : aof_sync_errno(aof->sync);
    if (solved)
        engine_say(aof->eng, SAY_WARNING,
                   "AOF write error looks solved. The server can write again.");
}

static void free_large_buffer(struct aof *aof) {
    if (aof->cap <= BUFFER_KEEP) return;
    free(aof->buf);
    aof->buf = NULL;
    aof->cap = 0;
}

/* What waits in the buffer is in the file, or never will be. */
static void tell_logged(const struct aof *aof) {
    if (aof->eng->hooks.logged) aof->eng->hooks.logged(aof->eng);
}

/* Bytes out of the buffer are in the file. */
static void note_written(struct aof *aof, size_t n) {
    struct arena_super *super = arena_super(&aof->eng->arena);
    memmove(aof->buf, aof->buf + n, aof->n - n);
    aof->n -= n;
    aof->size += n;
    aof->written += n;
    super->aof_position = aof->size;
    super->aof_ahead = aof->n;
    if (aof->n) return;
    free_large_buffer(aof);
    tell_logged(aof);
}

/* A part of the buffer was written: takes it back, or keeps it when that fails. */
static void undo_short(struct aof *aof, size_t taken) {
    if (!taken || !ftruncate(aof->fd, (off_t)aof->size)) return;
    engine_say(aof->eng, SAY_WARNING,
               "Could not remove short write from the append-only file. The server may refuse to "
               "load the AOF the next time it starts: %s",
               strerror(errno));
    note_written(aof, taken);
}

static ssize_t write_some(const struct aof *aof, const char *p, size_t n) {
    if (FAULT_FAILS("aof.write")) {
        errno = ENOSPC;
        return -1;
    }
    if (FAULT_FAILS("aof.short_write") && n > 1) n /= 2;
    return write(aof->fd, p, n);
}

/* A write may be slow because of a sync or of a child that writes too. */
static void note_slow_write(struct aof *aof, uint64_t usec) {
    struct engine *eng = aof->eng;
    if (LIKELY(eng->config.latency_monitor_threshold <= 0)) return;
    bool child = eng->arena.freeze.phase == ARENA_FROZEN;
    latency_note(eng, "aof-write", usec);
    if (aof_sync_busy(aof->sync))
        latency_note(eng, "aof-write-pending-fsync", usec);
    else
        latency_note(eng, child ? "aof-write-active-child" : "aof-write-alone", usec);
}

static int write_out(struct aof *aof, uint64_t now_us) {
    size_t done = 0;
    FAULT("aof.before_write");
    if (UNLIKELY(aof->eng->config.aof_flush_sleep_us))
        usleep((useconds_t)aof->eng->config.aof_flush_sleep_us);
    while (done < aof->n) {
        ssize_t n = write_some(aof, aof->buf + done, aof->n - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            int error = n < 0 ? errno : ENOSPC;
            say_error(aof, now_us, done ? (ssize_t)done : -1, error);
            undo_short(aof, done);
            if (aof->eng->config.appendfsync == AOF_FSYNC_ALWAYS)
                give_up(aof, "recover from AOF write", error);
            set_write_error(aof, error);
            return error;
        }
        done += (size_t)n;
    }
    FAULT("aof.written");
    note_written(aof, done);
    note_slow_write(aof, clock_monotonic_us() - now_us);
    if (UNLIKELY(aof->write_error)) set_write_error(aof, 0);
    return 0;
}

/* --- syncing --- */

static void sync_now(struct aof *aof) {
    uint64_t start_us = clock_monotonic_us();
    int error = aof->old_fd < 0 ? 0 : aof_sync_file(aof->old_fd);
    if (!error) error = aof_sync_file(aof->fd);
    if (error) give_up(aof, "persist AOF for fsync", error);
    latency_note(aof->eng, "aof-fsync-always", clock_monotonic_us() - start_us);
    forget_old(aof);
    aof->synced = aof->written;
}

static uint64_t synced(const struct aof *aof) {
    uint64_t done = aof_sync_done(aof->sync);
    return done > aof->synced ? done : aof->synced;
}

static void sync_soon(struct aof *aof, uint64_t now_us) {
    if (aof->eng->config.aof_no_fsync || synced(aof) == aof->written) return;
    if (now_us - aof->asked_us < SYNC_EVERY_US) return;
    if (!aof_sync_begin(aof->sync, aof->old_fd, aof->fd, aof->written)) return;
    aof->asked_us = now_us;
    if (!aof_sync_errno(aof->sync)) forget_old(aof);
}

/* True: the write is to wait, since a sync is running and would make it wait anyway. */
static bool postpone(struct aof *aof, uint64_t now_us) {
    if (aof->eng->config.appendfsync != AOF_FSYNC_EVERYSEC || !aof_sync_busy(aof->sync)) {
        aof->postponed_us = 0;
        return false;
    }
    if (!aof->postponed_us) aof->postponed_us = now_us;
    if (now_us - aof->postponed_us < POSTPONE_US) return true;
    aof->postponed_us = 0;
    aof->delayed++;
    engine_say(aof->eng, SAY_NOTICE,
               "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer "
               "without waiting for fsync to complete, this may slow down the server.");
    return false;
}

static void sync_by_policy(struct aof *aof, uint64_t now_us) {
    int64_t policy = aof->eng->config.appendfsync;
    if (policy == AOF_FSYNC_ALWAYS && aof->synced != aof->written && !aof->eng->config.aof_no_fsync)
        sync_now(aof);
    else if (policy == AOF_FSYNC_EVERYSEC)
        sync_soon(aof, now_us);
}

void aof_end_turn(struct aof *aof) {
    uint64_t now_us = clock_monotonic_us();
    if (aof->fd >= 0) {
        if (aof->n && !postpone(aof, now_us)) write_out(aof, now_us);
        sync_by_policy(aof, now_us);
    }
    set_unlogged(aof, false);
}

void aof_tick(struct aof *aof) {
    if (aof->fd < 0) return;
    int error = aof_sync_errno(aof->sync);
    if (error && !aof->eng->log_error)
        engine_say(aof->eng, SAY_WARNING, "Fail to fsync the AOF file: %s", strerror(error));
    set_write_error(aof, aof->write_error);
    if (aof->n || aof->written != synced(aof)) aof_end_turn(aof);
}

int aof_flush(struct aof *aof) {
    set_unlogged(aof, false);
    if (aof->fd < 0 || !aof->n) return 0;
    return write_out(aof, clock_monotonic_us());
}

/* --- files --- */

static void begin_file(struct aof *aof, int fd, uint64_t seq, uint64_t size) {
    struct arena_super *super = arena_super(&aof->eng->arena);
    forget_old(aof);
    aof->old_fd = aof->fd;
    aof->fd = fd;
    aof->seq = super->aof_seq = seq;
    aof->size = super->aof_position = size;
    super->aof_ahead = aof->n;
    aof->db = -1;
    aof->ts_s = 0;
    aof->eng->hooks.log = append;
}

/* What is in the buffer belongs to the present file. */
static int finish_file(struct aof *aof) {
    int error = aof_flush(aof);
    if (error) return error;
    if (aof->fd < 0) return 0;
    aof_sync_wait(aof->sync);
    aof->postponed_us = 0;
    if (synced(aof) != aof->written) {
        error = aof->old_fd < 0 ? 0 : aof_sync_file(aof->old_fd);
        if (!error) error = aof_sync_file(aof->fd);
    }
    if (!error) aof->synced = aof->written;
    return error;
}

int aof_open(struct aof *aof, int fd, uint64_t seq, uint64_t size) {
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) return errno;
    int error = finish_file(aof);
    if (error) {
        close(own);
        return error;
    }
    begin_file(aof, own, seq, size);
    return 0;
}

int aof_prepare(struct aof *aof, int fd, uint64_t seq, uint64_t size, const char *note) {
    if (aof->next_fd >= 0) close(aof->next_fd);
    aof->next_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    aof->next_seq = seq;
    aof->next_size = size;
    snprintf(aof->next_note, sizeof aof->next_note, "%s", note);
    return fd >= 0 && aof->next_fd < 0 ? errno : 0;
}

/* The present file is not synced here, in the middle of a fork: that comes with the next sync. What
 * is logged next names its database: a recovery may begin here, with the frozen arena. */
int aof_instant(struct aof *aof) {
    aof->db = -1;
    if (aof->next_fd < 0) return 0;
    int error = aof_flush(aof);
    if (error) return error;
    begin_file(aof, aof->next_fd, aof->next_seq, aof->next_size);
    aof->next_fd = -1;
    if (aof->next_note[0]) aof_note(aof, "%s", aof->next_note);
    return 0;
}

int aof_close(struct aof *aof) {
    int error = finish_file(aof);
    aof->eng->hooks.log = NULL;
    aof->eng->log_error = 0;
    set_unlogged(aof, false);
    aof->n = 0;
    forget_old(aof);
    if (aof->fd >= 0) close(aof->fd);
    aof->fd = -1;
    tell_logged(aof);
    return error;
}

void aof_forget(struct aof *aof) {
    struct arena_super *super = arena_super(&aof->eng->arena);
    super->aof_seq = super->aof_position = super->aof_ahead = 0;
}

void aof_info(const struct aof *aof, struct aof_info *out) {
    const struct arena_super *super = arena_super(&aof->eng->arena);
    *out = (struct aof_info){ .open = aof->fd >= 0,
                              .seq = aof->seq,
                              .size = aof->size,
                              .written = aof->written,
                              .synced = synced(aof),
                              .buffered = aof->n,
                              .delayed_fsyncs = aof->delayed,
                              .write_errno = aof->write_error,
                              .fsync_errno = aof_sync_errno(aof->sync),
                              .fsync_pending = aof_sync_busy(aof->sync),
                              .arena_seq = super->aof_seq,
                              .arena_position = super->aof_position,
                              .arena_ahead = super->aof_ahead };
}
