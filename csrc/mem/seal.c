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
