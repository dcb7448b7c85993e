/* number.h - numbers as Redis reads and writes them in text.
 *
 * Owns nothing. Every parser rejects what Redis rejects: leading spaces, plus signs, leading zeros
 * (integers), trailing bytes, empty strings; those of unsigned integers take what they say.
 */
#ifndef SHMREDIS_NUMBER_H
#define SHMREDIS_NUMBER_H

#include "mem/bytes.h"

#define NUMBER_TEXT_MAX 5200 /* %.17Lf of the largest long double */

/* Canonical decimal int64 ("-0", "007", "+1", " 1" are not). */
bool str_to_i64(struct str s, int64_t *out);
/* Digits only, below 2^64; leading zeros are allowed. */
bool str_to_u64(struct str s, uint64_t *out);
/* As strtoull reads it, with spaces and a sign before it (-2 is 2^64 - 2), but for the canonical
 * text of a negative int64. */
bool str_to_u64_any(struct str s, uint64_t *out);
/* A finite or infinite double as strtod reads it, whole string, no leading space, NaN refused. Too
 * large or too small is refused too, but for plain decimals that Redis takes as infinity or 0. */
bool str_to_double(struct str s, double *out);
/* The same for limits of ranges, where too large is infinity and too small is 0 in any text. */
bool str_to_double_limit(struct str s, double *out);
/* The same for INCRBYFLOAT, without that exception and of less than 5120 bytes. */
bool str_to_long_double(struct str s, long double *out);

/* Writers return the number of bytes written (no NUL counted, one is written). */
size_t i64_to_text(char out[24], int64_t v);
size_t u64_to_text(char out[20], uint64_t v); /* no NUL */
/* Text that reads back as the same double, in Redis's form: 2.5, 1e+300, 1e-7, inf, -inf, nan, 3,
 * 1e+20, 99999999999999990000000, -0. Scores and RESP3 doubles. The shortest, or what Redis takes
 * for it (mem/grisu.h). */
size_t double_to_text(char out[64], double v);
/* The same without the case of whole numbers: 1e+17. DEBUG DIGEST. */
size_t double_to_digits(char out[64], double v);
/* INCRBYFLOAT's form: 17 digits after the point, trailing zeros cut, never an exponent. */
size_t long_double_to_text(char out[NUMBER_TEXT_MAX], long double v);

#endif
