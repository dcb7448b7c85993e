/* grisu.c - Grisu2 of Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with
 * Integers" (PLDI 2010), with a table of every eighth power of ten.
 *
 * A double lies between two boundaries, halfway to its neighbours; every decimal between them reads
 * back as that double. All three are scaled by a power of ten so that a 64-bit fixed-point number
 * holds them with 28 or more bits behind the point. Digits of the upper boundary are then produced
 * until what is left over is smaller than the width of the interval, and the last digit is turned
 * down towards the value itself. Scaling is inexact by one unit in the last place, so the interval
 * is narrowed by that much: what comes out is always right, and seldom a digit too long.
 */
#include "mem/grisu.h"

#define FRACTION_BITS 52
#define EXPONENT_BIAS 1075 /* of the fraction taken as an integer */
#define SCALED_EXP_MIN (-60)
#define POWER_FIRST (-348)
#define POWER_STEP 8

/* Significands of 10^-348, 10^-340, … 10^340, rounded to 64 bits. */
static const uint64_t powers[] = {
    0xfa8fd5a0081c0288, 0xbaaee17fa23ebf76, 0x8b16fb203055ac76, 0xcf42894a5dce35ea,
    0x9a6bb0aa55653b2d, 0xe61acf033d1a45df, 0xab70fe17c79ac6ca, 0xff77b1fcbebcdc4f,
    0xbe5691ef416bd60c, 0x8dd01fad907ffc3c, 0xd3515c2831559a83, 0x9d71ac8fada6c9b5,
    0xea9c227723ee8bcb, 0xaecc49914078536d, 0x823c12795db6ce57, 0xc21094364dfb5637,
    0x9096ea6f3848984f, 0xd77485cb25823ac7, 0xa086cfcd97bf97f4, 0xef340a98172aace5,
    0xb23867fb2a35b28e, 0x84c8d4dfd2c63f3b, 0xc5dd44271ad3cdba, 0x936b9fcebb25c996,
    0xdbac6c247d62a584, 0xa3ab66580d5fdaf6, 0xf3e2f893dec3f126, 0xb5b5ada8aaff80b8,
    0x87625f056c7c4a8b, 0xc9bcff6034c13053, 0x964e858c91ba2655, 0xdff9772470297ebd,
    0xa6dfbd9fb8e5b88f, 0xf8a95fcf88747d94, 0xb94470938fa89bcf, 0x8a08f0f8bf0f156b,
    0xcdb02555653131b6, 0x993fe2c6d07b7fac, 0xe45c10c42a2b3b06, 0xaa242499697392d3,
    0xfd87b5f28300ca0e, 0xbce5086492111aeb, 0x8cbccc096f5088cc, 0xd1b71758e219652c,
    0x9c40000000000000, 0xe8d4a51000000000, 0xad78ebc5ac620000, 0x813f3978f8940984,
    0xc097ce7bc90715b3, 0x8f7e32ce7bea5c70, 0xd5d238a4abe98068, 0x9f4f2726179a2245,
    0xed63a231d4c4fb27, 0xb0de65388cc8ada8, 0x83c7088e1aab65db, 0xc45d1df942711d9a,
    0x924d692ca61be758, 0xda01ee641a708dea, 0xa26da3999aef774a, 0xf209787bb47d6b85,
    0xb454e4a179dd1877, 0x865b86925b9bc5c2, 0xc83553c5c8965d3d, 0x952ab45cfa97a0b3,
    0xde469fbd99a05fe3, 0xa59bc234db398c25, 0xf6c69a72a3989f5c, 0xb7dcbf5354e9bece,
    0x88fcf317f22241e2, 0xcc20ce9bd35c78a5, 0x98165af37b2153df, 0xe2a0b5dc971f303a,
    0xa8d9d1535ce3b396, 0xfb9b7cd9a4a7443c, 0xbb764c4ca7a44410, 0x8bab8eefb6409c1a,
    0xd01fef10a657842c, 0x9b10a4e5e9913129, 0xe7109bfba19c0c9d, 0xac2820d9623bf429,
    0x80444b5e7aa7cf85, 0xbf21e44003acdd2d, 0x8e679c2f5e44ff8f, 0xd433179d9c8cb841,
    0x9e19db92b4e31ba9, 0xeb96bf6ebadf77d9, 0xaf87023b9bf0ee6b

};

/* f times 2 to the e. */
struct binary {
    uint64_t f;
    int e;
};

static struct binary normalize(struct binary b) {
    int shift = __builtin_clzll(b.f);
    return (struct binary){ b.f << shift, b.e - shift };
}

static struct binary product(struct binary x, struct binary y) {
    unsigned __int128 p = (unsigned __int128)x.f * y.f + ((uint64_t)1 << 63);
    return (struct binary){ (uint64_t)(p >> 64), x.e + y.e + 64 };
}

/* The smallest power in the table that scales a number with exponent e to SCALED_EXP_MIN or above;
 * the next one is 26 bits larger, so the result stays below -32. */
static struct binary scale_for(int e, int *power) {
    int bits = SCALED_EXP_MIN - 1 - e; /* the power is at least 2 to the `bits` */
    int least = (bits * 78913 >> 18) + (bits != 0);
    int index = (least - POWER_FIRST + POWER_STEP - 1) / POWER_STEP;
    *power = POWER_FIRST + index * POWER_STEP;
    return (struct binary){ powers[index], (*power * 1741647 >> 19) - 63 };
}

/* Lowers the last digit while that brings the text nearer to the value, which lies `wanted` below
 * the upper boundary; the text lies `rest` below it, and must not leave the interval of `width`. */
static void turn_down(char *last, uint64_t rest, uint64_t unit, uint64_t wanted, uint64_t width) {
    while (rest < wanted && width - rest >= unit &&
           (rest + unit < wanted || wanted - rest > rest + unit - wanted)) {
        --*last;
        rest += unit;
    }
}

/* The largest power of ten that is at most n, and the digits of n; n > 0. */
static uint32_t leading_unit(uint32_t n, int *digits) {
    uint32_t unit = 1;
    for (*digits = 1; n / unit >= 10; ++*digits) unit *= 10;
    return unit;
}

/* Digits of `high` with the point behind all of the digits of its integer part. */
static void generate(struct decimal *d, struct binary high, uint64_t wanted, uint64_t width) {
    int shift = -high.e, kappa;
    uint64_t one = (uint64_t)1 << shift, fraction = high.f & (one - 1);
    uint32_t integer = (uint32_t)(high.f >> shift), unit = leading_unit(integer, &kappa);
    d->point = kappa;
    for (; kappa > 0; kappa--, unit /= 10) {
        d->digits[d->count++] = (char)('0' + integer / unit);
        integer %= unit;
        uint64_t rest = ((uint64_t)integer << shift) + fraction;
        if (rest <= width) {
            turn_down(&d->digits[d->count - 1], rest, (uint64_t)unit << shift, wanted, width);
            return;
        }
    }
    do {
        fraction *= 10, width *= 10, wanted *= 10;
        d->digits[d->count++] = (char)('0' + (fraction >> shift));
        fraction &= one - 1;
    } while (fraction >= width);
    turn_down(&d->digits[d->count - 1], fraction, one, wanted, width);
}

struct decimal grisu_digits(double v) {
    uint64_t bits = load_u64(&v), fraction = bits & (((uint64_t)1 << FRACTION_BITS) - 1);
    int exponent = (int)(bits >> FRACTION_BITS & 0x7ff);
    struct binary w = { fraction, 1 - EXPONENT_BIAS };
    if (exponent)
        w = (struct binary){ fraction | (uint64_t)1 << FRACTION_BITS, exponent - EXPONENT_BIAS };
    /* The neighbour below a power of two is half as far away. */
    bool near = exponent && !fraction;
    struct binary high = normalize((struct binary){ (w.f << 1) + 1, w.e - 1 });
    struct binary low = { (w.f << (near ? 2 : 1)) - 1, w.e - (near ? 2 : 1) };
    low.f <<= low.e - high.e, low.e = high.e;
    int power;
    struct binary scale = scale_for(high.e, &power);
    w = product(normalize(w), scale);
    high = product(high, scale), low = product(low, scale);
    high.f--, low.f++;
    struct decimal d = { .count = 0 };
    generate(&d, high, high.f - w.f, high.f - low.f);
    d.point -= power;
    while (d.count > 1 && d.digits[d.count - 1] == '0') d.count--;
    return d;
}
