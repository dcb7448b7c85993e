/* rdb_codec.c - the table of type bytes: who reads each, what it is called, how it is skipped. */
#include "persist/rdb_codec.h"

#include "ds/array_cell.h"

static const struct rdb_codec *const codecs[TYPE_COUNT] = {
    [TYPE_STRING] = &rdb_string_codec, [TYPE_LIST] = &rdb_list_codec,
    [TYPE_SET] = &rdb_set_codec,       [TYPE_ZSET] = &rdb_zset_codec,
    [TYPE_HASH] = &rdb_hash_codec,     [TYPE_STREAM] = &rdb_stream_codec,
    [TYPE_ARRAY] = &rdb_array_codec,
};

/* A value's structure: s string, n length, 8 eight bytes, 6 sixteen bytes, d double as text,
 * ( … ) as many times as the length before says, M items of a module, A an array. */
struct type_row {
    const char *name;
    const char *shape;
    const struct rdb_codec *codec;
};
#define STREAM_HEAD "n(ss)nnn"
#define STREAM_TAIL "nnn(sn(snn))nn"
static const struct type_row rows[RDB_TYPES] = {
    [RDB_STRING] = { "string", "s", &rdb_string_codec },
    [RDB_LIST] = { "list-linked", "n(s)", &rdb_list_codec },
    [RDB_SET] = { "set-hashtable", "n(s)", &rdb_set_codec },
    [RDB_ZSET_TEXT] = { "zset-v1", "n(sd)", &rdb_zset_codec },
    [RDB_HASH] = { "hash-hashtable", "n(ss)", &rdb_hash_codec },
    [RDB_ZSET] = { "zset-v2", "n(s8)", &rdb_zset_codec },
    [RDB_MODULE] = { "module-value", "nM", NULL },
    [RDB_HASH_ZIPMAP] = { "hash-zipmap", "s", &rdb_hash_codec },
    [RDB_LIST_ZIPLIST] = { "list-ziplist", "s", &rdb_list_codec },
    [RDB_SET_INTSET] = { "set-intset", "s", &rdb_set_codec },
    [RDB_ZSET_ZIPLIST] = { "zset-ziplist", "s", &rdb_zset_codec },
    [RDB_HASH_ZIPLIST] = { "hash-ziplist", "s", &rdb_hash_codec },
    [RDB_QUICKLIST_ZIPLISTS] = { "quicklist", "n(s)", &rdb_list_codec },
    [RDB_STREAM_1] = { "stream", STREAM_HEAD "n(snnn(68n)n(s8n(6)))", &rdb_stream_codec },
    [RDB_HASH_LISTPACK] = { "hash-listpack", "s", &rdb_hash_codec },
    [RDB_ZSET_LISTPACK] = { "zset-listpack", "s", &rdb_zset_codec },
    [RDB_QUICKLIST] = { "quicklist-v2", "n(ns)", &rdb_list_codec },
    [RDB_STREAM_2] = { "stream-v2", STREAM_HEAD "nnnnnn(snnnn(68n)n(s8n(6)))", &rdb_stream_codec },
    [RDB_SET_LISTPACK] = { "set-listpack", "s", &rdb_set_codec },
    [RDB_STREAM_3] = { "stream-v3", STREAM_HEAD "nnnnnn(snnnn(68n)n(s88n(6)))", &rdb_stream_codec },
    [RDB_HASH_FIELDS_RC] = { "hash-hashtable-md-pre-release", "n(nss)", &rdb_hash_codec },
    [RDB_HASH_PACK_FIELDS_RC] = { "hash-listpack-md-pre-release", "s", &rdb_hash_codec },
    [RDB_HASH_FIELDS] = { "hash-hashtable-md", "8n(nss)", &rdb_hash_codec },
    [RDB_HASH_PACK_FIELDS] = { "hash-listpack-md", "8s", &rdb_hash_codec },
    [RDB_STREAM_4] = { "stream-v4", STREAM_HEAD "nnnnnn(snnnn(68n)n(s88n(6)))" STREAM_TAIL,
                       &rdb_stream_codec },
    [RDB_STREAM_5] = { "stream-v5", STREAM_HEAD "nnnnnn(snnnn(68n)n(s88n(6))n(6))" STREAM_TAIL,
                       &rdb_stream_codec },
    [RDB_ARRAY] = { "array", "A", &rdb_array_codec },
    [RDB_HASH_TEMPLATE_DUMP] = { "hash-template", "nss", &rdb_hash_codec },
    [RDB_HASH_TEMPLATE] = { "hash-template-ref", "s", &rdb_hash_codec },
};
#define VALKEY_HASH_FIELDS "n(ss8)"

const struct rdb_codec *rdb_codec_of(enum value_type type) {
    ASSERT(type < TYPE_COUNT && codecs[type]);
    return codecs[type];
}

const struct rdb_codec *rdb_codec_for(uint8_t type_byte) {
    return type_byte < RDB_TYPES ? rows[type_byte].codec : NULL;
}

bool rdb_type_known(uint8_t type_byte) {
    return type_byte < RDB_TYPES && rows[type_byte].shape;
}

const char *rdb_type_name(uint8_t type_byte) {
    const char *name = type_byte < RDB_TYPES ? rows[type_byte].name : NULL;
    return name ? name : "unknown";
}

/* --- skipping --- */

static bool skip_text_double(struct rdb_reader *r) {
    uint8_t n;
    if (!rdb_get_byte(r, &n)) return false;
    return n >= 253 || source_skip(r->src, n);
}

/* A count, 0 or 1 and the cursor, then elements: index, kind, and 8 bytes or a string. */
static bool skip_array(struct rdb_reader *r) {
    uint64_t n, ignored, kind;
    if (!rdb_get_length(r, &n) || !rdb_get_length(r, &ignored)) return false;
    if (ignored && !rdb_get_length(r, &ignored)) return false;
    while (n-- > 0) {
        if (!rdb_get_length(r, &ignored) || !rdb_get_length(r, &kind)) return false;
        bool ok = kind == CELL_INTEGER || kind == CELL_DOUBLE ? source_skip(r->src, 8)
                  : kind <= CELL_SHORT                        ? rdb_skip_string(r)
                                                              : rdb_bad(r, "Unknown array item");
        if (!ok) return false;
    }
    return true;
}

static bool skip_one(struct rdb_reader *r, char what, uint64_t *n) {
    switch (what) {
    case 's': return rdb_skip_string(r);
    case 'n': return rdb_get_length(r, n);
    case '8': return source_skip(r->src, 8);
    case '6': return source_skip(r->src, 16);
    case 'd': return skip_text_double(r);
    case 'A': return skip_array(r);
    default: return rdb_skip_module_items(r);
    }
}

/* Skips what `shape` says up to its end or closing parenthesis, where *shape is left. */
static bool skip_shape(struct rdb_reader *r, const char **shape) {
    uint64_t n = 0;
    for (; **shape && **shape != ')'; ++*shape) {
        if (**shape != '(') {
            if (!skip_one(r, **shape, &n)) return false;
            continue;
        }
        const char *inner = ++*shape;
        for (uint64_t i = 0; i < n; i++) {
            *shape = inner;
            if (!skip_shape(r, shape)) return false;
        }
        if (n > 0) continue;
        for (int depth = 1; depth > 0; ++*shape) depth += (**shape == '(') - (**shape == ')');
        --*shape;
    }
    return true;
}

bool rdb_skip_value(struct rdb_reader *r, uint8_t type_byte) {
    const char *shape = type_byte < RDB_TYPES ? rows[type_byte].shape : NULL;
    if (type_byte == RDB_HASH_FIELDS_RC && r->version >= RDB_VALKEY) shape = VALKEY_HASH_FIELDS;
    if (!shape) return rdb_bad(r, "Unknown RDB encoding type %d", type_byte);
    return skip_shape(r, &shape);
}

/* --- modules --- */

/* The name and version in a module id. */
static void module_id(uint64_t id, char name[10], unsigned *encver) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    *encver = id & 1023;
    for (int i = 0; i < 9; i++) name[i] = letters[id >> (10 + 6 * (8 - i)) & 63];
    name[9] = '\0';
}

bool rdb_refuse_module(struct rdb_reader *r) {
    uint64_t id;
    char name[10];
    unsigned encver;
    if (!rdb_get_length(r, &id)) return false;
    module_id(id, name, &encver);
    return source_fail(r->src, SOURCE_REFUSED,
                       "The RDB file contains module data I can't load: no matching module type "
                       "'%s'",
                       name);
}

enum module_item { ITEM_END, ITEM_SIGNED, ITEM_UNSIGNED, ITEM_FLOAT, ITEM_DOUBLE, ITEM_STRING };

bool rdb_skip_module_items(struct rdb_reader *r) {
    uint64_t item, n;
    for (;;) {
        if (!rdb_get_length(r, &item)) return false;
        bool ok = false;
        switch (item) {
        case ITEM_END: return true;
        case ITEM_SIGNED:
        case ITEM_UNSIGNED: ok = rdb_get_length(r, &n); break;
        case ITEM_FLOAT: ok = source_skip(r->src, 4); break;
        case ITEM_DOUBLE: ok = source_skip(r->src, 8); break;
        case ITEM_STRING: ok = rdb_skip_string(r); break;
        default: return rdb_bad(r, "Unknown item %llu of a module", (unsigned long long)item);
        }
        if (!ok) return false;
    }
}
