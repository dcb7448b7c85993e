/* zset.h - what the files of sorted-set commands share. */
#ifndef SHMREDIS_CMD_ZSET_H
#define SHMREDIS_CMD_ZSET_H

#include "cmd/call.h"
#include "db/type_zset.h"

struct zset {
    struct key key;
    struct value value; /* only when there is one */
};

/* The sorted set at argv[i]; false: wrong type, replied. z->key.entry is NULL when there is none.
 */
bool zset_open_read(struct call *c, int i, struct zset *z);
bool zset_open_write(struct call *c, int i, struct zset *z);
/* Stores what was done to the value; deletes the key when no member is left. */
void zset_close(struct call *c, struct zset *z);
/* Puts a value that was built before at argv[i] in place of what is there, or deletes that when the
 * value has no root; replies the length. The value is freed if that fails. */
void zset_store(struct call *c, int i, struct value *v, const char *event);
/* ZADD, as argv says it. */
void zset_add(struct call *c);

/* A visitor that replies each member; ctx is struct score_reply. */
struct score_reply {
    struct reply *out;
    bool scores;
    bool nested; /* each pair is an array of its own */
    size_t n;
};
bool reply_scored(void *ctx, struct str member, double score);
/* Pairs with scores are nested in RESP3. */
struct score_reply score_reply(struct call *c, bool scores);
/* ZMPOP's arguments from the number of keys on: keys … MIN|MAX [COUNT n]. */
struct zset_pops {
    int keys;
    bool high;
    int64_t count;
};
bool arg_zset_pops(struct call *c, int at, struct zset_pops *out);
/* Pops from the sorted set at argv[i], if there is one: replies and logs it; false: there is none.
 */
bool zset_pop_many(struct call *c, int i, const struct zset_pops *pops);
/* Replies and deletes n members, at least one, from the low or the high end, and closes the set. */
void zset_pop(struct call *c, struct zset *z, uint64_t n, bool high, struct score_reply *r);
/* The length of the array before n such members. */
size_t score_reply_length(const struct score_reply *r, size_t n);

#endif
