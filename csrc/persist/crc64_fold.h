/* crc64_fold.h - long runs of bytes by carry-less multiplication, where the processor has it.
 *
 * For crc64.c only.
 */
#ifndef SHMREDIS_CRC64_FOLD_H
#define SHMREDIS_CRC64_FOLD_H

#include "mem/bytes.h"

#define CRC64_FOLD_MIN ((size_t)128)

/* False: the processor, or the compiler's target, cannot. */
bool crc64_can_fold(void);
/* `power(n)` is x to the n modulo the polynomial, bit 63 being x^0. Once, before crc64_fold. */
void crc64_fold_prepare(uint64_t (*power)(unsigned n));
/* Turns n >= CRC64_FOLD_MIN bytes and the CRC before them into 16 bytes that have the same CRC as
 * all of that, when started from 0, and returns how many bytes it took: a multiple of 16. */
size_t crc64_fold(uint64_t crc, const uint8_t *p, size_t n, uint8_t out[16]);

#endif
