/* idtree.h - records ordered by a key of two or three 64-bit words: ids of stream entries.
 *
 *   leaf    count | { key, payload } x n       inner   count | { key, ref_t child } x n
 *
 * A B+tree of 1 KiB nodes; the root leaf of a small tree is as small as its records. The key beside
 * a child is not above any key in it and above all keys before it; that of the first child counts
 * as below everything. Keys mostly come in ascending order, so full nodes split at their end.
 *
 * Owns      its nodes. What a payload refers to belongs to the caller.
 * Promises  a record's place is valid until the tree changes; find, insert, remove O(log n).
 * Fails     ST_ARENA_FULL from insert, nothing changed. Removing needs no memory.
 */
#ifndef SHMREDIS_IDTREE_H
#define SHMREDIS_IDTREE_H

#include "mem/heap.h"

#define IDTREE_WORDS_MAX 3
#define IDTREE_DEPTH_MAX 12

/* What the records of a tree look like. */
struct idtree_kind {
    uint8_t owner;   /* enum mem_owner */
    uint8_t words;   /* of the key: 2 or 3 */
    uint8_t payload; /* bytes after the key */
};

/* In the arena. Zero bytes are an empty tree. */
struct idtree {
    uint64_t count;
    ref_t root;
    uint32_t height; /* levels above the leaves */
};

static inline uint64_t idtree_word(const uint8_t *record, unsigned i) {
    return load_u64(record + 8 * (size_t)i);
}
static inline uint8_t *idtree_payload(const struct idtree_kind *k, uint8_t *record) {
    return record + 8 * (size_t)k->words;
}

/* The record of this key, or NULL. */
uint8_t *idtree_find(const struct arena *a, const struct idtree_kind *k, const struct idtree *t,
                     const uint64_t *key);
/* A key that is not there yet. */
status idtree_insert(struct arena *a, const struct idtree_kind *k, struct idtree *t,
                     const uint64_t *key, const void *payload);
/* False: there is no such key. */
bool idtree_remove(struct arena *a, const struct idtree_kind *k, struct idtree *t,
                   const uint64_t *key);

/* A place among the records; dead when the tree changes. */
struct idtree_iter {
    ref_t node[IDTREE_DEPTH_MAX];
    uint16_t at[IDTREE_DEPTH_MAX];
    uint32_t depth;
};
/* The first record that is not below the key, and the last that is not above it; NULL: none. */
uint8_t *idtree_seek(const struct arena *a, const struct idtree_kind *k, const struct idtree *t,
                     const uint64_t *key, struct idtree_iter *it);
uint8_t *idtree_seek_back(const struct arena *a, const struct idtree_kind *k,
                          const struct idtree *t, const uint64_t *key, struct idtree_iter *it);
uint8_t *idtree_first(const struct arena *a, const struct idtree_kind *k, const struct idtree *t,
                      struct idtree_iter *it);
uint8_t *idtree_last(const struct arena *a, const struct idtree_kind *k, const struct idtree *t,
                     struct idtree_iter *it);
uint8_t *idtree_next(const struct arena *a, const struct idtree_kind *k, struct idtree_iter *it);
uint8_t *idtree_prev(const struct arena *a, const struct idtree_kind *k, struct idtree_iter *it);

/* Frees about `leaves` leaves from the right; true when the tree is empty. Between calls the tree
 * must not be used otherwise. */
bool idtree_free_some(struct arena *a, const struct idtree_kind *k, struct idtree *t,
                      size_t leaves);
/* A copy of all records; on ST_ARENA_FULL *dst is an empty tree. */
status idtree_copy(struct arena *to, const struct arena *from, const struct idtree_kind *k,
                   const struct idtree *t, struct idtree *dst);
size_t idtree_memory(const struct arena *a, const struct idtree_kind *k, const struct idtree *t);

/* The defragmenter's walk over the leaves of several trees in a row. */
struct idtree_walk {
    uint64_t skip; /* leaves that are done already */
    size_t budget; /* leaves to be done */
    uint64_t done; /* leaves seen, skipped or done */
    /* May be NULL: moves what the payload refers to. */
    void (*visit)(struct arena *a, uint8_t *payload);
};
/* False: the budget is spent and leaves remain. */
bool idtree_relocate(struct arena *a, const struct idtree_kind *k, struct idtree *t,
                     struct idtree_walk *w);
void idtree_check(const struct arena *a, const struct idtree_kind *k, const struct idtree *t);

#endif
