/* evict.h - maxmemory: which key goes when memory is short, and the access clocks of keys.
 *
 * Policies are Redis's: sampled LRU, LFU (logarithmic counter with decay), LRM (least recently
 * modified), random, nearest TTL; over all keys or over volatile ones. Source: the eviction
 * documentation of Redis.
 */
#ifndef SHMREDIS_EVICT_H
#define SHMREDIS_EVICT_H

#include "db/keyspace.h"

struct evict_pool *evict_new(void);
void evict_delete(struct evict_pool *pool);

/* Clock value for a new entry under the policy in force. */
uint32_t access_clock_new(const struct engine *eng);
/* Notes an access (or, with `modified`, a change) of e. Reads leave no trace while a snapshot is
 * made, so that they copy no pages. */
void access_touch(struct engine *eng, struct entry *e, bool modified);
/* The clock that e has then. */
uint32_t access_touched(struct engine *eng, const struct entry *e, bool modified);
/* Seconds since the last access (LRU), and the decayed LFU counter. */
uint64_t access_idle_seconds(const struct engine *eng, const struct entry *e);
uint8_t access_frequency(const struct engine *eng, const struct entry *e);
/* Writes clock bits so that access_idle_seconds or access_frequency gives this. RESTORE, loading.
 */
void access_set_idle(const struct engine *eng, struct entry *e, uint64_t seconds);
void access_set_frequency(const struct engine *eng, struct entry *e, uint8_t frequency);

static inline bool policy_is_lfu(const struct engine *eng) {
    int64_t p = eng->config.maxmemory_policy;
    return p == POLICY_ALLKEYS_LFU || p == POLICY_VOLATILE_LFU;
}
static inline bool policy_is_lru(const struct engine *eng) {
    int64_t p = eng->config.maxmemory_policy;
    return p == POLICY_ALLKEYS_LRU || p == POLICY_VOLATILE_LRU;
}
static inline bool policy_is_lrm(const struct engine *eng) {
    int64_t p = eng->config.maxmemory_policy;
    return p == POLICY_ALLKEYS_LRM || p == POLICY_VOLATILE_LRM;
}

/* Evicts until memory is below maxmemory or the time slice is over. False: still over, and a
 * command that may use memory must be refused.
 *
 * maxmemory is that of the whole server. Of what is too much each worker evicts a share in
 * proportion to what it holds, so that cold keys go wherever they are, and asks the others for
 * theirs (eng->peers.ask). It refuses commands when neither it nor they have a key left to evict.
 * A small excess is left to the end of the turn, when evict_share is called. */
bool evict_to_limit(struct engine *eng);
/* Evicts this worker's share at once. */
bool evict_share(struct engine *eng);
/* Bytes that count against maxmemory, of this worker. */
uint64_t evict_used_memory(const struct engine *eng);

#endif
