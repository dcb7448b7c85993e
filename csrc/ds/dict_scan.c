/* dict_scan.c - cursors, freeing in slices, moving blocks, checking.
 *
 * SCAN goes through the 32 low hash bits in bit-reversed order. A bucket of l bits holds exactly
 * the hashes of one interval of that order, [reverse(i), reverse(i) + 2^(32-l)). The cursor is a
 * place in the order; its bucket is visited whole and the cursor moves to the end of the bucket's
 * interval. A split halves an interval, a merge joins two; a hash below the cursor stays below it.
 * So an item that is there all the time is in the bucket of some visited interval whatever happens
 * in between; after a merge, items may come twice.
 */
#include "ds/dict_impl.h"

static uint32_t reverse(uint32_t v) {
    v = (v >> 1 & 0x55555555u) | (v & 0x55555555u) << 1;
    v = (v >> 2 & 0x33333333u) | (v & 0x33333333u) << 2;
    v = (v >> 4 & 0x0f0f0f0fu) | (v & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(v);
}

static size_t visit_chain(const struct arena *a, struct bucket *b, dict_visit_fn visit, void *ctx) {
    size_t n = 0;
    for (; b; b = bucket_next(a, b))
        for (uint32_t i = 0; i < BUCKET_ITEMS && b->item[i]; i++, n++) visit(ctx, &b->item[i]);
    return n;
}

#define SCAN_EMPTY_FACTOR 10u /* buckets looked at for each item asked for, at most */

uint64_t dict_scan(struct arena *a, const struct dict *d, uint64_t cursor, size_t count,
                   dict_visit_fn visit, void *ctx) {
    if (!d->buckets) return 0;
    uint32_t v = (uint32_t)cursor;
    const bool from_start = !v;
    size_t seen = 0,
           left = count > SIZE_MAX / SCAN_EMPTY_FACTOR ? SIZE_MAX : count * SCAN_EMPTY_FACTOR;
    do {
        uint32_t i = bucket_index(d, v);
        seen += visit_chain(a, bucket_at(a, d, i), visit, ctx);
        unsigned bits = bucket_bits(d, i);
        v |= bits < 32 ? ~0u << bits : 0;
        v = reverse(reverse(v) + 1);
    } while (v && seen < count && --left);
    return from_start && seen == d->count ? 0 : v; /* only empty buckets are left */
}

static bool chain_marked(const struct arena *a, const struct dict_kind *k, const struct bucket *b) {
    for (; b; b = bucket_next(a, b))
        for (uint32_t i = 0; i < BUCKET_ITEMS && b->item[i]; i++)
            if (k->marked(arena_ptr(a, b->item[i]))) return true;
    return false;
}

uint64_t dict_scan_marked(struct arena *a, const struct dict_kind *k, struct dict *d,
                          uint64_t cursor, size_t max_buckets, dict_visit_fn visit, void *ctx) {
    if (!d->buckets) return 0;
    uint32_t i = (uint32_t)(cursor % d->buckets);
    for (; i < d->buckets && max_buckets; max_buckets--) {
        if (segmented(d) && !segment_at(a, d, i / SEGMENT_BUCKETS)->marked) {
            i = (i / SEGMENT_BUCKETS + 1) * SEGMENT_BUCKETS;
            continue;
        }
        struct bucket *b = bucket_at(a, d, i);
        if (b->next & BUCKET_MARK) {
            if (chain_marked(a, k, b))
                visit_chain(a, b, visit, ctx);
            else
                set_mark(a, d, i, false);
        }
        i++;
    }
    return i < d->buckets ? i : 0;
}

/* Empties the last main bucket's chain. */
static void drop_last_chain(struct arena *a, struct dict *d, dict_drop_fn drop, void *ctx) {
    struct bucket *first = bucket_at(a, d, d->buckets - 1);
    set_mark(a, d, d->buckets - 1, false);
    for (struct bucket *b = first; b;) {
        ref_t next = NEXT_REF(b->next);
        for (uint32_t i = 0; i < BUCKET_ITEMS && b->item[i]; i++) {
            d->count--;
            drop(ctx, b->item[i]);
        }
        if (b != first) {
            heap_free(a, arena_ref(a, b));
            d->overflow--;
        }
        b = next ? arena_ptr(a, next) : NULL;
    }
}

bool dict_free_some(struct arena *a, struct dict *d, size_t budget, dict_drop_fn drop, void *ctx) {
    for (; d->buckets && budget; budget--) {
        drop_last_chain(a, d, drop, ctx);
        dict_retire_last(a, d);
    }
    return !d->buckets;
}

/* --- defragmentation --- */

static void move_block(struct arena *a, ref_t *owner) {
    if (!heap_sparse(a, *owner)) return;
    ref_t moved = heap_move(a, *owner);
    if (moved) *owner = moved;
}

static void move_overflow(struct arena *a, struct bucket *b) {
    while (NEXT_REF(b->next)) {
        ref_t r = NEXT_REF(b->next);
        move_block(a, &r);
        b->next = r | (b->next & 7u);
        b = arena_ptr(a, r);
    }
}

void dict_relocate(struct arena *a, struct dict *d, uint64_t *cursor, size_t budget) {
    if (!d->buckets) {
        *cursor = 0;
        return;
    }
    if (*cursor == 0) move_block(a, &d->directory);
    uint32_t i = (uint32_t)*cursor;
    for (; i < d->buckets && budget; i++, budget--) {
        if (segmented(d) && i % SEGMENT_BUCKETS == 0)
            move_block(a, &segment_at(a, d, i / SEGMENT_BUCKETS)->buckets);
        move_overflow(a, bucket_at(a, d, i));
    }
    *cursor = i < d->buckets ? i : 0;
}

/* --- looking --- */

void dict_stats(const struct arena *a, const struct dict *d, struct dict_stats *out) {
    *out = (struct dict_stats){ .buckets = d->buckets, .overflow = d->overflow };
    for (uint32_t i = 0; i < d->buckets; i++) {
        const struct bucket *b = bucket_at(a, d, i);
        out->marked_buckets += b->next & BUCKET_MARK;
        out->empty_buckets += !b->item[0];
        uint64_t chain = 0;
        for (; b; b = bucket_next(a, b)) chain += bucket_count(b);
        if (chain > out->longest_chain) out->longest_chain = chain;
    }
}

/* Items of bucket i belong there, are packed, and marked ones have the mark set. */
static void check_chain(const struct arena *a, const struct dict_kind *k, const struct dict *d,
                        uint32_t i, uint64_t *items, uint64_t *overflow) {
    const struct bucket *first = bucket_at(a, d, i);
    for (const struct bucket *b = first; b; b = bucket_next(a, b)) {
        uint32_t n = bucket_count(b);
        ASSERT(n == BUCKET_ITEMS || !NEXT_REF(b->next));
        ASSERT(b == first || n > 0);
        *overflow += b != first;
        *items += n;
        for (uint32_t j = 0; j < n; j++) {
            const void *item = arena_ptr(a, b->item[j]);
            uint64_t hash = dict_hash(a, k->key(item));
            ASSERT(b->item[j] && b->tag[j] == hash_tag(hash) && bucket_index(d, hash) == i);
            ASSERT(!k->marked || !k->marked(item) || first->next & BUCKET_MARK);
        }
    }
}

void dict_check(const struct arena *a, const struct dict_kind *k, const struct dict *d) {
    uint64_t items = 0, overflow = 0, marks = 0, counted = 0;
    for (uint32_t i = 0; i < d->buckets; i++) {
        check_chain(a, k, d, i, &items, &overflow);
        marks += bucket_at(a, d, i)->next & BUCKET_MARK;
        if (segmented(d) && i % SEGMENT_BUCKETS == 0)
            counted += segment_at(a, d, i / SEGMENT_BUCKETS)->marked;
    }
    ASSERT(items == d->count && overflow == d->overflow);
    ASSERT(!segmented(d) || marks == counted);
    ASSERT(d->buckets || !d->directory);
}
