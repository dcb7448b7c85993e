/* number.c - parsing and printing numbers as Redis does. */
#include "mem/number.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>

#include "mem/grisu.h"

/* --- integers --- */

bool str_to_i64(struct str s, int64_t *out) {
    if (s.n == 0 || s.n > 20) return false;
    bool negative = s.p[0] == '-';
    size_t i = negative;
    if (i == s.n || s.p[i] < '0' || s.p[i] > '9') return false;
    if (s.p[i] == '0') { /* only "0" itself starts with a zero */
        *out = 0;
        return s.n == 1;
    }
    uint64_t v = 0;
    for (; i < s.n; i++) {
        unsigned digit = (unsigned)(s.p[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    if (v > (uint64_t)INT64_MAX + negative) return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

size_t i64_to_text(char out[24], int64_t v) {
    static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031"
                                "3233343536373839404142434445464748495051525354555657585960616263"
                                "6465666768697071727374757677787980818283848586878889909192939495"
                                "96979899";
    char buf[24], *p = buf + sizeof buf;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    while (u >= 100) {
        p -= 2;
        memcpy(p, pairs + 2 * (u % 100), 2);
        u /= 100;
    }
    if (u >= 10) {
        p -= 2;
        memcpy(p, pairs + 2 * u, 2);
    } else {
        *--p = (char)('0' + u);
    }
    if (v < 0) *--p = '-';
    size_t n = (size_t)(buf + sizeof buf - p);
    memcpy(out, p, n);
    out[n] = '\0';
    return n;
}

bool str_to_u64(struct str s, uint64_t *out) {
    uint64_t v = 0;
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}

bool str_to_u64_any(struct str s, uint64_t *out) {
    int64_t number;
    if (str_to_i64(s, &number) && number < 0) return false;
    while (s.n && isspace((unsigned char)*s.p)) s.p++, s.n--;
    bool negative = s.n && *s.p == '-';
    if (s.n && (*s.p == '+' || negative)) s.p++, s.n--;
    uint64_t v;
    if (!str_to_u64(s, &v)) return false;
    *out = negative ? 0 - v : v;
    return true;
}

size_t u64_to_text(char out[20], uint64_t v) {
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    for (size_t i = 0; i < n; i++) out[i] = digits[n - 1 - i];
    return n;
}

/* --- reading floating point --- */

#define TEXT_ON_STACK 512u
#define LONG_DOUBLE_TEXT 5120u /* longer texts are no numbers to Redis */

/* Copies s with a NUL behind it into buf, or into memory of its own when that is too small. NULL
 * when no number begins so. To be given back with release_text. */
static char *terminated_text(struct str s, char buf[TEXT_ON_STACK]) {
    if (s.n == 0 || isspace((unsigned char)s.p[0])) return NULL;
    char *text = s.n < TEXT_ON_STACK ? buf : malloc(s.n + 1);
    if (!text) return NULL;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return text;
}

static void release_text(char *text, const char *buf) {
    if (text != buf) free(text);
}

/* The text is decimal with at most 19 digits, as an integer times ten to the -342 to 308. Redis
 * reads such text by a table of powers, where too large is infinity and too small is 0; with any
 * other text both are errors. */
static bool range_is_lenient(const char *p) {
    int digits = 0, after_point = 0;
    bool point = false;
    p += *p == '-' || *p == '+';
    for (; isdigit((unsigned char)*p) || (*p == '.' && !point); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        if (digits || *p != '0') digits++;
        if (after_point < INT_MAX / 2) after_point += point;
        if (digits > 19) return false;
    }
    long exponent = 0;
    if (*p == 'e' || *p == 'E')
        exponent = strtol(p + 1, NULL, 10);
    else if (*p)
        return false;
    if (exponent > INT_MAX || exponent < INT_MIN) return false;
    exponent -= after_point;
    return exponent >= -342 && exponent <= 308;
}

static bool read_double(const char *text, const char *end, bool any_range, double *out) {
    char *stop;
    errno = 0;
    double v = strtod(text, &stop);
    if (stop != end || isnan(v)) return false;
    if (errno == ERANGE && (isinf(v) || v == 0) && !any_range && !range_is_lenient(text))
        return false;
    *out = v;
    return true;
}

static bool read_text(struct str s, bool any_range, double *out) {
    char buf[TEXT_ON_STACK];
    int64_t integer;
    if (s.n < 16 && str_to_i64(s, &integer)) {
        *out = (double)integer;
        return true;
    }
    char *text = terminated_text(s, buf);
    if (!text) return false;
    bool good = read_double(text, text + s.n, any_range, out);
    release_text(text, buf);
    return good;
}

bool str_to_double(struct str s, double *out) {
    return read_text(s, false, out);
}

bool str_to_double_limit(struct str s, double *out) {
    return read_text(s, true, out);
}

static bool read_long_double(const char *text, const char *end, long double *out) {
    char *stop;
    errno = 0;
    long double v = strtold(text, &stop);
    if (stop != end || isnan(v)) return false;
    if (errno == ERANGE && (isinf(v) || v == 0)) return false;
    *out = v;
    return true;
}

bool str_to_long_double(struct str s, long double *out) {
    char buf[TEXT_ON_STACK];
    if (s.n >= LONG_DOUBLE_TEXT) return false;
    char *text = terminated_text(s, buf);
    if (!text) return false;
    bool good = read_long_double(text, text + s.n, out);
    release_text(text, buf);
    return good;
}

/* --- writing floating point --- */

static char *put_zeros(char *out, int n) {
    while (n-- > 0) *out++ = '0';
    return out;
}

static char *put_digits(char *out, const char *digits, int n) {
    memcpy(out, digits, (size_t)n);
    return out + n;
}

/* d.ddde+XX, without the point when there is one digit. */
static char *put_scientific(char *out, const struct decimal *d) {
    int exponent = d->point - 1;
    *out++ = d->digits[0];
    if (d->count > 1) {
        *out++ = '.';
        out = put_digits(out, d->digits + 1, d->count - 1);
    }
    *out++ = 'e';
    if (exponent >= 0) *out++ = '+';
    return out + i64_to_text(out, exponent);
}

static char *put_plain(char *out, const struct decimal *d) {
    int count = d->count, point = d->point;
    if (point <= 0) {
        out = put_zeros(put_digits(out, "0.", 2), -point);
        return put_digits(out, d->digits, count);
    }
    if (point >= count) return put_zeros(put_digits(out, d->digits, count), point - count);
    out = put_digits(out, d->digits, point);
    *out++ = '.';
    return put_digits(out, d->digits + point, count - point);
}

static size_t fixed_text(char *out, const char *text) {
    size_t n = strlen(text);
    memcpy(out, text, n + 1);
    return n;
}

/* When Redis prints no exponent: few zeros behind the digits, or few digits behind the point. */
static bool is_plain(const struct decimal *d) {
    int last = d->point - d->count; /* exponent of the last digit */
    int first = abs(d->point - 1);
    return last >= 0 ? first < d->count + 7 : last > -7 || first < 4;
}

size_t double_to_digits(char out[64], double v) {
    if (isnan(v)) return fixed_text(out, "nan");
    if (isinf(v)) return fixed_text(out, v > 0 ? "inf" : "-inf");
    if (v == 0) return fixed_text(out, signbit(v) ? "-0" : "0");
    struct decimal d = grisu_digits(v);
    char *p = out;
    if (v < 0) *p++ = '-';
    p = is_plain(&d) ? put_plain(p, &d) : put_scientific(p, &d);
    *p = '\0';
    return (size_t)(p - out);
}

size_t double_to_text(char out[64], double v) {
    bool whole = fabs(v) <= 0x1p62 && v == (double)(int64_t)v;
    if (whole && v != 0) return i64_to_text(out, (int64_t)v);
    return double_to_digits(out, v);
}

size_t long_double_to_text(char out[NUMBER_TEXT_MAX], long double v) {
    if (isinf(v)) return fixed_text(out, v > 0 ? "inf" : "-inf");
    size_t n = (size_t)snprintf(out, NUMBER_TEXT_MAX, "%.17Lf", v);
    if (memchr(out, '.', n)) {
        while (out[n - 1] == '0') n--;
        if (out[n - 1] == '.') n--;
    }
    if (n == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        n = 1;
    }
    out[n] = '\0';
    return n;
}
