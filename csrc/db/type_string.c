/* type_string.c - strings that do not fit into their entry: one block {uint32_t length, bytes}.
 *
 * Integers and short strings live in the entry itself and have no blocks of their own (db/entry.h).
 */
#include "db/digest.h"
#include "db/entry.h"

static bool string_free_some(struct arena *a, struct value *v, size_t budget) {
    (void)budget;
    if (v->root) heap_free(a, v->root);
    v->root = REF_NULL;
    return true;
}

static uint64_t string_effort(const struct arena *a, const struct value *v) {
    (void)a, (void)v;
    return 1;
}

static status string_copy(struct arena *to, const struct arena *from, const struct value *v,
                          struct value *dst) {
    *dst = *v;
    if (!v->root) return ST_OK;
    const char *block = arena_ptr(from, v->root);
    size_t n = 4 + (size_t)load_u32(block);
    dst->root = heap_alloc(to, OWN_STRING, n);
    if (!dst->root) return ST_ARENA_FULL;
    memcpy(arena_ptr(to, dst->root), block, n);
    return ST_OK;
}

static uint64_t string_length(const struct arena *a, const struct value *v) {
    return v->root ? load_u32(arena_ptr(a, v->root)) : 0;
}

static size_t string_memory(const struct arena *a, const struct value *v, size_t samples) {
    (void)samples;
    return v->root ? heap_usable(a, v->root) : 0;
}

static void string_relocate(struct arena *a, struct value *v, uint64_t *cursor, size_t budget) {
    (void)budget;
    *cursor = 0;
    if (!v->root || !heap_sparse(a, v->root)) return;
    ref_t moved = heap_move(a, v->root);
    if (moved) v->root = moved;
}

/* Strings inside entries are mixed by the keyspace's digest, which sees the entry. */
static void string_digest(const struct arena *a, const struct value *v, struct digest *d) {
    const char *block = arena_ptr(a, v->root);
    digest_mix(d, block + 4, load_u32(block));
}

static void string_check(const struct arena *a, const struct value *v) {
    if (!v->root) return;
    ASSERT(4 + (size_t)load_u32(arena_ptr(a, v->root)) <= heap_usable(a, v->root));
}

const struct type_ops string_type = {
    .id = TYPE_STRING,
    .name = "string",
    .free_some = string_free_some,
    .effort = string_effort,
    .copy = string_copy,
    .length = string_length,
    .memory = string_memory,
    .relocate = string_relocate,
    .digest = string_digest,
    .check = string_check,
};
