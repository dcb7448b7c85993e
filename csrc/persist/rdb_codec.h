/* rdb_codec.h - what a data type is to RDB files, DUMP payloads and AOF rewrites: one const row.
 *
 * A type's codec is one file with one row; adding one costs the file, its line in rdb_codec.c, and
 * the type bytes that it reads there.
 *
 * Callers   savers may run in a forked child over a frozen arena: they change nothing and allocate
 *           nothing in it. Loaders run in the worker that owns the arena.
 */
#ifndef SHMREDIS_RDB_CODEC_H
#define SHMREDIS_RDB_CODEC_H

#include "db/engine.h"
#include "persist/rdb.h"
#include "persist/rdb_get.h"
#include "persist/rdb_put.h"
#include "persist/rewrite.h"

struct rdb_codec {
    enum value_type type;
    /* The type byte that `save` writes this value under; the byte itself is the caller's. */
    uint8_t (*type_byte)(const struct arena *a, const struct entry *e);
    void (*save)(const struct arena *a, const struct entry *e, struct rdb_writer *w);
    /* Builds a value in the encoding that the configuration allows: fills in spec->value, and what
     * goes with it: integer, bytes (valid until the next read), flags. False: the source knows why,
     * and nothing is left behind. The bytes are hostile; what is built passes type_ops.check. */
    bool (*load)(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                 struct entry_spec *spec);
    /* The value as commands of at most REWRITE_ELEMENTS elements; without the key's expiry. */
    void (*rewrite)(const struct arena *a, const struct entry *e, struct rewriter *out);
};

extern const struct rdb_codec rdb_string_codec, rdb_list_codec, rdb_set_codec, rdb_zset_codec,
    rdb_hash_codec, rdb_stream_codec, rdb_array_codec;

const struct rdb_codec *rdb_codec_of(enum value_type type);
/* Who reads this type byte; NULL: nobody (it may still be skipped). */
const struct rdb_codec *rdb_codec_for(uint8_t type_byte);

/* Whether it can be skipped at least. */
bool rdb_type_known(uint8_t type_byte);
/* Skips a value by its structure, without building anything; also types that nobody reads. */
bool rdb_skip_value(struct rdb_reader *r, uint8_t type_byte);
/* Reads what follows RDB_TEMPLATE: hashes of RDB_HASH_TEMPLATE refer to it. */
bool rdb_load_template(struct rdb_reader *r);
/* What redis-check-rdb calls the type byte: "hash-listpack". Static storage. */
const char *rdb_type_name(uint8_t type_byte);

/* Notes that a module's value has no reader here; false. */
bool rdb_refuse_module(struct rdb_reader *r);
/* Skips tagged items up to their end mark. */
bool rdb_skip_module_items(struct rdb_reader *r);

#endif
