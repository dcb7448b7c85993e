/* number.c - parsing and printing numbers as Redis does. */
#include "mem/number.h"

#include <ctype.h>
#include <float.h>
#include <math.h>

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

/* --- floating point --- */

#define FLOAT_TEXT_MAX 5200u

/* A NUL-terminated copy in buf; false if it is empty, too long, or begins with a space. */
static bool terminated(struct str s, char *buf, size_t size) {
    if (s.n == 0 || s.n >= size || isspace((unsigned char)s.p[0])) return false;
    memcpy(buf, s.p, s.n);
    buf[s.n] = '\0';
    return true;
}

bool str_to_double(struct str s, double *out) {
    char buf[512], *end;
    int64_t integer;
    if (s.n < 16 && str_to_i64(s, &integer)) {
        *out = (double)integer;
        return true;
    }
    if (!terminated(s, buf, sizeof buf)) return false;
    double v = strtod(buf, &end);
    if (end != buf + s.n || isnan(v)) return false;
    /* Too large for a double is an error unless infinity was asked for by name. */
    if (isinf(v) && !strpbrk(buf, "iI")) return false;
    *out = v;
    return true;
}

bool str_to_long_double(struct str s, long double *out) {
    char buf[FLOAT_TEXT_MAX], *end;
    if (!terminated(s, buf, sizeof buf)) return false;
    long double v = strtold(buf, &end);
    if (end != buf + s.n || isnan(v)) return false;
    if (isinf(v) && !strpbrk(buf, "iI")) return false;
    *out = v;
    return true;
}

/* Digits and decimal exponent (of the point after the first digit) from "%.*e". */
struct decimal {
    char digits[24];
    int count, exponent;
    bool negative;
};

/* Whether `text` lies strictly between the midpoints of v and its neighbours. Grisu-like printers,
 * whose output Redis shows, take no text that is exactly a midpoint. Midpoints of doubles are exact
 * in a long double. */
static bool reads_back(const char *text, double v) {
    if (strtod(text, NULL) != v) return false;
    long double given = strtold(text, NULL), exact = v;
    long double above = (exact + nextafter(v, HUGE_VAL)) / 2;
    long double below = (exact + nextafter(v, -HUGE_VAL)) / 2;
    return given != above && given != below;
}

/* The fewest digits that read back as v. */
static struct decimal shortest(double v) {
    char text[64];
    int start = fabs(v) < DBL_MIN ? 0 : 14; /* 15 digits are enough to show that fewer would do */
    for (int precision = start; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, v);
        if (reads_back(text, v)) break;
    }
    struct decimal d = { .negative = text[0] == '-' };
    const char *p = text + d.negative;
    for (; *p != 'e'; p++)
        if (*p != '.') d.digits[d.count++] = *p;
    d.exponent = atoi(p + 1);
    while (d.count > 1 && d.digits[d.count - 1] == '0') d.count--;
    return d;
}

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
    *out++ = d->digits[0];
    if (d->count > 1) {
        *out++ = '.';
        out = put_digits(out, d->digits + 1, d->count - 1);
    }
    return out + sprintf(out, "e%c%d", d->exponent < 0 ? '-' : '+', abs(d->exponent));
}

static char *put_plain(char *out, const struct decimal *d) {
    int point = d->exponent + 1; /* digits before the point */
    if (point <= 0) {
        *out++ = '0';
        *out++ = '.';
        out = put_zeros(out, -point);
        return put_digits(out, d->digits, d->count);
    }
    if (point >= d->count) return put_zeros(put_digits(out, d->digits, d->count), point - d->count);
    out = put_digits(out, d->digits, point);
    *out++ = '.';
    return put_digits(out, d->digits + point, d->count - point);
}

static size_t fixed_text(char *out, const char *text) {
    size_t n = strlen(text);
    memcpy(out, text, n + 1);
    return n;
}

/* When Redis prints no exponent: few zeros behind the digits, or few digits behind the point. */
static bool is_plain(const struct decimal *d) {
    int last = d->exponent + 1 - d->count; /* exponent of the last digit */
    int first = abs(d->exponent);
    return last >= 0 ? first < d->count + 7 : last > -7 || first < 4;
}

size_t double_to_text(char out[64], double v) {
    if (isnan(v)) return fixed_text(out, "nan");
    if (isinf(v)) return fixed_text(out, v > 0 ? "inf" : "-inf");
    if (v == 0) return fixed_text(out, signbit(v) ? "-0" : "0");
    if (fabs(v) <= 0x1p62 && v == (double)(int64_t)v) return i64_to_text(out, (int64_t)v);
    struct decimal d = shortest(v);
    char *p = out;
    if (d.negative) *p++ = '-';
    p = is_plain(&d) ? put_plain(p, &d) : put_scientific(p, &d);
    *p = '\0';
    return (size_t)(p - out);
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
