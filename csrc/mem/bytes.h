/* bytes.h - byte strings, unaligned access, assertions: what every layer needs and nothing else.
 *
 * Owns nothing. `struct str` borrows its bytes; they are not NUL-terminated.
 */
#ifndef SHMREDIS_BYTES_H
#define SHMREDIS_BYTES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ASSERT: a fact about us whose breach would corrupt the arena; always on, aborts with the place.
 * DASSERT: the same, as dear as you like, in debug and sanitizer builds only. */
#define ASSERT(x)                                                                                  \
    ((x) ? (void)0                                                                                 \
         : (fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #x), abort()))
#ifdef SHMREDIS_DEBUG
#define DASSERT(x) ASSERT(x)
#else
#define DASSERT(x) ((void)sizeof(x))
#endif

static inline bool str_eq(struct str a, struct str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Words are kept as copies behind each other. How many bytes they have; the copies, and where each
 * of them is in `to`. */
static inline size_t words_bytes(int n, const struct str *words) {
    size_t bytes = 0;
    for (int i = 0; i < n; i++) bytes += words[i].n;
    return bytes;
}
static inline void words_copy(struct str *copies, char *to, int n, const struct str *words) {
    for (int i = 0; i < n; i++) {
        if (words[i].n) memcpy(to, words[i].p, words[i].n);
        copies[i] = (struct str){ to, words[i].n };
        to += words[i].n;
    }
}

/* Order of bytes, the shorter first when one is a prefix: <0, 0 or >0. */
static inline int str_cmp(struct str a, struct str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* Case-insensitive ASCII comparison with a lower- or upper-case literal. */
static inline bool str_is(struct str s, const char *word) {
    size_t i = 0;
    for (; i < s.n && word[i]; i++)
        if (((unsigned char)s.p[i] ^ (unsigned char)word[i]) & 0xdf ||
            ((s.p[i] ^ word[i]) &&
             !(((unsigned char)word[i] | 0x20) >= 'a' && ((unsigned char)word[i] | 0x20) <= 'z')))
            return false;
    return i == s.n && !word[i];
}

#define BYTES_LOAD(bits)                                                                           \
    static inline uint##bits##_t load_u##bits(const void *p) {                                     \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof v);                                                                   \
        return v;                                                                                  \
    }                                                                                              \
    static inline void store_u##bits(void *p, uint##bits##_t v) {                                  \
        memcpy(p, &v, sizeof v);                                                                   \
    }
BYTES_LOAD(16)
BYTES_LOAD(32)
BYTES_LOAD(64)
#undef BYTES_LOAD

/* 48-bit little-endian numbers: expiry times in ms. */
static inline uint64_t load_u48(const void *p) {
    return (uint64_t)load_u32(p) | (uint64_t)load_u16((const char *)p + 4) << 32;
}
static inline void store_u48(void *p, uint64_t v) {
    store_u32(p, (uint32_t)v);
    store_u16((char *)p + 4, (uint16_t)(v >> 32));
}

#endif
