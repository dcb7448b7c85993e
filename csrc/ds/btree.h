/* btree.h - items ordered by score and member, counted, so that ranks cost O(log n).
 *
 *   leaf    count | { ref_t item, u32 prefix } x 63
 *   inner   count | { ref_t child, u32 items, u32 prefix } x 42      both 512 bytes
 *
 * A prefix is the high half of the score's order-preserving bits: of the item, or of the child's
 * first item. Most comparisons end there; only ties look at items. Every range of scores or members
 * is a range of ranks, found by two descents.
 *
 *   item    double score | length: 1 byte, or 255 and a u32 | member bytes
 *
 * Owns      its nodes. Items belong to the caller, who also has them in a table of members.
 * Fails     ST_ARENA_FULL from insert, nothing changed.
 */
#ifndef SHMREDIS_BTREE_H
#define SHMREDIS_BTREE_H

#include "mem/heap.h"

#define BTREE_DEPTH_MAX 10

/* In the arena. Zero bytes are an empty tree. */
struct btree {
    uint64_t count;
    ref_t root;
    uint32_t height; /* levels above the leaves */
};

/* A new item's block, or REF_NULL. */
ref_t btree_item_new(struct arena *a, double score, struct str member);
struct str btree_member(const void *item);
static inline double btree_score(const void *item) {
    double d;
    memcpy(&d, item, sizeof d);
    return d;
}

/* Where a range begins or ends: the items before it are exactly those below it. */
struct btree_bound {
    double score;
    struct str member;
    enum {
        BOUND_ITEM,         /* below: (score, member) is smaller */
        BOUND_SCORE,        /* below: the score is smaller */
        BOUND_AFTER_SCORE,  /* below: the score is smaller or equal */
        BOUND_MEMBER,       /* below: the member is smaller; all scores are equal */
        BOUND_AFTER_MEMBER, /* below: the member is smaller or equal; all scores are equal */
    } kind;
};
/* Whether an item of this score and member is below the bound: the order of all sorted sets. */
bool btree_below(const struct btree_bound *b, double score, struct str member);

/* How many items are below the bound. */
uint64_t btree_rank(const struct arena *a, const struct btree *t, const struct btree_bound *b);
/* The rank of an item that is in the tree. */
uint64_t btree_rank_of(const struct arena *a, const struct btree *t, const void *item);
status btree_insert(struct arena *a, struct btree *t, ref_t item);
/* Takes the item at this rank out; the item itself is not freed. */
ref_t btree_remove(struct arena *a, struct btree *t, uint64_t rank);
/* Gives the item another score and its new place. */
status btree_rescore(struct arena *a, struct btree *t, ref_t item, double score);

/* A place among the items. */
struct btree_iter {
    ref_t node[BTREE_DEPTH_MAX];
    uint16_t at[BTREE_DEPTH_MAX];
    uint32_t depth; /* of the leaf */
};
/* The item at a rank below count. */
ref_t btree_seek(const struct arena *a, const struct btree *t, uint64_t rank,
                 struct btree_iter *it);
/* The next or previous item, REF_NULL past the end. */
ref_t btree_next(const struct arena *a, struct btree_iter *it);
ref_t btree_prev(const struct arena *a, struct btree_iter *it);

/* Where the tree has the ref of this item, for who moves the item. */
ref_t *btree_place(struct arena *a, const struct btree *t, const void *item);
/* Moves sparse nodes on the way to the leaf of this rank; the rank of the next leaf, 0 at the end.
 */
uint64_t btree_relocate(struct arena *a, struct btree *t, uint64_t rank);
/* Frees up to `leaves` leaves from the right, items not; true when the tree is empty. Between calls
 * the tree must not be used otherwise. */
bool btree_free_some(struct arena *a, struct btree *t, size_t leaves);
size_t btree_memory(const struct arena *a, const struct btree *t);
void btree_check(const struct arena *a, const struct btree *t);

#endif
