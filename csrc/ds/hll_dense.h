/* hll_dense.h - the registers of a dense HyperLogLog as bytes and back, all at once.
 *
 * `p` are its HLL_REGISTERS * 6 / 8 bytes behind the header. Owns nothing, fails never.
 */
#ifndef SHMREDIS_HLL_DENSE_H
#define SHMREDIS_HLL_DENSE_H

#include "ds/hll.h"

/* Raises the registers to those of p. */
void hll_dense_spread(uint8_t registers[HLL_REGISTERS], const uint8_t *p);
/* Writes the registers, each below 64. */
void hll_dense_pack(uint8_t *p, const uint8_t registers[HLL_REGISTERS]);

#endif
