/* digest.h - the dataset digest of DEBUG DIGEST: equal data, equal 20 bytes, whatever the
 * encodings.
 *
 * Order-dependent parts are mixed, order-independent ones are xor-ed. The scheme is Redis's, so
 * digests of equal data are equal across servers. Source: observed on live servers.
 */
#ifndef SHMREDIS_DIGEST_H
#define SHMREDIS_DIGEST_H

#include "mem/bytes.h"

#define DIGEST_BYTES 20

struct digest {
    uint8_t sum[DIGEST_BYTES];
};

static inline void digest_init(struct digest *d) {
    memset(d, 0, sizeof *d);
}
/* sum ^= SHA1(bytes): for members of sets and finished sub-digests. */
void digest_xor(struct digest *d, const void *p, size_t n);
/* sum = SHA1(sum ^ SHA1(bytes)): for elements of sequences. */
void digest_mix(struct digest *d, const void *p, size_t n);

#endif
