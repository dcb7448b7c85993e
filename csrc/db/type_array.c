/* type_array.c - the array type as a whole. */
#include "db/type_array.h"

#include "db/digest.h"

/* Redis mixes every hole into a digest, which takes for ever in a wide array. Of what is beyond so
 * many holes only the widths of gaps are mixed. */
#define DIGEST_HOLES_MAX 1000000u

struct array_limits array_limits(const struct engine *eng) {
    return (struct array_limits){ .least = (uint32_t)eng->config.array_sparse_kmin,
                                  .most = (uint32_t)eng->config.array_sparse_kmax };
}

status array_create(struct engine *eng, struct value *v) {
    ref_t r = heap_alloc(&eng->arena, OWN_ARRAY, sizeof(struct array));
    *v = (struct value){ .type = TYPE_ARRAY, .enc = ENC_ARRAY, .root = r };
    if (!r) return ST_ARENA_FULL;
    array_init(array_of(&eng->arena, v), (uint32_t)eng->config.array_slice_size);
    return ST_OK;
}

static bool array_type_free_some(struct arena *a, struct value *v, size_t budget) {
    if (!array_free_some(a, array_of(a, v), budget)) return false;
    heap_free(a, v->root);
    v->root = REF_NULL;
    return true;
}

static uint64_t array_type_length(const struct arena *a, const struct value *v) {
    return array_of(a, v)->count;
}

static status array_type_copy(struct arena *to, const struct arena *from, const struct value *v,
                              struct value *dst) {
    *dst = *v;
    dst->root = heap_alloc(to, OWN_ARRAY, sizeof(struct array));
    if (!dst->root) return ST_ARENA_FULL;
    status st = array_copy(to, from, array_of(from, v), array_of(to, dst));
    if (st != ST_OK) heap_free(to, dst->root);
    return st;
}

static size_t array_type_memory(const struct arena *a, const struct value *v, size_t samples) {
    return heap_usable(a, v->root) + array_memory(a, array_of(a, v), samples);
}

static void array_type_relocate(struct arena *a, struct value *v, uint64_t *cursor, size_t budget) {
    if (*cursor == 0 && heap_sparse(a, v->root)) {
        ref_t moved = heap_move(a, v->root);
        if (moved) v->root = moved;
    }
    array_relocate(a, array_of(a, v), cursor, budget);
}

static void mix_holes(struct digest *d, uint64_t n, uint64_t *left) {
    if (n > *left) {
        digest_mix(d, &n, sizeof n);
        return;
    }
    *left -= n;
    for (; n > 0; n--) digest_mix(d, "(null)", 6);
}

static void array_type_digest(const struct arena *a, const struct value *v, struct digest *d) {
    struct array_walk w;
    struct str s;
    uint64_t index, next = 0, left = DIGEST_HOLES_MAX;
    array_seek(a, array_of(a, v), 0, ARRAY_INDEX_MAX, &w);
    for (; array_next(&w, &index, &s); next = index + 1) {
        mix_holes(d, index - next, &left);
        digest_mix(d, s.p, s.n);
    }
}

static void array_type_check(const struct arena *a, const struct value *v) {
    array_check(a, array_of(a, v));
    ASSERT(array_of(a, v)->count > 0);
}

const struct type_ops array_type = {
    .id = TYPE_ARRAY,
    .name = "array",
    .free_some = array_type_free_some,
    .effort = array_type_length,
    .copy = array_type_copy,
    .length = array_type_length,
    .memory = array_type_memory,
    .relocate = array_type_relocate,
    .digest = array_type_digest,
    .check = array_type_check,
};
