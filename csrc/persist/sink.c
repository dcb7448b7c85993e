/* sink.c - buffering and checksumming of what is written. */
#define _GNU_SOURCE /* sync_file_range */
#include "persist/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "persist/crc64.h"

#define BUFFER_BYTES ((size_t)128 << 10) /* stays in the second-level cache for the CRC */
#define MEMORY_BYTES 256u
static_assert(BUFFER_BYTES >= SINK_ROOM, "an empty buffer has the room that is promised");

void sink_init(struct sink *s, void (*write)(struct sink *, const char *, size_t), void *ctx) {
    *s = (struct sink){ .buf = malloc(BUFFER_BYTES),
                        .cap = BUFFER_BYTES,
                        .checksum = true,
                        .write = write,
                        .ctx = ctx };
    ASSERT(s->buf);
}

void sink_init_memory(struct sink *s) {
    *s = (struct sink){ .buf = malloc(MEMORY_BYTES), .cap = MEMORY_BYTES, .checksum = true };
    ASSERT(s->buf);
}

void sink_free(struct sink *s) {
    free(s->buf);
    *s = (struct sink){ .error = s->error };
}

static void hand_over(struct sink *s, const char *p, size_t n) {
    if (s->checksum) s->crc = crc64(s->crc, p, n);
    s->gone += n;
    if (!s->error) s->write(s, p, n);
}

bool sink_flush(struct sink *s) {
    if (!s->write) return !s->error;
    if (s->n) hand_over(s, s->buf, s->n);
    s->n = 0;
    return !s->error;
}

static void grow(struct sink *s, size_t n) {
    while (s->cap - s->n < n) s->cap += s->cap / 2 + n;
    s->buf = realloc(s->buf, s->cap);
    ASSERT(s->buf);
}

void sink_make_room(struct sink *s, size_t n) {
    if (s->write)
        sink_flush(s);
    else
        grow(s, n);
}

void sink_put_large(struct sink *s, const char *p, size_t n) {
    sink_make_room(s, n);
    if (n > s->cap - s->n) {
        hand_over(s, p, n);
        return;
    }
    memcpy(s->buf + s->n, p, n);
    s->n += n;
}

uint64_t sink_crc(const struct sink *s) {
    return s->checksum ? crc64(s->crc, s->buf, s->n) : 0;
}

/* --- files --- */

/* Starts the write-out of what is new and waits for that of the time before, so that a step's worth
 * of bytes at most is on its way. */
static void sync_step(struct file_sink *f) {
    uint64_t before = f->synced > f->sync_every ? f->synced - f->sync_every : 0;
    sync_file_range(f->fd, (off64_t)f->synced, (off64_t)(f->at - f->synced), SYNC_FILE_RANGE_WRITE);
    sync_file_range(f->fd, (off64_t)before, (off64_t)(f->synced - before),
                    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                        SYNC_FILE_RANGE_WAIT_AFTER);
    f->synced = f->at;
}

static void write_file(struct sink *s, const char *p, size_t n) {
    struct file_sink *f = s->ctx;
    while (n > 0) {
        ssize_t done = write(f->fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) {
            s->error = done < 0 ? errno : EIO;
            return;
        }
        p += done;
        n -= (size_t)done;
        f->at += (uint64_t)done;
    }
    if (f->sync_every && f->at - f->synced >= f->sync_every) sync_step(f);
}

void file_sink_init(struct file_sink *f, int fd, uint64_t sync_every) {
    *f = (struct file_sink){ .fd = fd, .sync_every = sync_every };
    sink_init(&f->sink, write_file, f);
}
