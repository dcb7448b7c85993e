/* hash_item.h - one field of a hashtable-encoded hash, in one block.
 *
 *   0    volatile | length of the field:7, 127: a u32 follows
 *        length of the value:8, 255: a u32 follows
 *        [expiry in ms, 6 bytes, if volatile]  field bytes  value bytes
 */
#ifndef SHMREDIS_HASH_ITEM_H
#define SHMREDIS_HASH_ITEM_H

#include "ds/dict.h"

#define ITEM_VOLATILE 0x80u
#define ITEM_LONG_NAME 127u
#define ITEM_LONG_VALUE 255u

struct hash_item {
    struct str name, value;
    uint64_t expiry; /* 0: none */
};

static inline size_t hash_item_bytes(const struct hash_item *i) {
    return (i->name.n < ITEM_LONG_NAME ? 1u : 5u) + (i->value.n < ITEM_LONG_VALUE ? 1u : 5u) +
           (i->expiry ? 6u : 0u) + i->name.n + i->value.n;
}

static inline struct hash_item hash_item_read(const void *block) {
    const uint8_t *p = block;
    struct hash_item i = { .name = { NULL, *p & 0x7fu } };
    bool has_expiry = *p++ & ITEM_VOLATILE;
    if (i.name.n == ITEM_LONG_NAME) i.name.n = load_u32(p), p += 4;
    i.value.n = *p++;
    if (i.value.n == ITEM_LONG_VALUE) i.value.n = load_u32(p), p += 4;
    if (has_expiry) i.expiry = load_u48(p), p += 6;
    i.name.p = (const char *)p;
    i.value.p = i.name.p + i.name.n;
    return i;
}

static inline void hash_item_write(void *block, const struct hash_item *i) {
    uint8_t *p = block;
    bool long_name = i->name.n >= ITEM_LONG_NAME, long_value = i->value.n >= ITEM_LONG_VALUE;
    *p++ = (uint8_t)((i->expiry ? ITEM_VOLATILE : 0) | (long_name ? ITEM_LONG_NAME : i->name.n));
    if (long_name) store_u32(p, (uint32_t)i->name.n), p += 4;
    *p++ = (uint8_t)(long_value ? ITEM_LONG_VALUE : i->value.n);
    if (long_value) store_u32(p, (uint32_t)i->value.n), p += 4;
    if (i->expiry) store_u48(p, i->expiry), p += 6;
    memcpy(p, i->name.p, i->name.n);
    memcpy(p + i->name.n, i->value.p, i->value.n);
}

static inline bool hash_item_volatile(const void *block) {
    return *(const uint8_t *)block & ITEM_VOLATILE;
}

/* Behind value.root of ENC_HASHTABLE. */
struct hash_table {
    struct dict fields;
    uint64_t volatile_fields;
    uint64_t earliest; /* no field expires before; 0 when none expires */
};

extern const struct dict_kind hash_kind;

/* hash_table.c: the operations of type_hash.h on this encoding. */
status hash_table_put(struct arena *a, struct hash_table *t, const struct hash_item *item,
                      bool *created);
bool hash_table_find(const struct arena *a, const struct hash_table *t, struct str name,
                     struct hash_item *out);
bool hash_table_delete(struct arena *a, struct hash_table *t, struct str name);

#endif
