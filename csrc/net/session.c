/* session.c - feeding a session: parse, dispatch, send. */
#include "net/session.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "cmd/fieldset.h"
#include "db/clock.h"
#include "net/dispatch.h"
#include "net/block.h"
#include "net/hub.h"
#include "net/lookahead.h"
#include "net/multi.h"
#include "net/peek.h"
#include "net/poll.h"
#include "net/pubsub.h"
#include "net/remote.h"
#include "net/turn.h"

#define FLUSH_BYTES ((size_t)256 * 1024)       /* replies are sent when this much has gathered */
#define OUTPUT_HIGH ((size_t)64 * 1024 * 1024) /* no further command while this much is unsent */
#define STASH_STEP ((size_t)16 * 1024)
#define BULK_STEP                                                                                  \
    ((size_t)1 << 20) /* a declared bulk length is believed this far ahead of its bytes */

/* One feed: where the input is and how far it has been executed. */
struct feed {
    char *p;
    size_t start, n;
    size_t ahead; /* up to here keys are being loaded */
    struct resp_parser *parser;
    uint64_t clock_ns;
    int outcome;
};

struct session *session_new(struct engine *eng, int fd, uint64_t id) {
    struct session *s = calloc(1, sizeof *s);
    ASSERT(s);
    engine_tick_clock(eng);
    s->eng = eng;
    s->id = id;
    s->fd = fd;
    s->resp = 2;
    s->flags = eng->config.auth_required ? 0 : SESSION_AUTHENTICATED;
    s->last_command = -1;
    s->created_ms = s->last_ms = eng->now_ms;
    eng->hub->sessions++;
    eng->stats.connections++;
    return s;
}

static void drop_stash(struct session *s) {
    if (!s->stash) return;
    resp_free(&s->stash->parser);
    free(s->stash->p);
    free(s->stash);
    s->stash = NULL;
}

void session_delete(struct session *s) {
    session_unwatch(s);
    drop_stash(s);
    output_free(&s->out);
    session_drop_fieldsets(s);
    block_forget_session(s);
    pubsub_forget_session(s);
    multi_free(s);
    turn_forget(s->eng, s);
    remote_forget_session(s);
    free(s->peer);
    free(s->name);
    s->eng->hub->sessions--;
    free(s);
}

/* --- output --- */

static void note_sent(struct session *s, size_t n) {
    s->net_out += n;
    s->eng->stats.net_out += n;
    s->eng->stats.writes++;
}

/* The socket takes no more: goes on when it does. */
static void note_full(struct session *s) {
    if (!s->watched) return;
    s->queued = true;
    poll_choose(s);
}

/* Nothing may be sent before what it answers is in the log. */
static bool must_wait(const struct session *s) {
    return UNLIKELY(s->eng->unlogged);
}

/* Sends what it can of up to three pieces; returns the bytes taken. A broken connection takes all.
 */
static size_t send_pieces(struct session *s, struct iovec *iov, size_t count, size_t total) {
    if (s->fd < 0 || s->queued || output_ready(&s->out) || output_has_slots(&s->out)) return 0;
    if (must_wait(s)) return 0;
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = count };
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    ssize_t sent =
        count == 1 ? send(s->fd, iov->iov_base, iov->iov_len, flags) : sendmsg(s->fd, &msg, flags);
    if (sent < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
        s->flags |= SESSION_CLOSING;
        return total;
    }
    note_sent(s, (size_t)sent);
    return (size_t)sent;
}

/* Sends the gathered replies; queues what the socket does not take. Borrowed bytes are out of the
 * arena afterwards. */
static void flush_reply(struct session *s) {
    struct reply *r = &s->eng->hub->reply;
    if (!r->n) return;
    size_t cut = r->borrowed.p ? r->borrow_at : r->n;
    struct iovec iov[3] = { { r->p, cut },
                            { (void *)(uintptr_t)r->borrowed.p, r->borrowed.n },
                            { r->p + cut, r->n - cut } };
    size_t total = r->n + r->borrowed.n;
    size_t taken = send_pieces(s, iov, r->borrowed.p ? 3 : 1, total);
    for (int i = 0; i < 3 && taken < total; i++) {
        size_t skip = taken < iov[i].iov_len ? taken : iov[i].iov_len;
        output_append(&s->out, (char *)iov[i].iov_base + skip, iov[i].iov_len - skip);
        taken -= skip;
        total -= iov[i].iov_len;
    }
    r->n = 0;
    r->borrowed = (struct str){ NULL, 0 };
    if (!output_ready(&s->out)) return;
    if (must_wait(s))
        turn_touch(s->eng, s);
    else if (!s->queued)
        note_full(s);
}

/* The queue first, when the transport is free. */
static void flush_queue(struct session *s) {
    size_t n = output_ready(&s->out);
    if (!n || s->fd < 0 || s->queued) return;
    if (must_wait(s)) {
        turn_touch(s->eng, s);
        return;
    }
    ssize_t sent = send(s->fd, s->out.p + s->out.head, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        note_sent(s, (size_t)sent);
        output_consume(&s->out, (size_t)sent);
    }
    if (output_ready(&s->out)) note_full(s);
}

static bool too_much_unsent(const struct session *s) {
    return output_ready(&s->out) + s->out.waiting > OUTPUT_HIGH;
}

int session_flush(struct session *s) {
    flush_queue(s);
    int outcome = output_ready(&s->out) ? FEED_OUTPUT : 0;
    if (UNLIKELY(s->again) && s->watched && !too_much_unsent(s)) outcome |= session_feed(s, 0);
    if (UNLIKELY(s->again) && !s->watched) outcome |= FEED_AGAIN;
    if (s->flags & SESSION_CLOSING && !output_has_slots(&s->out)) outcome |= FEED_CLOSE;
    if (session_home(s) >= 0) outcome |= FEED_MOVE;
    return outcome;
}

const char *session_output(struct session *s, size_t *n) {
    *n = output_ready(&s->out);
    return s->out.p + s->out.head;
}

void session_output_done(struct session *s, bool drained) {
    size_t n = output_ready(&s->out);
    if (n) {
        note_sent(s, n);
        output_consume(&s->out, n);
    }
    s->queued = s->fd >= 0 && !drained;
}

/* --- executing --- */

static bool paused(const struct session *s, const struct command_row *row) {
    const struct hub *hub = s->eng->hub;
    if (LIKELY(hub->pause_until_ms <= s->eng->now_ms)) return false;
    if (row->cmd.flags & (CMD_ADMIN | CMD_NO_AUTH) || !strncmp(row->cmd.name, "CLIENT", 6))
        return false;
    uint32_t flags =
        row->cmd.flags | (multi_is_open(s) && multi_is_exec(row) ? s->multi->flags : 0);
    return !hub->pause_writes_only || flags & (CMD_WRITE | CMD_MAY_REPLICATE);
}

void session_mute(struct session *s, size_t mark) {
    if (LIKELY(!(s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP)))) return;
    struct reply *r = &s->eng->hub->reply;
    r->n = mark;
    r->borrowed = (struct str){ NULL, 0 };
    s->flags &= ~(uint32_t)SESSION_REPLY_SKIP;
}

static void run_command(struct session *s, struct feed *f, struct command_row *row, int db) {
    struct call c = { .eng = s->eng,
                      .out = &s->eng->hub->reply,
                      .cmd = &row->cmd,
                      .session = s,
                      .fieldsets = &s->fieldsets,
                      .argc = f->parser->argc,
                      .argv = f->parser->argv,
                      .db = db,
                      .no_touch = s->flags & SESSION_NO_TOUCH,
                      .may_block = true };
    f->clock_ns = dispatch_run(&c, row, f->clock_ns);
    if (UNLIKELY(c.wish.wanted)) block_session(s, &c);
    block_after(s->eng);
}

static void run_on_copy(struct session *s, struct feed *f, struct command_row *row) {
    peek_begin(s->eng->remote);
    run_command(s, f, row, 0);
    peek_end(s->eng->remote);
}

void session_push(struct session *s, const char *resp, size_t n) {
    struct hub *hub = s->eng->hub;
    if (multi_is_running(s)) {
        reply_raw(&s->multi->pushes, resp, n);
        return;
    }
    if (hub->current == s) {
        reply_raw(&hub->pushes, resp, n);
        return;
    }
    output_append(&s->out, resp, n);
    turn_touch(s->eng, s);
}

/* What was pushed to the session by its own command. */
static void take_pushes(struct session *s) {
    struct hub *hub = s->eng->hub;
    if (LIKELY(!hub->pushes.n) || multi_is_running(s)) return;
    reply_settle(&hub->reply);
    reply_raw(&hub->reply, hub->pushes.p, hub->pushes.n);
    hub->pushes.n = 0;
}

/* Executes a command, or has it executed; false when the feed must stop at it. */
static bool carry_out(struct session *s, struct feed *f, struct command_row *row) {
    struct remote *remote = s->eng->remote;
    if (!row->cmd.fn) {
        f->outcome |= FEED_CALL;
        return false;
    }
    enum remote_verdict where = REMOTE_HERE;
    if (UNLIKELY(remote)) where = remote_route(remote, s, row, f->parser->argc, f->parser->argv);
    if (where == REMOTE_HERE && UNLIKELY(multi_is_exec(row))) {
        multi_exec(s, &s->eng->hub->reply);
        return true;
    }
    if (where == REMOTE_HERE && dispatch_admit(s->eng, row, &s->eng->hub->reply))
        run_command(s, f, row, s->db);
    if (where == REMOTE_COPIED) run_on_copy(s, f, row);
    if (where != REMOTE_BARRED && where != REMOTE_WAIT) return true;
    s->commands--; /* it comes once more */
    if (where == REMOTE_WAIT) f->outcome |= FEED_WAITING;
    return false;
}

/* A browser that was talked into posting to us would have its body executed as commands. */
static bool is_http(struct str name) {
    return str_is(name, "POST") || str_is(name, "HOST:");
}

static void refuse_http(struct session *s, size_t mark) {
    s->eng->hub->reply.n = mark;
    s->flags |= SESSION_CLOSING | SESSION_HTTP;
}

/* One parsed command; false when the feed must stop at it (*f says why). */
static bool execute(struct session *s, struct feed *f) {
    struct engine *eng = s->eng;
    struct reply *out = &eng->hub->reply;
    size_t mark = out->n;
    if (UNLIKELY(s->barrier)) return false;
    struct command_row *row = dispatch_resolve(eng, f->parser->argc, f->parser->argv, out);
    if (row && UNLIKELY(paused(s, row))) {
        f->outcome |= FEED_WAITING;
        return false;
    }
    if (UNLIKELY(!row) && is_http(f->parser->argv[0])) refuse_http(s, mark);
    s->commands++;
    if (row) s->last_command = row->index;
    bool may = row && dispatch_allow(eng, row, s->flags & SESSION_AUTHENTICATED, out);
    if (UNLIKELY(!may)) multi_abort(s);
    if (may && UNLIKELY(s->subscriber != NULL)) may = pubsub_allows(s, row, out);
    bool queued =
        may && multi_is_open(s) && multi_take(s, row, f->parser->argc, f->parser->argv, out);
    if (may && !queued && !carry_out(s, f, row)) return false;
    session_mute(s, mark);
    take_pushes(s);
    if (UNLIKELY(out->borrowed.p || out->n > FLUSH_BYTES)) flush_reply(s);
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
        take_pushes(s);
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
    if (UNLIKELY(s->multi != NULL) && !s->barrier) multi_settle(s, &s->eng->hub->reply);
    if (multi_is_running(s) && !run_transaction(s, f)) return;
    while (f->start < f->n && !(s->flags & SESSION_CLOSING)) {
        if (too_much_unsent(s)) {
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

/* --- input --- */

/* How large the stash should be to go on reading: room for the argument that is arriving, but a
 * length that is only declared is not believed all at once. */
static size_t stash_room(const struct resp_parser *parser, size_t have) {
    size_t wants = resp_wants(parser);
    if (wants <= have) return have + STASH_STEP;
    return wants - have > BULK_STEP ? have + BULK_STEP + have / 2 : wants;
}

static void stash_reserve(struct stash *st) {
    size_t have = st->n - st->start;
    size_t want = st->start + stash_room(&st->parser, have);
    size_t room = st->cap - st->n;
    if (st->cap >= want || (room >= STASH_STEP / 4 && room >= have / 4)) return;
    char *p = malloc(want);
    ASSERT(p);
    memcpy(p, st->p, st->n);
    resp_rebase(&st->parser, st->p + st->start, p + st->start);
    free(st->p);
    st->p = p;
    st->cap = want;
}

/* Keeps what is left of the feed in the session's own buffer. */
static void keep_rest(struct session *s, struct feed *f) {
    size_t rest = f->n - f->start;
    struct stash *st = s->stash;
    if (!st) {
        st = calloc(1, sizeof *st);
        ASSERT(st);
        st->cap = stash_room(f->parser, rest);
        st->p = malloc(st->cap);
        ASSERT(st->p);
        memcpy(st->p, f->p + f->start, rest);
        resp_rebase(f->parser, f->p + f->start, st->p);
        st->parser = *f->parser;
        resp_init(f->parser);
        s->stash = st;
        st->n = rest;
        f->outcome |= FEED_BUFFER;
        return;
    }
    if (f->start > 0) {
        memmove(st->p, st->p + f->start, rest);
        resp_rebase(&st->parser, st->p + f->start, st->p);
    }
    st->start = 0;
    st->n = rest;
}

char *session_input(struct session *s, size_t *size) {
    if (!s->stash) {
        *size = HUB_INPUT_BYTES;
        return s->eng->hub->input;
    }
    stash_reserve(s->stash);
    *size = s->stash->cap - s->stash->n;
    return s->stash->p + s->stash->n;
}

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
    s->last_ms = s->eng->now_ms;
    s->net_in += n;
    s->eng->stats.net_in += n;
    s->reads += n > 0;
    s->eng->stats.reads += n > 0;
}

/* Sends the replies of a feed. What comes before a reply of another worker is sent with it; what
 * is not logged yet, at the end of the turn. */
static int hand_out(struct session *s) {
    if (must_wait(s) || (output_has_slots(&s->out) && s->eng->remote)) {
        struct reply *r = &s->eng->hub->reply;
        reply_settle(r);
        output_append(&s->out, r->p, r->n);
        r->n = 0;
        if (output_ready(&s->out)) turn_touch(s->eng, s);
        return 0;
    }
    flush_queue(s);
    flush_reply(s);
    return output_ready(&s->out) ? FEED_OUTPUT : 0;
}

static void close_feed(struct session *s, struct feed *f) {
    bool closing = s->flags & SESSION_CLOSING;
    if (f->start < f->n && (!closing || s->calling)) {
        keep_rest(s, f);
    } else if (s->stash) {
        drop_stash(s);
        f->outcome |= FEED_BUFFER;
    }
    if (s->stash) f->outcome |= FEED_BUFFER;
    f->outcome |= hand_out(s);
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

/* --- commands of Python --- */

/* The arguments of the command of Python that is being executed. */
static int called(const struct session *s, const struct str **argv) {
    if (multi_is_running(s)) {
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

int session_command(const struct session *s) {
    return s->last_command;
}

void session_reply(struct session *s, const char *resp, size_t n, uint64_t usec) {
    if (!s->calling) return;
    struct command_row *row = registry_row(s->eng->registry, s->last_command);
    bool failed = n && resp[0] == '-';
    s->calling = false;
    struct slow_command slow = { .usec = usec };
    slow.argc = called(s, &slow.argv);
    dispatch_note_duration(s->eng, s, row, &slow);
    if (multi_is_running(s)) {
        multi_called(s);
    } else {
        s->stash->start += s->stash->parser.pos;
        resp_reset(&s->stash->parser);
    }
    registry_count_call(row, usec, failed);
    s->eng->stats.commands++;
    if (failed) dispatch_count_error(s->eng, resp, n);
    bool silent = s->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
    if (!silent) output_append(&s->out, resp, n);
    s->flags &= ~(uint32_t)SESSION_REPLY_SKIP;
    if (s->skip_next) s->flags |= SESSION_REPLY_SKIP;
    s->skip_next = false;
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

uint64_t session_open_slot(struct session *s) {
    return output_open_slot(&s->out);
}

bool session_fill_slot(struct session *s, uint64_t slot, const char *resp, size_t n) {
    return output_fill_slot(&s->out, slot, resp, n);
}

/* --- moving to another worker --- */

#define MOVE_VOTES 512 /* so many more commands for one worker than for the others */

void session_vote(struct session *s, int owner) {
    if (owner != s->home && s->votes)
        s->votes--;
    else if (owner != s->home)
        s->home = (uint8_t)owner;
    else if (s->votes < MOVE_VOTES)
        s->votes++;
}

int session_home(const struct session *s) {
    if (LIKELY(s->votes < MOVE_VOTES) || s->home == s->eng->worker) return -1;
    bool busy = output_has_slots(&s->out) || output_ready(&s->out) || s->stash || s->calling;
    bool bound = s->fieldsets || s->subscriber || multi_is_busy(s) ||
                 s->flags & (SESSION_CLOSING | SESSION_REPLY_SKIP);
    return busy || bound || !s->watched ? -1 : s->home;
}

/* --- state --- */

void session_info(const struct session *s, struct session_info *out) {
    const struct stash *st = s->stash;
    size_t output = output_ready(&s->out) + s->out.waiting;
    *out = (struct session_info){ .id = s->id,
                                  .fd = s->fd,
                                  .db = s->db,
                                  .resp = s->resp,
                                  .flags = s->flags,
                                  .created_ms = s->created_ms,
                                  .last_ms = s->last_ms,
                                  .net_in = s->net_in,
                                  .net_out = s->net_out,
                                  .commands = s->commands,
                                  .reads = s->reads,
                                  .query_buffer = st ? st->n - st->start : 0,
                                  .query_buffer_free = st ? st->cap - st->n : 0,
                                  .output_bytes = output,
                                  .memory = sizeof *s + (st ? sizeof *st + st->cap : 0) +
                                            output_memory(&s->out) + multi_memory(s),
                                  .multi = s->multi && (s->multi->open || s->multi->running)
                                               ? s->multi->n
                                               : -1,
                                  .channels = pubsub_subscriptions(s, CHANNEL),
                                  .patterns = pubsub_subscriptions(s, PATTERN),
                                  .shard_channels = pubsub_subscriptions(s, SHARD_CHANNEL),
                                  .blocked = s->waiter || s->retry || s->blocked_id,
                                  .watches = s->multi ? s->multi->watches : 0,
                                  .multi_memory = s->multi ? s->multi->bytes : 0,
                                  .last_command = s->last_command,
                                  .pending_call = s->calling };
    for (int i = 0; st && i < st->parser.argc; i++) out->argv_bytes += st->parser.argv[i].n;
}

void session_restore(struct session *s, const struct session_info *was) {
    s->db = was->db;
    s->resp = was->resp;
    s->flags = was->flags;
    s->created_ms = was->created_ms;
    s->last_ms = was->last_ms;
    s->net_in = was->net_in;
    s->net_out = was->net_out;
    s->commands = was->commands;
    s->reads = was->reads;
    s->last_command = was->last_command;
    s->eng->stats.connections--; /* was counted when it came */
}

void session_set_flag(struct session *s, uint32_t flag, bool on) {
    if (s->calling && on && flag & SESSION_REPLY_SKIP) {
        s->skip_next = true; /* CLIENT REPLY SKIP means the command after itself */
        flag &= ~(uint32_t)SESSION_REPLY_SKIP;
    }
    s->flags = on ? s->flags | flag : s->flags & ~flag;
    poll_choose(s);
}

static void set_text(char **field, const char *text, size_t n) {
    free(*field);
    *field = n ? strndup(text, n) : NULL;
}

void session_set_peer(struct session *s, const char *addr, size_t n) {
    set_text(&s->peer, addr, n);
}

void session_set_name(struct session *s, const char *name, size_t n) {
    set_text(&s->name, name, n);
}

void session_drop_fieldsets(struct session *s) {
    fieldset_drop_all(&s->fieldsets);
}

void session_unsubscribe(struct session *s) {
    pubsub_forget_session(s);
}

void session_discard(struct session *s) {
    multi_free(s);
}

void session_set_db(struct session *s, int db) {
    s->db = db;
}

void session_set_resp(struct session *s, int resp) {
    s->resp = resp;
}

void engine_pause(struct engine *eng, uint64_t until_ms, bool writes_only) {
    eng->hub->pause_until_ms = until_ms;
    eng->hub->pause_writes_only = writes_only;
}
