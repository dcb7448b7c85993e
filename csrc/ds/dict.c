/* dict.c - finding, inserting, removing; iteration without change. */
#include "ds/dict_impl.h"
#include "ds/siphash.h"

uint64_t dict_hash(const struct arena *a, struct str key) {
    return siphash13(key.p, key.n, arena_super(a)->hash_seed);
}

ref_t *dict_find(const struct arena *a, const struct dict_kind *k, const struct dict *d,
                 struct str key, uint64_t hash) {
    if (UNLIKELY(!d->buckets)) return NULL;
    uint8_t tag = hash_tag(hash);
    for (struct bucket *b = bucket_at(a, d, bucket_index(d, hash)); b; b = bucket_next(a, b)) {
        for (uint32_t m = tag_matches(b, tag); m; m &= m - 1) {
            ref_t *place = &b->item[__builtin_ctz(m)];
            if (*place && str_eq(k->key(arena_ptr(a, *place)), key)) return place;
        }
    }
    return NULL;
}

void dict_prefetch(const struct arena *a, const struct dict *d, uint64_t hash) {
    if (d->buckets) __builtin_prefetch(bucket_at(a, d, bucket_index(d, hash)));
}

void dict_prefetch_items(const struct arena *a, const struct dict *d, uint64_t hash) {
    if (!d->buckets) return;
    const struct bucket *b = bucket_at(a, d, bucket_index(d, hash));
    for (uint32_t m = tag_matches(b, hash_tag(hash)); m; m &= m - 1) {
        ref_t item = b->item[__builtin_ctz(m)];
        if (item) heap_prefetch(a, item);
    }
}

/* Puts item into the chain of b; takes an overflow bucket if all are full. */
static status chain_add(struct arena *a, struct dict *d, struct bucket *b, ref_t item,
                        uint8_t tag) {
    while (b->item[BUCKET_ITEMS - 1] && NEXT_REF(b->next)) b = bucket_next(a, b);
    if (b->item[BUCKET_ITEMS - 1]) {
        ref_t more = heap_alloc(a, OWN_TABLE, sizeof *b);
        if (!more) return ST_ARENA_FULL;
        memset(arena_ptr(a, more), 0, sizeof *b);
        b->next |= more;
        b = arena_ptr(a, more);
        d->overflow++;
    }
    uint32_t n = bucket_count(b);
    b->item[n] = item;
    b->tag[n] = tag;
    return ST_OK;
}

status dict_insert(struct arena *a, const struct dict_kind *k, struct dict *d, ref_t item,
                   uint64_t hash) {
    if (UNLIKELY(!d->buckets)) {
        status st = dict_make_first(a, d);
        if (st != ST_OK) return st;
    }
    uint32_t i = bucket_index(d, hash);
    status st = chain_add(a, d, bucket_at(a, d, i), item, hash_tag(hash));
    if (st != ST_OK) return st;
    d->count++;
    if (k->marked && k->marked(arena_ptr(a, item))) set_mark(a, d, i, true);
    if (d->count > (uint64_t)d->buckets * LOAD_GROW) dict_grow_step(a, k, d);
    return ST_OK;
}

/* The bucket of the chain that holds place, and the last bucket with the one before it. */
static void locate(const struct arena *a, struct bucket *first, const ref_t *place,
                   struct bucket **holder, struct bucket **last, struct bucket **before) {
    *before = NULL;
    *holder = NULL;
    for (struct bucket *b = first;; *before = b, b = bucket_next(a, b)) {
        if (place >= b->item && place < b->item + BUCKET_ITEMS) *holder = b;
        *last = b;
        if (!NEXT_REF(b->next)) return;
    }
}

void dict_remove(struct arena *a, const struct dict_kind *k, struct dict *d, ref_t *place,
                 uint64_t hash) {
    struct bucket *holder, *last, *before;
    locate(a, bucket_at(a, d, bucket_index(d, hash)), place, &holder, &last, &before);
    uint32_t n = bucket_count(last);
    ASSERT(holder && n);
    uint32_t end = n - 1, at = (uint32_t)(place - holder->item);
    holder->item[at] = last->item[end];
    holder->tag[at] = last->tag[end];
    last->item[end] = REF_NULL;
    last->tag[end] = 0;
    if (end == 0 && before) {
        heap_free(a, NEXT_REF(before->next));
        before->next &= 7u;
        d->overflow--;
    }
    d->count--;
    if (d->count < (uint64_t)d->buckets * LOAD_SHRINK) dict_shrink_step(a, k, d);
}

void dict_mark(struct arena *a, struct dict *d, uint64_t hash) {
    set_mark(a, d, bucket_index(d, hash), true);
}

ref_t dict_next(const struct arena *a, const struct dict *d, struct dict_iter *it) {
    while (it->bucket < d->buckets) {
        const struct bucket *b =
            it->overflow ? arena_ptr(a, it->overflow) : bucket_at(a, d, it->bucket);
        if (it->slot < BUCKET_ITEMS && b->item[it->slot]) return b->item[it->slot++];
        it->slot = 0;
        it->overflow = NEXT_REF(b->next);
        if (!it->overflow) it->bucket++;
    }
    return REF_NULL;
}

/* Longer chains than this are so rare that their later items may wait for another draw. */
#define RANDOM_SLOTS 48u

static uint32_t chain_count(const struct arena *a, const struct bucket *b) {
    uint32_t n = 0;
    for (; b; b = bucket_next(a, b)) n += bucket_count(b);
    return n;
}

static ref_t chain_item(const struct arena *a, const struct bucket *b, uint32_t i) {
    for (; i >= BUCKET_ITEMS; i -= BUCKET_ITEMS) b = bucket_next(a, b);
    return b->item[i];
}

/* A uniform bucket, then a uniform slot of RANDOM_SLOTS; an empty slot draws again. So each item
 * has the same chance whatever the lengths of the chains. A single bucket needs no rejection. */
ref_t dict_random(const struct arena *a, const struct dict *d, uint64_t (*random)(void *),
                  void *ctx) {
    while (d->count) {
        uint64_t r = random(ctx);
        uint32_t i = (uint32_t)((r >> 32) * d->buckets >> 32);
        const struct bucket *b = bucket_at(a, d, i);
        uint32_t n = chain_count(a, b);
        uint32_t slots = d->buckets == 1 || n > RANDOM_SLOTS ? n : RANDOM_SLOTS;
        uint32_t slot = (uint32_t)((r & UINT32_MAX) * slots >> 32);
        if (slot < n) return chain_item(a, b, slot);
    }
    return REF_NULL;
}

size_t dict_memory(const struct arena *a, const struct dict *d) {
    if (!d->buckets) return 0;
    size_t bytes = heap_usable(a, d->directory) + (size_t)d->overflow * sizeof(struct bucket);
    size_t segments = (d->buckets + SEGMENT_BUCKETS - 1) / SEGMENT_BUCKETS;
    return bytes + (segmented(d) ? segments * SEGMENT_BYTES : 0);
}
