/* pack.c - walking hostile listpacks. */
#include "persist/pack.h"

#include "ds/dict.h"
#include "mem/number.h"

/* --- making --- */

bool packer_add(struct packer *p, struct str s) {
    size_t need = (p->lp ? lp_bytes(p->lp) : LP_EMPTY_BYTES) + lp_entry_bytes(s);
    if (need > LP_MAX_BYTES) return false;
    if (need > p->room) {
        size_t room = need + need / 2 + 64;
        uint8_t *lp = realloc(p->lp, room);
        ASSERT(lp);
        if (!p->lp) lp_init(lp);
        p->lp = lp;
        p->room = room;
    }
    lp_append(p->lp, s);
    return true;
}

void packer_free(struct packer *p) {
    free(p->lp);
    *p = (struct packer){ 0 };
}

/* --- checking --- */

/* Redis stores the text of an integer as an integer, and comparisons rely on it. */
static bool is_canonical(uint8_t *lp) {
    int64_t i;
    for (uint8_t *p = lp_first(lp); p; p = lp_next(lp, p)) {
        struct lp_value v = lp_get(p);
        if (v.s.p && v.s.n <= 20 && str_to_i64(v.s, &i)) return false;
    }
    return true;
}

static bool make_canonical(uint8_t *lp, struct packer *out) {
    char buf[24];
    for (uint8_t *p = lp_first(lp); p; p = lp_next(lp, p))
        if (!packer_add(out, lp_text(p, buf))) return false;
    return true;
}

/* Whether the first elements of all groups differ. A small open-addressing table of places. */
static bool is_unique(const struct arena *a, uint8_t *lp, size_t groups, unsigned width) {
    size_t slots = 4;
    while (slots < 2 * groups) slots *= 2;
    uint32_t *table = calloc(slots, sizeof *table);
    ASSERT(table);
    bool unique = true;
    unsigned at = 0;
    for (uint8_t *p = lp_first(lp); p && unique; p = lp_next(lp, p), at++) {
        if (at % width) continue;
        char buf[24];
        struct str s = lp_text(p, buf);
        size_t i = dict_hash(a, s) & (slots - 1);
        for (; table[i] && unique; i = (i + 1) & (slots - 1)) unique = !lp_equal(lp + table[i], s);
        table[i] = (uint32_t)(p - lp);
    }
    free(table);
    return unique;
}

static bool store(struct rdb_reader *r, struct arena *a, const struct pack_shape *shape,
                  const uint8_t *lp, struct pack *out) {
    out->bytes = lp_bytes(lp);
    out->root = heap_alloc(a, shape->owner, shape->header + out->bytes);
    if (!out->root) return source_fail(r->src, SOURCE_FULL, "The arena is full");
    memcpy((char *)arena_ptr(a, out->root) + shape->header, lp, out->bytes);
    return true;
}

bool pack_adopt(struct rdb_reader *r, struct arena *a, const struct pack_shape *shape,
                const uint8_t *bytes, struct pack *out) {
    uint8_t *lp = (uint8_t *)(uintptr_t)bytes;
    out->elements = lp_length(lp);
    if (!out->elements) return source_fail(r->src, SOURCE_EMPTY, "A value without elements");
    if (out->elements % shape->width) return rdb_bad(r, "A listpack with half a pair");
    r->sanitized += r->unique;
    if (shape->unique && r->unique && !is_unique(a, lp, out->elements / shape->width, shape->width))
        return rdb_bad(r, "A listpack with an element twice");
    if (is_canonical(lp)) return store(r, a, shape, lp, out);
    struct packer p = { 0 };
    bool ok = make_canonical(lp, &p) || rdb_bad(r, "A listpack that is too large");
    ok = ok && store(r, a, shape, p.lp, out);
    packer_free(&p);
    return ok;
}

bool pack_load(struct rdb_reader *r, struct arena *a, const struct pack_shape *shape,
               struct pack *out) {
    struct str s;
    if (!rdb_get_string(r, RDB_PLACE_VALUE, &s)) return false;
    if (s.n > LP_MAX_BYTES || !lp_valid((const uint8_t *)s.p, s.n))
        return rdb_bad(r, "Listpack integrity check failed");
    return pack_adopt(r, a, shape, (const uint8_t *)s.p, out);
}

bool pack_load_legacy(struct rdb_reader *r, struct arena *a, const struct pack_shape *shape,
                      bool (*convert)(struct str, struct packer *), struct pack *out) {
    struct str s;
    struct packer p = { 0 };
    if (!rdb_get_string(r, RDB_PLACE_VALUE, &s)) return false;
    bool ok = convert(s, &p) || rdb_bad(r, "Ziplist integrity check failed");
    if (ok && !p.lp) ok = source_fail(r->src, SOURCE_EMPTY, "A value without elements");
    ok = ok && pack_adopt(r, a, shape, p.lp, out);
    packer_free(&p);
    return ok;
}
