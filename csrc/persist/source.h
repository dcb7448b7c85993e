/* source.h - where persisted bytes come from: memory, or a file read through a buffer.
 *
 * All bytes are hostile. Whoever reads asks for so many bytes and gets them, or NULL; the first
 * failure sticks, with its kind, a text and the offset where it was found.
 *
 * Owns      its buffer (malloc), until source_free.
 * Promises  bytes given are valid until the next call; never more than there are.
 */
#ifndef SHMREDIS_SOURCE_H
#define SHMREDIS_SOURCE_H

#include "mem/bytes.h"

enum source_error {
    SOURCE_FINE,
    SOURCE_SHORT,   /* the bytes end too early */
    SOURCE_IO,      /* reading failed: source->number is the errno */
    SOURCE_CORRUPT, /* the bytes cannot be what they say they are */
    SOURCE_EMPTY,   /* a collection without elements: a value that must not be a key */
    SOURCE_FULL,    /* the value is sound, but the arena has no room for it */
    SOURCE_REFUSED  /* sound, but not for us: an unknown module, a newer version */
};

struct source {
    const char *p, *end; /* at hand */
    const char *summed;  /* bytes before this one are in `crc` */
    uint64_t base;       /* offset of `start` in the whole */
    const char *start;   /* of what is at hand */
    uint64_t after;      /* bytes that may follow `end`; UINT64_MAX: not known */
    uint64_t crc;
    bool checksum;
    /* At most n bytes into p: how many, 0 at the end, -1 with errno. NULL: all is at hand. */
    int64_t (*read)(struct source *s, char *p, size_t n);
    void *ctx; /* for read */
    char *buf;
    size_t cap;
    enum source_error error;
    int number; /* errno of SOURCE_IO */
    uint64_t error_offset;
    char text[160]; /* of the error */
};

void source_init_memory(struct source *s, const char *p, size_t n);
/* From where the descriptor stands now, which stays the caller's; `bytes` that are left there, if
 * known, else UINT64_MAX. */
void source_init_fd(struct source *s, int fd, uint64_t bytes);
void source_free(struct source *s);

/* Offset of the next byte. */
static inline uint64_t source_offset(const struct source *s) {
    return s->base + (uint64_t)(s->p - s->start);
}
/* How many bytes there may be yet: no length that asks for more is honest. */
static inline uint64_t source_left(const struct source *s) {
    uint64_t here = (uint64_t)(s->end - s->p);
    return s->after > UINT64_MAX - here ? UINT64_MAX : s->after + here;
}
#define SOURCE_TAKE_MAX ((size_t)256 << 10) /* source_take gives up to so many at once */
const char *source_refill(struct source *s, size_t n);
/* The next n bytes, n <= SOURCE_TAKE_MAX; NULL: not that many. */
static inline const char *source_take(struct source *s, size_t n) {
    if (UNLIKELY((size_t)(s->end - s->p) < n)) return source_refill(s, n);
    const char *p = s->p;
    s->p += n;
    return p;
}
/* Any number of bytes, to `to`. */
bool source_read(struct source *s, char *to, size_t n);
bool source_skip(struct source *s, uint64_t n);
/* CRC of all bytes taken so far. */
uint64_t source_crc(struct source *s);

/* Notes the first failure; returns false always. Offset: where the next byte would be read. */
bool source_fail(struct source *s, enum source_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Takes a SOURCE_EMPTY back: the reader can do without that value. */
static inline void source_forgive(struct source *s) {
    if (s->error == SOURCE_EMPTY) s->error = SOURCE_FINE;
}

#endif
