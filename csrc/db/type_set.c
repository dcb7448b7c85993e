/* type_set.c - sets over their three encodings, and conversions between them. */
#include "db/type_set.h"

#include "db/digest.h"
#include "db/item_table.h"
#include "ds/intset.h"
#include "ds/listpack.h"
#include "ds/sample.h"
#include "mem/number.h"

#define LONG_MEMBER 255u

static uint8_t *block_of(const struct arena *a, const struct value *v) {
    return arena_ptr(a, v->root);
}
static struct dict *table_of(const struct arena *a, const struct value *v) {
    return arena_ptr(a, v->root);
}

/* --- items of a table --- */

static struct str item_member(const void *item) {
    const uint8_t *p = item;
    if (*p < LONG_MEMBER) return (struct str){ (const char *)p + 1, *p };
    return (struct str){ (const char *)p + 5, load_u32(p + 1) };
}
static const struct dict_kind set_kind = { .key = item_member };

static ref_t new_item(struct arena *a, struct str s) {
    bool is_long = s.n >= LONG_MEMBER;
    ref_t r = heap_alloc(a, OWN_SET, (is_long ? 5u : 1u) + s.n);
    if (!r) return REF_NULL;
    uint8_t *p = arena_ptr(a, r);
    *p++ = (uint8_t)(is_long ? LONG_MEMBER : s.n);
    if (is_long) store_u32(p, (uint32_t)s.n), p += 4;
    memcpy(p, s.p, s.n);
    return r;
}

static status table_add(struct arena *a, struct dict *d, struct str s, bool *added) {
    uint64_t hash = dict_hash(a, s);
    *added = !dict_find(a, &set_kind, d, s, hash);
    if (!*added) return ST_OK;
    ref_t item = new_item(a, s);
    if (!item) return ST_ARENA_FULL;
    status st = dict_insert(a, &set_kind, d, item, hash);
    if (st != ST_OK) heap_free(a, item);
    return st;
}

static void drop_item(void *ctx, ref_t item) {
    heap_free(ctx, item);
}

static void free_table(struct arena *a, ref_t root) {
    while (!dict_free_some(a, arena_ptr(a, root), SIZE_MAX, drop_item, a)) {
    }
    heap_free(a, root);
}

static ref_t new_table(struct arena *a) {
    ref_t root = heap_alloc(a, OWN_SET, sizeof(struct dict));
    if (root) memset(arena_ptr(a, root), 0, sizeof(struct dict));
    return root;
}

/* --- reading --- */

uint64_t set_length(const struct arena *a, const struct value *v) {
    switch (v->enc) {
    case ENC_INTSET: return intset_length(block_of(a, v));
    case ENC_LISTPACK: return lp_length(block_of(a, v));
    default: return table_of(a, v)->count;
    }
}

bool set_contains(const struct arena *a, const struct value *v, struct str s) {
    int64_t i;
    uint32_t pos;
    if (v->enc == ENC_HASHTABLE) return dict_find(a, &set_kind, table_of(a, v), s, dict_hash(a, s));
    if (v->enc == ENC_INTSET) return str_to_i64(s, &i) && intset_find(block_of(a, v), i, &pos);
    uint8_t *lp = block_of(a, v), *first = lp_first(lp);
    return first && lp_find(lp, first, s, 0);
}

static struct str intset_text(const uint8_t *is, uint32_t index, char buf[24]) {
    return (struct str){ buf, i64_to_text(buf, intset_get(is, index)) };
}

void set_each(const struct arena *a, const struct value *v, set_visit_fn visit, void *ctx) {
    char buf[24];
    if (v->enc == ENC_INTSET) {
        const uint8_t *is = block_of(a, v);
        for (uint32_t i = 0; i < intset_length(is); i++)
            if (!visit(ctx, intset_text(is, i, buf))) return;
    } else if (v->enc == ENC_LISTPACK) {
        uint8_t *lp = block_of(a, v);
        for (uint8_t *p = lp_first(lp); p; p = lp_next(lp, p))
            if (!visit(ctx, lp_text(p, buf))) return;
    } else {
        struct dict_iter it = { 0 };
        for (ref_t r; (r = dict_next(a, table_of(a, v), &it));)
            if (!visit(ctx, item_member(arena_ptr(a, r)))) return;
    }
}

struct visit {
    const struct arena *a;
    set_visit_fn fn;
    void *ctx;
};

static void scan_item(void *ctx, ref_t *place) {
    const struct visit *w = ctx;
    w->fn(w->ctx, item_member(arena_ptr(w->a, *place)));
}

uint64_t set_scan(struct arena *a, const struct value *v, uint64_t cursor, size_t count,
                  set_visit_fn fn, void *ctx) {
    if (v->enc == ENC_HASHTABLE) {
        struct visit w = { a, fn, ctx };
        return dict_scan(a, table_of(a, v), cursor, count, scan_item, &w);
    }
    set_each(a, v, fn, ctx);
    return 0;
}

/* --- random members --- */

static struct str small_at(const struct arena *a, const struct value *v, size_t i, char buf[24]) {
    uint8_t *block = block_of(a, v);
    if (v->enc == ENC_INTSET) return intset_text(block, (uint32_t)i, buf);
    return lp_text(lp_seek(block, (int64_t)i), buf);
}

static void random_of_small(struct engine *eng, const struct value *v, size_t want, bool repeat,
                            const struct visit *w) {
    size_t n = (size_t)set_length(w->a, v);
    char buf[24];
    if (repeat) {
        while (want--) w->fn(w->ctx, small_at(w->a, v, sample_below(n, engine_random, eng), buf));
        return;
    }
    size_t *picked = malloc((n + 1) * sizeof *picked);
    ASSERT(picked);
    size_t k = sample_indexes(n, want, engine_random, eng, picked);
    for (size_t i = 0; i < k; i++) w->fn(w->ctx, small_at(w->a, v, picked[i], buf));
    free(picked);
}

static void random_of_table(struct engine *eng, const struct value *v, size_t want, bool repeat,
                            const struct visit *w) {
    const struct dict *d = table_of(w->a, v);
    if (repeat) {
        while (want--)
            w->fn(w->ctx, item_member(arena_ptr(w->a, dict_random(w->a, d, engine_random, eng))));
        return;
    }
    if (want > d->count) want = (size_t)d->count;
    ref_t *picked = malloc((want + 1) * sizeof *picked);
    ASSERT(picked);
    size_t n = dict_sample(w->a, d, want, engine_random, eng, picked);
    for (size_t i = 0; i < n; i++) w->fn(w->ctx, item_member(arena_ptr(w->a, picked[i])));
    free(picked);
}

void set_random(struct engine *eng, const struct value *v, size_t want, bool repeat,
                set_visit_fn fn, void *ctx) {
    struct visit w = { &eng->arena, fn, ctx };
    if (v->enc == ENC_HASHTABLE)
        random_of_table(eng, v, want, repeat, &w);
    else
        random_of_small(eng, v, want, repeat, &w);
}

/* --- making and converting --- */

static status create_small(struct arena *a, struct value *v, enum encoding enc) {
    ref_t root = heap_alloc(a, OWN_SET, INTSET_HEADER);
    if (!root) return ST_ARENA_FULL;
    *v = (struct value){ .type = TYPE_SET, .enc = (uint8_t)enc, .root = root };
    if (enc == ENC_INTSET)
        intset_init(arena_ptr(a, root));
    else
        lp_init(arena_ptr(a, root));
    return ST_OK;
}

status set_create(struct engine *eng, struct value *v, struct str first, size_t members) {
    int64_t i;
    bool integer = str_to_i64(first, &i);
    if (integer && (int64_t)members <= eng->config.set_max_intset_entries)
        return create_small(&eng->arena, v, ENC_INTSET);
    if ((int64_t)members <= eng->config.set_max_listpack_entries)
        return create_small(&eng->arena, v, ENC_LISTPACK);
    *v = (struct value){ TYPE_SET, ENC_HASHTABLE, new_table(&eng->arena) };
    return v->root ? ST_OK : ST_ARENA_FULL;
}

void set_expect(struct arena *a, const struct value *v, uint64_t members) {
    if (v->enc == ENC_HASHTABLE) dict_expect(a, arena_ptr(a, v->root), members);
}

struct filling {
    struct arena *a;
    ref_t root;
    status st;
};

static bool fill_table(void *ctx, struct str member) {
    struct filling *f = ctx;
    bool added;
    f->st = table_add(f->a, arena_ptr(f->a, f->root), member, &added);
    return f->st == ST_OK;
}

static status to_table(struct arena *a, struct value *v) {
    struct filling f = { .a = a, .root = new_table(a), .st = ST_OK };
    if (!f.root) return ST_ARENA_FULL;
    set_each(a, v, fill_table, &f);
    if (f.st != ST_OK) {
        free_table(a, f.root);
        return f.st;
    }
    heap_free(a, v->root);
    v->root = f.root;
    v->enc = ENC_HASHTABLE;
    return ST_OK;
}

static bool measure(void *ctx, struct str member) {
    *(size_t *)ctx += lp_entry_bytes(member);
    return true;
}

static bool fill_pack(void *ctx, struct str member) {
    lp_append(ctx, member);
    return true;
}

static status to_pack(struct arena *a, struct value *v) {
    size_t bytes = LP_EMPTY_BYTES;
    set_each(a, v, measure, &bytes);
    ref_t root = heap_alloc(a, OWN_SET, bytes);
    if (!root) return ST_ARENA_FULL;
    lp_init(arena_ptr(a, root));
    set_each(a, v, fill_pack, arena_ptr(a, root));
    heap_free(a, v->root);
    v->root = root;
    v->enc = ENC_LISTPACK;
    return ST_OK;
}

/* The longest text of an intset's members: of its least or its greatest. */
static size_t longest_text(const struct arena *a, const struct value *v) {
    char buf[24];
    uint32_t n = intset_length(block_of(a, v));
    size_t first = n ? intset_text(block_of(a, v), 0, buf).n : 0;
    size_t last = n ? intset_text(block_of(a, v), n - 1, buf).n : 0;
    return first > last ? first : last;
}

static bool pack_takes(const struct engine *eng, const struct value *v, struct str s) {
    size_t longest = v->enc == ENC_INTSET ? longest_text(&eng->arena, v) : 0;
    if (s.n > longest) longest = s.n;
    return (int64_t)set_length(&eng->arena, v) < eng->config.set_max_listpack_entries &&
           (int64_t)longest <= eng->config.set_max_listpack_value;
}

/* --- changing --- */

static status intset_put(struct arena *a, struct value *v, int64_t i) {
    status st = heap_reserve(a, &v->root, intset_bytes_with(block_of(a, v), i));
    if (st == ST_OK) intset_insert(block_of(a, v), i);
    return st;
}

static status pack_put(struct arena *a, struct value *v, struct str s) {
    status st = heap_reserve(a, &v->root, lp_bytes(block_of(a, v)) + lp_entry_bytes(s));
    if (st == ST_OK) lp_append(block_of(a, v), s);
    return st;
}

/* The encoding that can take the new member s. */
static status make_room(struct engine *eng, struct value *v, struct str s) {
    int64_t i;
    if (v->enc == ENC_INTSET && str_to_i64(s, &i)) {
        int64_t after = (int64_t)set_length(&eng->arena, v) + 1;
        return after <= eng->config.set_max_intset_entries ? ST_OK : to_table(&eng->arena, v);
    }
    if (v->enc == ENC_HASHTABLE) return ST_OK;
    if (!pack_takes(eng, v, s)) return to_table(&eng->arena, v);
    return v->enc == ENC_INTSET ? to_pack(&eng->arena, v) : ST_OK;
}

status set_add(struct engine *eng, struct value *v, struct str s, bool *added) {
    struct arena *a = &eng->arena;
    if (v->enc == ENC_HASHTABLE) return table_add(a, table_of(a, v), s, added);
    *added = !set_contains(a, v, s);
    if (!*added) return ST_OK;
    status st = make_room(eng, v, s);
    if (st != ST_OK) return st;
    int64_t i;
    if (v->enc == ENC_INTSET) return str_to_i64(s, &i) ? intset_put(a, v, i) : ST_NOT_INTEGER;
    if (v->enc == ENC_LISTPACK) return pack_put(a, v, s);
    return table_add(a, table_of(a, v), s, added);
}

status set_fit(struct engine *eng, struct value *v) {
    int64_t limit = v->enc == ENC_INTSET ? eng->config.set_max_intset_entries
                                         : eng->config.set_max_listpack_entries;
    if (v->enc == ENC_HASHTABLE || (int64_t)set_length(&eng->arena, v) <= limit) return ST_OK;
    return to_table(&eng->arena, v);
}

static void shrink(struct arena *a, struct value *v, size_t bytes) {
    ref_t root = heap_realloc(a, v->root, bytes);
    if (root) v->root = root;
}

bool set_remove(struct arena *a, struct value *v, struct str s) {
    int64_t i;
    if (v->enc == ENC_INTSET) {
        if (!str_to_i64(s, &i) || !intset_delete(block_of(a, v), i)) return false;
        shrink(a, v, intset_bytes(block_of(a, v)));
        return true;
    }
    if (v->enc == ENC_LISTPACK) {
        uint8_t *lp = block_of(a, v), *first = lp_first(lp);
        uint8_t *p = first ? lp_find(lp, first, s, 0) : NULL;
        if (!p) return false;
        lp_delete(lp, p, 1);
        shrink(a, v, lp_bytes(lp));
        return true;
    }
    uint64_t hash = dict_hash(a, s);
    ref_t *place = dict_find(a, &set_kind, table_of(a, v), s, hash);
    if (!place) return false;
    ref_t item = *place;
    dict_remove(a, &set_kind, table_of(a, v), place, hash);
    heap_free(a, item);
    return true;
}

/* --- the type --- */

static bool set_free_some(struct arena *a, struct value *v, size_t budget) {
    if (v->enc == ENC_HASHTABLE && !dict_free_some(a, table_of(a, v), budget / 8 + 1, drop_item, a))
        return false;
    heap_free(a, v->root);
    v->root = REF_NULL;
    return true;
}

static uint64_t set_effort(const struct arena *a, const struct value *v) {
    return v->enc == ENC_HASHTABLE ? table_of(a, v)->count : 1;
}

static status set_copy(struct arena *to, const struct arena *from, const struct value *v,
                       struct value *dst) {
    *dst = *v;
    if (v->enc == ENC_HASHTABLE) {
        struct filling f = { .a = to, .root = new_table(to), .st = ST_OK };
        if (!f.root) return ST_ARENA_FULL;
        set_each(from, v, fill_table, &f);
        if (f.st != ST_OK) free_table(to, f.root);
        dst->root = f.root;
        return f.st;
    }
    const uint8_t *block = block_of(from, v);
    size_t n = v->enc == ENC_INTSET ? intset_bytes(block) : lp_bytes(block);
    dst->root = heap_alloc(to, OWN_SET, n);
    if (!dst->root) return ST_ARENA_FULL;
    memcpy(arena_ptr(to, dst->root), block, n);
    return ST_OK;
}

static size_t set_memory(const struct arena *a, const struct value *v, size_t samples) {
    size_t bytes = heap_usable(a, v->root);
    return v->enc == ENC_HASHTABLE ? bytes + items_memory(a, table_of(a, v), samples) : bytes;
}

static void set_relocate(struct arena *a, struct value *v, uint64_t *cursor, size_t budget) {
    if (*cursor == 0) items_move_ref(a, &v->root);
    if (v->enc == ENC_HASHTABLE)
        items_relocate(a, table_of(a, v), cursor, budget);
    else
        *cursor = 0;
}

static bool digest_member(void *ctx, struct str member) {
    digest_xor(ctx, member.p, member.n);
    return true;
}

static void set_digest(const struct arena *a, const struct value *v, struct digest *d) {
    set_each(a, v, digest_member, d);
}

static void set_check(const struct arena *a, const struct value *v) {
    if (v->enc == ENC_INTSET)
        intset_check(block_of(a, v));
    else if (v->enc == ENC_LISTPACK)
        lp_check(block_of(a, v));
    else
        dict_check(a, &set_kind, table_of(a, v));
    ASSERT(set_length(a, v) > 0);
}

const struct type_ops set_type = {
    .id = TYPE_SET,
    .name = "set",
    .free_some = set_free_some,
    .effort = set_effort,
    .copy = set_copy,
    .length = set_length,
    .memory = set_memory,
    .relocate = set_relocate,
    .digest = set_digest,
    .check = set_check,
};
