/* type_zset.h - sorted sets: distinct members ordered by score, then by their bytes.
 *
 * listpack     root: a listpack of member, score pairs in order           (zset_pack.c)
 * skiplist     root: a table of members and a counted B+tree of the same items; the encoding keeps
 *              the name that clients know                                 (zset_tree.c)
 *
 * Every range, of scores, of members or of ranks, is a range of ranks here: find where it begins
 * and ends, then visit or delete that many.
 *
 * Owns      the blocks behind value.root. Never sees entries or keys.
 * Promises  members given to visitors are valid until the sorted set changes. Scores are never NaN.
 * Fails     ST_ARENA_FULL, having changed nothing.
 */
#ifndef SHMREDIS_TYPE_ZSET_H
#define SHMREDIS_TYPE_ZSET_H

#include "db/engine.h"
#include "ds/btree.h"

/* An empty sorted set in the encoding that suits so many members of up to `longest` bytes. */
status zset_create(struct engine *eng, struct value *v, size_t members, size_t longest);
uint64_t zset_length(const struct arena *a, const struct value *v);
bool zset_score(const struct arena *a, const struct value *v, struct str member, double *score);
/* The rank, counted from the lowest. */
bool zset_rank(const struct arena *a, const struct value *v, struct str member, uint64_t *rank,
               double *score);
/* How many members are below the bound. */
uint64_t zset_count_below(const struct arena *a, const struct value *v,
                          const struct btree_bound *b);

enum zset_flags {
    ZSET_NX = 1 << 0,   /* only new members */
    ZSET_XX = 1 << 1,   /* only members that are there */
    ZSET_GT = 1 << 2,   /* scores go up only */
    ZSET_LT = 1 << 3,   /* scores go down only */
    ZSET_INCR = 1 << 4, /* the score is an increment */
};
struct zset_outcome {
    bool added, updated; /* neither: the score is as it was */
    bool refused;        /* by NX, XX, GT or LT */
    double score;        /* the member's score now */
};
/* ST_NAN_SCORE when an increment leads to NaN. */
status zset_put(struct engine *eng, struct value *v, struct str member, double score,
                unsigned flags, struct zset_outcome *out);
bool zset_remove(struct arena *a, struct value *v, struct str member);
/* Deletes n members from a rank on; there are as many. */
void zset_remove_range(struct arena *a, struct value *v, uint64_t rank, uint64_t n);

/* Stops when visit returns false. */
typedef bool (*zset_visit_fn)(void *ctx, struct str member, double score);
/* At most n members from a rank on, upwards or, in reverse, downwards. */
void zset_each(const struct arena *a, const struct value *v, uint64_t rank, uint64_t n,
               bool reverse, zset_visit_fn visit, void *ctx);
/* SCAN: small encodings at once. */
uint64_t zset_scan(struct arena *a, const struct value *v, uint64_t cursor, size_t count,
                   zset_visit_fn visit, void *ctx);
/* `want` distinct random members; with `repeat` the same may come again. */
void zset_random(struct engine *eng, const struct value *v, size_t want, bool repeat,
                 zset_visit_fn visit, void *ctx);
/* To a tree if there are more members than the limits allow. */
status zset_fit(struct engine *eng, struct value *v);
/* To a listpack if it is small enough for one. A failure leaves it as it is. */
void zset_compact(struct engine *eng, struct value *v, size_t longest);

#endif
