/* siphash.c - SipHash with one compression round a word and three at the end. */
#include "ds/siphash.h"

#include "mem/bytes.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned k) {
    return x << k | x >> (64 - k);
}

static inline void mix(struct state *s) {
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static inline void absorb(struct state *s, uint64_t word) {
    s->v3 ^= word;
    mix(s);
    s->v0 ^= word;
}

uint64_t siphash13(const void *bytes, size_t n, const uint8_t key[16]) {
    const uint8_t *p = bytes;
    uint64_t k0 = load_u64(key), k1 = load_u64(key + 8);
    struct state s = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                       k1 ^ 0x7465646279746573u };
    size_t left = n;
    for (; left >= 8; left -= 8, p += 8) absorb(&s, load_u64(p));
    uint64_t last = 0;
    memcpy(&last, p, left);
    absorb(&s, last | (uint64_t)n << 56);
    s.v2 ^= 0xff;
    mix(&s);
    mix(&s);
    mix(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
