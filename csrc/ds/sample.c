/* sample.c - drawing with rejection when few are wanted, else a shuffle of all. */
#include "ds/sample.h"

size_t sample_below(size_t n, uint64_t (*random)(void *), void *ctx) {
    return (size_t)((unsigned __int128)random(ctx) * n >> 64);
}

/* A set of refs by open addressing, twice as large as what goes in. */
static bool seen_before(ref_t *slots, size_t mask, ref_t r) {
    size_t i = (r * 2654435761u) & mask;
    while (slots[i] && slots[i] != r) i = (i + 1) & mask;
    if (slots[i] == r) return true;
    slots[i] = r;
    return false;
}

static size_t draw(const struct arena *a, const struct dict *d, size_t want,
                   uint64_t (*random)(void *), void *ctx, ref_t *out) {
    size_t size = 4;
    while (size < 2 * want) size *= 2;
    ref_t *slots = calloc(size, sizeof *slots);
    ASSERT(slots);
    for (size_t n = 0; n < want;) {
        ref_t r = dict_random(a, d, random, ctx);
        if (!seen_before(slots, size - 1, r)) out[n++] = r;
    }
    free(slots);
    return want;
}

static size_t shuffle(const struct arena *a, const struct dict *d, size_t want,
                      uint64_t (*random)(void *), void *ctx, ref_t *out) {
    size_t n = 0;
    ref_t *all = malloc((size_t)d->count * sizeof *all);
    ASSERT(all);
    struct dict_iter it = { 0 };
    for (ref_t r; (r = dict_next(a, d, &it));) all[n++] = r;
    for (size_t i = 0; i < want; i++) {
        size_t j = i + sample_below(n - i, random, ctx);
        out[i] = all[j];
        all[j] = all[i];
    }
    free(all);
    return want;
}

size_t dict_sample(const struct arena *a, const struct dict *d, size_t want,
                   uint64_t (*random)(void *), void *ctx, ref_t *out) {
    if (want > d->count) want = (size_t)d->count;
    if (want == 0) return 0;
    return want * 4 < d->count ? draw(a, d, want, random, ctx, out)
                               : shuffle(a, d, want, random, ctx, out);
}

/* Each index is taken with the chance that is left for it (Knuth, algorithm S). */
size_t sample_indexes(size_t n, size_t want, uint64_t (*random)(void *), void *ctx, size_t *out) {
    if (want > n) want = n;
    size_t taken = 0;
    for (size_t i = 0; taken < want; i++)
        if (sample_below(n - i, random, ctx) < want - taken) out[taken++] = i;
    return want;
}
