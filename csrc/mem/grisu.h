/* grisu.h - the decimal digits of a double, few and fast.
 *
 * Owns      nothing.
 * Promises  the digits read back as the same double. They are the shortest ones for 99.9 % of all
 *           doubles; the others are those that Redis prints too, which uses the same algorithm.
 */
#ifndef SHMREDIS_GRISU_H
#define SHMREDIS_GRISU_H

#include "mem/bytes.h"

#define DECIMAL_DIGITS 17

/* 0.d1d2d3… times ten to the `point`: the decimal point stands behind that many digits. */
struct decimal {
    char digits[DECIMAL_DIGITS + 1]; /* '0' to '9', no zeros at either end, not NUL-terminated */
    int count, point;
};

/* v is finite and not 0; its sign is ignored. */
struct decimal grisu_digits(double v);

#endif
