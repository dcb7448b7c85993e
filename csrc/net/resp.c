/* resp.c - the request parser. */
#include "net/resp.h"

#include <ctype.h>
#include <limits.h>

#include "mem/number.h"

#define UNAUTHENTICATED_ARGS_MAX 10
#define UNAUTHENTICATED_BULK_MAX 16384
#define ARGV_KEEP 1024 /* a longer vector is not kept for the next command */

void resp_init(struct resp_parser *p) {
    *p = (struct resp_parser){ 0 };
    resp_reset(p);
}

void resp_free(struct resp_parser *p) {
    free(p->argv);
    p->argv = NULL;
    p->capacity = 0;
}

static void push_arg(struct resp_parser *p, char *s, size_t n) {
    if (UNLIKELY(p->argc == p->capacity)) {
        p->capacity = p->capacity ? 2 * p->capacity : 16;
        p->argv = realloc(p->argv, (size_t)p->capacity * sizeof *p->argv);
        ASSERT(p->argv);
    }
    p->argv[p->argc++] = (struct str){ s, n };
}

static enum resp_result bad(char error[128], const char *what) {
    snprintf(error, 128, "ERR Protocol error: %s", what);
    return RESP_BAD;
}

/* The line from p->pos to CR; NULL: not complete. Sets the position after CR LF. */
static const char *take_line(struct resp_parser *p, const char *buf, size_t n, size_t *length) {
    const char *start = buf + p->pos;
    const char *cr = memchr(start, '\r', n - p->pos);
    if (!cr || cr + 1 >= buf + n) return NULL;
    *length = (size_t)(cr - start);
    p->pos += *length + 2;
    return start;
}

/* More is needed, unless the line is too long already. */
static enum resp_result line_missing(const struct resp_parser *p, size_t n, char error[128]) {
    if (n - p->pos <= RESP_INLINE_MAX) return RESP_MORE;
    return bad(error, p->left < 0 ? "too big mbulk count string" : "too big bulk count string");
}

/* Digits are what clients send nearly always; the rest goes the strict way. */
static bool parse_length(const char *s, size_t n, int64_t *out) {
    if (n == 0 || n > 9) return str_to_i64((struct str){ s, n }, out);
    int64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') return str_to_i64((struct str){ s, n }, out);
        v = v * 10 + (s[i] - '0');
    }
    *out = v;
    return n == 1 || s[0] != '0';
}

static enum resp_result read_count(struct resp_parser *p, const struct resp_limits *limits,
                                   const char *buf, size_t n, char error[128]) {
    size_t length;
    const char *line = take_line(p, buf, n, &length);
    if (!line) return line_missing(p, n, error);
    int64_t count;
    if (!parse_length(line + 1, length - 1, &count) || count > INT_MAX) {
        if (!memchr(line, '\0', length)) return bad(error, "invalid multibulk length");
        p->pos = 0; /* to Redis no line ends behind a zero byte, here and inline */
        return line_missing(p, n, error);
    }
    if (count > UNAUTHENTICATED_ARGS_MAX && !limits->authenticated)
        return bad(error, "unauthenticated multibulk length");
    p->left = count > 0 ? count : 0;
    return RESP_COMMAND;
}

static enum resp_result read_bulk_header(struct resp_parser *p, const struct resp_limits *limits,
                                         const char *buf, size_t n, char error[128]) {
    size_t length;
    const char *line = take_line(p, buf, n, &length);
    if (!line) return line_missing(p, n, error);
    if (*line != '$') {
        char what[64];
        snprintf(what, sizeof what, "expected '$', got '%c'", *line);
        return bad(error, what);
    }
    if (!parse_length(line + 1, length - 1, &p->bulk) || p->bulk < 0 || p->bulk > limits->bulk_max)
        return bad(error, "invalid bulk length");
    if (p->bulk > UNAUTHENTICATED_BULK_MAX && !limits->authenticated)
        return bad(error, "unauthenticated bulk length");
    return RESP_COMMAND;
}

static enum resp_result parse_array(struct resp_parser *p, const struct resp_limits *limits,
                                    char *buf, size_t n, char error[128]) {
    if (p->left < 0) {
        enum resp_result r = read_count(p, limits, buf, n, error);
        if (r != RESP_COMMAND) return r;
    }
    while (p->left > 0) {
        if (p->bulk < 0) {
            if (p->pos >= n) return RESP_MORE;
            enum resp_result r = read_bulk_header(p, limits, buf, n, error);
            if (r != RESP_COMMAND) return r;
        }
        size_t bulk = (size_t)p->bulk;
        if (n - p->pos < bulk + 2) return RESP_MORE;
        push_arg(p, buf + p->pos, bulk);
        p->pos += bulk + 2;
        p->bulk = -1;
        p->left--;
    }
    return RESP_COMMAND;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One escape after a backslash at s inside double quotes; advances s past it. */
static char unescape(const char **s, const char *end) {
    const char *at = *s;
    if (*at == 'x' && end - at >= 3 && hex_value(at[1]) >= 0 && hex_value(at[2]) >= 0) {
        *s = at + 3;
        return (char)(hex_value(at[1]) * 16 + hex_value(at[2]));
    }
    *s = at + 1;
    switch (*at) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return *at;
    }
}

/* A quoted run from after its opening quote; writes to *out; false if it is not closed well. */
static bool take_quoted(const char **s, const char *end, char **out) {
    char quote = (*s)[-1];
    while (*s < end && **s != quote) {
        if (**s == '\\' && quote == '"' && *s + 1 < end) {
            (*s)++;
            *(*out)++ = unescape(s, end);
        } else if (**s == '\\' && quote == '\'' && *s + 1 < end && (*s)[1] == '\'') {
            *(*out)++ = '\'';
            *s += 2;
        } else {
            *(*out)++ = *(*s)++;
        }
    }
    if (*s == end) return false;
    (*s)++;
    return *s == end || isspace((unsigned char)**s);
}

/* Splits line into words, unescaping in place: the result is never longer than its source. */
static bool split_inline(struct resp_parser *p, char *line, size_t n) {
    const char *s = line, *end = line + n;
    while (true) {
        while (s < end && isspace((unsigned char)*s)) s++;
        if (s == end) return true;
        char *word = (char *)(uintptr_t)s, *out = word;
        while (s < end && !isspace((unsigned char)*s)) {
            if (*s == '"' || *s == '\'') {
                s++;
                if (!take_quoted(&s, end, &out)) return false;
            } else {
                *out++ = *s++;
            }
        }
        push_arg(p, word, (size_t)(out - word));
    }
}

static enum resp_result parse_inline(struct resp_parser *p, char *buf, size_t n, char error[128]) {
    char *newline = memchr(buf, '\n', n);
    if (newline && memchr(buf, '\0', (size_t)(newline - buf))) newline = NULL;
    if (!newline) return n > RESP_INLINE_MAX ? bad(error, "too big inline request") : RESP_MORE;
    size_t length = (size_t)(newline - buf);
    p->pos = length + 1;
    p->left = 0;
    if (length && buf[length - 1] == '\r') length--;
    if (length > RESP_INLINE_MAX) return bad(error, "too big inline request");
    if (!split_inline(p, buf, length)) return bad(error, "unbalanced quotes in request");
    return RESP_COMMAND;
}

enum resp_result resp_parse(struct resp_parser *p, const struct resp_limits *limits, char *buf,
                            size_t n, char error[128]) {
    if (UNLIKELY(p->capacity > ARGV_KEEP && p->argc == 0)) resp_free(p);
    if (UNLIKELY(p->left == 0)) return RESP_COMMAND; /* was complete before: it had to wait */
    if (n == 0) return RESP_MORE;
    if (LIKELY(buf[0] == '*')) return parse_array(p, limits, buf, n, error);
    return parse_inline(p, buf, n, error);
}

void resp_rebase(struct resp_parser *p, const char *from, char *to) {
    for (int i = 0; i < p->argc; i++) p->argv[i].p = to + (p->argv[i].p - from);
}

size_t resp_wants(const struct resp_parser *p) {
    return p->bulk < 0 ? 0 : p->pos + (size_t)p->bulk + 2;
}

bool resp_at_last(const struct resp_parser *p) {
    return p->left == 1;
}
