/* entry.h - one key: header, optional expiry, key bytes and, if small, the value, in one block.
 *
 * Two forms, told apart by the first bit, so that small strings cost five bytes of header:
 *
 *   tiny (a string value of at most 31 bytes, or an integer; key at most 255 bytes)
 *     0     1 | volatile | integer | length:5   length: bytes of the value as stored
 *     1-3   clock: LRU seconds, or LFU minutes:16 and counter:8
 *     4     key length
 *     5     [expiry in ms, 6 bytes, if volatile]  key bytes  value bytes (integers: little endian)
 *
 *   full (everything else)
 *     0     0 | volatile | type:6
 *     1-3   clock
 *     4     encoding:4 | flags:4
 *     5     key length, 1 byte, or 4 bytes with ENTRY_LONG_KEY
 *           [expiry, 6 bytes]  key bytes
 *           value: ENC_INT 8 bytes; ENC_INLINE 2-byte length and bytes; else one ref_t
 *
 * Owns      its own block. The value behind its ref belongs to the type (db/type.h).
 * Callers   keyspace.c builds, resizes and frees entries; everybody else reads by these functions.
 * Promises  nothing here allocates; pointers are valid until the entry is resized or moved.
 */
#ifndef SHMREDIS_ENTRY_H
#define SHMREDIS_ENTRY_H

#include "db/type.h"

struct entry {
    uint8_t head;
    uint8_t clock[3];
    uint8_t rest[];
};

#define ENTRY_TINY 0x80u
#define ENTRY_VOLATILE 0x40u
#define ENTRY_TINY_INT 0x20u
#define ENTRY_TINY_MAX 31u
#define ENTRY_TYPE_MASK 0x3fu
/* flags of the full form */
#define ENTRY_LONG_KEY 0x1u
#define ENTRY_PLAIN 0x2u     /* a string made by APPEND, SETRANGE …: OBJECT ENCODING says raw */
#define ENTRY_FIELD_TTL 0x4u /* a hash some of whose fields may expire */
#define ENTRY_INLINE_MAX 512u

static inline bool entry_tiny(const struct entry *e) {
    return e->head & ENTRY_TINY;
}
static inline bool entry_volatile(const struct entry *e) {
    return e->head & ENTRY_VOLATILE;
}
static inline enum value_type entry_type(const struct entry *e) {
    return entry_tiny(e) ? TYPE_STRING : (enum value_type)(e->head & ENTRY_TYPE_MASK);
}
static inline enum encoding entry_encoding(const struct entry *e) {
    if (entry_tiny(e)) return e->head & ENTRY_TINY_INT ? ENC_INT : ENC_INLINE;
    return (enum encoding)(e->rest[0] >> 4);
}
static inline uint8_t entry_flags(const struct entry *e) {
    return entry_tiny(e) ? 0 : e->rest[0] & 0xf;
}
static inline uint32_t entry_clock(const struct entry *e) {
    return (uint32_t)e->clock[0] | (uint32_t)e->clock[1] << 8 | (uint32_t)e->clock[2] << 16;
}
static inline void entry_set_clock(struct entry *e, uint32_t clock) {
    e->clock[0] = (uint8_t)clock;
    e->clock[1] = (uint8_t)(clock >> 8);
    e->clock[2] = (uint8_t)(clock >> 16);
}

/* Offset in rest[] where the expiry, or without one the key, begins. */
static inline size_t entry_body_offset(const struct entry *e) {
    if (entry_tiny(e)) return 1;
    return e->rest[0] & ENTRY_LONG_KEY ? 5 : 2;
}
static inline struct str entry_key(const struct entry *e) {
    const uint8_t *r = e->rest;
    size_t ttl = entry_volatile(e) ? 6 : 0;
    if (LIKELY(entry_tiny(e))) return (struct str){ (const char *)r + 1 + ttl, r[0] };
    if (r[0] & ENTRY_LONG_KEY) return (struct str){ (const char *)r + 5 + ttl, load_u32(r + 1) };
    return (struct str){ (const char *)r + 2 + ttl, r[1] };
}
/* Absolute expiry in ms, or 0 for none. */
static inline uint64_t entry_expiry(const struct entry *e) {
    return entry_volatile(e) ? load_u48(e->rest + entry_body_offset(e)) : 0;
}
/* The bytes after the key. */
static inline uint8_t *entry_tail(const struct entry *e) {
    struct str key = entry_key(e);
    return (uint8_t *)(uintptr_t)(key.p + key.n);
}
/* The value's root, for encodings that keep their bytes elsewhere. */
static inline ref_t entry_root(const struct entry *e) {
    return load_u32(entry_tail(e));
}
/* Type, encoding and root together, as type functions take them (root REF_NULL for inline strings).
 */
struct value entry_value(const struct entry *e);
/* A string value: its bytes, or, for ENC_INT, its decimal text written into buf. Strings only. */
struct str entry_string(const struct arena *a, const struct entry *e, char buf[24]);
/* The integer of an ENC_INT string. */
int64_t entry_integer(const struct entry *e);
/* Bytes of the entry's block that are used. */
size_t entry_bytes(const struct entry *e);
/* What OBJECT ENCODING says. Static storage. */
const char *entry_encoding_name(const struct arena *a, const struct entry *e);

/* What to build. */
struct entry_spec {
    struct str key;
    uint64_t expiry; /* ms, 0 none */
    uint32_t clock;
    uint8_t flags;      /* ENTRY_PLAIN, ENTRY_FIELD_TTL */
    struct value value; /* type and encoding; root unless ENC_INT or ENC_INLINE */
    int64_t integer;    /* ENC_INT */
    struct str bytes;   /* ENC_INLINE, at most ENTRY_INLINE_MAX */
};
/* Bytes that the entry of this spec needs, and writing it there. */
size_t entry_spec_bytes(const struct entry_spec *spec);
void entry_write(struct entry *e, const struct entry_spec *spec);
/* The spec that would write e again; borrows e's bytes. */
struct entry_spec entry_read(const struct entry *e);

#endif
