/* rdb_put.c - lengths, strings, numbers.
 *
 *   length   00xxxxxx | 01xxxxxx y | 80, 4 bytes | 81, 8 bytes       big endian, shortest form
 *   string   length, bytes | c0 c1 c2, integer of 1, 2, 4 bytes little endian
 *            | c3, length of the compressed bytes, length, compressed bytes
 */
#include "persist/rdb_put.h"

#include "mem/number.h"

#define INTEGER_TEXT_MAX 11u
#define COMPRESS_MIN 21u /* a string of so many bytes may be worth it … */
#define COMPRESS_GAIN 4u /* … if it saves so many */
#define PLAIN_BYTES 8192u

void rdb_writer_init(struct rdb_writer *w, struct sink *sink, bool compress) {
    *w = (struct rdb_writer){ .sink = sink,
                              .lzf = compress ? lzf_new() : NULL,
                              .plain_bytes = PLAIN_BYTES };
}

void rdb_writer_free(struct rdb_writer *w) {
    lzf_delete(w->lzf);
    free(w->packed);
}

void rdb_put_u64(struct rdb_writer *w, uint64_t v) {
    store_u64(sink_room(w->sink, 8), v);
    sink_used(w->sink, 8);
}

void rdb_put_double(struct rdb_writer *w, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    rdb_put_u64(w, bits);
}

void rdb_put_length(struct rdb_writer *w, uint64_t n) {
    uint8_t *p = (uint8_t *)sink_room(w->sink, 9);
    if (n < 64) {
        p[0] = (uint8_t)n;
        sink_used(w->sink, 1);
    } else if (n < 16384) {
        p[0] = (uint8_t)(0x40 | n >> 8);
        p[1] = (uint8_t)n;
        sink_used(w->sink, 2);
    } else if (n <= UINT32_MAX) {
        p[0] = 0x80;
        store_u32(p + 1, __builtin_bswap32((uint32_t)n));
        sink_used(w->sink, 5);
    } else {
        p[0] = 0x81;
        store_u64(p + 1, __builtin_bswap64(n));
        sink_used(w->sink, 9);
    }
}

/* False: it has no integer form. */
static bool put_integer(struct rdb_writer *w, int64_t v) {
    if (v < INT32_MIN || v > INT32_MAX) return false;
    unsigned form = v >= INT8_MIN && v <= INT8_MAX ? 0 : v >= INT16_MIN && v <= INT16_MAX ? 1 : 2;
    char *p = sink_room(w->sink, 5);
    *p = (char)(0xc0 | form);
    memcpy(p + 1, &v, (size_t)1 << form);
    sink_used(w->sink, 1 + ((size_t)1 << form));
    return true;
}

static bool put_compressed(struct rdb_writer *w, struct str s) {
    size_t room = s.n - COMPRESS_GAIN;
    if (w->packed_room < room) {
        free(w->packed);
        w->packed_room = room + room / 4;
        w->packed = malloc(w->packed_room);
        ASSERT(w->packed);
    }
    size_t n = lzf_compress(w->lzf, s.p, s.n, w->packed, room);
    if (!n) return false;
    rdb_put_byte(w, 0xc3);
    rdb_put_length(w, n);
    rdb_put_length(w, s.n);
    sink_put(w->sink, w->packed, n);
    return true;
}

void rdb_put_string(struct rdb_writer *w, struct str s) {
    int64_t v;
    if (s.n <= INTEGER_TEXT_MAX && str_to_i64(s, &v) && put_integer(w, v)) return;
    if (w->lzf && s.n >= COMPRESS_MIN && put_compressed(w, s)) return;
    rdb_put_length(w, s.n);
    sink_put(w->sink, s.p, s.n);
}

void rdb_put_integer_string(struct rdb_writer *w, int64_t v) {
    char text[24];
    if (put_integer(w, v)) return;
    size_t n = i64_to_text(text, v);
    rdb_put_length(w, n);
    sink_put(w->sink, text, n);
}

void rdb_put_aux(struct rdb_writer *w, struct str name, struct str value) {
    rdb_put_byte(w, 0xfa);
    rdb_put_string(w, name);
    rdb_put_string(w, value);
}
