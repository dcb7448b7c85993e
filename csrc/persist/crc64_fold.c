/* crc64_fold.c - folding: a block is replaced by a shorter one that leaves the same remainder.
 *
 * Sixteen bytes are a polynomial H + L x^64, L being the eight that come first. D bits further on
 * they weigh x^D as much, and H x^D + L x^(64+D) has the remainder of H k + L l, where k and l are
 * x^D and x^(64+D) modulo the CRC's polynomial: 128 bits again, to be added to the sixteen bytes
 * there. Multiplying bits in reflected order gives a product that is one power of x too high, so
 * the constants are one power lower. Source: Gopal and others, "Fast CRC computation using
 * PCLMULQDQ", Intel, 2009.
 */
#include "persist/crc64_fold.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

static uint64_t across_64[2], across_16[2]; /* of that many bytes: for L, for H */

bool crc64_can_fold(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

void crc64_fold_prepare(uint64_t (*power)(unsigned n)) {
    across_64[0] = power(64 + 512 - 1);
    across_64[1] = power(512 - 1);
    across_16[0] = power(64 + 128 - 1);
    across_16[1] = power(128 - 1);
}

__attribute__((target("pclmul,sse4.1"))) static inline __m128i load(const uint8_t *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* What `v` weighs further on, added to `there`. */
__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i v, __m128i across,
                                                                    __m128i there) {
    __m128i low = _mm_clmulepi64_si128(v, across, 0x00);
    __m128i high = _mm_clmulepi64_si128(v, across, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

__attribute__((target("pclmul,sse4.1"))) size_t crc64_fold(uint64_t crc, const uint8_t *p, size_t n,
                                                           uint8_t out[16]) {
    const uint8_t *start = p;
    __m128i far = load((const uint8_t *)across_64), near = load((const uint8_t *)across_16);
    __m128i a = _mm_xor_si128(load(p), _mm_cvtsi64_si128((long long)crc));
    __m128i b = load(p + 16), c = load(p + 32), d = load(p + 48);
    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
        a = fold(a, far, load(p));
        b = fold(b, far, load(p + 16));
        c = fold(c, far, load(p + 32));
        d = fold(d, far, load(p + 48));
    }
    d = fold(fold(fold(a, near, b), near, c), near, d);
    for (; n >= 16; p += 16, n -= 16) d = fold(d, near, load(p));
    _mm_storeu_si128((__m128i *)(void *)out, d);
    return (size_t)(p - start);
}

#else

bool crc64_can_fold(void) {
    return false;
}
void crc64_fold_prepare(uint64_t (*power)(unsigned n)) {
    (void)power;
}
size_t crc64_fold(uint64_t crc, const uint8_t *p, size_t n, uint8_t out[16]) {
    (void)crc, (void)p, (void)n, (void)out;
    return 0;
}

#endif
