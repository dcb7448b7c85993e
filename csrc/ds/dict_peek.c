/* dict_peek.c - following another process's table by copies; tables of one item. */
#include "ds/dict_peek.h"

#include "ds/dict_impl.h"

#define CHAIN_MAX 64 /* buckets: far more than a chain ever has */

static_assert(DICT_BUCKET_BYTES == sizeof(struct bucket), "a bucket");

static uint64_t byte_of(ref_t r) {
    return (uint64_t)r * REF_UNIT;
}

/* Where main bucket i begins; false: the table has changed. */
static bool place_of(const struct share_reader *r, const struct dict *d, uint32_t i, uint64_t *at) {
    if (LIKELY(!segmented(d))) {
        *at = byte_of(d->directory) + (uint64_t)i * sizeof(struct bucket);
        return true;
    }
    struct segment s;
    uint64_t entry = byte_of(d->directory) + i / SEGMENT_BUCKETS * sizeof s;
    if (!share_copy(r, entry, &s, sizeof s)) return false;
    *at = byte_of(s.buckets) + (uint64_t)(i % SEGMENT_BUCKETS) * sizeof(struct bucket);
    return true;
}

static enum peek_result try_bucket(const struct share_reader *r, const struct bucket *b,
                                   uint8_t tag, dict_peek_fn is_it, void *ctx) {
    for (uint32_t m = tag_matches(b, tag); m; m &= m - 1) {
        ref_t item = b->item[__builtin_ctz(m)];
        if (!item) continue;
        enum peek_result result = is_it(ctx, r, item);
        if (result != PEEK_MISSING) return result;
    }
    return PEEK_MISSING;
}

enum peek_result dict_peek(const struct share_reader *r, uint64_t at, uint64_t hash,
                           dict_peek_fn is_it, void *ctx) {
    struct dict d;
    struct bucket b;
    static_assert(sizeof d % 8 == 0 && sizeof b % 8 == 0, "whole words");
    if (!share_copy(r, at, &d, sizeof d)) return PEEK_MOVED;
    if (!d.buckets) return PEEK_MISSING;
    uint64_t place;
    if (!place_of(r, &d, bucket_index(&d, hash), &place)) return PEEK_MOVED;
    for (int i = 0; i < CHAIN_MAX; i++) {
        if (!share_copy(r, place, &b, sizeof b)) return PEEK_MOVED;
        enum peek_result result = try_bucket(r, &b, hash_tag(hash), is_it, ctx);
        if (result != PEEK_MISSING || !NEXT_REF(b.next)) return result;
        place = byte_of(NEXT_REF(b.next));
    }
    return PEEK_UNFIT;
}

static void load_items(const struct share_reader *r, const struct bucket *b, uint8_t tag) {
    for (uint32_t m = tag_matches(b, tag); m; m &= m - 1) {
        ref_t item = b->item[__builtin_ctz(m)];
        if (item) __builtin_prefetch(arena_ptr(r->arena, item));
    }
}

void dict_peek_load(const struct share_reader *r, uint64_t at, const uint64_t *hash, int n) {
    struct dict d;
    struct bucket b;
    uint64_t place[DICT_PEEK_LOAD];
    if (n > DICT_PEEK_LOAD) n = DICT_PEEK_LOAD;
    if (!share_copy(r, at, &d, sizeof d) || !d.buckets) return;
    for (int i = 0; i < n; i++) {
        if (!place_of(r, &d, bucket_index(&d, hash[i]), &place[i])) return;
        __builtin_prefetch(r->arena->base + place[i]);
    }
    for (int i = 0; i < n && share_copy(r, place[i], &b, sizeof b); i++)
        load_items(r, &b, hash_tag(hash[i]));
}

void dict_make_single(char *base, struct dict *d, char *bucket, ref_t item, uint64_t hash) {
    struct bucket *b = (struct bucket *)(void *)bucket;
    *b = (struct bucket){ 0 };
    *d = (struct dict){ 0 };
    if (!item) return;
    b->item[0] = item;
    b->tag[0] = hash_tag(hash);
    *d = (struct dict){ .count = 1,
                        .buckets = 1,
                        .directory = (ref_t)((size_t)(bucket - base) / REF_UNIT),
                        .capacity = 1 };
}
