/* template.c - putting names and values of a hash together. */
#include "persist/template.h"

#include "db/type_hash.h"
#include "persist/pack.h"

bool rdb_load_template(struct rdb_reader *r) {
    uint64_t n;
    struct packer names = { 0 };
    struct rdb_template *t = calloc(1, sizeof *t);
    ASSERT(t);
    bool ok = rdb_get_length(r, &t->id) && rdb_get_length(r, &n);
    for (uint64_t i = 0; ok && i < n; i++) {
        struct str name;
        ok = rdb_get_string(r, RDB_PLACE_VALUE, &name) &&
             (packer_add(&names, name) || rdb_bad(r, "A template that is too large"));
    }
    if (ok && !names.lp) ok = rdb_bad(r, "A template without names");
    if (!ok) {
        packer_free(&names);
        free(t);
        return false;
    }
    t->names = names.lp;
    t->next = r->templates;
    r->templates = t;
    return true;
}

/* A string that is a listpack, in malloc. */
static bool get_pack(struct rdb_reader *r, struct packer *out) {
    struct str s;
    char buf[24];
    if (!rdb_get_string(r, RDB_PLACE_VALUE, &s)) return false;
    if (s.n > LP_MAX_BYTES || !lp_valid((const uint8_t *)s.p, s.n))
        return rdb_bad(r, "Listpack integrity check failed");
    uint8_t *lp = (uint8_t *)(uintptr_t)s.p;
    for (uint8_t *p = lp_first(lp); p; p = lp_next(lp, p))
        if (!packer_add(out, lp_text(p, buf))) return rdb_bad(r, "A listpack that is too large");
    return out->lp || rdb_bad(r, "A listpack without elements");
}

/* Shorter names first, then by their bytes. */
static bool in_order(struct str a, struct str b) {
    return a.n != b.n ? a.n < b.n : str_cmp(a, b) < 0;
}

/* Pairs of the names and of the values from `value` on; *ordered: as ENC_TEMPLATE has them. */
static bool zip(uint8_t *names, uint8_t *values, uint8_t *value, struct packer *out,
                bool *ordered) {
    char texts[2][24], buf[24];
    struct str before = { NULL, 0 };
    *ordered = true;
    for (uint8_t *p = lp_first(names); p; p = lp_next(names, p)) {
        struct str name = lp_text(p, texts[before.p == texts[0]]);
        if (before.p && !in_order(before, name)) *ordered = false;
        if (!value || !packer_add(out, name) || !packer_add(out, lp_text(value, buf))) return false;
        value = lp_next(values, value);
        before = name;
    }
    return !value;
}

/* The hash of these pairs, whose names may be in any order. */
static bool insert(struct rdb_reader *r, struct engine *eng, uint8_t *pairs, struct value *v) {
    char name_buf[24], value_buf[24];
    if (hash_create(&eng->arena, v) != ST_OK)
        return source_fail(r->src, SOURCE_FULL, "The arena is full");
    for (uint8_t *p = lp_first(pairs); p; p = lp_next(pairs, p)) {
        struct str name = lp_text(p, name_buf);
        bool created;
        p = lp_next(pairs, p);
        if (hash_set(eng, v, name, lp_text(p, value_buf), 0, &created) != ST_OK)
            return source_fail(r->src, SOURCE_FULL, "The arena is full");
        if (!created) return rdb_bad(r, "Duplicate hash fields detected");
    }
    return true;
}

static bool build(struct rdb_reader *r, struct engine *eng, uint8_t *names, uint8_t *values,
                  struct value *v) {
    static const struct pack_shape shape = { .owner = OWN_HASH, .width = 2 };
    struct packer pairs = { 0 };
    struct pack pack;
    bool ordered;
    bool ok = zip(names, values, lp_next(values, lp_first(values)), &pairs, &ordered) ||
              rdb_bad(r, "A template hash with another number of values than names");
    if (ok && ordered) {
        ok = pack_adopt(r, &eng->arena, &shape, pairs.lp, &pack);
        if (ok) *v = (struct value){ TYPE_HASH, ENC_TEMPLATE, pack.root };
    } else if (ok) {
        ok = insert(r, eng, pairs.lp, v);
    }
    packer_free(&pairs);
    return ok;
}

static uint8_t *names_of(struct rdb_reader *r, uint8_t *values) {
    struct lp_value id = lp_get(lp_first(values));
    for (struct rdb_template *t = r->templates; t && !id.s.p; t = t->next)
        if (t->id == (uint64_t)id.integer) return t->names;
    rdb_bad(r, "A template hash of an unknown template");
    return NULL;
}

bool template_load(struct rdb_reader *r, struct engine *eng, uint8_t type_byte, struct value *v) {
    struct packer names = { 0 }, values = { 0 };
    uint64_t form;
    bool with_names = type_byte == RDB_HASH_TEMPLATE_DUMP;
    bool ok = !with_names ||
              (rdb_get_length(r, &form) &&
               (form == 0 || rdb_bad(r, "Unknown form of a template hash")) && get_pack(r, &names));
    ok = ok && get_pack(r, &values);
    uint8_t *lp = !ok ? NULL : with_names ? names.lp : names_of(r, values.lp);
    ok = lp && build(r, eng, lp, values.lp, v);
    packer_free(&names);
    packer_free(&values);
    return ok;
}
