/* dict_impl.h - the bucket and how to reach it; for dict*.c only. */
#ifndef SHMREDIS_DICT_IMPL_H
#define SHMREDIS_DICT_IMPL_H

#include "ds/dict.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BUCKET_ITEMS 12u
#define BUCKET_MARK 1u /* in `next`: something in the chain may be marked */
#define NEXT_REF(next) ((next) & ~7u)

struct bucket {
    ref_t item[BUCKET_ITEMS]; /* filled from 0 on; 0: empty */
    uint8_t tag[BUCKET_ITEMS];
    uint32_t next; /* ref of the overflow bucket, and the mark (first bucket of a chain only) */
};
static_assert(sizeof(struct bucket) == 64, "a bucket is a cache line");

#define SEGMENT_BUCKETS 1024u
#define SEGMENT_BYTES ((size_t)SEGMENT_BUCKETS * sizeof(struct bucket))

/* Directory of a table of several segments. */
struct segment {
    ref_t buckets;
    uint32_t marked; /* buckets in it whose mark is set */
};

#define LOAD_GROW 11u  /* items a bucket, on average, above which the table grows */
#define LOAD_SHRINK 6u /* and below which it shrinks */

static inline bool segmented(const struct dict *d) {
    return d->buckets > SEGMENT_BUCKETS;
}
static inline struct segment *segment_at(const struct arena *a, const struct dict *d, uint32_t i) {
    return (struct segment *)arena_ptr(a, d->directory) + i;
}
static inline struct bucket *bucket_at(const struct arena *a, const struct dict *d, uint32_t i) {
    if (LIKELY(!segmented(d))) return (struct bucket *)arena_ptr(a, d->directory) + i;
    ref_t first = segment_at(a, d, i / SEGMENT_BUCKETS)->buckets;
    return (struct bucket *)arena_ptr(a, first) + i % SEGMENT_BUCKETS;
}
static inline struct bucket *bucket_next(const struct arena *a, const struct bucket *b) {
    return NEXT_REF(b->next) ? arena_ptr(a, NEXT_REF(b->next)) : NULL;
}

/* 2^level <= buckets < 2^(level + 1). buckets > 0. */
static inline unsigned dict_level(const struct dict *d) {
    return 31u - (unsigned)__builtin_clz(d->buckets);
}
/* How many low hash bits say that an item belongs to bucket i. */
static inline unsigned bucket_bits(const struct dict *d, uint32_t i) {
    unsigned level = dict_level(d);
    uint32_t half = 1u << level;
    return i >= half || i < d->buckets - half ? level + 1 : level;
}
static inline uint32_t bucket_index(const struct dict *d, uint64_t hash) {
    uint32_t mask = (uint32_t)(((uint64_t)2 << dict_level(d)) - 1);
    uint32_t i = (uint32_t)hash & mask;
    return i < d->buckets ? i : i & mask >> 1;
}
static inline uint8_t hash_tag(uint64_t hash) {
    return (uint8_t)(hash >> 56);
}

/* Bit i is set when tag[i] equals tag; bits of empty slots may be set too. */
static inline uint32_t tag_matches(const struct bucket *b, uint8_t tag) {
#ifdef __SSE2__
    __m128i tags = _mm_loadu_si128((const __m128i *)(const void *)b->tag);
    __m128i same = _mm_cmpeq_epi8(tags, _mm_set1_epi8((char)tag));
    return (uint32_t)_mm_movemask_epi8(same) & ((1u << BUCKET_ITEMS) - 1);
#else
    uint32_t mask = 0;
    for (uint32_t i = 0; i < BUCKET_ITEMS; i++) mask |= (uint32_t)(b->tag[i] == tag) << i;
    return mask;
#endif
}

static inline uint32_t bucket_count(const struct bucket *b) {
    uint32_t n = BUCKET_ITEMS;
    while (n > 0 && !b->item[n - 1]) n--;
    return n;
}

/* Sets or clears the mark of main bucket i and keeps its segment's count. */
static inline void set_mark(const struct arena *a, struct dict *d, uint32_t i, bool on) {
    struct bucket *b = bucket_at(a, d, i);
    if (((b->next & BUCKET_MARK) != 0) == on) return;
    b->next ^= BUCKET_MARK;
    if (segmented(d)) segment_at(a, d, i / SEGMENT_BUCKETS)->marked += on ? 1u : -1u;
}

/* dict_resize.c: one step each, when the load asks for it. Failing for want of memory is no harm.
 */
void dict_grow_step(struct arena *a, const struct dict_kind *k, struct dict *d);
void dict_shrink_step(struct arena *a, const struct dict_kind *k, struct dict *d);
/* The first bucket of an empty table. */
status dict_make_first(struct arena *a, struct dict *d);
/* Takes the last main bucket (which is empty and has no overflow) off the table. */
void dict_retire_last(struct arena *a, struct dict *d);

#endif
