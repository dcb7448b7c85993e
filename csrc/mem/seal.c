/* seal.c - computing and comparing the checksum. */
#include "mem/seal.h"

#include "mem/page.h"

/* Never 0, which says that there is no seal. The checksum counts as 0 in it. */
static uint64_t digest(const struct arena *a, seal_hash_fn hash) {
    uint64_t was = arena_super(a)->checksum;
    arena_super(a)->checksum = 0;
    uint64_t parts[2] = { hash(a->base, PAGE_SIZE_BYTES),
                          hash(a->base + PAGE_TABLE_OFFSET,
                               page_total(a) * sizeof(struct page_desc)) };
    arena_super(a)->checksum = was;
    return hash((const char *)parts, sizeof parts) | 1;
}

void arena_seal(const struct arena *a, seal_hash_fn hash) {
    arena_super(a)->checksum = digest(a, hash);
}

enum seal arena_seal_state(const struct arena *a, seal_hash_fn hash) {
    uint64_t sum = arena_super(a)->checksum;
    if (!sum) return SEAL_NONE;
    return sum == digest(a, hash) ? SEAL_GOOD : SEAL_BAD;
}

void arena_break_seal(const struct arena *a) {
    arena_super(a)->checksum = 0;
}

#define FNV_START UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* FNV-1a: any single byte that has changed is found. */
static uint64_t add_bytes(uint64_t sum, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++) sum = (sum ^ p[i]) * FNV_PRIME;
    return sum;
}

static uint64_t stamp_of(const struct arena_super *s) {
    uint64_t sum = add_bytes(FNV_START, &s->magic, sizeof s->magic);
    sum = add_bytes(sum, &s->layout, sizeof s->layout);
    sum = add_bytes(sum, &s->slot_first, sizeof s->slot_first);
    sum = add_bytes(sum, &s->slot_last, sizeof s->slot_last);
    sum = add_bytes(sum, &s->max_size, sizeof s->max_size);
    sum = add_bytes(sum, s->hash_seed, sizeof s->hash_seed);
    sum = add_bytes(sum, &s->roots[0], sizeof s->roots[0]);
    return add_bytes(sum, &s->databases, sizeof s->databases);
}

void arena_stamp(const struct arena *a) {
    arena_super(a)->stamp = stamp_of(arena_super(a));
}

bool arena_stamp_is_good(const struct arena_super *super) {
    return super->stamp == stamp_of(super);
}
