/* sink.h - where persisted bytes go: a buffer in front of a file, a socket or memory.
 *
 * Plain C without Python, so a forked child may write through it. The first failure sticks: what is
 * put after it goes nowhere, and whoever finishes looks at `error` once.
 *
 * Owns      its buffer (malloc), until sink_free.
 * Promises  a running count and CRC-64 of everything that was put.
 */
#ifndef SHMREDIS_SINK_H
#define SHMREDIS_SINK_H

#include "mem/bytes.h"

struct sink {
    char *buf;
    size_t n, cap;
    uint64_t gone; /* bytes that have left the buffer */
    uint64_t crc;  /* of these */
    bool checksum; /* false: crc stays 0 */
    int error;     /* errno of the first failure, 0: none */
    /* Takes all n bytes or sets s->error. NULL: a memory sink, whose buffer grows. */
    void (*write)(struct sink *s, const char *p, size_t n);
    void *ctx; /* for write */
};

#define SINK_ROOM 4096u /* sink_room gives at least as much */

void sink_init(struct sink *s, void (*write)(struct sink *, const char *, size_t), void *ctx);
/* All that is put stays in s->buf, s->n bytes. */
void sink_init_memory(struct sink *s);
void sink_free(struct sink *s);

void sink_make_room(struct sink *s, size_t n);
/* A place for up to n bytes, n <= SINK_ROOM; sink_used says how many were written there. */
static inline char *sink_room(struct sink *s, size_t n) {
    if (UNLIKELY(s->cap - s->n < n)) sink_make_room(s, n);
    return s->buf + s->n;
}
static inline void sink_used(struct sink *s, size_t n) {
    s->n += n;
}
void sink_put_large(struct sink *s, const char *p, size_t n);
static inline void sink_put(struct sink *s, const void *p, size_t n) {
    if (UNLIKELY(s->cap - s->n < n)) {
        sink_put_large(s, p, n);
        return;
    }
    memcpy(s->buf + s->n, p, n);
    s->n += n;
}
static inline void sink_put_byte(struct sink *s, uint8_t b) {
    *sink_room(s, 1) = (char)b;
    s->n++;
}
/* Hands the buffer over. False when anything has failed so far. */
bool sink_flush(struct sink *s);
/* Bytes put, and their CRC. */
static inline uint64_t sink_bytes(const struct sink *s) {
    return s->gone + s->n;
}
uint64_t sink_crc(const struct sink *s);

/* --- files --- */

/* A sink into a file descriptor, which stays the caller's. */
struct file_sink {
    struct sink sink;
    int fd;
    uint64_t sync_every; /* rdb-save-incremental-fsync: bytes after which the kernel is told to
                            write them out, so that no large fsync waits at the end; 0: never */
    uint64_t at, synced; /* bytes written, and those that the kernel was told of */
};
void file_sink_init(struct file_sink *f, int fd, uint64_t sync_every);

#endif
