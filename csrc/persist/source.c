/* source.c - reading ahead, checksumming, and the one place where failures are noted. */
#include "persist/source.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "persist/crc64.h"

#define BUFFER_BYTES (2 * SOURCE_TAKE_MAX)

void source_init_memory(struct source *s, const char *p, size_t n) {
    *s = (struct source){ .p = p, .end = p + n, .start = p, .summed = p, .checksum = true };
}

static int64_t read_fd(struct source *s, char *p, size_t n) {
    int fd = (int)(intptr_t)s->ctx;
    ssize_t got;
    do {
        got = read(fd, p, n);
    } while (got < 0 && errno == EINTR);
    return got;
}

void source_init_fd(struct source *s, int fd, uint64_t bytes) {
    char *buf = malloc(BUFFER_BYTES);
    ASSERT(buf);
    *s = (struct source){ .p = buf,
                          .end = buf,
                          .start = buf,
                          .summed = buf,
                          .after = bytes,
                          .checksum = true,
                          .read = read_fd,
                          .ctx = (void *)(intptr_t)fd,
                          .buf = buf,
                          .cap = BUFFER_BYTES };
}

void source_free(struct source *s) {
    free(s->buf);
    s->buf = NULL;
    s->p = s->end = s->start = s->summed = NULL;
}

bool source_fail(struct source *s, enum source_error error, const char *format, ...) {
    if (s->error) return false;
    s->error = error;
    s->error_offset = source_offset(s);
    va_list args;
    va_start(args, format);
    vsnprintf(s->text, sizeof s->text, format, args);
    va_end(args);
    return false;
}

static void sum_up(struct source *s) {
    if (s->checksum) s->crc = crc64(s->crc, s->summed, (size_t)(s->p - s->summed));
    s->summed = s->p;
}

uint64_t source_crc(struct source *s) {
    sum_up(s);
    return s->crc;
}

/* Moves what is at hand to the front of the buffer. */
static void make_front(struct source *s) {
    size_t left = (size_t)(s->end - s->p);
    sum_up(s);
    memmove(s->buf, s->p, left);
    s->base += (uint64_t)(s->p - s->start);
    s->p = s->start = s->summed = s->buf;
    s->end = s->buf + left;
}

/* One read behind `end`; false: failed, or no more. */
static bool read_more(struct source *s) {
    size_t have = (size_t)(s->end - s->buf), room = s->cap - have;
    if (room > s->after) room = (size_t)s->after;
    int64_t got = room ? s->read(s, s->buf + have, room) : 0;
    if (got < 0) {
        s->number = errno;
        return source_fail(s, SOURCE_IO, "Read error: %s", strerror(s->number));
    }
    if (got == 0) return source_fail(s, SOURCE_SHORT, "Unexpected EOF");
    s->end += got;
    if (s->after != UINT64_MAX) s->after -= (uint64_t)got;
    return true;
}

const char *source_refill(struct source *s, size_t n) {
    if (s->error) return NULL;
    if (!s->read || n > SOURCE_TAKE_MAX) {
        source_fail(s, SOURCE_SHORT, "Unexpected EOF");
        return NULL;
    }
    make_front(s);
    while ((size_t)(s->end - s->p) < n)
        if (!read_more(s)) return NULL;
    s->p += n;
    return s->p - n;
}

bool source_read(struct source *s, char *to, size_t n) {
    while (n > 0) {
        size_t here = (size_t)(s->end - s->p), some = n < here ? n : here;
        if (s->error) return false;
        if (some == 0) {
            const char *one = source_refill(s, 1);
            if (!one) return false;
            *to++ = *one;
            n--;
            continue;
        }
        memcpy(to, s->p, some);
        s->p += some;
        to += some;
        n -= some;
    }
    return !s->error;
}

bool source_skip(struct source *s, uint64_t n) {
    if (n > source_left(s)) {
        s->p = s->end;
        return source_fail(s, SOURCE_SHORT, "Unexpected EOF");
    }
    while (n > 0) {
        size_t here = (size_t)(s->end - s->p), some = n < here ? (size_t)n : here;
        s->p += some;
        n -= some;
        if (n == 0) break;
        if (!source_refill(s, 1)) return false;
        n--;
    }
    return !s->error;
}
