/* crc64.h - the CRC of RDB files and DUMP payloads: CRC-64 of Jones's polynomial.
 *
 * Reflected in and out, starts from 0, no final xor. crc64(0, "123456789", 9) is
 * 0xe9c6d914c4b8d9ca.
 */
#ifndef SHMREDIS_CRC64_H
#define SHMREDIS_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what gave `crc`, followed by these bytes. */
uint64_t crc64(uint64_t crc, const void *p, size_t n);
/* The CRC of two runs of bytes one after the other, from the CRC of each and the length of the
 * second: parts of a file that were written side by side. */
uint64_t crc64_combine(uint64_t first, uint64_t second, uint64_t second_bytes);

#endif
