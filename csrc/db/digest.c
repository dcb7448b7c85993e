/* digest.c - SHA-1 (FIPS 180-4) and the two ways to add to a digest. */
#include "db/digest.h"

static uint32_t rotate(uint32_t x, unsigned k) {
    return x << k | x >> (32 - k);
}

static void sha1_block(uint32_t h[5], const uint8_t *p) {
    uint32_t w[80];
    for (int i = 0; i < 16; i++) w[i] = __builtin_bswap32(load_u32(p + 4 * i));
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20)
            f = (b & c) | (~b & d), k = 0x5a827999;
        else if (i < 40)
            f = b ^ c ^ d, k = 0x6ed9eba1;
        else if (i < 60)
            f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
        else
            f = b ^ c ^ d, k = 0xca62c1d6;
        uint32_t next = rotate(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

static void sha1(const uint8_t *p, size_t n, uint8_t out[DIGEST_BYTES]) {
    uint32_t h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
    uint8_t tail[128] = { 0 };
    size_t whole = n / 64, rest = n % 64;
    for (size_t i = 0; i < whole; i++) sha1_block(h, p + 64 * i);
    if (rest) memcpy(tail, p + 64 * whole, rest);
    tail[rest] = 0x80;
    size_t blocks = rest < 56 ? 1 : 2;
    store_u64(tail + 64 * blocks - 8, __builtin_bswap64((uint64_t)n * 8));
    for (size_t i = 0; i < blocks; i++) sha1_block(h, tail + 64 * i);
    for (int i = 0; i < 5; i++) store_u32(out + 4 * i, __builtin_bswap32(h[i]));
}

void digest_xor(struct digest *d, const void *p, size_t n) {
    uint8_t hash[DIGEST_BYTES];
    sha1(p, n, hash);
    for (int i = 0; i < DIGEST_BYTES; i++) d->sum[i] ^= hash[i];
}

void digest_mix(struct digest *d, const void *p, size_t n) {
    uint8_t hash[DIGEST_BYTES];
    digest_xor(d, p, n);
    sha1(d->sum, DIGEST_BYTES, hash);
    memcpy(d->sum, hash, DIGEST_BYTES);
}
