/* wire.h - pieces of RESP written where there is room for them: replies, the append-only file.
 *
 * Each takes where to write and gives the end of what it has written. WIRE_HEAD bytes are enough
 * for a head, WIRE_HEAD more than its bytes for a bulk string.
 */
#ifndef SHMREDIS_WIRE_H
#define SHMREDIS_WIRE_H

#include "mem/number.h"

#define WIRE_HEAD 32

/* Decimal digits without NUL. Replies are full of small lengths. */
static inline char *wire_digits(char *p, uint64_t v) {
    if (v < 10) {
        *p = (char)('0' + v);
        return p + 1;
    }
    if (v < 100) {
        p[0] = (char)('0' + v / 10);
        p[1] = (char)('0' + v % 10);
        return p + 2;
    }
    char text[24];
    size_t n = i64_to_text(text, (int64_t)v);
    memcpy(p, text, n);
    return p + n;
}

static inline char *wire_crlf(char *p) {
    p[0] = '\r';
    p[1] = '\n';
    return p + 2;
}

/* "<kind><n>\r\n" */
static inline char *wire_head(char *p, char kind, size_t n) {
    *p++ = kind;
    return wire_crlf(wire_digits(p, n));
}

/* "$<length>\r\n<bytes>\r\n" */
static inline char *wire_bulk(char *p, struct str s) {
    p = wire_head(p, '$', s.n);
    memcpy(p, s.p, s.n);
    return wire_crlf(p + s.n);
}

#endif
