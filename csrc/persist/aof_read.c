/* aof_read.c - reading items. */
#include "persist/aof_read.h"

#include <stdarg.h>

#define HEADER_MAX 128u /* bytes in which a header must end */
#define FEW_ARGS 1024   /* a count that is only declared is believed so far */

void aof_reader_init(struct aof_reader *r, const char *p, size_t n, size_t at) {
    *r = (struct aof_reader){ .p = p, .n = n, .start = at, .at = at, .lines = 1 };
}

void aof_reader_free(struct aof_reader *r) {
    free(r->argv);
    r->argv = NULL;
    r->cap = 0;
}

void aof_seek(struct aof_reader *r, size_t at) {
    r->start = r->at = at;
}

static enum aof_item fail(struct aof_reader *r, enum aof_item what, size_t at, const char *format,
                          ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(r->why, sizeof r->why, format, args);
    va_end(args);
    r->why_at = at;
    return what;
}

/* The byte that a reader with one line buffer has at `at`: of this header, its end, or of the one
 * before. */
static unsigned char in_buffer(const struct aof_reader *r, size_t at) {
    size_t index = at - r->header, before = r->last_header + index;
    const char *newline = memchr(r->p + r->header, '\n', r->n - r->header);
    size_t end = newline ? (size_t)(newline - r->p) + 1 : r->n;
    if (at < end) return (unsigned char)r->p[at];
    if (at == end || before >= r->header) return 0;
    return (unsigned char)r->p[before];
}

static enum aof_item no_line_end(struct aof_reader *r, size_t at, bool torn) {
    return fail(r, torn ? AOF_TORN : AOF_BAD, r->header, "Expected \\r\\n, got: %02x%02x",
                in_buffer(r, at), in_buffer(r, at + 1));
}

/* <mark><number> CR LF at r->at; goes behind it. AOF_COMMAND when it is fine. */
static enum aof_item read_header(struct aof_reader *r, char mark, int64_t *number) {
    r->last_header = r->header;
    r->header = r->at;
    if (r->at == r->n) return fail(r, AOF_TORN, r->at, "%s", "");
    if (r->p[r->at] != mark)
        return fail(r, AOF_BAD, r->at, "Expected prefix '%c', got: '%c'", mark, r->p[r->at]);
    size_t at = r->at + 1, end = r->n - r->at > HEADER_MAX ? r->at + HEADER_MAX : r->n;
    bool negative = at < end && r->p[at] == '-';
    int64_t v = 0;
    at += negative;
    size_t digits = at;
    for (; at < end && r->p[at] >= '0' && r->p[at] <= '9'; at++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, r->p[at] - '0', &v))
            return no_line_end(r, at, false);
    if (at == r->n || (r->p[at] == '\r' && at + 1 == r->n && at > digits))
        return no_line_end(r, at, true);
    if (at + 1 >= end || at == digits || r->p[at] != '\r' || r->p[at + 1] != '\n')
        return no_line_end(r, at, false);
    r->at = at + 2;
    r->lines++;
    *number = negative ? -v : v;
    return AOF_COMMAND;
}

static void push(struct aof_reader *r, struct str s) {
    if (r->argc == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 16;
        r->argv = realloc(r->argv, (size_t)r->cap * sizeof *r->argv);
        ASSERT(r->argv);
    }
    r->argv[r->argc++] = s;
}

static enum aof_item read_string(struct aof_reader *r) {
    int64_t bytes = 0;
    enum aof_item what = read_header(r, '$', &bytes);
    if (what != AOF_COMMAND) return what;
    if (bytes < 0) return fail(r, AOF_BAD, r->at, "Expected a length, got %lld", (long long)bytes);
    size_t left = r->n - r->at;
    if (left < (uint64_t)bytes + 2)
        return fail(r, AOF_TORN, r->at, "Expected to read %lld bytes, got %zu bytes",
                    (long long)bytes + 2, left);
    const char *end = r->p + r->at + bytes;
    if (end[0] != '\r' || end[1] != '\n')
        return fail(r, AOF_BAD, r->at, "Expected \\r\\n, got: %02x%02x", (unsigned char)end[0],
                    (unsigned char)end[1]);
    r->string_at = r->at;
    push(r, (struct str){ r->p + r->at, (size_t)bytes });
    r->at += (size_t)bytes + 2;
    r->lines++;
    return AOF_COMMAND;
}

static enum aof_item read_command(struct aof_reader *r) {
    int64_t count = 0;
    enum aof_item what = read_header(r, '*', &count);
    if (what == AOF_COMMAND && count > INT32_MAX)
        return fail(r, AOF_BAD, r->start, "Expected fewer arguments, got %lld", (long long)count);
    for (int64_t i = 0; what == AOF_COMMAND && i < count; i++) what = read_string(r);
    return what;
}

static enum aof_item read_line(struct aof_reader *r) {
    size_t left = r->n - r->at, most = left < AOF_LINE_MAX ? left : AOF_LINE_MAX;
    const char *text = r->p + r->at, *newline = memchr(text, '\n', most);
    if (!newline && most == AOF_LINE_MAX) {
        r->at += AOF_LINE_MAX - 1;
        r->start = r->at;
        return fail(r, AOF_BAD, r->at, "%s", "");
    }
    size_t n = newline ? (size_t)(newline - text) : left;
    r->unfinished = !newline;
    r->at += n + (newline != NULL);
    if (n && text[n - 1] == '\r') n--;
    push(r, (struct str){ text + 1, n > 0 ? n - 1 : 0 });
    return AOF_LINE;
}

enum aof_item aof_next(struct aof_reader *r) {
    r->start = r->at;
    r->argc = 0;
    r->unfinished = false;
    if (r->cap > FEW_ARGS) aof_reader_free(r);
    if (r->at == r->n) return AOF_END;
    if (r->p[r->at] == '#') return read_line(r);
    if (r->p[r->at] != '*') return fail(r, AOF_BAD, r->at, "%s", "");
    return read_command(r);
}
