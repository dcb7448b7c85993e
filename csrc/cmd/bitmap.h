/* bitmap.h - what the commands about bits of strings share. */
#ifndef SHMREDIS_CMD_BITMAP_H
#define SHMREDIS_CMD_BITMAP_H

#include "cmd/call.h"

/* A bit's offset at argv[i]: in the string that proto-max-bulk-len allows. With `unit` non-zero
 * "#n" is n times as many bits. False: the error is replied. */
bool arg_bit_offset(struct call *c, int i, unsigned unit, uint64_t *out);
/* The bytes of the string at k, none if it is missing; an integer's are written into buf. */
struct str bitmap_bytes(const struct call *c, const struct key *k, char buf[24]);
/* The string at k as writable bytes, at least n of them; tells whether it has become longer. False:
 * the error is replied. */
bool bitmap_open(struct call *c, struct key *k, size_t n, char **bytes, size_t *length,
                 bool *longer);

#endif
