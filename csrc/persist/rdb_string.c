/* rdb_string.c - strings in files. Long ones go straight from the source into their block. */
#include "mem/number.h"
#include "persist/rdb_codec.h"

static uint8_t string_type_byte(const struct arena *a, const struct entry *e) {
    (void)a, (void)e;
    return RDB_STRING;
}

static void string_save(const struct arena *a, const struct entry *e, struct rdb_writer *w) {
    char buf[24];
    if (entry_encoding(e) == ENC_INT)
        rdb_put_integer_string(w, entry_integer(e));
    else
        rdb_put_string(w, entry_string(a, e, buf));
}

static void set_integer(struct entry_spec *spec, int64_t v) {
    spec->value = (struct value){ .type = TYPE_STRING, .enc = ENC_INT };
    spec->integer = v;
}

static bool load_block(struct rdb_reader *r, struct engine *eng, const struct rdb_string *head,
                       struct entry_spec *spec) {
    ref_t root = heap_alloc(&eng->arena, OWN_STRING, 4 + head->bytes);
    if (!root) return source_fail(r->src, SOURCE_FULL, "The arena is full");
    char *block = arena_ptr(&eng->arena, root);
    store_u32(block, (uint32_t)head->bytes);
    if (!rdb_get_string_bytes(r, head, block + 4)) {
        heap_free(&eng->arena, root);
        return false;
    }
    spec->value = (struct value){ .type = TYPE_STRING, .enc = ENC_RAW, .root = root };
    return true;
}

static bool string_load(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                        struct entry_spec *spec) {
    (void)type_byte;
    struct rdb_string head;
    int64_t v;
    if (!rdb_get_string_head(r, &head)) return false;
    if (head.form == RDB_INTEGER) {
        set_integer(spec, head.integer);
        return true;
    }
    if (head.bytes > ENTRY_INLINE_MAX) return load_block(r, eng, &head, spec);
    spec->value = (struct value){ .type = TYPE_STRING, .enc = ENC_INLINE };
    spec->bytes.n = head.bytes;
    if (!rdb_get_string_short(r, &head, &spec->bytes.p)) return false;
    if (head.bytes <= 20 && str_to_i64(spec->bytes, &v)) set_integer(spec, v);
    return true;
}

static void string_rewrite(const struct arena *a, const struct entry *e, struct rewriter *out) {
    char buf[24];
    struct str argv[3] = { STR("SET"), entry_key(e), entry_string(a, e, buf) };
    rewrite_command(out, 3, argv);
}

const struct rdb_codec rdb_string_codec = {
    .type = TYPE_STRING,
    .type_byte = string_type_byte,
    .save = string_save,
    .load = string_load,
    .rewrite = string_rewrite,
};
