/* reply.c - the RESP writer. */
#include "cmd/reply.h"

#include <stdarg.h>

#include "mem/wire.h"

void reply_grow(struct reply *r, size_t more) {
    size_t cap = r->cap ? r->cap : 16384;
    while (cap - r->n < more) cap *= 2;
    char *p = realloc(r->p, cap);
    ASSERT(p);
    r->p = p;
    r->cap = cap;
}

/* "<kind><n>\r\n" */
static void header(struct reply *r, char kind, size_t n) {
    char *start = reply_room(r, WIRE_HEAD);
    r->n += (size_t)(wire_head(start, kind, n) - start);
}

void reply_bulk(struct reply *r, struct str s) {
    char *start = reply_room(r, s.n + WIRE_HEAD);
    r->n += (size_t)(wire_bulk(start, s) - start);
}

void reply_bulk_borrowed(struct reply *r, struct str s) {
    if (s.n < REPLY_BORROW || r->borrowed.p) {
        reply_bulk(r, s);
        return;
    }
    header(r, '$', s.n);
    r->borrowed = s;
    r->borrow_at = r->n;
    REPLY_RAW(r, "\r\n");
}

void reply_settle(struct reply *r) {
    if (!r->borrowed.p) return;
    reply_room(r, r->borrowed.n);
    char *at = r->p + r->borrow_at;
    memmove(at + r->borrowed.n, at, r->n - r->borrow_at);
    memcpy(at, r->borrowed.p, r->borrowed.n);
    r->n += r->borrowed.n;
    r->borrowed = (struct str){ NULL, 0 };
}

void reply_cstr(struct reply *r, const char *s) {
    reply_bulk(r, (struct str){ s, strlen(s) });
}

void reply_bulk_i64(struct reply *r, int64_t v) {
    char text[24];
    reply_bulk(r, (struct str){ text, i64_to_text(text, v) });
}

void reply_int(struct reply *r, int64_t v) {
    char *start = reply_room(r, 32), *p = start;
    *p++ = ':';
    if (v >= 0) {
        p = wire_digits(p, (uint64_t)v);
    } else {
        char text[24];
        size_t n = i64_to_text(text, v);
        memcpy(p, text, n);
        p += n;
    }
    p = wire_crlf(p);
    r->n += (size_t)(p - start);
}

void reply_double(struct reply *r, double v) {
    char text[64];
    size_t n = double_to_text(text, v);
    if (r->resp < 3) {
        reply_bulk(r, (struct str){ text, n });
        return;
    }
    reply_raw(r, ",", 1);
    reply_raw(r, text, n);
    REPLY_RAW(r, "\r\n");
}

void reply_simple(struct reply *r, const char *text) {
    reply_raw(r, "+", 1);
    reply_raw(r, text, strlen(text));
    REPLY_RAW(r, "\r\n");
}

void reply_lines(struct reply *r, const char *const *lines, size_t n) {
    reply_array(r, n);
    for (size_t i = 0; i < n; i++) reply_simple(r, lines[i]);
}

void reply_null(struct reply *r) {
    if (r->resp < 3)
        REPLY_RAW(r, "$-1\r\n");
    else
        REPLY_RAW(r, "_\r\n");
}

void reply_null_array(struct reply *r) {
    if (r->resp < 3)
        REPLY_RAW(r, "*-1\r\n");
    else
        REPLY_RAW(r, "_\r\n");
}

void reply_array(struct reply *r, size_t n) {
    header(r, '*', n);
}

void reply_map(struct reply *r, size_t pairs) {
    if (r->resp < 3)
        header(r, '*', 2 * pairs);
    else
        header(r, '%', pairs);
}

void reply_set(struct reply *r, size_t n) {
    header(r, r->resp < 3 ? '*' : '~', n);
}

void reply_push(struct reply *r, size_t n) {
    header(r, r->resp < 3 ? '*' : '>', n);
}

void reply_verbatim(struct reply *r, const char *format, struct str s) {
    if (r->resp < 3) {
        reply_bulk(r, s);
        return;
    }
    header(r, '=', s.n + 4);
    reply_raw(r, format, 3);
    reply_raw(r, ":", 1);
    reply_raw(r, s.p, s.n);
    REPLY_RAW(r, "\r\n");
}

void reply_error(struct reply *r, const char *line) {
    size_t n = strlen(line);
    char *p = reply_room(r, n + 3);
    *p++ = '-';
    for (size_t i = 0; i < n; i++) *p++ = line[i] == '\r' || line[i] == '\n' ? ' ' : line[i];
    wire_crlf(p);
    r->n += n + 3;
    r->errored = true;
}

void reply_errorf(struct reply *r, const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    reply_error(r, line);
}

void reply_status(struct reply *r, status st) {
    reply_error(r, status_text(st));
}

void reply_fail(struct reply *r, size_t mark, status st) {
    if (r->borrow_at >= mark) r->borrowed = (struct str){ NULL, 0 };
    r->n = mark;
    reply_status(r, st);
}

/* A deferred header takes DEFER_ROOM bytes; what it does not need is closed by moving the rest. */
#define DEFER_ROOM 16u

size_t reply_defer(struct reply *r) {
    size_t mark = r->n;
    reply_room(r, DEFER_ROOM);
    r->n += DEFER_ROOM;
    return mark;
}

static void set_header(struct reply *r, size_t mark, char kind, size_t n) {
    char text[WIRE_HEAD];
    size_t used = (size_t)(wire_head(text, kind, n) - text);
    memcpy(r->p + mark, text, used);
    memmove(r->p + mark + used, r->p + mark + DEFER_ROOM, r->n - mark - DEFER_ROOM);
    r->n -= DEFER_ROOM - used;
    if (r->borrowed.p && r->borrow_at > mark) r->borrow_at -= DEFER_ROOM - used;
}

void reply_set_deferred_array(struct reply *r, size_t mark, size_t n) {
    set_header(r, mark, '*', n);
}

void reply_set_deferred_map(struct reply *r, size_t mark, size_t pairs) {
    if (r->resp < 3)
        set_header(r, mark, '*', 2 * pairs);
    else
        set_header(r, mark, '%', pairs);
}

void reply_insert_cursor(struct reply *r, size_t mark, uint64_t cursor) {
    char text[24], bulk[sizeof text + WIRE_HEAD];
    struct str digits = { text, i64_to_text(text, (int64_t)cursor) };
    size_t n = (size_t)(wire_bulk(bulk, digits) - bulk);
    reply_room(r, n);
    char *at = r->p + mark;
    memmove(at + n, at, r->n - mark);
    memcpy(at, bulk, n);
    r->n += n;
}
