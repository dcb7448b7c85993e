/* type.c - the list of data types and the names of encodings. */
#include "db/type.h"

static const struct type_ops *const types[TYPE_COUNT] = {
    [TYPE_STRING] = &string_type, [TYPE_LIST] = &list_type, [TYPE_SET] = &set_type,
    [TYPE_ZSET] = &zset_type,     [TYPE_HASH] = &hash_type, [TYPE_STREAM] = &stream_type,
    [TYPE_ARRAY] = &array_type,
};

static const char *const encoding_names[ENC_COUNT] = {
    [ENC_INT] = "int",
    [ENC_INLINE] = "embstr",
    [ENC_RAW] = "raw",
    [ENC_LISTPACK] = "listpack",
    [ENC_LISTPACKEX] = "listpackex",
    [ENC_HASHTABLE] = "hashtable",
    [ENC_INTSET] = "intset",
    [ENC_QUICKLIST] = "quicklist",
    [ENC_SKIPLIST] = "skiplist",
    [ENC_TEMPLATE] = "template-listpack",
    [ENC_STREAM] = "stream",
    [ENC_ARRAY] = "sliced-array",
};

const struct type_ops *type_of(unsigned id) {
    ASSERT(id < TYPE_COUNT && types[id]);
    return types[id];
}

const char *encoding_name(unsigned enc) {
    ASSERT(enc < ENC_COUNT);
    return encoding_names[enc];
}
