/* rdb_array.c - arrays in files.
 *
 *   count | 0, or 1 and the index of the last insertion | count times: index, form, value
 *
 * Forms and what they hold are those of cells (ds/array_cell.h): integers and doubles are 8 bytes,
 * the others strings. Indexes ascend. Source: observed on 8.10.2.
 */
#include "db/keyspace.h"
#include "db/type_array.h"
#include "mem/number.h"
#include "persist/rdb_codec.h"

static uint8_t array_type_byte(const struct arena *a, const struct entry *e) {
    (void)a;
    (void)e;
    return RDB_ARRAY;
}

/* --- saving --- */

static void put_cell(const struct arena *a, array_cell c, struct rdb_writer *w) {
    char buf[CELL_TEXT];
    rdb_put_length(w, array_cell_form(c));
    if (array_cell_form(c) == CELL_INTEGER)
        rdb_put_u64(w, (uint64_t)array_cell_integer(c));
    else if (array_cell_form(c) == CELL_DOUBLE)
        rdb_put_double(w, array_cell_double(c));
    else
        rdb_put_string(w, array_cell_text(a, c, buf));
}

static void array_save(const struct arena *a, const struct entry *e, struct rdb_writer *w) {
    struct value v = entry_value(e);
    const struct array *r = array_of(a, &v);
    struct array_walk walk;
    array_cell c;
    uint64_t index;
    rdb_put_length(w, r->count);
    rdb_put_length(w, r->last != ARRAY_NONE);
    if (r->last != ARRAY_NONE) rdb_put_length(w, r->last);
    array_seek(a, r, 0, ARRAY_INDEX_MAX, &walk);
    while ((c = array_next_cell(&walk, &index))) {
        rdb_put_length(w, index);
        put_cell(a, c, w);
    }
}

/* --- as commands --- */

static void add_number(struct rewriter *out, uint64_t v) {
    char *text = rewrite_text(out);
    rewrite_add(out, (struct str){ text, u64_to_text(text, v) });
}

static void add_cell(const struct arena *a, array_cell c, struct rewriter *out) {
    rewrite_add(out, array_cell_text(a, c, rewrite_text(out)));
}

static void array_rewrite(const struct arena *a, const struct entry *e, struct rewriter *out) {
    struct value v = entry_value(e);
    const struct array *r = array_of(a, &v);
    struct array_walk walk;
    array_cell c;
    uint64_t index;
    rewrite_begin(out, STR("ARMSET"), entry_key(e), 2);
    array_seek(a, r, 0, ARRAY_INDEX_MAX, &walk);
    while ((c = array_next_cell(&walk, &index))) {
        add_number(out, index);
        add_cell(a, c, out);
    }
    rewrite_end(out);
    if (r->last == ARRAY_NONE) return;
    rewrite_begin(out, STR("ARSEEK"), entry_key(e), 1);
    add_number(out, r->last + 1);
    rewrite_end(out);
}
static_assert(CELL_TEXT <= sizeof(((struct rewriter *)0)->text[0]), "room for a cell's text");

/* --- loading --- */

static bool full(struct rdb_reader *r) {
    return source_fail(r->src, SOURCE_FULL, "The arena is full");
}

/* The text of the next element, in `buf` or the reader. */
static bool get_element(struct rdb_reader *r, char buf[CELL_TEXT], struct str *s) {
    uint64_t form, bits;
    double d;
    if (!rdb_get_length(r, &form)) return false;
    switch (form) {
    case CELL_INTEGER:
        if (!rdb_get_u64(r, &bits)) return false;
        *s = (struct str){ buf, i64_to_text(buf, (int64_t)bits) };
        return true;
    case CELL_DOUBLE:
        if (!rdb_get_double(r, &d)) return false;
        *s = (struct str){ buf, array_double_text(buf, d) };
        return true;
    case CELL_REF:
    case CELL_SHORT: return rdb_get_string(r, RDB_PLACE_VALUE, s);
    default: return rdb_bad(r, "Unknown array item");
    }
}

static bool load_element(struct rdb_reader *r, struct engine *eng, struct array *to) {
    struct array_limits l = array_limits(eng);
    char buf[CELL_TEXT];
    uint64_t index;
    struct str s;
    bool added;
    if (!rdb_get_length(r, &index) || !get_element(r, buf, &s)) return false;
    if (index > ARRAY_INDEX_MAX) return rdb_bad(r, "Array index out of range");
    if (array_set(&eng->arena, &l, to, index, s, &added) != ST_OK) return full(r);
    return added || rdb_bad(r, "Duplicate array indexes detected");
}

static bool load_elements(struct rdb_reader *r, struct engine *eng, struct array *to) {
    uint64_t n, inserted;
    if (!rdb_get_length(r, &n) || !rdb_get_length(r, &inserted)) return false;
    if (n == 0) return source_fail(r->src, SOURCE_EMPTY, "A value without elements");
    if (inserted && !rdb_get_length(r, &to->last)) return false;
    while (n-- > 0)
        if (!load_element(r, eng, to)) return false;
    return true;
}

static bool array_load(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                       struct entry_spec *spec) {
    (void)type_byte;
    struct value v;
    if (array_create(eng, &v) != ST_OK) return full(r);
    if (load_elements(r, eng, array_of(&eng->arena, &v))) {
        spec->value = v;
        return true;
    }
    value_free(eng, v, false);
    return false;
}

const struct rdb_codec rdb_array_codec = {
    .type = TYPE_ARRAY,
    .type_byte = array_type_byte,
    .save = array_save,
    .load = array_load,
    .rewrite = array_rewrite,
};
