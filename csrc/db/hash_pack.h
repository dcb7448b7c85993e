/* hash_pack.h - the listpack encodings of hashes; for type_hash.c only.
 *
 * `v` is ENC_LISTPACK (pairs), ENC_TEMPLATE (pairs, shorter names first, then by their bytes) or
 * ENC_LISTPACKEX (triples). Functions may move v->root.
 */
#ifndef SHMREDIS_HASH_PACK_H
#define SHMREDIS_HASH_PACK_H

#include "db/type_hash.h"

bool pack_find(const struct arena *a, const struct value *v, struct str name,
               struct hash_field *out);
/* Adds or replaces; HASH_KEEP_EXPIRY is not allowed here. An expiry needs ENC_LISTPACKEX. */
status pack_put(struct arena *a, struct value *v, struct str name, struct str value,
                uint64_t expiry);
/* Of an existing field of triples; it moves before the others of this expiry even if it had it. */
status pack_set_expiry(struct arena *a, struct value *v, struct str name, uint64_t expiry);
bool pack_delete(struct arena *a, struct value *v, struct str name);
/* From pairs to triples. */
status pack_add_expiries(struct arena *a, struct value *v);
/* Field by field: *p is NULL at the start and again after the last. */
bool pack_next(const struct arena *a, const struct value *v, uint8_t **p, struct hash_field *out);
/* The field with this number. */
bool pack_at(const struct arena *a, const struct value *v, size_t index, struct hash_field *out);

#endif
