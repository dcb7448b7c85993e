/* feed.c - feeding a session: parse, execute, send. */
#include "net/feed.h"

#include "db/clock.h"
#include "net/access.h"
#include "net/block.h"
#include "net/busy.h"
#include "net/dispatch.h"
#include "net/hub.h"
#include "net/lookahead.h"
#include "net/monitor.h"
#include "net/multi.h"
#include "net/peek.h"
#include "net/pubsub.h"
#include "net/remote.h"
#include "net/send.h"
#include "net/tracking.h"
#include "net/turn.h"

#define FLUSH_BYTES ((size_t)256 * 1024) /* replies are sent when this much has gathered */

/* --- executing --- */

static bool paused(const struct session *s, const struct command_row *row) {
    const struct hub *hub = s->eng->hub;
    if (LIKELY(hub->pause_until_ms <= s->eng->now_ms)) return false;
    if (!hub->pause_writes_only) return true;
    bool exec = multi_is_open(s) && multi_is_exec(row);
    uint32_t effects = exec ? s->multi->effects : dispatch_effects(row);
    return effects & (CMD_WRITE | CMD_MAY_REPLICATE);
}

void session_mute(struct session *s, size_t mark) {
    if (LIKELY(!(s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP)))) return;
    struct reply *r = &s->eng->hub->reply;
    bool push = r->n > mark && r->p[mark] == '>'; /* a confirmed subscription, in RESP3 */
    if (!push) {
        r->n = mark;
        r->borrowed = (struct str){ NULL, 0 };
    }
    s->flags &= ~(uint32_t)SESSION_REPLY_SKIP;
}

/* False: it has to be executed once more, elsewhere. */
static bool run_command(struct session *s, struct feed *f, struct command_row *row, int db) {
    struct call c = { .eng = s->eng,
                      .out = &s->eng->hub->reply,
                      .cmd = &row->cmd,
                      .session = s,
                      .fieldsets = &s->fieldsets,
                      .argc = f->parser->argc,
                      .argv = f->parser->argv,
                      .db = db,
                      .no_touch = s->flags & SESSION_NO_TOUCH,
                      .reader = tracking_reader(s),
                      .may_block = true };
    f->clock_ns = dispatch_run(&c, row, f->clock_ns);
    if (UNLIKELY(c.wish.wanted)) block_session(s, &c);
    block_after(s->eng);
    return LIKELY(!c.again);
}

static void run_on_copy(struct session *s, struct feed *f, struct command_row *row) {
    peek_begin(s->eng->remote);
    run_command(s, f, row, 0);
    peek_end(s->eng->remote);
}

/* Monitors hear of it; of EXEC when it is over. */
static void note_done(const struct session *s, const struct feed *f,
                      const struct command_row *row) {
    if (multi_is_exec(row) && multi_is_executing(s)) return;
    monitor_note(s, row, f->parser->argc, f->parser->argv, MONITOR_AFTER);
}

/* Executes a command, or has it executed; false when the feed must stop at it. */
static bool carry_out(struct session *s, struct feed *f, struct command_row *row) {
    struct remote *remote = s->eng->remote;
    size_t mark = s->eng->hub->reply.n;
    if (!row->cmd.fn) {
        const bool keeps = row->cmd.flags & (CMD_WRITE | CMD_DENYOOM);
        if (keeps && !dispatch_admit(s->eng, row, &s->eng->hub->reply)) return true;
        if (UNLIKELY(s->chain != NULL))
            s->commands--; /* it comes once more */
        else
            f->outcome |= FEED_CALL;
        return false;
    }
    enum remote_verdict where = REMOTE_HERE;
    if (UNLIKELY(s->multi != NULL) && multi_is_exec(row))
        memcpy(s->multi->word, f->parser->argv[0].p, sizeof s->multi->word);
    if (UNLIKELY(remote)) where = remote_route(remote, s, row, f->parser->argc, f->parser->argv);
    if (where == REMOTE_HERE && UNLIKELY(multi_is_exec(row))) {
        multi_exec(s, &s->eng->hub->reply);
        if (!multi_is_running(s)) note_done(s, f, row);
        return true;
    }
    if (where != REMOTE_BARRED && where != REMOTE_WAIT)
        monitor_note(s, row, f->parser->argc, f->parser->argv, MONITOR_BEFORE);
    bool admitted = where != REMOTE_HERE || dispatch_admit(s->eng, row, &s->eng->hub->reply);
    bool again = where == REMOTE_HERE && admitted && !run_command(s, f, row, s->db);
    if (UNLIKELY(again)) {
        s->eng->hub->reply.n = mark;
        where = remote_route(remote, s, row, f->parser->argc, f->parser->argv);
    }
    if (UNLIKELY(where == REMOTE_BUSY))
        dispatch_refuse(s->eng, row, &s->eng->hub->reply, BUSY_ERROR);
    if (where == REMOTE_COPIED) run_on_copy(s, f, row);
    if (where != REMOTE_BARRED && where != REMOTE_WAIT) {
        if (admitted) note_done(s, f, row);
        return true;
    }
    s->commands--; /* it comes once more */
    if (where == REMOTE_WAIT) f->outcome |= FEED_WAITING;
    return false;
}

/* A browser that was talked into posting to us would have its body executed as commands. */
static bool is_http(struct str name) {
    return str_is(name, "POST") || str_is(name, "HOST:");
}

static void refuse_http(struct session *s) {
    struct reply *r = &s->eng->hub->reply;
    r->n = 0; /* the replies to what came before it in the same bytes, too */
    r->borrowed = (struct str){ NULL, 0 };
    s->flags |= SESSION_CLOSING | SESSION_HTTP;
}

/* Of a monitor; what a subscriber may not do either is refused with that error. */
static bool may_watch(struct session *s, struct command_row *row, struct reply *out) {
    return session_is_subscribed(s) || monitor_allows(s, row, out);
}

/* One parsed command; false when the feed must stop at it (*f says why). */
static bool execute(struct session *s, struct feed *f) {
    struct engine *eng = s->eng;
    struct reply *out = &eng->hub->reply;
    size_t mark = out->n;
    if (UNLIKELY(s->barrier)) return false;
    struct command_row *row = dispatch_resolve_typed(eng, f->parser->argc, f->parser->argv, out);
    if (row && UNLIKELY(paused(s, row))) {
        f->outcome |= FEED_WAITING;
        return false;
    }
    if (UNLIKELY(!row) && is_http(f->parser->argv[0])) refuse_http(s);
    s->commands++;
    s->last_command = row ? row->index : -1;
    bool may = row && access_allow(s, row, f->parser->argc, f->parser->argv, out);
    if (may && UNLIKELY(eng->hub->busy)) may = busy_allows(eng, row, out);
    if (may && UNLIKELY(s->flags & SESSION_MONITOR)) may = may_watch(s, row, out);
    if (UNLIKELY(!may)) multi_refused(s, f->parser->argv[0]);
    if (may && UNLIKELY(s->subscriber != NULL)) may = pubsub_allows(s, row, out);
    bool queued =
        may && multi_is_open(s) && multi_take(s, row, f->parser->argc, f->parser->argv, out);
    if (may && !queued && !carry_out(s, f, row)) return false;
    if (UNLIKELY(s->tracking != NULL)) tracking_after(s, row);
    session_mute(s, mark);
    send_take_pushes(s);
    if (UNLIKELY(out->borrowed.p || out->n > FLUSH_BYTES)) send_reply(s);
    return true;
}

static void protocol_error(struct session *s, const char *line) {
    struct reply *out = &s->eng->hub->reply;
    size_t mark = out->n;
    reply_error(out, line);
    dispatch_count_error(s->eng, out->p + mark, out->n - mark);
    s->flags |= SESSION_CLOSING;
}

/* The commands of a transaction, from where it is; false when one of Python is next. */
static bool run_transaction(struct session *s, struct feed *f) {
    if (multi_run(s, &s->eng->hub->reply, &f->clock_ns)) {
        block_after(s->eng);
        send_take_pushes(s);
        return true;
    }
    f->outcome |= FEED_CALL;
    return false;
}

/* More commands follow the one that was parsed: their keys are loaded together. */
static void look_ahead(struct session *s, struct feed *f) {
    f->ahead = f->n;
    if (!keyspace_is_large(s->eng, s->db)) return;
    size_t seen = lookahead_requests(s->eng, s->db, f->p + f->start, f->n - f->start);
    if (seen) f->ahead = f->start + seen;
}

/* Parses and executes until the input is used up or something stops it. */
static void execute_all(struct session *s, struct feed *f) {
    char error[128];
    struct resp_limits limits = { .bulk_max = s->eng->config.proto_max_bulk_len };
    if (UNLIKELY(s->multi != NULL) && !s->barrier) {
        multi_settle(s, &s->eng->hub->reply);
        send_take_pushes(s);
    }
    if (multi_is_running(s) && !run_transaction(s, f)) return;
    while (f->start < f->n && !(s->flags & SESSION_CLOSING)) {
        if (send_is_behind(s)) {
            s->again = true;
            if (!s->watched) f->outcome |= FEED_AGAIN;
            return;
        }
        limits.authenticated = s->flags & SESSION_AUTHENTICATED;
        enum resp_result r =
            resp_parse(f->parser, &limits, f->p + f->start, f->n - f->start, error);
        if (r == RESP_MORE) return;
        if (r == RESP_BAD) {
            protocol_error(s, error);
            return;
        }
        if (f->start >= f->ahead && f->start + f->parser->pos < f->n) look_ahead(s, f);
        if (f->parser->argc && !execute(s, f)) return;
        f->start += f->parser->pos;
        resp_reset(f->parser);
        if (multi_is_running(s) && !run_transaction(s, f)) return;
    }
}

/* --- one feed --- */

static void open_feed(struct session *s, struct feed *f, size_t n) {
    struct hub *hub = s->eng->hub;
    if (s->stash) {
        s->stash->n += n;
        *f = (struct feed){ .p = s->stash->p,
                            .start = s->stash->start,
                            .n = s->stash->n,
                            .parser = &s->stash->parser };
    } else {
        *f = (struct feed){ .p = hub->input, .n = n, .parser = &hub->parser };
        resp_reset(f->parser);
    }
    hub->reply.resp = s->resp;
    if (!n) f->ahead = f->n; /* waited: has been looked at */
    f->clock_ns = clock_duration_ns();
    engine_tick_clock(s->eng);
    if (UNLIKELY(s->eng->remote) && s->eng->config.maxmemory) remote_share_memory(s->eng->remote);
    activity_move(&s->eng->hub->activity, s->last_ms, s->eng->now_ms);
    s->last_ms = s->eng->now_ms;
    s->net_in += n;
    s->eng->stats.net_in += n;
    s->reads += n > 0;
    s->eng->stats.reads += n > 0;
}

static void close_feed(struct session *s, struct feed *f) {
    bool closing = s->flags & SESSION_CLOSING;
    if (f->start < f->n && (!closing || s->calling)) {
        stash_keep(s, f);
    } else if (s->stash) {
        stash_drop(s);
        f->outcome |= FEED_BUFFER;
    }
    if (s->stash) f->outcome |= FEED_BUFFER;
    f->outcome |= send_out(s);
    int64_t limit = s->eng->config.client_query_buffer_limit;
    if (s->stash && limit && s->stash->n > (uint64_t)limit)
        s->flags |= SESSION_CLOSING | SESSION_INPUT_FULL;
    bool sent = !output_has_slots(&s->out) && !s->touched;
    if (s->flags & SESSION_CLOSING && sent) f->outcome |= FEED_CLOSE;
    if (turn_announce(s->eng)) f->outcome |= FEED_TURN;
    if (session_home(s) >= 0) f->outcome |= FEED_MOVE;
}

int session_feed(struct session *s, size_t n) {
    struct feed f;
    s->again = false;
    s->eng->hub->current = s;
    open_feed(s, &f, n);
    if (s->calling)
        f.outcome |= FEED_WAITING;
    else
        execute_all(s, &f);
    if (f.outcome & FEED_CALL) s->calling = true;
    s->eng->hub->current = NULL;
    close_feed(s, &f);
    return f.outcome;
}
