/* pycall.c - commands of Python: the feed stops at one, its reply comes later by core_session.h. */
#include "net/block.h"
#include "net/dispatch.h"
#include "net/hotkeys.h"
#include "net/monitor.h"
#include "net/multi.h"
#include "net/session.h"
#include "net/tracking.h"
#include "net/turn.h"

/* The arguments of the command of Python that is being executed. */
static int called(const struct session *s, const struct str **argv) {
    if (multi_is_running(s) || multi_is_calling(s)) {
        *argv = multi_current(s)->argv;
        return multi_current(s)->argc;
    }
    *argv = s->stash->parser.argv;
    return s->stash->parser.argc;
}

int session_argc(const struct session *s) {
    const struct str *argv;
    return s->calling ? called(s, &argv) : 0;
}

const char *session_argv(const struct session *s, int i, size_t *n) {
    const struct str *argv;
    ASSERT(s->calling && i >= 0 && i < called(s, &argv));
    called(s, &argv);
    *n = argv[i].n;
    return argv[i].p;
}

void session_suspend(struct session *s) {
    if (multi_is_running(s)) multi_suspend(s);
}

void session_wait(struct session *s, bool on) {
    if (s->waits != on) block_count_session(s->eng, on ? 1 : -1);
    s->waits = on;
}

uint64_t session_unsynced(const struct session *s) {
    return s->unsynced;
}

void session_synced(struct session *s, uint64_t workers) {
    s->unsynced &= ~workers;
}

int session_command(const struct session *s) {
    return s->last_command;
}

static void append_reply(struct session *s, const char *resp, size_t n) {
    bool silent = s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
    if (!silent) output_append(&s->out, resp, n);
    s->flags &= ~(uint32_t)SESSION_REPLY_SKIP;
    if (s->skip_next) s->flags |= SESSION_REPLY_SKIP;
    s->skip_next = false;
}

void session_reply(struct session *s, const char *resp, size_t n, uint64_t usec) {
    if (!s->calling) return;
    const struct command_row *row = registry_row(s->eng->registry, s->last_command);
    struct executed e = { .session = s, .row = row, .ns = usec * 1000u, .reply = { resp, n } };
    e.argc = called(s, &e.argv);
    if (UNLIKELY(s->eng->hotkeys != NULL)) e.bytes = hotkeys_request_bytes(e.argc, e.argv) + n;
    s->calling = false;
    dispatch_count(s->eng, &e);
    bool held = multi_is_calling(s);
    if (!held) append_reply(s, resp, n);
    if (!held) monitor_note(s, row, e.argc, e.argv, MONITOR_AFTER);
    if (held) {
        multi_called_held(s, resp, n);
    } else if (multi_is_running(s)) {
        multi_called(s, n);
    } else {
        s->stash->start += s->stash->parser.pos;
        resp_reset(&s->stash->parser);
    }
    if (s->tracking) tracking_after(s, row);
}

void session_answer(struct session *s, uint64_t slot, struct str resp, bool silent) {
    output_fill_slot(&s->out, slot, resp.p, silent ? 0 : resp.n);
    if (s->barrier == slot) {
        if (s->blocked_id) block_count_session(s->eng, -1);
        s->barrier = s->blocked_id = 0;
        s->resume = true;
    }
    turn_touch(s->eng, s);
}

bool session_unblock(struct session *s, bool error) {
    return block_end(s, error ? UNBLOCK_ERROR : UNBLOCK_TIMEOUT);
}
