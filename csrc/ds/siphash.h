/* siphash.h - SipHash-1-3, a keyed hash for short inputs from strangers (Aumasson, Bernstein,
 * 2012). */
#ifndef SHMREDIS_SIPHASH_H
#define SHMREDIS_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* 64 bits of n bytes under a key of 16 bytes. */
uint64_t siphash13(const void *p, size_t n, const uint8_t key[16]);

#endif
