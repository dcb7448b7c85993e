/* topk.h - which keys weigh most in a stream of keys with weights, in bounded memory.
 *
 * Space-Saving (Metwally, Agrawal, El Abbadi 2005): so many counters; a key that has none takes
 * that of the lightest, and begins with its weight, which is remembered as its error. A key that
 * weighs more than one part in `counters` of all is never missing, and weight - error is never more
 * than what it truly weighs.
 *
 * Owns      its counters with their copies of keys (malloc).
 * Promises  O(log counters) a key.
 */
#ifndef SHMREDIS_TOPK_H
#define SHMREDIS_TOPK_H

#include "mem/bytes.h"

struct top_key {
    struct top_key *next; /* in its bucket */
    uint64_t hash;
    uint64_t weight, error;
    size_t at; /* its place in the heap */
    size_t n;
    char bytes[];
};

struct topk {
    struct top_key **heap; /* the lightest first */
    struct top_key **bucket;
    size_t n, counters, buckets; /* buckets: a power of two */
};

void topk_create(struct topk *t, size_t counters);
void topk_delete(struct topk *t);
/* Adds to the weight of a key; the hash is the caller's, good in all of its bits. */
void topk_add(struct topk *t, struct str key, uint64_t hash, uint64_t weight);
/* A key by its place in no order, below t->n, and what it weighs at least. */
struct str topk_key(const struct topk *t, size_t i, uint64_t *weight);

#endif
