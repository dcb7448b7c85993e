/* lzf.h - the LZF format of compressed strings in RDB files.
 *
 *   control c < 32    a run of c + 1 literal bytes follows
 *   control c >= 32   a match: length (c >> 5) + 2, where 7 means that a byte more is added;
 *                     distance ((c & 31) << 8 | next byte) + 1 back in the output
 *
 * Source: the format's description; the compressor is our own and need not give Redis's bytes.
 */
#ifndef SHMREDIS_LZF_H
#define SHMREDIS_LZF_H

#include "mem/bytes.h"

/* The compressor's memory of what it has seen; reused from string to string without clearing. */
struct lzf;
struct lzf *lzf_new(void);
void lzf_delete(struct lzf *z);

/* Compresses n bytes into at most `room` bytes; 0: they do not fit, the string is not worth it. */
size_t lzf_compress(struct lzf *z, const char *in, size_t n, char *out, size_t room);
/* Hostile bytes: true when they expand to exactly `size` bytes. `out` has room for these. */
bool lzf_expand(const char *in, size_t n, char *out, size_t size);

#endif
