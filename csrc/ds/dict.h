/* dict.h - hash table of refs: keyspace, hashes, sets, sorted-set members.
 *
 * Linear hashing over 64-byte buckets: the table grows and shrinks by one bucket at a time, so
 * there is never a second table, a rehash pause or a half-empty doubling.
 *
 *   bucket (one cache line):  ref_t item[12] | uint8_t tag[12] | uint32_t next and mark
 *
 * `next` chains to an overflow bucket of the same shape (64-byte aligned, so its three low bits are
 * free; one of them is the bucket's mark). A tag is 8 hash bits, so a miss seldom touches an item.
 * Buckets live in segments of 1024 behind a small directory; a table of at most one segment is one
 * block that grows with it.
 *
 * Marks     a kind may mark items (those with an expiry). A bucket that holds a marked item has its
 *           mark set, a segment counts its marked buckets, so marked items are found without
 *           touching the others. They are conservative: walks clear those that no longer hold.
 * Owns      buckets and directory. Items belong to the caller: the dict stores their refs and is,
 *           by that, each item's one owner.
 * Callers   the worker only. A `struct dict` lives in the arena, or in a test on the stack.
 * Promises  find and insert O(1); memory per item constant at any size, about 7.7 bytes; dict_scan
 *           gives Redis's SCAN guarantees across any resizing.
 * Fails     ST_ARENA_FULL from dict_insert, nothing changed.
 */
#ifndef SHMREDIS_DICT_H
#define SHMREDIS_DICT_H

#include "mem/heap.h"

/* In the arena. Zero bytes are an empty dict. Fields are dict.c's own. */
struct dict {
    uint64_t count;    /* items */
    uint32_t buckets;  /* main buckets now: 2^level <= buckets < 2^(level+1); 0 when empty */
    ref_t directory;   /* one segment, or an array of segments */
    uint32_t overflow; /* overflow buckets now */
    uint32_t capacity; /* buckets (one segment) or directory entries allocated */
};

/* What the dict must know of its items. Process-local, const. `item` points into the arena. */
struct dict_kind {
    struct str (*key)(const void *item);
    bool (*marked)(const void *item); /* NULL: nothing is ever marked */
};

/* Hash of a key under the arena's seed (SipHash-1-3, 64 bit). */
uint64_t dict_hash(const struct arena *a, struct str key);

/* The place of the ref of the item with this key, or NULL. The caller may store a new ref of the
 * same key through it (reallocated item); it is valid until the dict changes. */
ref_t *dict_find(const struct arena *a, const struct dict_kind *k, const struct dict *d,
                 struct str key, uint64_t hash);
/* Starts loading the bucket of `hash` into the cache; pipelines call it ahead of dict_find. */
void dict_prefetch(const struct arena *a, const struct dict *d, uint64_t hash);
/* Then the items of that bucket that may be meant; waits for the bucket if it is not there yet. */
void dict_prefetch_items(const struct arena *a, const struct dict *d, uint64_t hash);
/* Adds an item whose key is not there yet. May grow the table. */
status dict_insert(struct arena *a, const struct dict_kind *k, struct dict *d, ref_t item,
                   uint64_t hash);
/* Before many items are added to an empty table: makes it as large as they want it, as far as there
 * is memory, so that none of them splits a bucket. Nothing when there is an item already. Numbers
 * may be hostile: more than so many items, 93 MiB of table made in some 60 ms, are not believed. */
#define DICT_EXPECTED_MAX ((uint64_t)16 << 20)
void dict_expect(struct arena *a, struct dict *d, uint64_t items);
/* After that: as small as if it had grown with its items. */
void dict_fit(struct arena *a, const struct dict_kind *k, struct dict *d);
/* Takes out the item at `place` (from dict_find); the item itself is not freed. May shrink. */
void dict_remove(struct arena *a, const struct dict_kind *k, struct dict *d, ref_t *place,
                 uint64_t hash);
/* Call when an item already inside has become marked. */
void dict_mark(struct arena *a, struct dict *d, uint64_t hash);

/* Visits whole buckets from `cursor` (0 starts) until at least `count` items were visited; returns
 * the next cursor, 0 at the end. Cursors are below 2^32. The callback gets the place of each ref
 * and may store a moved ref there; it may not insert or remove. */
typedef void (*dict_visit_fn)(void *ctx, ref_t *place);
uint64_t dict_scan(struct arena *a, const struct dict *d, uint64_t cursor, size_t count,
                   dict_visit_fn visit, void *ctx);
/* The same over buckets that carry the mark only; skips unmarked segments at once. Visits at most
 * `max_buckets` buckets (marked or not) before it returns. Clears stale marks on the way. */
uint64_t dict_scan_marked(struct arena *a, const struct dict_kind *k, struct dict *d,
                          uint64_t cursor, size_t max_buckets, dict_visit_fn visit, void *ctx);

/* Plain iteration when nothing changes meanwhile. for (it = {0}; (r = dict_next(a, d, &it));) */
struct dict_iter {
    uint32_t bucket;
    uint32_t slot;
    ref_t overflow;
};
ref_t dict_next(const struct arena *a, const struct dict *d, struct dict_iter *it);

/* A uniformly random item; `random` is a source of 64 random bits. REF_NULL when empty. */
ref_t dict_random(const struct arena *a, const struct dict *d, uint64_t (*random)(void *),
                  void *ctx);

/* Frees up to `budget` buckets' worth of table, calling `drop` for each item first; true when the
 * table is gone and *d is an empty dict. Between calls the dict must not be used otherwise. */
typedef void (*dict_drop_fn)(void *ctx, ref_t item);
bool dict_free_some(struct arena *a, struct dict *d, size_t budget, dict_drop_fn drop, void *ctx);

/* Bytes of buckets and directory. */
size_t dict_memory(const struct arena *a, const struct dict *d);
/* Defragmenter: moves the table's own blocks out of sparse pages; resumes at *cursor, 0 when done.
 */
void dict_relocate(struct arena *a, struct dict *d, uint64_t *cursor, size_t budget);
/* Walks every invariant; aborts on a breach. */
void dict_check(const struct arena *a, const struct dict_kind *k, const struct dict *d);

struct dict_stats {
    uint64_t buckets, overflow, empty_buckets, longest_chain, marked_buckets;
};
void dict_stats(const struct arena *a, const struct dict *d, struct dict_stats *out);

#endif
