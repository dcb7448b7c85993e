/* type.h - what a data type is to the rest of the server: one const row of functions.
 *
 * A type is one C file that exports one `const struct type_ops` and its own functions for commands.
 * Types work on a `struct value` and never see entries, so they can be tested alone. Adding a type
 * costs its file, its id here and its line in type.c.
 */
#ifndef SHMREDIS_TYPE_H
#define SHMREDIS_TYPE_H

#include "ds/dict.h"

/* Ids live in arenas: append only, never renumber. */
enum value_type {
    TYPE_STRING = 0,
    TYPE_LIST = 1,
    TYPE_SET = 2,
    TYPE_ZSET = 3,
    TYPE_HASH = 4,
    TYPE_STREAM = 6, /* 5 is Redis's for values of modules; digests mix these numbers */
    TYPE_ARRAY = 7,
    TYPE_COUNT = 8
};

enum encoding {
    ENC_INT = 0,        /* string */
    ENC_INLINE = 1,     /* string whose bytes are in its entry: embstr or raw */
    ENC_RAW = 2,        /* string: root is a block {uint32_t length, bytes} */
    ENC_LISTPACK = 3,   /* root is a listpack */
    ENC_LISTPACKEX = 4, /* hash with field expiry: root is a listpack of triples */
    ENC_HASHTABLE = 5,
    ENC_INTSET = 6,
    ENC_QUICKLIST = 7,
    ENC_SKIPLIST = 8, /* the counted B+tree; Redis's name is kept for OBJECT ENCODING */
    ENC_TEMPLATE = 9, /* hash of HIMPORT: a listpack of pairs in the order of their names */
    ENC_STREAM = 10,  /* root is struct stream, db/type_stream.h */
    ENC_ARRAY = 11,   /* root is struct array, ds/array.h */
    ENC_COUNT = 12
};

struct value {
    uint8_t type;
    uint8_t enc;
    ref_t root;
};

struct digest; /* db/digest.h */
struct engine;

struct type_ops {
    enum value_type id;
    const char *name; /* what TYPE says */
    /* Frees up to about `budget` elements; true when nothing is left and v->root is REF_NULL. */
    bool (*free_some)(struct arena *a, struct value *v, size_t budget);
    /* How many elements freeing would touch; 1 for one-block encodings. Lazy free is for the big.
     */
    uint64_t (*effort)(const struct arena *a, const struct value *v);
    /* A deep copy in *dst, of a value that may be in another arena; ST_ARENA_FULL, nothing left
     * behind. */
    status (*copy)(struct arena *to, const struct arena *from, const struct value *v,
                   struct value *dst);
    uint64_t (*length)(const struct arena *a, const struct value *v);
    /* Bytes of all blocks behind root; looks at `samples` elements (0: all) and extrapolates. */
    size_t (*memory)(const struct arena *a, const struct value *v, size_t samples);
    /* Moves blocks out of sparse pages (heap_sparse, heap_move), about `budget` elements from
     * *cursor (0 starts, 0 again when done); may change v->root. */
    void (*relocate)(struct arena *a, struct value *v, uint64_t *cursor, size_t budget);
    /* Mixes the value into a DEBUG DIGEST (db/digest.h). */
    void (*digest)(const struct arena *a, const struct value *v, struct digest *d);
    /* Walks every invariant; aborts on a breach. */
    void (*check)(const struct arena *a, const struct value *v);
    /* Hashes only, else NULL: the earliest field expiry in ms (0 none) … */
    uint64_t (*next_field_expiry)(const struct arena *a, const struct value *v);
    /* … and deleting the fields due at eng->now_ms, at most `budget`, with propagation and events
     * of `key`; returns how many. The caller deletes the key when the hash is empty then. */
    size_t (*expire_fields)(struct engine *eng, int db, struct str key, struct value *v,
                            size_t budget);
};

extern const struct type_ops string_type, list_type, set_type, zset_type, hash_type, stream_type,
    array_type;

/* The row of a type id that lies in an arena. */
const struct type_ops *type_of(unsigned id);
/* What OBJECT ENCODING says of a value that is not a string. Static storage. */
const char *encoding_name(unsigned enc);

#endif
