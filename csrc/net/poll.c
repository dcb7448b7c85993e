/* poll.c - the epoll set of plain connections, and of the bell that other workers ring. */
#include "net/poll.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "db/clock.h"
#include "net/block.h"
#include "mem/fault.h"
#include "net/hub.h"
#include "net/remote.h"

#define BATCH 128                            /* sockets in one round */
#define BUSY 4                               /* sockets in a round after which more are likely */
#define GATHER_ROUNDS 16                     /* at most, before a sync of the log */
#define POLL_NS 1000000u                     /* after so long other tasks of the worker come */
#define READ_STOP ((size_t)64 * 1024 * 1024) /* nothing is read while this much is unsent */

/* What other workers ring, by an event without a session. Edge-triggered: each ring is an event, so
 * nobody has to read the eventfd. */
static void watch_bell(const struct engine *eng) {
    struct epoll_event e = { .events = EPOLLIN | EPOLLET };
    if (eng->remote)
        ASSERT(!epoll_ctl(eng->hub->poll_fd, EPOLL_CTL_ADD, links_bell(eng->remote->links), &e));
}

int engine_poll_fd(struct engine *eng) {
    struct hub *hub = eng->hub;
    if (hub->poll_fd >= 0) return hub->poll_fd;
    hub->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (hub->poll_fd >= 0) watch_bell(eng);
    prctl(PR_SET_TIMERSLACK, 1ul); /* rests are as short as they are meant to be */
    return hub->poll_fd;
}

static uint32_t wanted(const struct session *s) {
    bool reads = !(s->flags & SESSION_CLOSING) && output_ready(&s->out) < READ_STOP;
    return (reads ? EPOLLIN : 0u) | (s->queued ? EPOLLOUT : 0u);
}

static bool control(struct session *s, int operation, uint32_t events) {
    struct epoll_event e = { .events = events, .data.ptr = s };
    return epoll_ctl(s->eng->hub->poll_fd, operation, s->fd, &e) == 0;
}

bool session_watch(struct session *s) {
    s->watched = control(s, EPOLL_CTL_ADD, EPOLLIN);
    s->events = EPOLLIN;
    return s->watched;
}

/* A session goes, in the middle of a script, whose socket was ready when the round began. */
static void forget_polled(const struct session *s) {
    struct hub *hub = s->eng->hub;
    for (int i = 0; i < hub->polled_n; i++)
        if (hub->polled[i].data.ptr == s) hub->polled[i].events = 0;
}

void session_unwatch(struct session *s) {
    if (s->watched) control(s, EPOLL_CTL_DEL, 0);
    if (UNLIKELY(s->eng->hub->busy)) forget_polled(s);
    s->watched = false;
}

void poll_choose(struct session *s) {
    uint32_t events = wanted(s);
    if (!s->watched || events == s->events) return;
    s->events = events;
    ASSERT(control(s, EPOLL_CTL_MOD, events));
}

/* The peer sends no more. What it waits for is sent to it first. */
static int end_of_input(struct session *s, bool gone) {
    bool owed = output_ready(&s->out) || output_has_slots(&s->out);
    if (gone || s->calling || !owed || s->waiter || s->retry || s->blocked_id) return FEED_GONE;
    s->flags |= SESSION_CLOSING;
    return 0;
}

static int readable(struct session *s, bool gone) {
    size_t size;
    char *p = session_input(s, &size);
    ssize_t n = recv(s->fd, p, size, MSG_DONTWAIT);
    if (n > 0) return session_feed(s, (size_t)n);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return gone ? FEED_GONE : 0;
    return end_of_input(s, gone || n < 0);
}

static int writable(struct session *s) {
    s->queued = false;
    int outcome = session_flush(s);
    return outcome & FEED_OUTPUT ? 0 : outcome;
}

/* What is left for Python to do after the events of one socket. */
static int serve(struct session *s, uint32_t events) {
    int outcome = 0;
    if (events & EPOLLOUT) outcome |= writable(s);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        outcome |= readable(s, events & (EPOLLHUP | EPOLLERR));
    poll_choose(s);
    if (UNLIKELY(outcome & FEED_GONE)) block_forget_session(s); /* before the next one pushes */
    return outcome & ~(FEED_BUFFER | FEED_TURN);
}

/* Serves the sockets that are ready now; how many there were. *rung: others have rung. */
static int serve_ready(struct engine *eng, bool *rung) {
    struct epoll_event ready[BATCH];
    int n = epoll_wait(eng->hub->poll_fd, ready, BATCH, 0);
    eng->hub->polled = ready;
    eng->hub->polled_n = n;
    for (int i = 0; i < n; i++) {
        struct session *s = ready[i].data.ptr;
        if (UNLIKELY(!ready[i].events)) continue; /* gone meanwhile */
        if (!s) {
            FAULT("links.awake");
            *rung = true;
            continue;
        }
        pace_meet(&eng->hub->pace, &s->met);
        int outcome = serve(s, ready[i].events);
        if (UNLIKELY(outcome)) hub_note_ready(eng->hub, s->id, outcome);
    }
    eng->hub->polled_n = 0;
    return n;
}

void poll_while_busy(struct engine *eng) {
    struct hub *hub = eng->hub;
    struct epoll_event ready[BATCH];
    int n = hub->poll_fd < 0 ? 0 : epoll_wait(hub->poll_fd, ready, BATCH, 0);
    for (int i = 0; i < n; i++) {
        struct session *s = ready[i].data.ptr;
        if (!s) {
            remote_wake_self(eng->remote); /* the ring was heard, and is looked at later */
            continue;
        }
        if (s == hub->aside->current) continue; /* it waits for the script */
        int outcome = serve(s, ready[i].events);
        if (outcome) hub_note_ready(hub, s->id, outcome);
    }
}

/* A sync of the log takes as long for many commands as for one: looks for more before each. */
static void gather_more(struct engine *eng, bool *rung) {
    if (eng->config.appendfsync != AOF_FSYNC_ALWAYS) return;
    for (int round = 0; !*rung && round < GATHER_ROUNDS; round++)
        if (!serve_ready(eng, rung)) return;
}

/* Figures of INFO debug. */
static void note_turn(struct engine *eng, uint64_t ns) {
    if (ns > eng->stats.loop_max_ns) eng->stats.loop_max_ns = ns;
    eng->stats.loop_ns += ns;
}

static void note_round(struct engine *eng, int sockets, uint64_t commands) {
    struct engine_stats *stats = &eng->stats;
    stats->loop_cycles++;
    stats->loop_busy_cycles += sockets > 0;
    if (commands > stats->loop_max_commands) stats->loop_max_commands = commands;
}

/* What a call of engine_poll goes through. */
struct visit {
    int found;          /* drain_outcome */
    uint64_t begin_ns;  /* of the visit */
    uint64_t round_ns;  /* begin of the present round */
    uint64_t worked_ns; /* rests apart */
    uint64_t commands;  /* of the present round */
    bool rested;        /* before it */
};

/* One look at the sockets, and at the rings if they were rung; how many may have had something. */
static int serve_round(struct engine *eng, struct visit *v) {
    uint64_t before = eng->stats.commands;
    bool rung = eng->remote && (v->rested || links_anything(eng->remote->links));
    int n = serve_ready(eng, &rung);
    note_round(eng, n, eng->stats.commands - before);
    if (UNLIKELY(eng->unlogged)) gather_more(eng, &rung);
    if (rung || eng->hub->turn.due) v->found = (v->found & ~DRAIN_LATER) | engine_drain(eng, false);
    v->commands = eng->stats.commands - before;
    return n > 0 ? n + rung : rung;
}

/* Until the next round, which looks at the rings in any case: nobody rings meanwhile. */
static void rest(struct engine *eng, uint64_t ns) {
    struct timespec t = { .tv_nsec = (long)ns };
    if (eng->remote) links_stay_awake(eng->remote->links);
    nanosleep(&t, NULL);
    eng->stats.loop_rests++;
}

/* Whether there should be another round. */
static bool visit_round(struct engine *eng, struct visit *v) {
    struct pace *pace = &eng->hub->pace;
    int n = serve_round(eng, v);
    uint64_t now_ns = clock_duration_ns();
    pace_round(pace, now_ns, eng->stats.commands, (uint64_t)eng->config.gather_delay_us * 1000);
    v->worked_ns += now_ns - v->round_ns;
    v->round_ns = now_ns;
    bool others = (v->found & ~DRAIN_LATER) || eng->hub->ready_n; /* Python has to do something */
    if (!n || others || now_ns - v->begin_ns > POLL_NS) return false;
    v->rested = false;
    if (n >= BUSY) return true;
    uint64_t rest_ns = pace_rest(pace, v->commands);
    if (!rest_ns) return false;
    v->rested = true;
    rest(eng, rest_ns);
    v->round_ns = clock_duration_ns();
    return true;
}

/* Under load the next requests are there when the last replies are out, or soon after: a trip
 * through the event loop of Python is paid once for many rounds. A few clients are not worth a
 * second look. */
int engine_poll(struct engine *eng) {
    uint64_t now_ns = clock_duration_ns();
    struct visit v = { .begin_ns = now_ns, .round_ns = now_ns };
    while (visit_round(eng, &v)) {
    }
    note_turn(eng, v.worked_ns);
    return eng->hub->ready_n ? v.found | DRAIN_READY : v.found;
}
