/* reply.h - RESP2 and RESP3 replies written into one growing buffer.
 *
 * Commands say what the reply is (a map, a double, a null); the writer knows the protocol version.
 * A bulk string of REPLY_BORROW bytes or more is not copied: the buffer notes where it lies in the
 * arena, and the session sends it from there before the next command runs.
 *
 * Owns      the buffer (malloc). Never fails: when memory runs out the process aborts, as malloc
 * does.
 */
#ifndef SHMREDIS_REPLY_H
#define SHMREDIS_REPLY_H

#include "mem/number.h"
#include "status.h"

#define REPLY_BORROW ((size_t)64 * 1024)

struct reply {
    char *p;
    size_t n, cap;
    int resp;            /* 2 or 3 */
    bool errored;        /* the current command has replied with an error */
    size_t borrow_at;    /* where in p the borrowed bytes belong */
    struct str borrowed; /* .p NULL: none */
};

void reply_grow(struct reply *r, size_t more);
static inline char *reply_room(struct reply *r, size_t more) {
    if (UNLIKELY(r->cap - r->n < more)) reply_grow(r, more);
    return r->p + r->n;
}
/* Bytes that are RESP already; maybe none, and nowhere. */
static inline void reply_raw(struct reply *r, const char *p, size_t n) {
    if (n) memcpy(reply_room(r, n), p, n);
    r->n += n;
}
#define REPLY_RAW(r, literal) reply_raw((r), (literal), sizeof(literal) - 1)

void reply_bulk(struct reply *r, struct str s);
void reply_cstr(struct reply *r, const char *s); /* bulk */
void reply_bulk_i64(struct reply *r, int64_t v);
/* A bulk string from the arena that stays where it is until the command ends: may be borrowed. */
void reply_bulk_borrowed(struct reply *r, struct str s);
/* Copies borrowed bytes into their place. */
void reply_settle(struct reply *r);
void reply_int(struct reply *r, int64_t v);
void reply_double(struct reply *r, double v);                          /* ",1.5"; RESP2 bulk */
void reply_simple(struct reply *r, const char *text);                  /* "+text" */
void reply_lines(struct reply *r, const char *const *lines, size_t n); /* an array of such */
static inline void reply_ok(struct reply *r) {
    REPLY_RAW(r, "+OK\r\n");
}
void reply_null(struct reply *r);       /* "$-1" or "_" */
void reply_null_array(struct reply *r); /* "*-1" or "_" */
void reply_array(struct reply *r, size_t n);
void reply_map(struct reply *r, size_t pairs); /* RESP2: array of 2n */
void reply_set(struct reply *r, size_t n);     /* RESP2: array */
void reply_push(struct reply *r, size_t n);
void reply_verbatim(struct reply *r, const char *format, struct str s); /* "txt"; RESP2 bulk */

/* Errors: `line` has its prefix, no leading dash: "ERR syntax error". CR and LF become spaces. */
void reply_error(struct reply *r, const char *line);
void reply_errorf(struct reply *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reply_status(struct reply *r, status st); /* the error of a status */
/* The error in the place of what the command has written since `mark`. */
void reply_fail(struct reply *r, size_t mark, status st);

/* A length not known yet: reserve, write the elements, then set it. */
size_t reply_defer(struct reply *r);
void reply_set_deferred_array(struct reply *r, size_t mark, size_t n);
void reply_set_deferred_map(struct reply *r, size_t mark, size_t pairs);
/* SCAN's cursor, as a bulk string, before the elements that begin at `mark` and are written
 * already. */
void reply_insert_cursor(struct reply *r, size_t mark, uint64_t cursor);

#endif
