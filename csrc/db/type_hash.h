/* type_hash.h - hashes: fields with values, each field with an expiry if it likes.
 *
 * listpack     root: a listpack of field, value
 * template     the same in the order of the names (HIMPORT)
 * listpackex   root: a listpack of field, value, expiry ms (0: none); those with an expiry first,
 *              ascending, the one that was set last before its equals
 * hashtable    root: struct hash_table; items (hash_item.h) hold field, value and expiry
 *
 * Owns      the blocks behind value.root. Never sees entries or keys.
 * Promises  pointers in a struct hash_field are valid until the hash changes.
 * Fails     ST_ARENA_FULL, having changed nothing.
 * A field whose expiry is not after `now_ms` is treated as missing by every function that takes it;
 * to the others it is there until somebody deletes it (db/expire.h).
 */
#ifndef SHMREDIS_TYPE_HASH_H
#define SHMREDIS_TYPE_HASH_H

#include "db/engine.h"

struct hash_field {
    struct str name, value;
    uint64_t expiry;                  /* ms, 0: none */
    char name_buf[24], value_buf[24]; /* texts of integers */
};

/* An empty hash; ST_ARENA_FULL. */
status hash_create(struct arena *a, struct value *v);
/* The same, which keeps its fields in the order of their names while it is small. */
status hash_create_template(struct arena *a, struct value *v);
/* All fields, expired ones not yet reaped included. */
uint64_t hash_length(const struct arena *a, const struct value *v);
bool hash_get(const struct arena *a, const struct value *v, struct str name, uint64_t now_ms,
              struct hash_field *out);
/* Whatever its expiry. */
bool hash_find(const struct arena *a, const struct value *v, struct str name,
               struct hash_field *out);

#define HASH_KEEP_EXPIRY UINT64_MAX
/* Sets a field; `expiry` is ms, 0 (none) or HASH_KEEP_EXPIRY. *created tells whether it is new. */
status hash_set(struct engine *eng, struct value *v, struct str name, struct str value,
                uint64_t expiry, bool *created);
/* Changes the expiry of an existing field (0: none). */
status hash_set_expiry(struct engine *eng, struct value *v, struct str name, uint64_t expiry);
/* Before expiries are changed, if only perhaps: a small hash gets room for them. */
status hash_admit_expiries(struct arena *a, struct value *v);
/* False: no such field. */
bool hash_delete(struct arena *a, struct value *v, struct str name);
/* Prepares for fields of these sizes: converts to a hashtable now if the limits ask for it. */
status hash_reserve(struct engine *eng, struct value *v, size_t fields, size_t longest);
/* Before so many fields are added to an empty hash, none of them twice: loading. */
void hash_expect(struct arena *a, const struct value *v, uint64_t fields);

/* Visits all live fields in order of the encoding; stops when visit returns false. */
typedef bool (*hash_visit_fn)(void *ctx, const struct hash_field *f);
void hash_each(const struct arena *a, const struct value *v, uint64_t now_ms, hash_visit_fn visit,
               void *ctx);
/* SCAN: small encodings at once. */
uint64_t hash_scan(struct arena *a, const struct value *v, uint64_t cursor, size_t count,
                   uint64_t now_ms, hash_visit_fn visit, void *ctx);
/* `want` distinct random fields; with `repeat` the same field may come again. */
void hash_random(struct engine *eng, const struct value *v, size_t want, bool repeat,
                 hash_visit_fn visit, void *ctx);
/* Deletes a field whose time has come: logged and told as active expiry does. */
void hash_expire_field(struct engine *eng, int db, struct str key, struct value *v,
                       struct str name);
/* The earliest expiry of any field, 0: none has one. May be earlier than true for tables. */
uint64_t hash_next_expiry(const struct arena *a, const struct value *v);

#endif
