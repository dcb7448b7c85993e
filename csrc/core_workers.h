/* core_workers.h - what Python sees of several workers behind one port: the control memory,
 * joining, mail, and where commands belong; how such headers are written: core.h.
 */
#ifndef SHMREDIS_CORE_WORKERS_H
#define SHMREDIS_CORE_WORKERS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct control;

/* --- several workers behind one port --- */

/* What the workers share beside their arenas: rings, wake-up flags, figures. The front makes it. */
size_t control_bytes(int workers);
/* Lays it out in an open, empty shared-memory object and gives it its memory; 0 or a status. */
int control_format(int fd, int workers);
/* For the front's own use: maps a formatted object; NULL: it is none. The fd stays the caller's. */
struct control *control_open(int fd);
void control_close(struct control *c);
/* Before a worker is spawned, first or again: what its predecessor held is seen as given up. */
void control_new_epoch(struct control *c, int worker);

/* Makes the engine worker `self` of those that share the control memory `fd` (duplicated). wake_fds
 * are the eventfds of all workers, also duplicated; arenas are found as "<arena_base>.<n>". Before
 * any session is made. 0 or a status. */
int engine_join(struct engine *eng, int fd, int self, const int *wake_fds, const char *arena_base);
/* Handles what others have sent, a batch at most, and sends what is ready: when this worker's
 * eventfd is readable (`rung`: reads it), and at the end of a turn of the event loop in which a
 * feed returned FEED_TURN. A set of bits. */
enum drain_outcome {
    DRAIN_READY = 1,  /* sessions want attention: engine_next_ready */
    DRAIN_MAIL = 2,   /* there is mail: engine_next_mail */
    DRAIN_MORE = 4,   /* call again soon */
    DRAIN_RESUME = 8, /* sessions that returned FEED_WAITING may go on: feed(s, 0) */
    DRAIN_LATER = 16  /* call again within some milliseconds: replies wait for those after them */
};
int engine_drain(struct engine *eng, bool rung);

/* One descriptor for all watched sessions, and for what other workers ring (the eventfd need not be
 * looked at then): when it is readable, engine_poll serves all that is ready and returns
 * drain_outcome bits (DRAIN_READY: some need attention). -1: the kernel refuses. */
int engine_poll_fd(struct engine *eng);
int engine_poll(struct engine *eng);
/* A session that has output to be written or input to be executed, and its feed_outcome bits
 * (FEED_AGAIN: feed(s, 0)). False: no more. */
bool engine_next_ready(struct engine *eng, uint64_t *session_id, int *outcome);
/* Bytes between the Python sides of workers: `id` and `kind` mean what they agree on. */
void engine_post(struct engine *eng, int worker, uint64_t id, int kind, const char *p, size_t n);
/* The oldest mail, valid until the next call. NULL: none. */
const char *engine_next_mail(struct engine *eng, int *worker, uint64_t *id, int *kind, size_t *n);
/* One instant for all workers that have prepared this id, in the order of all commands. Every
 * worker gets mail of kind MAIL_INSTANT from itself when it has passed; when it could not be this
 * worker alone gets MAIL_NO_INSTANT, and may try again. */
enum { MAIL_INSTANT = 100, MAIL_NO_INSTANT = 101 };
void engine_instant(struct engine *eng, uint64_t id);
/* Hops and the like since start, for INFO. */
struct link_stats {
    uint64_t requests_sent, requests_done; /* commands for others, and of others here */
    uint64_t wakeups_sent, wakeups;        /* eventfd writes, and drains that found something */
    uint64_t stages, stages_busy, holds, hold_us;
    uint64_t redone; /* done again for a predecessor that died */
    uint64_t peeks, peeks_again,
        peeks_hopped;       /* reads without a hop, tries, and those that hopped */
    uint64_t backlog_bytes; /* now: waiting for room in rings */
};
bool engine_link_stats(const struct engine *eng, struct link_stats *out); /* false: single */

/* The front's knowledge of where a first command belongs. */
struct router;
struct router *router_new(int workers);
void router_delete(struct router *r);
/* The bytes a client has sent first: the owner of the first command's first key, ROUTE_ANY when it
 * has none or is not a command, ROUTE_MORE when more bytes are needed to say. */
enum { ROUTE_ANY = -1, ROUTE_MORE = -2 };
int router_peek(struct router *r, const char *p, size_t n);

#endif
