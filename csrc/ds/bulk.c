/* bulk.c - each loop is written once and compiled for several widths.
 *
 * Counting with AVX2: a half byte chooses one of 16 counts by a shuffle, and the counts of eight
 * bytes are summed by the difference to zero (Mula, Kurz, Lemire, "Faster population counts using
 * AVX2 instructions", 2018). With AVX-512 there is an instruction for eight words.
 */
#include "ds/bulk.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define HAVE(feature) __builtin_cpu_supports(feature)
#define FOR(feature) __attribute__((target(feature)))
#else
#define HAVE(feature) false
#define FOR(feature)
#endif

/* --- counting --- */

/* Four sums, so that one count does not wait for the one before. */
#define COUNT_WORDS(name, attributes)                                                              \
    attributes static uint64_t name(const uint8_t *p, size_t n) {                                  \
        uint64_t a = 0, b = 0, c = 0, d = 0;                                                       \
        for (; n >= 32; p += 32, n -= 32) {                                                        \
            a += (uint64_t)__builtin_popcountll(load_u64(p));                                      \
            b += (uint64_t)__builtin_popcountll(load_u64(p + 8));                                  \
            c += (uint64_t)__builtin_popcountll(load_u64(p + 16));                                 \
            d += (uint64_t)__builtin_popcountll(load_u64(p + 24));                                 \
        }                                                                                          \
        for (; n; p++, n--) a += (uint64_t)__builtin_popcountll(*p);                               \
        return a + b + c + d;                                                                      \
    }

COUNT_WORDS(count_plain, )
COUNT_WORDS(count_popcnt, FOR("popcnt"))

#if defined(__x86_64__) && defined(__GNUC__)
#define WIDE 256u /* shorter runs are not worth the start */

FOR("avx2") static __m256i counts_of(__m256i v) {
    const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, /**/
                                            0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i half = _mm256_set1_epi8(15);
    __m256i low = _mm256_shuffle_epi8(counts, _mm256_and_si256(v, half));
    __m256i high = _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(v, 4), half));
    return _mm256_add_epi8(low, high);
}

FOR("avx2,popcnt") static uint64_t count_avx2(const uint8_t *p, size_t n) {
    const __m256i zero = _mm256_setzero_si256();
    __m256i sum = zero;
    for (; n >= 128; p += 128, n -= 128) {
        __m256i four = zero; /* at most 32 a byte */
        for (int i = 0; i < 4; i++) {
            __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32 * i));
            four = _mm256_add_epi8(four, counts_of(v));
        }
        sum = _mm256_add_epi64(sum, _mm256_sad_epu8(four, zero));
    }
    uint64_t parts[4];
    _mm256_storeu_si256((__m256i *)(void *)parts, sum);
    return parts[0] + parts[1] + parts[2] + parts[3] + count_popcnt(p, n);
}

FOR("avx512f,avx512vpopcntdq,popcnt") static uint64_t count_avx512(const uint8_t *p, size_t n) {
    __m512i a = _mm512_setzero_si512(), b = a;
    for (; n >= 128; p += 128, n -= 128) {
        a = _mm512_add_epi64(a, _mm512_popcnt_epi64(_mm512_loadu_si512(p)));
        b = _mm512_add_epi64(b, _mm512_popcnt_epi64(_mm512_loadu_si512(p + 64)));
    }
    uint64_t sum = (uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(a, b));
    return sum + count_popcnt(p, n);
}

static uint64_t count_wide(const uint8_t *p, size_t n) {
    if (HAVE("avx512vpopcntdq")) return count_avx512(p, n);
    return HAVE("avx2") ? count_avx2(p, n) : count_popcnt(p, n);
}

uint64_t bulk_count(const uint8_t *p, size_t n) {
    if (!HAVE("popcnt")) return count_plain(p, n);
    return n < WIDE ? count_popcnt(p, n) : count_wide(p, n);
}
#else
uint64_t bulk_count(const uint8_t *p, size_t n) {
    return count_plain(p, n);
}
#endif

/* --- combining --- */

/* A vector that the compiler makes of whatever registers the function may use. */
typedef uint64_t wide __attribute__((vector_size(32), aligned(1), may_alias));

#define OPERATION(T, op, t, f)                                                                     \
    (op == BULK_AND       ? (T)((t) & (f))                                                         \
     : op == BULK_OR      ? (T)((t) | (f))                                                         \
     : op == BULK_XOR     ? (T)((t) ^ (f))                                                         \
     : op == BULK_AND_NOT ? (T)((t) & (T) ~(f))                                                    \
                          : (T)((T) ~(t) & (f)))
#define INLINED static inline __attribute__((always_inline))

#define WIDE_AT(p, i) (*(const wide *)(const void *)((p) + (i)))

INLINED void combine(enum bulk_op op, uint8_t *to, const uint8_t *from, size_t n) {
    size_t i = 0;
    for (; i + sizeof(wide) <= n; i += sizeof(wide)) {
        wide *t = (wide *)(void *)(to + i);
        *t = OPERATION(wide, op, *t, WIDE_AT(from, i));
    }
    for (; i < n; i++) to[i] = OPERATION(uint8_t, op, to[i], from[i]);
}

/* Sums stay in registers: stores beside loads of other runs at the same place of a page are slow.
 */
INLINED void combine_all(enum bulk_op op, uint8_t *to, const uint8_t *const *from, int count,
                         size_t n) {
    size_t i = 0;
    for (; i + 2 * sizeof(wide) <= n; i += 2 * sizeof(wide)) {
        wide a = WIDE_AT(from[0], i), b = WIDE_AT(from[0], i + sizeof(wide));
        for (int s = 1; s < count; s++) {
            a = OPERATION(wide, op, a, WIDE_AT(from[s], i));
            b = OPERATION(wide, op, b, WIDE_AT(from[s], i + sizeof(wide)));
        }
        *(wide *)(void *)(to + i) = a;
        *(wide *)(void *)(to + i + sizeof(wide)) = b;
    }
    for (; i < n; i++) {
        uint8_t t = from[0][i];
        for (int s = 1; s < count; s++) t = OPERATION(uint8_t, op, t, from[s][i]);
        to[i] = t;
    }
}

INLINED void invert(uint8_t *to, const uint8_t *from, size_t n) {
    size_t i = 0;
    for (; i + sizeof(wide) <= n; i += sizeof(wide))
        *(wide *)(void *)(to + i) = ~*(const wide *)(const void *)(from + i);
    for (; i < n; i++) to[i] = (uint8_t)~from[i];
}

INLINED void tally(uint8_t *once, uint8_t *more, const uint8_t *from, size_t n) {
    size_t i = 0;
    for (; i + sizeof(wide) <= n; i += sizeof(wide)) {
        wide f = *(const wide *)(const void *)(from + i), *o = (wide *)(void *)(once + i);
        *(wide *)(void *)(more + i) |= *o & f;
        *o |= f;
    }
    for (; i < n; i++) {
        more[i] |= once[i] & from[i];
        once[i] |= from[i];
    }
}

/* All of the above for one kind of registers; the operation is a constant in each loop. */
#define COMBINERS(kind, attributes)                                                                \
    attributes static void combine_##kind(enum bulk_op op, uint8_t *to, const uint8_t *from,       \
                                          size_t n) {                                              \
        switch (op) {                                                                              \
        case BULK_AND: combine(BULK_AND, to, from, n); break;                                      \
        case BULK_OR: combine(BULK_OR, to, from, n); break;                                        \
        case BULK_XOR: combine(BULK_XOR, to, from, n); break;                                      \
        case BULK_AND_NOT: combine(BULK_AND_NOT, to, from, n); break;                              \
        default: combine(BULK_NOT_AND, to, from, n);                                               \
        }                                                                                          \
    }                                                                                              \
    attributes static void combine_all_##kind(enum bulk_op op, uint8_t *to,                        \
                                              const uint8_t *const *from, int count, size_t n) {   \
        switch (op) {                                                                              \
        case BULK_AND: combine_all(BULK_AND, to, from, count, n); break;                           \
        case BULK_OR: combine_all(BULK_OR, to, from, count, n); break;                             \
        case BULK_XOR: combine_all(BULK_XOR, to, from, count, n); break;                           \
        case BULK_AND_NOT: combine_all(BULK_AND_NOT, to, from, count, n); break;                   \
        default: combine_all(BULK_NOT_AND, to, from, count, n);                                    \
        }                                                                                          \
    }                                                                                              \
    attributes static void invert_##kind(uint8_t *to, const uint8_t *from, size_t n) {             \
        invert(to, from, n);                                                                       \
    }                                                                                              \
    attributes static void tally_##kind(uint8_t *once, uint8_t *more, const uint8_t *from,         \
                                        size_t n) {                                                \
        tally(once, more, from, n);                                                                \
    }

COMBINERS(plain, )
COMBINERS(avx2, FOR("avx2"))

void bulk_combine(enum bulk_op op, uint8_t *to, const uint8_t *from, size_t n) {
    (HAVE("avx2") ? combine_avx2 : combine_plain)(op, to, from, n);
}

void bulk_combine_all(enum bulk_op op, uint8_t *to, const uint8_t *const *from, int count,
                      size_t n) {
    (HAVE("avx2") ? combine_all_avx2 : combine_all_plain)(op, to, from, count, n);
}

void bulk_not(uint8_t *to, const uint8_t *from, size_t n) {
    (HAVE("avx2") ? invert_avx2 : invert_plain)(to, from, n);
}

void bulk_tally(uint8_t *once, uint8_t *more, const uint8_t *from, size_t n) {
    (HAVE("avx2") ? tally_avx2 : tally_plain)(once, more, from, n);
}
