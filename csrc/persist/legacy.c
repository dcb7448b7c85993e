/* legacy.c - ziplists (Redis up to 6.2) and zipmaps (up to 2.4), turned into listpacks.
 *
 *   ziplist   bytes u32 | offset of the last entry u32 | entries u16 (65535: unknown) | entry … |
 * ff entry     bytes of the entry before: 1 byte, or fe and a u32 | encoding | data encoding
 * 00xxxxxx string | 01xxxxxx y string | 80 and 4 bytes big endian string c0 d0 e0 integer of 2, 4,
 * 8 bytes | f0 of 3 | fe of 1 | f1 to fd: 0 to 12
 *
 *   zipmap    pairs, 1 byte (254 and more: unknown) | pair … | ff
 *   pair      length, field | length, free u8, value, free bytes;   length: 1 byte, or fe and a u32
 */
#include "mem/number.h"
#include "persist/pack.h"

#define ZIP_END 0xffu
#define ZIP_BIG 0xfeu
#define ZIPLIST_HEADER 10u

/* What is left of the blob, its end mark not counted. */
struct cursor {
    const uint8_t *p, *end;
};

static bool has(const struct cursor *c, size_t n) {
    return (size_t)(c->end - c->p) >= n;
}

static int64_t read_integer(const uint8_t *p, size_t n) {
    uint64_t u = 0;
    memcpy(&u, p, n);
    unsigned unused = (unsigned)(64 - 8 * n);
    return (int64_t)(u << unused) >> unused;
}

/* One byte, or ZIP_BIG and four: of an entry before in ziplists, of a string in zipmaps. */
static bool read_length(struct cursor *c, size_t *n) {
    if (!has(c, 1)) return false;
    if (*c->p < ZIP_BIG) {
        *n = *c->p++;
        return true;
    }
    if (*c->p != ZIP_BIG || !has(c, 5)) return false;
    *n = load_u32(c->p + 1);
    c->p += 5;
    return true;
}

/* --- ziplists --- */

/* The length of a string, whose encoding is taken. */
static bool read_string_length(struct cursor *c, size_t *n) {
    uint8_t b = *c->p;
    size_t head = b < 0x40 ? 1 : b < 0x80 ? 2 : 5;
    if ((head == 5 && b != 0x80) || !has(c, head)) return false;
    *n = head == 1   ? b
         : head == 2 ? (size_t)(b & 0x3f) << 8 | c->p[1]
                     : __builtin_bswap32(load_u32(c->p + 1));
    c->p += head;
    return true;
}

/* Bytes of an integer's data after its encoding; SIZE_MAX: no such encoding. */
static size_t integer_bytes(uint8_t encoding) {
    switch (encoding) {
    case 0xc0: return 2;
    case 0xd0: return 4;
    case 0xe0: return 8;
    case 0xf0: return 3;
    case 0xfe: return 1;
    default: return encoding >= 0xf1 && encoding <= 0xfd ? 0 : SIZE_MAX;
    }
}

static bool read_entry(struct cursor *c, struct packer *out) {
    if (!has(c, 1)) return false;
    if (*c->p < 0xc0) {
        size_t n;
        if (!read_string_length(c, &n) || !has(c, n)) return false;
        struct str s = { (const char *)c->p, n };
        c->p += n;
        return packer_add(out, s);
    }
    uint8_t encoding = *c->p++;
    size_t n = integer_bytes(encoding);
    if (n == SIZE_MAX || !has(c, n)) return false;
    char text[24];
    int64_t v = n ? read_integer(c->p, n) : (encoding & 0xf) - 1;
    c->p += n;
    return packer_add(out, (struct str){ text, i64_to_text(text, v) });
}

bool ziplist_to_pack(struct str blob, struct packer *out) {
    const uint8_t *start = (const uint8_t *)blob.p;
    if (blob.n < ZIPLIST_HEADER + 1 || load_u32(start) != blob.n) return false;
    if (start[blob.n - 1] != ZIP_END) return false;
    struct cursor c = { start + ZIPLIST_HEADER, start + blob.n - 1 };
    size_t entries = 0, last = ZIPLIST_HEADER, bytes_before = 0, before;
    for (; c.p < c.end; entries++) {
        const uint8_t *entry = c.p;
        if (!read_length(&c, &before) || before != bytes_before) return false;
        if (!read_entry(&c, out)) return false;
        last = (size_t)(entry - start);
        bytes_before = (size_t)(c.p - entry);
    }
    uint16_t stored = load_u16(start + 8);
    return load_u32(start + 4) == last && (stored == UINT16_MAX || stored == entries);
}

/* --- zipmaps --- */

static bool read_map_string(struct cursor *c, size_t n, size_t unused, struct packer *out) {
    if (!has(c, n) || !has(c, n + unused)) return false;
    struct str s = { (const char *)c->p, n };
    c->p += n + unused;
    return packer_add(out, s);
}

bool zipmap_to_pack(struct str blob, struct packer *out) {
    const uint8_t *start = (const uint8_t *)blob.p;
    if (blob.n < 2 || start[blob.n - 1] != ZIP_END) return false;
    struct cursor c = { start + 1, start + blob.n - 1 };
    size_t pairs = 0, n;
    for (; c.p < c.end; pairs++) {
        if (!read_length(&c, &n) || !read_map_string(&c, n, 0, out)) return false;
        if (!read_length(&c, &n) || !has(&c, 1)) return false;
        size_t unused = *c.p++;
        if (!read_map_string(&c, n, unused, out)) return false;
    }
    return start[0] >= ZIP_BIG || start[0] == pairs;
}
