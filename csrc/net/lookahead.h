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

#include "db/engine.h"

#define LOOKAHEAD_MAX 16

/* Keys that are about to be asked for. */
struct lookahead {
    int n;
    struct str key[LOOKAHEAD_MAX];
};

/* Whether it is worth while: small databases are in the cache anyway. */
bool lookahead_pays(const struct engine *eng, int db);
/* Collects the first keys of the requests (RESP arrays) in p[0..n), loads those of this worker;
 * returns the bytes of the requests that it saw whole. */
size_t lookahead_requests(struct engine *eng, int db, const char *p, size_t n);
/* Begins to load the entries of the keys. */
void lookahead_load(struct engine *eng, int db, const struct lookahead *l);

#endif
