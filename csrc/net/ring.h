/* ring.h - a queue of messages from one process to one other, in shared memory.
 *
 *   object:   | head, tail (one cache line each, one page) | RING_BYTES of data |
 *   process:  data is mapped twice in a row, so that no message is ever broken at the end
 *   message:  u32 bytes (with this word, a multiple of 8) | the caller's bytes
 *
 * Single producer, single consumer: `head` and `tail` count bytes since the beginning; only the
 * producer writes head, only the consumer writes tail. The producer stores the message, then head
 * (release); the consumer loads head (acquire), reads, then stores tail (release), which the
 * producer loads (acquire) before it writes there again. A producer that dies between the two has
 * sent nothing; a consumer that dies before tail moves leaves the message to its successor.
 *
 * Owns      its mappings. Never blocks.
 */
#ifndef SHMREDIS_RING_H
#define SHMREDIS_RING_H

#include <stdalign.h>
#include <stdatomic.h>

#include "mem/bytes.h"

#define RING_BYTES ((size_t)256 * 1024)
#define RING_HEAD_BYTES ((size_t)4096)
#define RING_OBJECT_BYTES (RING_HEAD_BYTES + RING_BYTES)
#define RING_MESSAGE_MAX (RING_BYTES / 4)

struct ring_head {
    _Atomic uint64_t head; /* bytes ever sent */
    /* set by a producer that found no room; cleared, and the producer woken, by the consumer */
    alignas(64) _Atomic uint32_t starved;
    /* by the consumer: bytes ever taken; and in one word, so that its death cannot part them, how
     * many messages of the caller's it has begun with (40 bits) and where the last one is (24) */
    alignas(64) _Atomic uint64_t tail;
    _Atomic uint64_t begun;
};

/* Process-local: one end of a ring. */
struct ring {
    struct ring_head *shared;
    char *data;     /* mapped twice in a row */
    uint64_t mine;  /* the producer's head or the consumer's tail */
    uint64_t other; /* the other's counter as last seen */
};

/* Maps the ring at `offset` of the object; false: no address space. */
bool ring_map(struct ring *r, int fd, size_t offset, bool producer);
void ring_unmap(struct ring *r);
/* Room for a message of n bytes at most RING_MESSAGE_MAX. NULL: none now; the consumer will say
 * when there is some. */
char *ring_reserve(struct ring *r, size_t n);
/* Sends what was written into the last reserved room: the other side sees it after ring_publish. */
void ring_send(struct ring *r, size_t n);
void ring_publish(struct ring *r);
/* The oldest message, or NULL; it stays until ring_take. */
const char *ring_peek(struct ring *r, size_t *n);
void ring_take(struct ring *r);
/* Messages from *at (0: the oldest) on without taking them; moves *at. NULL: no more that were
 * known of at the last peek. */
const char *ring_look(const struct ring *r, uint64_t *at, size_t *n);
/* Marks the oldest message as begun with, and counts it if it is the first of the caller's message:
 * a successor does not begin with it again (ring_skip_begun). */
void ring_begin(struct ring *r, bool counts);
/* The oldest message if a predecessor had begun with it, or NULL. */
const char *ring_begun(struct ring *r, size_t *n);
/* Takes the oldest message if a predecessor had begun with it. */
void ring_skip_begun(struct ring *r);
uint64_t ring_taken(const struct ring *r);
/* Producer, at its start: how many messages that `counts` says yes to were ever sent, those of its
 * predecessors. ring_taken counts the same, so what is numbered from here on is taken when
 * ring_taken has come to its number. */
uint64_t ring_sent(struct ring *r, bool (*counts)(const char *message));
/* Consumer, after taking some: whether the producer waits for room. It is to be woken then. */
bool ring_was_starved(struct ring *r);
/* Nobody has sent anything that was not taken. */
bool ring_empty(struct ring *r);

#endif
