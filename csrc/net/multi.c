/* multi.c - queueing, running and giving up transactions. */
#include "net/multi.h"

#include "cmd/call.h"
#include "db/batch.h"
#include "db/clock.h"
#include "mem/share.h"
#include "net/access.h"
#include "net/dispatch.h"
#include "net/hub.h"
#include "net/monitor.h"
#include "net/reach.h"
#include "net/tracking.h"
#include "net/watch.h"

static struct multi *multi_of(struct session *s) {
    if (!s->multi) {
        s->multi = calloc(1, sizeof *s->multi);
        ASSERT(s->multi);
    }
    return s->multi;
}

/* --- the queue --- */

/* One block: the argument vector and all bytes. */
static struct str *copy_arguments(int argc, const struct str *argv, size_t *bytes) {
    *bytes = (size_t)argc * sizeof *argv + words_bytes(argc, argv);
    struct str *copy = malloc(*bytes);
    ASSERT(copy);
    words_copy(copy, (char *)(copy + argc), argc, argv);
    return copy;
}

static void enqueue(struct multi *m, struct command_row *row, int argc, const struct str *argv) {
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 8;
        m->queue = realloc(m->queue, (size_t)m->cap * sizeof *m->queue);
        ASSERT(m->queue);
    }
    size_t bytes;
    m->queue[m->n] = (struct queued){ row, argc, copy_arguments(argc, argv, &bytes) };
    m->n++;
    m->bytes += bytes;
    m->flags |= row->cmd.flags;
    m->effects |= dispatch_effects(row);
}

/* Back to no transaction. */
static void forget_queue(struct multi *m) {
    multi_forget_held(m);
    for (int i = 0; i < m->n; i++) free(m->queue[i].argv);
    for (int i = 0; m->chunk && i < m->n; i++) free((char *)(uintptr_t)m->chunk[i].p);
    free(m->chunk);
    free(m->queue);
    *m = (struct multi){ .watched = m->watched, .watches = m->watches, .touched = m->touched };
}

void multi_free_detached(struct multi *m) {
    forget_queue(m);
    free(m);
}

static void unwatch(struct session *s) {
    struct multi *m = s->multi;
    if (s->eng->remote && m->watched) multi_unwatch_others(s);
    while (m->watched) {
        struct watched_key *k = m->watched;
        m->watched = k->next;
        watch_remove(s->eng, watcher_here(s), k->db, k->name);
        free(k);
    }
    if (m->watches) watch_count_session(s->eng, -1);
    m->watches = 0;
    m->touched = false;
}

void multi_suspend(struct session *s) {
    struct multi *m = s->multi;
    if (m->batched) batch_end(s->eng);
    m->batched = false;
}

/* What came while EXEC waited or ran follows its reply. */
static void release_pushes(struct session *s) {
    struct reply pushes = s->multi->pushes;
    s->multi->pushes = (struct reply){ .n = 0 };
    if (s->eng->hub->current == s) reply_raw(&s->eng->hub->pushes, pushes.p, pushes.n);
    free(pushes.p);
}

void multi_end(struct session *s) {
    multi_suspend(s);
    if (s->multi->pushes.n) release_pushes(s);
    forget_queue(s->multi);
    unwatch(s);
}

void multi_free(struct session *s) {
    if (!s->multi) return;
    multi_end(s);
    free(s->multi);
    s->multi = NULL;
}

size_t multi_memory(const struct session *s) {
    const struct multi *m = s->multi;
    return m ? sizeof *m + m->bytes + (size_t)m->cap * sizeof *m->queue : 0;
}

void multi_touch(struct session *s) {
    s->multi->touched = true;
}

/* A command was refused before it could be queued. */
static void spoil(struct session *s) {
    if (multi_is_open(s)) s->multi->aborted = true;
}

void multi_refused(struct session *s, struct str name) {
    if (multi_is_open(s) && str_is(name, "EXEC"))
        multi_end(s);
    else
        spoil(s);
}

/* --- commands --- */

static void cmd_multi(struct call *c) {
    if (!call_has_session(c)) return;
    struct multi *m = multi_of(c->session);
    if (m->open)
        reply_error(c->out, "ERR MULTI calls can not be nested");
    else
        reply_ok(c->out);
    m->open = true;
}

static void cmd_discard(struct call *c) {
    if (!call_has_session(c)) return;
    if (!multi_is_open(c->session)) {
        reply_error(c->out, "ERR DISCARD without MULTI");
        return;
    }
    multi_end(c->session);
    reply_ok(c->out);
}

static bool watches(const struct multi *m, int db, struct str name) {
    for (const struct watched_key *k = m->watched; k; k = k->next)
        if (k->db == db && str_eq(k->name, name)) return true;
    return false;
}

bool multi_watch(struct session *s, int db, struct str name) {
    struct multi *m = multi_of(s);
    struct key key;
    if (watches(m, db, name)) return false;
    struct watched_key *k = malloc(sizeof *k + name.n);
    ASSERT(k);
    char *copy = (char *)(k + 1);
    memcpy(copy, name.p, name.n);
    *k = (struct watched_key){ m->watched, db, { copy, name.n } };
    m->watched = k;
    if (!m->watches++) watch_count_session(s->eng, 1);
    key_find(s->eng, db, name, KEY_PEEK, &key); /* one that has expired goes before, not after */
    watch_add(s->eng, watcher_here(s), db, k->name);
    return true;
}

static void cmd_watch(struct call *c) {
    if (!call_has_session(c)) return;
    if (multi_is_open(c->session)) {
        reply_error(c->out, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    for (int i = 1; i < c->argc; i++) multi_watch(c->session, c->db, c->argv[i]);
    reply_ok(c->out);
}

static void cmd_unwatch(struct call *c) {
    if (!call_has_session(c)) return;
    if (c->session->multi) unwatch(c->session);
    reply_ok(c->out);
}

/* Session.c calls multi_exec instead. */
static void cmd_exec(struct call *c) {
    reply_error(c->out, "ERR EXEC without MULTI");
}

#define TRANSACTION_FLAGS (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_ALLOW_BUSY | CMD_FAST)
static const struct command transaction_rows[] = {
    { "MULTI", 1, TRANSACTION_FLAGS, "transaction", cmd_multi, { { 0 } } },
    { "EXEC",
      1,
      CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_SKIP_SLOWLOG,
      "transaction",
      cmd_exec,
      { { 0 } } },
    { "DISCARD", 1, TRANSACTION_FLAGS, "transaction", cmd_discard, { { 0 } } },
    { "WATCH", -2, TRANSACTION_FLAGS, "transaction", cmd_watch, { KEYS(1, -1, 1, KF_RO) } },
    { "UNWATCH", 1, TRANSACTION_FLAGS, "transaction", cmd_unwatch, { { 0 } } },
};

void multi_register(struct registry *reg) {
    for (size_t i = 0; i < sizeof transaction_rows / sizeof *transaction_rows; i++)
        registry_add(reg, &transaction_rows[i], "transactions")->spread = SPREAD_SESSION;
}

bool multi_is_watch(const struct command_row *row) {
    return row->cmd.fn == cmd_watch;
}

bool multi_is_exec(const struct command_row *row) {
    return row->cmd.fn == cmd_exec;
}

/* --- between MULTI and EXEC --- */

/* Executed at once, not queued. */
static bool is_immediate(const struct command_row *row) {
    command_fn fn = row->cmd.fn;
    if (fn == cmd_exec || fn == cmd_discard || fn == cmd_multi || fn == cmd_watch) return true;
    return !strcmp(row->cmd.name, "QUIT") || !strcmp(row->cmd.name, "RESET");
}

bool multi_take(struct session *s, struct command_row *row, int argc, const struct str *argv,
                struct reply *out) {
    if (is_immediate(row)) return false;
    if (row->cmd.flags & CMD_NO_MULTI) {
        dispatch_refuse(s->eng, row, out, "ERR Command not allowed inside a transaction");
        spoil(s);
    } else if (!dispatch_admit(s->eng, row, out)) {
        spoil(s);
    } else {
        enqueue(s->multi, row, argc, argv);
        REPLY_RAW(out, "+QUEUED\r\n");
    }
    return true;
}

/* --- EXEC --- */

void multi_note_end(const struct session *s) {
    const struct str word = { s->multi->word, sizeof s->multi->word };
    const struct command_row *exec = registry_find(s->eng->registry, STR("EXEC"));
    monitor_note(s, exec, 1, &word, MONITOR_AFTER);
}

/* EXEC in the statistics. */
static struct command_row *count_exec(struct session *s, uint64_t usec, bool failed) {
    struct command_row *exec = registry_find(s->eng->registry, STR("EXEC"));
    registry_count_call(exec, usec, failed);
    s->eng->stats.commands++;
    s->last_command = exec->index;
    return exec;
}

/* An EXEC that ends with the error in `out` from `mark` on. */
static void count_failed(struct session *s, const struct reply *out, size_t mark) {
    count_exec(s, 0, true);
    dispatch_count_error(s->eng, out->p + mark, out->n - mark);
}

static void finish(struct session *s) {
    struct multi *m = s->multi;
    uint64_t usec = (clock_duration_ns() - m->started_ns) / 1000u;
    struct command_row *exec = count_exec(s, usec, false);
    multi_note_end(s);
    multi_end(s);
    if (s->tracking) tracking_after(s, exec);
}

void multi_expire_watched(struct session *s) {
    struct key key;
    for (const struct watched_key *k = s->multi->watched; k; k = k->next)
        key_find(s->eng, k->db, k->name, KEY_PEEK, &key);
}

void multi_start(struct session *s, struct reply *out) {
    struct multi *m = s->multi;
    size_t mark = out->n;
    reply_array(out, (size_t)m->n);
    m->replied = out->n - mark;
    m->open = false;
    m->running = true;
    m->at = 0;
    m->started_ns = clock_duration_ns();
    unwatch(s); /* what it changes itself does not count */
}

void multi_exec(struct session *s, struct reply *out) {
    struct multi *m = s->multi;
    size_t mark = out->n;
    if (!multi_is_open(s)) {
        reply_error(out, "ERR EXEC without MULTI");
        count_failed(s, out, mark);
        return;
    }
    multi_expire_watched(s);
    if (m->flags & CMD_DENYOOM && !dispatch_has_memory(s->eng)) {
        reply_errorf(out, "EXECABORT Transaction discarded because of: %s",
                     status_text(ST_MAXMEMORY));
        multi_end(s);
        count_failed(s, out, mark);
    } else if (m->aborted) {
        reply_error(out, "EXECABORT Transaction discarded because of previous errors.");
        multi_end(s);
        count_failed(s, out, mark);
    } else if (m->touched) {
        reply_null_array(out);
        multi_end(s);
        count_exec(s, 0, false);
    } else {
        multi_start(s, out);
    }
}

static void run_one(struct session *s, const struct queued *q, struct reply *out,
                    uint64_t *clock_ns) {
    struct call c = { .eng = s->eng,
                      .out = out,
                      .cmd = &q->row->cmd,
                      .session = s,
                      .fieldsets = &s->fieldsets,
                      .argc = q->argc,
                      .argv = q->argv,
                      .db = s->db,
                      .request = EXEC_BYTES + s->multi->replied,
                      .reader = tracking_reader(s),
                      .no_touch = s->flags & SESSION_NO_TOUCH };
    size_t mark = out->n;
    *clock_ns = dispatch_run(&c, q->row, *clock_ns);
    if (UNLIKELY(c.again)) {
        out->n = mark;
        reply_error(out, REACH_ERROR);
    }
    reply_settle(out);
}

/* Up to the end, or a command of Python. */
static void run_queue(struct session *s, struct reply *out, uint64_t *clock_ns) {
    struct multi *m = s->multi;
    for (; m->at < m->n; m->at++) {
        const struct queued *q = multi_current(s);
        s->commands++;
        s->last_command = q->row->index;
        size_t mark = out->n;
        if (m->chunk && m->chunk[m->at].p) {
            monitor_note(s, q->row, q->argc, q->argv, MONITOR_BEFORE);
            reply_raw(out, m->chunk[m->at].p, m->chunk[m->at].n);
        } else if (access_queued(s, q->row, q->argc, q->argv, out)) {
            if (!q->row->cmd.fn) return; /* of Python */
            monitor_note(s, q->row, q->argc, q->argv, MONITOR_BEFORE);
            run_one(s, q, out, clock_ns);
        }
        monitor_note(s, q->row, q->argc, q->argv, MONITOR_AFTER);
        m->replied += out->n - mark;
        session_mute(s, mark);
    }
}

bool multi_run(struct session *s, struct reply *out, uint64_t *clock_ns) {
    struct multi *m = s->multi;
    if (!m->batched) batch_begin(s->eng);
    m->batched = true;
    share_begin(&s->eng->arena);
    run_queue(s, out, clock_ns);
    share_end(&s->eng->arena);
    if (m->at < m->n) return false;
    finish(s);
    return true;
}

void multi_called(struct session *s, size_t n) {
    s->multi->at++;
    s->multi->replied += n;
}
