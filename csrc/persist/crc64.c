/* crc64.c - sixteen bytes a step by tables; combining by multiplication modulo the polynomial.
 *
 * table[k][b] is the CRC of the byte b followed by k zero bytes. Because a CRC is linear, the CRC
 * of sixteen bytes is the xor of sixteen look-ups, which do not wait for each other. Long runs are
 * folded into sixteen bytes first (crc64_fold.c) where the processor can: ten times as fast.
 */
#include "persist/crc64.h"

#include "mem/bytes.h"
#include "persist/crc64_fold.h"

#define POLYNOMIAL 0x95ac9329ac4bc9b5ULL /* 0xad93d23594c935a9 with its bits reversed */
#define STEP 16

/* Filled once, before main. */
static uint64_t table[STEP][256];
static bool can_fold;

static uint64_t power_of_x(unsigned n) {
    uint64_t p = 1ULL << 63;
    while (n-- > 0) p = p >> 1 ^ (p & 1 ? POLYNOMIAL : 0);
    return p;
}

__attribute__((constructor)) static void prepare(void) {
    can_fold = crc64_can_fold();
    crc64_fold_prepare(power_of_x);
    for (unsigned b = 0; b < 256; b++) {
        uint64_t crc = b;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][b] = crc;
    }
    for (unsigned k = 1; k < STEP; k++)
        for (unsigned b = 0; b < 256; b++) {
            uint64_t before = table[k - 1][b];
            table[k][b] = before >> 8 ^ table[0][before & 0xff];
        }
}

static inline uint64_t eight(const uint64_t t[8][256], uint64_t v) {
    return t[7][v & 0xff] ^ t[6][v >> 8 & 0xff] ^ t[5][v >> 16 & 0xff] ^ t[4][v >> 24 & 0xff] ^
           t[3][v >> 32 & 0xff] ^ t[2][v >> 40 & 0xff] ^ t[1][v >> 48 & 0xff] ^ t[0][v >> 56];
}

static uint64_t by_tables(uint64_t crc, const uint8_t *p, size_t n) {
    for (; n >= STEP; n -= STEP, p += STEP)
        crc = eight(table + 8, load_u64(p) ^ crc) ^ eight(table, load_u64(p + 8));
    for (; n > 0; n--) crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
    return crc;
}

uint64_t crc64(uint64_t crc, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    uint8_t folded[16];
    if (n < CRC64_FOLD_MIN || !can_fold) return by_tables(crc, p, n);
    size_t done = crc64_fold(crc, p, n, folded);
    return by_tables(by_tables(0, folded, sizeof folded), p + done, n - done);
}

/* --- combining --- */

/* The product of two polynomials modulo ours; bit 63 is the coefficient of x^0. */
static uint64_t multiply(uint64_t a, uint64_t b) {
    uint64_t product = 0;
    for (; a; a <<= 1) {
        if (a >> 63) product ^= b;
        b = b >> 1 ^ (b & 1 ? POLYNOMIAL : 0);
    }
    return product;
}

/* x to the power of 8 * bytes. */
static uint64_t power(uint64_t bytes) {
    uint64_t result = 1ULL << 63, square = 1ULL << (63 - 8);
    for (; bytes; bytes >>= 1, square = multiply(square, square))
        if (bytes & 1) result = multiply(result, square);
    return result;
}

uint64_t crc64_combine(uint64_t first, uint64_t second, uint64_t second_bytes) {
    return multiply(first, power(second_bytes)) ^ second;
}
