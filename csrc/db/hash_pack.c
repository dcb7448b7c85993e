/* hash_pack.c - hashes as listpacks of pairs or triples. */
#include "db/hash_pack.h"

#include "ds/listpack.h"
#include "mem/number.h"

static unsigned width(const struct value *v) {
    return v->enc == ENC_LISTPACKEX ? 3 : 2;
}

static uint8_t *pack_of(const struct arena *a, const struct value *v) {
    return arena_ptr(a, v->root);
}

/* Fills *out from the element of the name at p. */
static void read_field(const struct arena *a, const struct value *v, uint8_t *p,
                       struct hash_field *out) {
    uint8_t *lp = pack_of(a, v);
    out->name = lp_text(p, out->name_buf);
    p = lp_next(lp, p);
    out->value = lp_text(p, out->value_buf);
    out->expiry = 0;
    if (width(v) == 3) out->expiry = (uint64_t)lp_get(lp_next(lp, p)).integer;
}

static uint8_t *find_name(const struct arena *a, const struct value *v, struct str name) {
    uint8_t *lp = pack_of(a, v), *first = lp_first(lp);
    return first ? lp_find(lp, first, name, width(v) - 1) : NULL;
}

bool pack_find(const struct arena *a, const struct value *v, struct str name,
               struct hash_field *out) {
    uint8_t *p = find_name(a, v, name);
    if (p) read_field(a, v, p, out);
    return p;
}

bool pack_next(const struct arena *a, const struct value *v, uint8_t **p, struct hash_field *out) {
    uint8_t *lp = pack_of(a, v);
    if (!*p) {
        *p = lp_first(lp);
    } else {
        for (unsigned i = 0; i < width(v) && *p; i++) *p = lp_next(lp, *p);
    }
    if (*p) read_field(a, v, *p, out);
    return *p;
}

bool pack_at(const struct arena *a, const struct value *v, size_t index, struct hash_field *out) {
    uint8_t *p = lp_seek(pack_of(a, v), (int64_t)(index * width(v)));
    if (p) read_field(a, v, p, out);
    return p;
}

/* Room for `more` bytes; the place *p (or NULL) is moved along. */
static status reserve(struct arena *a, struct value *v, size_t more, uint8_t **p) {
    uint8_t *lp = pack_of(a, v);
    size_t offset = *p ? (size_t)(*p - lp) : 0, bytes = lp_bytes(lp);
    if (bytes + more > LP_MAX_BYTES) return ST_ARENA_FULL;
    if (heap_reserve(a, &v->root, bytes + more) != ST_OK) return ST_ARENA_FULL;
    if (*p) *p = pack_of(a, v) + offset;
    return ST_OK;
}

/* Gives back what a smaller listpack no longer needs; keeping it is no harm. */
static void shrink(struct arena *a, struct value *v) {
    ref_t root = heap_realloc(a, v->root, lp_bytes(pack_of(a, v)));
    if (root) v->root = root;
}

/* Where a triple with this expiry belongs: before the first that expires no earlier, or never.
 * NULL: end. */
static uint8_t *place_for(const struct arena *a, const struct value *v, uint64_t expiry) {
    uint8_t *p = NULL;
    struct hash_field f;
    if (!expiry) return NULL;
    while (pack_next(a, v, &p, &f))
        if (!f.expiry || f.expiry >= expiry) return p;
    return NULL;
}

/* Where a name belongs among the names of a template. */
static uint8_t *place_of_name(const struct arena *a, const struct value *v, struct str name) {
    uint8_t *p = NULL;
    struct hash_field f;
    while (pack_next(a, v, &p, &f))
        if (f.name.n != name.n ? f.name.n > name.n : str_cmp(f.name, name) > 0) return p;
    return NULL;
}

static status insert(struct arena *a, struct value *v, struct str name, struct str value,
                     uint64_t expiry) {
    char text[24];
    struct str time = { text, i64_to_text(text, (int64_t)expiry) };
    bool triple = width(v) == 3;
    size_t more =
        lp_entry_bytes(name) + lp_entry_bytes(value) + (triple ? lp_entry_bytes(time) : 0);
    uint8_t *p = triple ? place_for(a, v, expiry) : NULL;
    if (v->enc == ENC_TEMPLATE) p = place_of_name(a, v, name);
    status st = reserve(a, v, more, &p);
    if (st != ST_OK) return st;
    uint8_t *lp = pack_of(a, v);
    /* Backwards before p, or forwards at the end. */
    if (!p) {
        lp_append(lp, name);
        lp_append(lp, value);
        if (triple) lp_append(lp, time);
        return ST_OK;
    }
    if (triple) p = lp_insert(lp, p, time);
    p = lp_insert(lp, p, value);
    lp_insert(lp, p, name);
    return ST_OK;
}

static status replace_value(struct arena *a, struct value *v, uint8_t *name_at, struct str value) {
    uint8_t *p = lp_next(pack_of(a, v), name_at);
    size_t old = lp_size_at(p), now = lp_entry_bytes(value);
    status st = reserve(a, v, now > old ? now - old : 0, &p);
    if (st == ST_OK) lp_replace(pack_of(a, v), p, value);
    return st;
}

/* The triple at p with another value and expiry, at its new place. Nothing changes on failure. */
static status replace_triple(struct arena *a, struct value *v, uint8_t *p, struct str name,
                             struct str value, uint64_t expiry) {
    size_t old_bytes = 0;
    uint8_t *q = p;
    for (unsigned i = 0; i < 3; i++) {
        old_bytes += lp_size_at(q);
        q += lp_size_at(q);
    }
    char *copy = malloc(name.n + value.n + 1);
    ASSERT(copy);
    memcpy(copy, name.p, name.n);
    memcpy(copy + name.n, value.p, value.n);
    size_t need = lp_entry_bytes(name) + lp_entry_bytes(value) + 10;
    status st = reserve(a, v, need > old_bytes ? need - old_bytes : 0, &p);
    if (st == ST_OK) {
        lp_delete(pack_of(a, v), p, 3);
        struct str own_name = { copy, name.n }, own_value = { copy + name.n, value.n };
        st = insert(a, v, own_name, own_value, expiry);
        ASSERT(st == ST_OK); /* the room is there */
    }
    free(copy);
    return st;
}

status pack_put(struct arena *a, struct value *v, struct str name, struct str value,
                uint64_t expiry) {
    struct hash_field old;
    uint8_t *p = find_name(a, v, name);
    if (!p) return insert(a, v, name, value, expiry);
    read_field(a, v, p, &old);
    if (old.expiry == expiry) return replace_value(a, v, p, value);
    return replace_triple(a, v, p, name, value, expiry);
}

status pack_set_expiry(struct arena *a, struct value *v, struct str name, uint64_t expiry) {
    struct hash_field f;
    uint8_t *p = find_name(a, v, name);
    if (!p) return ST_NOT_FOUND;
    read_field(a, v, p, &f);
    return replace_triple(a, v, p, f.name, f.value, expiry);
}

bool pack_delete(struct arena *a, struct value *v, struct str name) {
    uint8_t *p = find_name(a, v, name);
    if (!p) return false;
    lp_delete(pack_of(a, v), p, width(v));
    shrink(a, v);
    return true;
}

status pack_add_expiries(struct arena *a, struct value *v) {
    uint8_t *old = pack_of(a, v);
    size_t fields = lp_length(old) / 2;
    ref_t root = heap_alloc(a, OWN_HASH, lp_bytes(old) + 2 * fields);
    if (!root) return ST_ARENA_FULL;
    uint8_t *lp = arena_ptr(a, root);
    lp_init(lp);
    uint8_t *p = NULL;
    struct hash_field f;
    while (pack_next(a, v, &p, &f)) {
        lp_append(lp, f.name);
        lp_append(lp, f.value);
        lp_append(lp, STR("0"));
    }
    heap_free(a, v->root);
    v->root = root;
    v->enc = ENC_LISTPACKEX;
    return ST_OK;
}
