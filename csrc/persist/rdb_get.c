/* rdb_get.c - the forms that rdb_put.c pictures, from bytes that may be anything. */
#include "persist/rdb_get.h"

#include "mem/number.h"
#include "persist/lzf.h"

#define LZF_RATIO_MAX 88u                        /* three bytes can stand for 264 */
#define STRING_MAX ((uint64_t)UINT32_MAX - 4096) /* blocks of strings have a u32 length */

void rdb_reader_init(struct rdb_reader *r, struct source *src, int version) {
    *r = (struct rdb_reader){ .src = src, .version = version };
}

void rdb_reader_free(struct rdb_reader *r) {
    for (int i = 0; i < RDB_PLACES; i++) free(r->place[i].p);
    for (struct rdb_template *t = r->templates, *next; t; t = next) {
        next = t->next;
        free(t->names);
        free(t);
    }
}

/* --- numbers --- */

bool rdb_get_byte(struct rdb_reader *r, uint8_t *b) {
    const char *p = source_take(r->src, 1);
    if (p) *b = (uint8_t)*p;
    return p;
}

/* The 4 or 8 bytes of a long length, big endian. */
static bool get_long(struct rdb_reader *r, uint8_t b, uint64_t *n) {
    if (b != 0x80 && b != 0x81) return rdb_bad(r, "Unknown length encoding %d in rdbLoadLen()", b);
    const char *p = source_take(r->src, b == 0x80 ? 4 : 8);
    if (p) *n = b == 0x80 ? __builtin_bswap32(load_u32(p)) : __builtin_bswap64(load_u64(p));
    return p;
}

/* A length, or, if `special` is given, the number of a special form of strings. */
static bool get_length(struct rdb_reader *r, uint64_t *n, bool *special) {
    uint8_t b, low;
    *n = 0;
    if (special) *special = false;
    if (!rdb_get_byte(r, &b)) return false;
    switch (b >> 6) {
    case 0: *n = b; return true;
    case 1:
        if (!rdb_get_byte(r, &low)) return false;
        *n = (uint64_t)(b & 0x3f) << 8 | low;
        return true;
    case 2: return get_long(r, b, n);
    default:
        if (!special) return rdb_bad(r, "A string where a length is expected");
        *special = true;
        *n = b & 0x3f;
        return true;
    }
}

bool rdb_get_length(struct rdb_reader *r, uint64_t *n) {
    return get_length(r, n, NULL);
}

bool rdb_get_u64(struct rdb_reader *r, uint64_t *v) {
    const char *p = source_take(r->src, 8);
    if (p) *v = load_u64(p);
    return p;
}

bool rdb_get_double(struct rdb_reader *r, double *v) {
    uint64_t bits;
    if (!rdb_get_u64(r, &bits)) return false;
    memcpy(v, &bits, sizeof *v);
    return true;
}

bool rdb_get_text_double(struct rdb_reader *r, double *v) {
    uint8_t n;
    if (!rdb_get_byte(r, &n)) return false;
    switch (n) {
    case 255: *v = -__builtin_inf(); return true;
    case 254: *v = __builtin_inf(); return true;
    case 253: return rdb_bad(r, "A score that is not a number");
    default: {
        const char *p = source_take(r->src, n);
        if (!p) return false;
        return str_to_double((struct str){ p, n }, v) || rdb_bad(r, "A score that is not a number");
    }
    }
}

/* --- strings --- */

static bool get_integer(struct rdb_reader *r, unsigned form, int64_t *v) {
    size_t n = (size_t)1 << form;
    const char *p = source_take(r->src, n);
    if (!p) return false;
    *v = n == 1 ? (int8_t)*p : n == 2 ? (int16_t)load_u16(p) : (int32_t)load_u32(p);
    return true;
}

static bool get_lzf_head(struct rdb_reader *r, struct rdb_string *head) {
    head->form = RDB_LZF;
    if (!rdb_get_length(r, &head->packed) || !rdb_get_length(r, &head->bytes)) return false;
    if (head->packed > source_left(r->src))
        return source_fail(r->src, SOURCE_SHORT, "Unexpected EOF");
    bool possible =
        head->bytes > 0 && head->bytes <= STRING_MAX && head->bytes / LZF_RATIO_MAX <= head->packed;
    return possible || rdb_bad(r, "Invalid LZF compressed string");
}

bool rdb_get_string_head(struct rdb_reader *r, struct rdb_string *head) {
    bool special;
    *head = (struct rdb_string){ .form = RDB_RAW };
    if (!get_length(r, &head->bytes, &special)) return false;
    if (!special) {
        if (head->bytes > source_left(r->src))
            return source_fail(r->src, SOURCE_SHORT, "Unexpected EOF");
        return head->bytes <= STRING_MAX || rdb_bad(r, "A string of more than 4 GiB");
    }
    uint64_t form = head->bytes;
    head->bytes = 0;
    if (form == 3) return get_lzf_head(r, head);
    head->form = RDB_INTEGER;
    if (form < 3) return get_integer(r, (unsigned)form, &head->integer);
    return rdb_bad(r, "Unknown RDB string encoding type %d", (int)form);
}

bool rdb_get_string_bytes(struct rdb_reader *r, const struct rdb_string *head, char *to) {
    if (head->form == RDB_RAW) return source_read(r->src, to, head->bytes);
    char *copy = NULL;
    const char *packed;
    if (head->packed <= SOURCE_TAKE_MAX) {
        packed = source_take(r->src, head->packed);
    } else {
        packed = copy = malloc(head->packed);
        ASSERT(copy);
        if (!source_read(r->src, copy, head->packed)) packed = NULL;
    }
    bool ok = packed && (lzf_expand(packed, head->packed, to, head->bytes) ||
                         rdb_bad(r, "Invalid LZF compressed string"));
    free(copy);
    return ok;
}

/* Room for n bytes; what was there is lost. */
static char *room(struct rdb_reader *r, enum rdb_place place, size_t n) {
    if (r->place[place].room < n || !r->place[place].p) {
        free(r->place[place].p);
        r->place[place].room = n + n / 4 + 64;
        r->place[place].p = malloc(r->place[place].room);
        ASSERT(r->place[place].p);
    }
    return r->place[place].p;
}

bool rdb_get_string_short(struct rdb_reader *r, const struct rdb_string *head, const char **p) {
    if (head->form == RDB_RAW) {
        *p = source_take(r->src, head->bytes);
        return *p;
    }
    char *to = room(r, RDB_PLACE_VALUE, head->bytes);
    *p = to;
    return rdb_get_string_bytes(r, head, to);
}

bool rdb_get_string(struct rdb_reader *r, enum rdb_place place, struct str *s) {
    struct rdb_string head;
    if (!rdb_get_string_head(r, &head)) return false;
    if (head.form == RDB_INTEGER) {
        char *text = room(r, place, 24);
        *s = (struct str){ text, i64_to_text(text, head.integer) };
        return true;
    }
    s->n = head.bytes;
    if (head.form == RDB_RAW && place == RDB_PLACE_VALUE && head.bytes <= SOURCE_TAKE_MAX)
        return rdb_get_string_short(r, &head, &s->p);
    char *to = room(r, place, head.bytes);
    s->p = to;
    return rdb_get_string_bytes(r, &head, to);
}

bool rdb_skip_string(struct rdb_reader *r) {
    struct rdb_string head;
    if (!rdb_get_string_head(r, &head)) return false;
    if (head.form == RDB_INTEGER) return true;
    return source_skip(r->src, head.form == RDB_LZF ? head.packed : head.bytes);
}
