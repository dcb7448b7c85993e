/* dict_resize.c - growing by a split, shrinking by a merge, one bucket at a time.
 *
 * Bucket s = buckets - 2^level is the next to be split: its items whose hash bit `level` is set
 * move to the new bucket s + 2^level. Merging the last bucket back is the exact inverse. Splitting
 * needs memory for the new main bucket only: n items in two chains take at most one bucket more
 * than in one.
 */
#include "ds/dict_impl.h"

/* A chain taken apart: items, tags, and its overflow buckets for reuse. */
struct pile {
    ref_t *item;
    uint8_t *tag;
    uint32_t n;
    ref_t spare; /* emptied overflow buckets, linked by `next` */
};

#define PILE_STACK 64u

static uint32_t chain_buckets(const struct arena *a, const struct bucket *b) {
    uint32_t n = 0;
    for (; b; b = bucket_next(a, b)) n++;
    return n;
}

/* Moves all of b's chain onto the pile; b is empty then, its mark kept. */
static void pile_take(struct arena *a, struct pile *pile, struct bucket *b) {
    ref_t own = REF_NULL;
    for (struct bucket *at = b; at;) {
        ref_t next = NEXT_REF(at->next);
        for (uint32_t i = 0; i < BUCKET_ITEMS && at->item[i]; i++, pile->n++) {
            pile->item[pile->n] = at->item[i];
            pile->tag[pile->n] = at->tag[i];
        }
        memset(at, 0, offsetof(struct bucket, next));
        at->next &= BUCKET_MARK;
        if (own) {
            at->next = pile->spare;
            pile->spare = own;
        }
        own = next;
        at = next ? arena_ptr(a, next) : NULL;
    }
}

static ref_t pile_spare(struct arena *a, struct pile *pile) {
    ref_t r = pile->spare;
    ASSERT(r);
    struct bucket *b = arena_ptr(a, r);
    pile->spare = NEXT_REF(b->next);
    b->next = 0;
    return r;
}

/* Appends to the chain whose last bucket is *last with *n items in it. */
static void chain_push(struct arena *a, struct pile *pile, struct bucket **last, uint32_t *n,
                       uint32_t i) {
    if (*n == BUCKET_ITEMS) {
        ref_t more = pile_spare(a, pile);
        (*last)->next |= more;
        *last = arena_ptr(a, more);
        *n = 0;
    }
    (*last)->item[*n] = pile->item[i];
    (*last)->tag[*n] = pile->tag[i];
    ++*n;
}

static void pile_free_spares(struct arena *a, struct dict *d, struct pile *pile) {
    while (pile->spare) {
        heap_free(a, pile_spare(a, pile));
        d->overflow--;
    }
}

/* --- room for main buckets --- */

status dict_make_first(struct arena *a, struct dict *d) {
    ref_t r = heap_alloc(a, OWN_TABLE, sizeof(struct bucket));
    if (!r) return ST_ARENA_FULL;
    memset(arena_ptr(a, r), 0, sizeof(struct bucket));
    *d = (struct dict){ .buckets = 1, .directory = r, .capacity = 1 };
    return ST_OK;
}

/* The one block of a small table, made larger by about a quarter. */
static status grow_block(struct arena *a, struct dict *d) {
    if (d->buckets < d->capacity) return ST_OK;
    uint32_t want = d->capacity + d->capacity / 4 + 1;
    if (want > SEGMENT_BUCKETS) want = SEGMENT_BUCKETS;
    ref_t r = heap_realloc(a, d->directory, want * sizeof(struct bucket));
    if (!r) return ST_ARENA_FULL;
    d->directory = r;
    d->capacity = want;
    return ST_OK;
}

static ref_t new_segment(struct arena *a) {
    ref_t r = heap_alloc(a, OWN_TABLE, SEGMENT_BYTES);
    return r;
}

static uint32_t count_marks(const struct arena *a, ref_t buckets) {
    const struct bucket *b = arena_ptr(a, buckets);
    uint32_t n = 0;
    for (uint32_t i = 0; i < SEGMENT_BUCKETS; i++) n += b[i].next & BUCKET_MARK;
    return n;
}

/* From one block to a directory of two segments. */
static status make_directory(struct arena *a, struct dict *d) {
    ref_t dir = heap_alloc(a, OWN_TABLE, 4 * sizeof(struct segment));
    ref_t second = dir ? new_segment(a) : REF_NULL;
    if (!second) {
        if (dir) heap_free(a, dir);
        return ST_ARENA_FULL;
    }
    struct segment *s = arena_ptr(a, dir);
    s[0] = (struct segment){ d->directory, count_marks(a, d->directory) };
    s[1] = (struct segment){ second, 0 };
    d->directory = dir;
    d->capacity = 4;
    return ST_OK;
}

static status add_segment(struct arena *a, struct dict *d) {
    uint32_t n = d->buckets / SEGMENT_BUCKETS;
    if (n == d->capacity) {
        ref_t dir = heap_realloc(a, d->directory, 2 * (size_t)n * sizeof(struct segment));
        if (!dir) return ST_ARENA_FULL;
        d->directory = dir;
        d->capacity = 2 * n;
    }
    ref_t r = new_segment(a);
    if (!r) return ST_ARENA_FULL;
    *segment_at(a, d, n) = (struct segment){ r, 0 };
    return ST_OK;
}

/* Room for one main bucket more; on ST_OK the caller counts it. */
static status room_for_bucket(struct arena *a, struct dict *d) {
    if (d->buckets < SEGMENT_BUCKETS) return grow_block(a, d);
    if (d->buckets == SEGMENT_BUCKETS) return make_directory(a, d);
    return d->buckets % SEGMENT_BUCKETS ? ST_OK : add_segment(a, d);
}

/* Back to one block: the second segment is gone. */
static void drop_directory(struct arena *a, struct dict *d) {
    ref_t first = segment_at(a, d, 0)->buckets;
    heap_free(a, d->directory);
    d->directory = first;
    d->capacity = SEGMENT_BUCKETS;
}

/* A block that has become much too large; keeping it is no harm when memory is short. */
static void trim_block(struct arena *a, struct dict *d) {
    if (d->capacity < 4 || d->buckets > d->capacity / 2) return;
    ref_t r = heap_realloc(a, d->directory, d->buckets * sizeof(struct bucket));
    if (!r) return;
    d->directory = r;
    d->capacity = d->buckets;
}

void dict_retire_last(struct arena *a, struct dict *d) {
    uint32_t last = d->buckets - 1;
    if (last >= SEGMENT_BUCKETS && last % SEGMENT_BUCKETS == 0)
        heap_free(a, segment_at(a, d, last / SEGMENT_BUCKETS)->buckets);
    if (last == SEGMENT_BUCKETS) drop_directory(a, d);
    d->buckets = last;
    if (last == 0) {
        heap_free(a, d->directory);
        *d = (struct dict){ 0 };
    } else if (last < SEGMENT_BUCKETS) {
        trim_block(a, d);
    }
}

/* --- split and merge --- */

/* A pile with room for the items of `buckets` buckets. */
static bool pile_open(struct pile *pile, ref_t *items, uint8_t *tags, uint32_t buckets) {
    *pile = (struct pile){ .item = items, .tag = tags };
    if (buckets * BUCKET_ITEMS <= PILE_STACK) return true;
    pile->item = malloc((size_t)buckets * BUCKET_ITEMS * sizeof(ref_t));
    pile->tag = malloc((size_t)buckets * BUCKET_ITEMS);
    ASSERT(pile->item && pile->tag);
    return true;
}

static void pile_close(struct pile *pile, const ref_t *items) {
    if (pile->item == items) return;
    free(pile->item);
    free(pile->tag);
}

/* The next bucket to be split, and its items, are on their way into the cache when it is its turn:
 * their keys have to be read, and lie anywhere. Inlined, because compilers take a function that
 * does nothing else for one without any effect. */
__attribute__((always_inline)) static inline void look_ahead(const struct arena *a,
                                                             const struct dict *d) {
    uint32_t next = d->buckets - (1u << dict_level(d));
    const struct bucket *b = bucket_at(a, d, next);
    for (uint32_t i = 0; i < BUCKET_ITEMS; i++) __builtin_prefetch(arena_ptr(a, b->item[i]));
    if (NEXT_REF(b->next)) __builtin_prefetch(bucket_next(a, b));
    if (next + 1 < d->buckets) __builtin_prefetch(bucket_at(a, d, next + 1));
}

void dict_grow_step(struct arena *a, const struct dict_kind *k, struct dict *d) {
    if (room_for_bucket(a, d) != ST_OK) return;
    unsigned level = dict_level(d);
    uint32_t from = d->buckets - (1u << level), to = d->buckets;
    d->buckets++;
    struct bucket *low = bucket_at(a, d, from), *high = bucket_at(a, d, to);
    memset(high, 0, sizeof *high);
    ref_t items[PILE_STACK];
    uint8_t tags[PILE_STACK];
    struct pile pile;
    pile_open(&pile, items, tags, chain_buckets(a, low));
    pile_take(a, &pile, low);
    uint32_t n[2] = { 0, 0 };
    struct bucket *last[2] = { low, high };
    bool marked[2] = { false, false };
    for (uint32_t i = 0; i < pile.n; i++) {
        const void *item = arena_ptr(a, pile.item[i]);
        uint32_t side = (uint32_t)(dict_hash(a, k->key(item)) >> level) & 1;
        chain_push(a, &pile, &last[side], &n[side], i);
        marked[side] |= k->marked && k->marked(item);
    }
    pile_free_spares(a, d, &pile);
    pile_close(&pile, items);
    set_mark(a, d, from, marked[0]);
    set_mark(a, d, to, marked[1]);
    look_ahead(a, d);
}

/* Takes `n` overflow buckets as spares; false: no memory, none taken. */
static bool pile_reserve(struct arena *a, struct dict *d, struct pile *pile, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        ref_t r = heap_alloc(a, OWN_TABLE, sizeof(struct bucket));
        if (!r) {
            pile_free_spares(a, d, pile);
            return false;
        }
        struct bucket *b = arena_ptr(a, r);
        memset(b, 0, sizeof *b);
        b->next = pile->spare;
        pile->spare = r;
        d->overflow++;
    }
    return true;
}

void dict_shrink_step(struct arena *a, const struct dict_kind *k, struct dict *d) {
    (void)k;
    if (d->buckets <= 1) {
        if (d->count == 0 && d->buckets) dict_retire_last(a, d);
        return;
    }
    uint32_t from = d->buckets - 1;
    uint32_t to = from - (1u << (31u - (unsigned)__builtin_clz(from)));
    struct bucket *low = bucket_at(a, d, to), *high = bucket_at(a, d, from);
    bool marked = (low->next | high->next) & BUCKET_MARK;
    ref_t items[PILE_STACK];
    uint8_t tags[PILE_STACK];
    struct pile pile;
    pile_open(&pile, items, tags, chain_buckets(a, low) + chain_buckets(a, high));
    /* The main bucket that goes may have held what now needs an overflow bucket. */
    if (pile_reserve(a, d, &pile, 1)) {
        pile_take(a, &pile, low);
        pile_take(a, &pile, high);
        struct bucket *last = low;
        uint32_t n = 0;
        for (uint32_t i = 0; i < pile.n; i++) chain_push(a, &pile, &last, &n, i);
        pile_free_spares(a, d, &pile);
        set_mark(a, d, from, false);
        set_mark(a, d, to, marked);
        dict_retire_last(a, d);
    }
    pile_close(&pile, items);
}

/* --- many items at once --- */

void dict_expect(struct arena *a, struct dict *d, uint64_t items) {
    if (items > DICT_EXPECTED_MAX) items = DICT_EXPECTED_MAX;
    if (d->count || !items || (!d->buckets && dict_make_first(a, d) != ST_OK)) return;
    while ((uint64_t)d->buckets * LOAD_GROW < items && room_for_bucket(a, d) == ST_OK) {
        d->buckets++;
        memset(bucket_at(a, d, d->buckets - 1), 0, sizeof(struct bucket));
    }
}

void dict_fit(struct arena *a, const struct dict_kind *k, struct dict *d) {
    for (uint32_t had = 0; d->buckets != had && d->buckets;) {
        had = d->buckets;
        if (d->count <= (uint64_t)(had - 1) * LOAD_GROW) dict_shrink_step(a, k, d);
    }
}
