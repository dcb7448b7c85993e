/* array_cell.c - strings to cells and back. */
#include "ds/array_cell.h"

#include "mem/number.h"

#include <math.h>

#define INTEGER_LIMIT (INT64_C(1) << 61)

static uint8_t *block_at(const struct arena *a, array_cell c) {
    return arena_ptr(a, array_cell_ref(c));
}

size_t array_double_text(char buf[CELL_TEXT], double v) {
    if (v != 0 && !(fabs(v) < 0x1p63 && v == (double)(int64_t)v)) return double_to_digits(buf, v);
    size_t n = signbit(v) && v == 0 ? 2 : i64_to_text(buf, (int64_t)v);
    if (signbit(v) && v == 0) memcpy(buf, "-0", 2);
    memcpy(buf + n, ".0", 2);
    return n + 2;
}

/* Whether s is digits with one point among them and maybe a minus: no other text is canonical. */
static bool looks_decimal(struct str s) {
    size_t points = 0;
    if (s.n < 3 || s.n > 24) return false;
    for (size_t i = 0; i < s.n; i++) {
        points += s.p[i] == '.';
        if (s.p[i] != '.' && (s.p[i] < '0' || s.p[i] > '9') && (i > 0 || s.p[i] != '-'))
            return false;
    }
    return points == 1;
}

static bool make_double(struct str s, array_cell *out) {
    char buf[CELL_TEXT];
    double v;
    if (!looks_decimal(s) || !str_to_double(s, &v)) return false;
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (bits & 3) return false;
    *out = bits | CELL_DOUBLE;
    return str_eq(s, (struct str){ buf, array_double_text(buf, v) });
}

static array_cell make_short(struct str s) {
    array_cell c = 0;
    memcpy((uint8_t *)&c + 1, s.p, s.n);
    return c | (array_cell)s.n << 2 | CELL_SHORT;
}

status array_cell_make(struct arena *a, struct str s, array_cell *out) {
    int64_t v;
    if (str_to_i64(s, &v) && v >= -INTEGER_LIMIT && v < INTEGER_LIMIT) {
        *out = (uint64_t)v << 2 | CELL_INTEGER;
        return ST_OK;
    }
    if (make_double(s, out)) return ST_OK;
    if (s.n <= CELL_SHORT_MAX) {
        *out = make_short(s);
        return ST_OK;
    }
    ref_t r = heap_alloc(a, OWN_ARRAY, sizeof(uint32_t) + s.n);
    if (!r) return ST_ARENA_FULL;
    uint8_t *p = arena_ptr(a, r);
    store_u32(p, (uint32_t)s.n);
    memcpy(p + sizeof(uint32_t), s.p, s.n);
    *out = (array_cell)r << 2 | CELL_REF;
    return ST_OK;
}

void array_cell_drop(struct arena *a, array_cell c) {
    if (c && array_cell_form(c) == CELL_REF) heap_free(a, array_cell_ref(c));
}

struct str array_cell_text(const struct arena *a, array_cell c, char buf[CELL_TEXT]) {
    switch (array_cell_form(c)) {
    case CELL_REF: {
        const uint8_t *p = block_at(a, c);
        return (struct str){ (const char *)p + sizeof(uint32_t), load_u32(p) };
    }
    case CELL_INTEGER: return (struct str){ buf, i64_to_text(buf, array_cell_integer(c)) };
    case CELL_DOUBLE: return (struct str){ buf, array_double_text(buf, array_cell_double(c)) };
    default: memcpy(buf, (const uint8_t *)&c + 1, CELL_SHORT_MAX);
    }
    return (struct str){ buf, (uint8_t)c >> 2 };
}

void array_cell_check(const struct arena *a, array_cell c) {
    char buf[CELL_TEXT];
    ASSERT(c != 0);
    if (array_cell_form(c) == CELL_REF)
        ASSERT(sizeof(uint32_t) + load_u32(block_at(a, c)) <= heap_usable(a, array_cell_ref(c)));
    struct str s = array_cell_text(a, c, buf);
    ASSERT(array_cell_form(c) != CELL_SHORT || s.n <= CELL_SHORT_MAX);
}
