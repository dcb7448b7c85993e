/* links.c - sending and receiving over the rings of one worker. */
#include "net/links.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "core_workers.h"
#include "mem/fault.h"

/* Each message in a ring begins with a word: WHOLE, the total size of a message that comes in
 * pieces of which this is the first, or NEXT_PIECE. */
#define WHOLE UINT64_C(0)
#define NEXT_PIECE UINT64_MAX
#define PREFIX sizeof(uint64_t)
#define PIECE_MAX (RING_MESSAGE_MAX - PREFIX)

struct overflow {
    struct overflow *next;
    size_t n, sent;
    char bytes[];
};

/* --- opening --- */

/* Of a message's pieces the first one counts. */
static bool is_start(const char *message) {
    return load_u64(message) != NEXT_PIECE;
}

static bool map_rings(struct links *l, int fd) {
    for (int i = 0; i < l->n; i++) {
        if (i == l->self) continue;
        if (!ring_map(&l->link[i].out, fd, control_ring_offset(l->n, l->self, i), true))
            return false;
        l->link[i].sent = ring_sent(&l->link[i].out, is_start);
        if (!ring_map(&l->link[i].in, fd, control_ring_offset(l->n, i, l->self), false))
            return false;
    }
    return true;
}

struct links *links_open(int fd, int self, const int *wake_fds, status *st) {
    struct control *control = control_open(fd);
    *st = ST_SHM_FORMAT;
    if (!control) return NULL;
    struct links *l = calloc(1, sizeof *l);
    ASSERT(l && self >= 0 && self < (int)control->workers);
    l->control = control;
    l->self = self;
    l->n = (int)control->workers;
    l->epoch = atomic_load(&control->worker[self].epoch);
    for (int i = 0; i < l->n; i++) l->wake_fd[i] = fcntl(wake_fds[i], F_DUPFD_CLOEXEC, 0);
    *st = map_rings(l, fd) ? ST_OK : ST_SHM_MAP;
    if (*st == ST_OK) return l;
    links_close(l);
    return NULL;
}

static void drop_overflow(struct link *k) {
    while (k->first) {
        struct overflow *o = k->first;
        k->first = o->next;
        free(o);
    }
}

void links_close(struct links *l) {
    for (int i = 0; i < l->n; i++) {
        drop_overflow(&l->link[i]);
        free(l->link[i].assembled);
        ring_unmap(&l->link[i].in);
        ring_unmap(&l->link[i].out);
        if (l->wake_fd[i] >= 0) close(l->wake_fd[i]);
    }
    control_close(l->control);
    free(l);
}

/* --- sending --- */

static char *gather_parts(char *p, const struct str *parts, int n) {
    for (int i = 0; i < n; i++) {
        memcpy(p, parts[i].p, parts[i].n);
        p += parts[i].n;
    }
    return p;
}

static bool send_now(struct link *k, const struct str *parts, int n, size_t total) {
    if (k->first || total > PIECE_MAX) return false;
    char *p = ring_reserve(&k->out, PREFIX + total);
    if (!p) return false;
    store_u64(p, WHOLE);
    gather_parts(p + PREFIX, parts, n);
    ring_send(&k->out, PREFIX + total);
    return true;
}

static size_t next_piece(const struct overflow *o) {
    return o->n - o->sent < PIECE_MAX ? o->n - o->sent : PIECE_MAX;
}

/* The next piece of a queued message; false: no room. */
static bool send_piece(struct link *k, struct overflow *o) {
    size_t n = next_piece(o);
    char *p = ring_reserve(&k->out, PREFIX + n);
    if (!p) return false;
    uint64_t prefix = o->n <= PIECE_MAX ? WHOLE : o->sent == 0 ? o->n : NEXT_PIECE;
    store_u64(p, prefix);
    memcpy(p + PREFIX, o->bytes + o->sent, n);
    ring_send(&k->out, PREFIX + n);
    FAULT("links.piece");
    o->sent += n;
    return true;
}

/* Lets the other side see what was sent, unless it must wait for the log. */
static void publish(struct links *l, int to) {
    if (LIKELY(!*l->hold)) ring_publish(&l->link[to].out);
}

static void pump_link(struct links *l, int to) {
    struct link *k = &l->link[to];
    while (k->first && send_piece(k, k->first)) {
        struct overflow *o = k->first;
        l->to_ring |= UINT64_C(1) << to;
        if (o->sent < o->n) continue;
        k->first = o->next;
        k->waiting -= o->n;
        l->waiting -= o->n;
        free(o);
    }
    publish(l, to);
}

void links_pump(struct links *l) {
    for (int i = 0; l->waiting && i < l->n; i++)
        if (l->link[i].first) pump_link(l, i);
}

void links_send(struct links *l, int to, const struct str *parts, int n) {
    struct link *k = &l->link[to];
    size_t total = 0;
    for (int i = 0; i < n; i++) total += parts[i].n;
    l->to_ring |= UINT64_C(1) << to;
    k->sent++;
    if (send_now(k, parts, n, total)) {
        publish(l, to);
        return;
    }
    struct overflow *o = malloc(sizeof *o + total);
    ASSERT(o);
    *o = (struct overflow){ .n = total };
    gather_parts(o->bytes, parts, n);
    if (k->first)
        k->last->next = o;
    else
        k->first = o;
    k->last = o;
    k->waiting += total;
    l->waiting += total;
    pump_link(l, to);
}

/* --- waking --- */

static void ring_bell(struct links *l, int to) {
    if (atomic_exchange(&l->control->worker[to].rung, 1)) return;
    FAULT("links.before_bell");
    uint64_t one = 1;
    if (write(l->wake_fd[to], &one, sizeof one) < 0) ASSERT(errno == EAGAIN);
    l->wakeups_sent++;
}

void links_wake(struct links *l) {
    if (*l->hold) return; /* the end of the turn comes */
    for (; l->to_ring; l->to_ring &= l->to_ring - 1) {
        int to = __builtin_ctzll(l->to_ring);
        if (to != l->self) ring_publish(&l->link[to].out);
        ring_bell(l, to);
    }
}

void links_awake(struct links *l) {
    uint64_t count;
    if (read(l->wake_fd[l->self], &count, sizeof count) < 0) ASSERT(errno == EAGAIN);
    FAULT("links.awake");
}

void links_stay_awake(struct links *l) {
    atomic_store_explicit(&l->control->worker[l->self].rung, 1, memory_order_relaxed);
}

bool links_anything(struct links *l) {
    for (int i = 0; i < l->n; i++)
        if (i != l->self && !ring_empty(&l->link[i].in)) return true;
    return false;
}

/* Whether something that is queued finds room; if not, the consumer rings when there is some. */
static bool has_room_again(struct links *l) {
    for (int i = 0; l->waiting && i < l->n; i++) {
        const struct overflow *o = l->link[i].first;
        if (o && ring_reserve(&l->link[i].out, PREFIX + next_piece(o))) return true;
    }
    return false;
}

bool links_may_sleep(struct links *l) {
    if (links_anything(l)) return false;
    /* Whoever sends from here on rings. What was sent before and not rung for is seen below: the
     * exchange reads the sender's mark, and with it the ring's head. The same holds for room that
     * was made while this worker was awake. */
    atomic_exchange(&l->control->worker[l->self].rung, 0);
    if (!links_anything(l) && !has_room_again(l)) return true;
    atomic_store(&l->control->worker[l->self].rung, 1);
    return false;
}

void links_doze(struct links *l, int ms) {
    struct pollfd bell = { .fd = links_bell(l), .events = POLLIN };
    links_awake(l);
    if (links_may_sleep(l)) poll(&bell, 1, ms);
    links_stay_awake(l);
}

/* --- receiving --- */

/* Adds a piece; true when the message is whole. */
static bool assemble(struct link *k, uint64_t prefix, struct str piece) {
    if (prefix != NEXT_PIECE) {
        free(k->assembled);
        k->assembled = malloc(prefix);
        ASSERT(k->assembled);
        k->assembled_total = prefix;
        k->assembled_n = 0;
    }
    if (!k->assembled || piece.n > k->assembled_total - k->assembled_n) return false; /* no start */
    memcpy(k->assembled + k->assembled_n, piece.p, piece.n);
    k->assembled_n += piece.n;
    return k->assembled_n == k->assembled_total;
}

struct str links_peek(struct links *l, int from) {
    struct link *k = &l->link[from];
    size_t n;
    for (const char *p; (p = ring_peek(&k->in, &n));) {
        uint64_t prefix = load_u64(p);
        struct str rest = { p + PREFIX, n - PREFIX };
        ring_begin(&k->in, is_start(p));
        if (prefix == WHOLE) return rest;
        if (assemble(k, prefix, rest)) {
            k->taking_assembled = true;
            return (struct str){ k->assembled, k->assembled_n };
        }
        links_done(l, from);
    }
    return (struct str){ NULL, 0 };
}

void links_done(struct links *l, int from) {
    struct link *k = &l->link[from];
    ring_take(&k->in);
    if (!k->taking_assembled) return;
    free(k->assembled);
    k->assembled = NULL;
    k->taking_assembled = false;
}

void links_give_room(struct links *l, int from) {
    if (ring_was_starved(&l->link[from].in)) l->to_ring |= UINT64_C(1) << from;
}

struct str links_look(const struct links *l, int from, uint64_t *at) {
    size_t n;
    const char *p = ring_look(&l->link[from].in, at, &n);
    if (!p || load_u64(p) != WHOLE) return (struct str){ NULL, 0 };
    return (struct str){ p + PREFIX, n - PREFIX };
}

uint64_t links_sent(const struct links *l, int to) {
    return l->link[to].sent;
}

struct str links_begun(struct links *l, int from) {
    size_t n;
    const char *p = ring_begun(&l->link[from].in, &n);
    if (!p || load_u64(p) != WHOLE) return (struct str){ NULL, 0 };
    return (struct str){ p + PREFIX, n - PREFIX };
}

uint64_t links_abandon(struct links *l, int from) {
    ring_skip_begun(&l->link[from].in);
    return ring_taken(&l->link[from].in);
}
