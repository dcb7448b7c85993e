/* lookahead.h - starts loading what the next commands of a pipeline will touch.
 *
 * A key that is not in the processor's cache costs two misses one after the other: bucket, entry.
 * Looked up one by one they are a third of the time of a pipelined GET among a million keys; begun
 * for many commands at once they overlap. A hint only: nothing is decided by it, and input that it
 * does not understand ends it.
 *
 * Callers   net/session.c for its input, net/remote.c for what lies in a ring.
 */
#ifndef SHMREDIS_LOOKAHEAD_H
#define SHMREDIS_LOOKAHEAD_H

#include "db/keyspace.h"

#define LOOKAHEAD_MAX KEYS_LOADED

/* Keys that are about to be asked for. */
struct lookahead {
    int n;
    struct str key[LOOKAHEAD_MAX];
};

/* Collects the first keys of the requests (RESP arrays) in p[0..n), loads those of this worker and
 * those of others that may be read without a hop (net/peek.h); returns the bytes of the requests
 * that it saw whole. */
size_t lookahead_requests(struct engine *eng, int db, const char *p, size_t n);

#endif
