/* listpack.c - reading and changing listpacks in place.
 *
 *   | total bytes u32 | elements u16 | element … | 0xff |
 *   element: encoding and data | backlen (size of the former, readable backwards)
 *
 *   first byte   kind       data
 *   0xxxxxxx     uint7      in the byte
 *   10xxxxxx     string     6-bit length, bytes
 *   110xxxxx y   int13      big-endian two's complement in 13 bits
 *   1110xxxx y   string     12-bit length, bytes
 *   f0           string     u32 length, bytes
 *   f1 f2 f3 f4  integer    2, 3, 4, 8 bytes little endian
 */
#include "ds/listpack.h"

#include "mem/number.h"

#define HEADER 6u
#define END 0xffu
#define COUNT_UNKNOWN 65535u

void lp_init(uint8_t *lp) {
    store_u32(lp, LP_EMPTY_BYTES);
    store_u16(lp + 4, 0);
    lp[HEADER] = END;
}

size_t lp_bytes(const uint8_t *lp) {
    return load_u32(lp);
}

/* --- sizes --- */

static size_t backlen_size(size_t n) {
    return n <= 127 ? 1 : n < 16383 ? 2 : n < 2097151 ? 3 : n < 268435455 ? 4 : 5;
}

/* Bytes of encoding and data of the element at p. */
static inline size_t body_size(const uint8_t *p) {
    uint8_t b = *p;
    if (b < 0x80) return 1;
    if (b < 0xc0) return 1 + (size_t)(b & 0x3f);
    if (b < 0xe0) return 2;
    if (b < 0xf0) return 2 + ((size_t)(b & 0xf) << 8 | p[1]);
    switch (b) {
    case 0xf0: return 5 + (size_t)load_u32(p + 1);
    case 0xf1: return 3;
    case 0xf2: return 4;
    case 0xf3: return 5;
    case 0xf4: return 9;
    default: return 1;
    }
}

size_t lp_size_at(const uint8_t *p) {
    size_t body = body_size(p);
    return body + backlen_size(body);
}

/* Reads the backlen that ends before p; the number of its bytes in *size. */
static size_t read_backlen(const uint8_t *p, size_t *size) {
    size_t n = 0, shift = 0, bytes = 0;
    do {
        p--;
        n |= (size_t)(*p & 0x7f) << shift;
        shift += 7;
        bytes++;
    } while (*p & 0x80 && bytes < 5);
    *size = bytes;
    return n;
}

static uint8_t *write_backlen(uint8_t *p, size_t n) {
    size_t bytes = backlen_size(n);
    for (size_t i = bytes; i-- > 0; n >>= 7) p[i] = (uint8_t)((n & 0x7f) | (i ? 0x80 : 0));
    return p + bytes;
}

/* --- encoding --- */

/* How s is stored: as an integer when its text is canonical. */
static bool as_integer(struct str s, int64_t *v) {
    return s.n <= 20 && str_to_i64(s, v);
}

static size_t integer_body(int64_t v) {
    if (v >= 0 && v <= 127) return 1;
    if (v >= -4096 && v <= 4095) return 2;
    if (v >= INT16_MIN && v <= INT16_MAX) return 3;
    if (v >= -8388608 && v <= 8388607) return 4;
    return v >= INT32_MIN && v <= INT32_MAX ? 5 : 9;
}

static size_t string_body(size_t n) {
    return n + (n < 64 ? 1 : n < 4096 ? 2 : 5);
}

size_t lp_entry_bytes(struct str s) {
    int64_t v;
    size_t body = as_integer(s, &v) ? integer_body(v) : string_body(s.n);
    return body + backlen_size(body);
}

static void write_integer(uint8_t *p, int64_t v, size_t body) {
    uint64_t u = (uint64_t)v;
    switch (body) {
    case 1: p[0] = (uint8_t)v; break;
    case 2:
        p[0] = (uint8_t)(0xc0 | (u >> 8 & 0x1f));
        p[1] = (uint8_t)u;
        break;
    case 9:
        p[0] = 0xf4;
        store_u64(p + 1, u);
        break;
    default: p[0] = (uint8_t)(0xf1 + body - 3); memcpy(p + 1, &u, body - 1);
    }
}

static void write_string(uint8_t *p, struct str s) {
    if (s.n < 64) {
        *p++ = (uint8_t)(0x80 | s.n);
    } else if (s.n < 4096) {
        *p++ = (uint8_t)(0xe0 | s.n >> 8);
        *p++ = (uint8_t)s.n;
    } else {
        *p++ = 0xf0;
        store_u32(p, (uint32_t)s.n);
        p += 4;
    }
    memcpy(p, s.p, s.n);
}

static void write_entry(uint8_t *p, struct str s) {
    int64_t v;
    size_t body;
    if (as_integer(s, &v)) {
        body = integer_body(v);
        write_integer(p, v, body);
    } else {
        body = string_body(s.n);
        write_string(p, s);
    }
    write_backlen(p + body, body);
}

/* --- bodies --- */

size_t lp_body_put(uint8_t *p, struct str s) {
    int64_t v;
    if (as_integer(s, &v)) return lp_body_put_integer(p, v);
    write_string(p, s);
    return string_body(s.n);
}

size_t lp_body_put_integer(uint8_t *p, int64_t v) {
    size_t body = integer_body(v);
    write_integer(p, v, body);
    return body;
}

size_t lp_body_bytes(const uint8_t *p) {
    return body_size(p);
}

size_t lp_body_integer_bytes(int64_t v) {
    return integer_body(v);
}

size_t lp_body_whole(size_t body) {
    return body + backlen_size(body);
}

/* --- reading --- */

struct lp_value lp_get(const uint8_t *p) {
    uint8_t b = *p;
    struct lp_value v = { { NULL, 0 }, 0 };
    if (b < 0x80) {
        v.integer = b;
    } else if (b < 0xc0) {
        v.s = (struct str){ (const char *)p + 1, b & 0x3f };
    } else if (b < 0xe0) {
        unsigned u = (unsigned)(b & 0x1f) << 8 | p[1];
        v.integer = (int64_t)u - (u & 0x1000 ? 0x2000 : 0);
    } else if (b < 0xf0) {
        v.s = (struct str){ (const char *)p + 2, (size_t)(b & 0xf) << 8 | p[1] };
    } else if (b == 0xf0) {
        v.s = (struct str){ (const char *)p + 5, load_u32(p + 1) };
    } else {
        size_t bytes = body_size(p) - 1;
        uint64_t u = 0;
        memcpy(&u, p + 1, bytes);
        unsigned unused = (unsigned)(64 - 8 * bytes);
        v.integer = (int64_t)(u << unused) >> unused;
    }
    return v;
}

struct str lp_text(const uint8_t *p, char buf[24]) {
    struct lp_value v = lp_get(p);
    if (v.s.p) return v.s;
    return (struct str){ buf, i64_to_text(buf, v.integer) };
}

size_t lp_length(const uint8_t *lp) {
    uint16_t count = load_u16(lp + 4);
    if (count != COUNT_UNKNOWN) return count;
    size_t n = 0;
    for (const uint8_t *p = lp + HEADER; *p != END; p += lp_size_at(p)) n++;
    return n;
}

uint8_t *lp_first(uint8_t *lp) {
    return lp[HEADER] == END ? NULL : lp + HEADER;
}

uint8_t *lp_next(uint8_t *lp, uint8_t *p) {
    (void)lp;
    p += lp_size_at(p);
    return *p == END ? NULL : p;
}

/* The element that ends before p. */
static uint8_t *step_back(uint8_t *lp, uint8_t *p) {
    if (p <= lp + HEADER) return NULL;
    size_t size, body = read_backlen(p, &size);
    return p - size - body;
}

uint8_t *lp_prev(uint8_t *lp, uint8_t *p) {
    return step_back(lp, p);
}

uint8_t *lp_last(uint8_t *lp) {
    return step_back(lp, lp + lp_bytes(lp) - 1);
}

uint8_t *lp_seek(uint8_t *lp, int64_t index) {
    int64_t n = (int64_t)lp_length(lp);
    if (index < 0) index += n;
    if (index < 0 || index >= n) return NULL;
    if (index < n / 2) {
        uint8_t *p = lp + HEADER;
        while (index--) p += lp_size_at(p);
        return p;
    }
    uint8_t *p = lp_last(lp);
    for (int64_t i = n - 1; i > index; i--) p = step_back(lp, p);
    return p;
}

bool lp_equal(const uint8_t *p, struct str s) {
    struct lp_value v = lp_get(p);
    if (v.s.p) return str_eq(v.s, s);
    int64_t i;
    return as_integer(s, &i) && i == v.integer;
}

uint8_t *lp_find(uint8_t *lp, uint8_t *p, struct str s, unsigned skip) {
    int64_t wanted;
    bool integer = as_integer(s, &wanted);
    unsigned left = 0;
    (void)lp;
    for (; *p != END; p += lp_size_at(p)) {
        if (left--) continue;
        left = skip;
        struct lp_value v = lp_get(p);
        if (integer ? !v.s.p && v.integer == wanted : v.s.p && str_eq(v.s, s)) return p;
    }
    return NULL;
}

/* --- changing --- */

static void set_bytes(uint8_t *lp, size_t bytes) {
    store_u32(lp, (uint32_t)bytes);
}

/* Adds to the count, which once unknown stays so until it is small enough to be counted again. */
static void add_count(uint8_t *lp, int64_t delta) {
    uint16_t count = load_u16(lp + 4);
    if (count == COUNT_UNKNOWN) return;
    int64_t n = count + delta;
    store_u16(lp + 4, (uint16_t)(n < (int64_t)COUNT_UNKNOWN ? n : (int64_t)COUNT_UNKNOWN));
}

/* Makes `now` bytes out of `old` bytes at p by moving what follows. */
static void resize_gap(uint8_t *lp, uint8_t *p, size_t old, size_t now) {
    size_t bytes = lp_bytes(lp);
    memmove(p + now, p + old, bytes - (size_t)(p - lp) - old);
    set_bytes(lp, bytes - old + now);
}

uint8_t *lp_insert(uint8_t *lp, uint8_t *p, struct str s) {
    if (!p) p = lp + lp_bytes(lp) - 1;
    resize_gap(lp, p, 0, lp_entry_bytes(s));
    write_entry(p, s);
    add_count(lp, 1);
    return p;
}

uint8_t *lp_replace(uint8_t *lp, uint8_t *p, struct str s) {
    resize_gap(lp, p, lp_size_at(p), lp_entry_bytes(s));
    write_entry(p, s);
    return p;
}

uint8_t *lp_delete(uint8_t *lp, uint8_t *p, size_t count) {
    uint8_t *end = p;
    int64_t n = 0;
    for (; (size_t)n < count && *end != END; n++) end += lp_size_at(end);
    resize_gap(lp, p, (size_t)(end - p), 0);
    if (load_u16(lp + 4) == COUNT_UNKNOWN) {
        size_t length = lp_length(lp);
        if (length < COUNT_UNKNOWN) store_u16(lp + 4, (uint16_t)length);
    } else {
        add_count(lp, -n);
    }
    return *p == END ? NULL : p;
}

void lp_append_body(uint8_t *lp, const uint8_t *body) {
    size_t bytes = body_size(body);
    uint8_t *p = lp + lp_bytes(lp) - 1;
    memcpy(p, body, bytes);
    *write_backlen(p + bytes, bytes) = END;
    set_bytes(lp, lp_bytes(lp) + bytes + backlen_size(bytes));
    add_count(lp, 1);
}

/* --- hostile bytes --- */

/* The element at offset `at` lies within `bytes`; its size in *size. */
static bool entry_valid(const uint8_t *lp, size_t at, size_t bytes, size_t *size) {
    const uint8_t *p = lp + at;
    size_t left = bytes - at;
    uint8_t b = *p;
    if (b > 0xf4) return false;
    size_t head = b < 0xc0 ? 1 : b < 0xf0 ? 2 : b == 0xf0 ? 5 : 1;
    if (left < head) return false;
    size_t body = body_size(p);
    size_t backlen = backlen_size(body);
    if (body > left || backlen > left - body) return false;
    size_t seen, stored = read_backlen(p + body + backlen, &seen);
    *size = body + backlen;
    return seen == backlen && stored == body;
}

bool lp_valid(const uint8_t *lp, size_t bytes) {
    if (bytes < LP_EMPTY_BYTES || load_u32(lp) != bytes || lp[bytes - 1] != END) return false;
    size_t at = HEADER, count = 0, size;
    while (at < bytes - 1) {
        if (!entry_valid(lp, at, bytes - 1, &size)) return false;
        at += size;
        count++;
    }
    uint16_t stored = load_u16(lp + 4);
    return at == bytes - 1 && (stored == COUNT_UNKNOWN || stored == count);
}

void lp_check(const uint8_t *lp) {
    ASSERT(lp_valid(lp, lp_bytes(lp)));
}
