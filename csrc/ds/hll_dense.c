/* hll_dense.c - all registers of a dense HyperLogLog at once: 6 bits in, a byte out, and back.
 *
 * Three bytes are four registers. AVX2 takes 24 bytes: a shuffle gives each lane of 32 bits its
 * three, and masks and shifts put the four registers apart. The last 32 registers are done plainly,
 * because vectors would reach beyond the bytes there.
 */
#include "ds/hll_dense.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define WIDE 1
#else
#define WIDE 0
#endif

/* --- four at a time --- */

static void spread_plain(uint8_t *registers, const uint8_t *p, uint32_t n) {
    for (uint32_t i = 0; i < n; i += 4, p += 3) {
        uint32_t four = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
        for (uint32_t j = 0; j < 4; j++) {
            uint8_t v = four >> 6 * j & 63;
            if (v > registers[i + j]) registers[i + j] = v;
        }
    }
}

static void pack_plain(uint8_t *p, const uint8_t *registers, uint32_t n) {
    for (uint32_t i = 0; i < n; i += 4, p += 3) {
        uint32_t four = 0;
        for (uint32_t j = 0; j < 4; j++) four |= (registers[i + j] & 63u) << 6 * j;
        p[0] = (uint8_t)four;
        p[1] = (uint8_t)(four >> 8);
        p[2] = (uint8_t)(four >> 16);
    }
}

/* --- 32 at a time --- */

#if WIDE
#define AVX2 __attribute__((target("avx2")))

AVX2 static __m256i lanes(uint32_t mask) {
    return _mm256_set1_epi32((int)mask);
}

AVX2 static void spread_wide(uint8_t *registers, const uint8_t *p, uint32_t n) {
    const __m256i apart =
        _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, /**/
                         0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
    for (uint32_t i = 0; i < n; i += 32, p += 24) {
        __m128i low = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(p + 12));
        __m256i x = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), apart);
        __m256i a = _mm256_and_si256(x, lanes(0x3f));
        __m256i b = _mm256_and_si256(_mm256_slli_epi32(x, 2), lanes(0x3f00));
        __m256i c = _mm256_and_si256(_mm256_slli_epi32(x, 4), lanes(0x3f0000));
        __m256i d = _mm256_and_si256(_mm256_slli_epi32(x, 6), lanes(0x3f000000));
        __m256i all = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
        __m256i *to = (__m256i *)(void *)(registers + i);
        _mm256_storeu_si256(to, _mm256_max_epu8(_mm256_loadu_si256(to), all));
    }
}

/* Each store has four bytes too many, which the next one overwrites. */
AVX2 static void pack_wide(uint8_t *p, const uint8_t *registers, uint32_t n) {
    const __m256i together =
        _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1, /**/
                         0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    for (uint32_t i = 0; i < n; i += 32, p += 24) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(registers + i));
        __m256i a = _mm256_and_si256(x, lanes(0x3f));
        __m256i b = _mm256_srli_epi32(_mm256_and_si256(x, lanes(0x3f00)), 2);
        __m256i c = _mm256_srli_epi32(_mm256_and_si256(x, lanes(0x3f0000)), 4);
        __m256i d = _mm256_srli_epi32(_mm256_and_si256(x, lanes(0x3f000000)), 6);
        __m256i all = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
        all = _mm256_shuffle_epi8(all, together);
        _mm_storeu_si128((__m128i *)(void *)p, _mm256_castsi256_si128(all));
        _mm_storeu_si128((__m128i *)(void *)(p + 12), _mm256_extracti128_si256(all, 1));
    }
}
#endif

/* --- all --- */

#define LAST 32u
#define MOST (HLL_REGISTERS - LAST)

void hll_dense_spread(uint8_t registers[HLL_REGISTERS], const uint8_t *p) {
#if WIDE
    if (__builtin_cpu_supports("avx2")) {
        spread_wide(registers, p, MOST);
        spread_plain(registers + MOST, p + MOST / 4 * 3, LAST);
        return;
    }
#endif
    spread_plain(registers, p, HLL_REGISTERS);
}

void hll_dense_pack(uint8_t *p, const uint8_t registers[HLL_REGISTERS]) {
#if WIDE
    if (__builtin_cpu_supports("avx2")) {
        pack_wide(p, registers, MOST);
        pack_plain(p + MOST / 4 * 3, registers + MOST, LAST);
        return;
    }
#endif
    pack_plain(p, registers, HLL_REGISTERS);
}
