/* send.c - what a session has to say: sent at once where the socket takes it, else queued. */
#include "net/send.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "net/hub.h"
#include "net/multi.h"
#include "net/poll.h"
#include "net/turn.h"

#define OUTPUT_HIGH ((size_t)64 * 1024 * 1024) /* no further command while this much is unsent */

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
static bool send_must_wait(const struct session *s) {
    return UNLIKELY(s->eng->unlogged);
}

/* Sends what it can of up to three pieces; returns the bytes taken. A broken connection takes all.
 */
static size_t send_pieces(struct session *s, struct iovec *iov, size_t count, size_t total) {
    if (s->fd < 0 || s->queued || output_ready(&s->out) || output_has_slots(&s->out)) return 0;
    if (send_must_wait(s)) return 0;
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
void send_reply(struct session *s) {
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
    if (send_must_wait(s))
        turn_touch(s->eng, s);
    else if (!s->queued)
        note_full(s);
}

/* The queue first, when the transport is free. */
static void send_queue(struct session *s) {
    size_t n = output_ready(&s->out);
    if (!n || s->fd < 0 || s->queued) return;
    if (send_must_wait(s)) {
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

bool send_is_behind(const struct session *s) {
    return output_ready(&s->out) + s->out.waiting > OUTPUT_HIGH;
}

int session_flush(struct session *s) {
    send_queue(s);
    int outcome = output_ready(&s->out) ? FEED_OUTPUT : 0;
    if (UNLIKELY(s->again) && s->watched && !send_is_behind(s)) outcome |= session_feed(s, 0);
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

/* Sends the replies of a feed. What comes before a reply of another worker is sent with it; what
 * is not logged yet, at the end of the turn. */
int send_out(struct session *s) {
    if (send_must_wait(s) || (output_has_slots(&s->out) && s->eng->remote)) {
        struct reply *r = &s->eng->hub->reply;
        reply_settle(r);
        output_append(&s->out, r->p, r->n);
        r->n = 0;
        if (output_ready(&s->out)) turn_touch(s->eng, s);
        return 0;
    }
    send_queue(s);
    send_reply(s);
    return output_ready(&s->out) ? FEED_OUTPUT : 0;
}

void session_push(struct session *s, const char *resp, size_t n) {
    struct hub *hub = s->eng->hub;
    if (multi_is_executing(s)) {
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

void session_push_first(struct session *s, const char *resp, size_t n) {
    struct hub *hub = s->eng->hub;
    if (hub->current != s || multi_is_executing(s)) {
        session_push(s, resp, n);
        return;
    }
    reply_settle(&hub->reply);
    reply_raw(&hub->reply, resp, n);
}

/* What was pushed to the session by its own command. */
void send_take_pushes(struct session *s) {
    struct hub *hub = s->eng->hub;
    if (LIKELY(!hub->pushes.n) || multi_is_running(s)) return;
    reply_settle(&hub->reply);
    reply_raw(&hub->reply, hub->pushes.p, hub->pushes.n);
    hub->pushes.n = 0;
}
