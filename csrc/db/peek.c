/* peek.c - copying an entry and its value out of an arena that may be changing. */
#include "db/peek.h"

#include "ds/intset.h"

/* Where the parts lie, in bytes. */
#define AT_DATABASE 1024u
#define AT_BUCKET 1152u
#define AT_ENTRY 1216u
#define AT_VALUE 2048u
#define MEMORY_BYTES (AT_VALUE + PEEK_VALUE_MAX + 64)

#define KEY_MAX 255u
#define ENTRY_MAX (6u + 6 + KEY_MAX + 2 + ENTRY_INLINE_MAX)

static_assert(sizeof(struct arena_super) <= AT_DATABASE, "before the database");
static_assert(AT_DATABASE + sizeof(struct db) <= AT_BUCKET && AT_BUCKET % 64 == 0, "before it");
static_assert(AT_BUCKET + DICT_BUCKET_BYTES <= AT_ENTRY, "before the entry");
static_assert(AT_ENTRY + ENTRY_MAX + 7 <= AT_VALUE, "before the value");

static struct arena_super *super_of(char *memory) {
    return (struct arena_super *)(void *)memory;
}

char *peek_memory_new(void) {
    char *memory = aligned_alloc(64, (MEMORY_BYTES + 63) & ~(size_t)63);
    ASSERT(memory);
    memset(memory, 0, MEMORY_BYTES);
    super_of(memory)->roots[ROOT_DATABASES] = AT_DATABASE / REF_UNIT;
    return memory;
}

struct entry *peek_entry(char *memory) {
    return (struct entry *)(void *)(memory + AT_ENTRY);
}

/* --- the entry --- */

struct wanted {
    struct str name;
    char *memory;
};

static size_t key_length(const struct entry *e) {
    return e->rest[entry_tiny(e) ? 0 : 1];
}

/* Bytes up to the end of the entry, or, of an inline value, up to the end of its length. */
static size_t fixed_bytes(const struct entry *e) {
    size_t to_tail = 4 + entry_body_offset(e) + (entry_volatile(e) ? 6u : 0u) + key_length(e);
    if (entry_tiny(e)) return to_tail + (e->head & ENTRY_TINY_MAX);
    switch (entry_encoding(e)) {
    case ENC_INT: return to_tail + 8;
    case ENC_INLINE: return to_tail + 2;
    default: return to_tail + sizeof(ref_t);
    }
}

/* Copies what lies between `have` and `want` bytes of the block at `at`. */
static bool copy_rest(const struct share_reader *r, uint64_t at, char *to, size_t have,
                      size_t want) {
    size_t from = have & ~(size_t)7;
    return have >= want || share_copy(r, at + from, to + from, want - from);
}

/* A block is never shorter than a word, and each step reads no further than the last has told. */
static enum peek_result copy_entry(void *ctx, const struct share_reader *r, ref_t item) {
    const struct wanted *w = ctx;
    char *to = w->memory + AT_ENTRY;
    const struct entry *e = peek_entry(w->memory);
    uint64_t at = (uint64_t)item * REF_UNIT;
    if (!share_copy(r, at, to, 8)) return PEEK_MOVED;
    if (entry_flags(e) & ENTRY_LONG_KEY || key_length(e) != w->name.n) return PEEK_MISSING;
    size_t n = fixed_bytes(e);
    if (!copy_rest(r, at, to, 8, n)) return PEEK_MOVED;
    if (!str_eq(entry_key(e), w->name)) return PEEK_MISSING;
    if (entry_tiny(e) || entry_encoding(e) != ENC_INLINE) return PEEK_FOUND;
    size_t whole = n + load_u16(entry_tail(e));
    if (whole > ENTRY_MAX) return PEEK_UNFIT;
    return copy_rest(r, at, to, n, whole) ? PEEK_FOUND : PEEK_MOVED;
}

/* --- the value --- */

#define NODE_HEAD 8u /* of a list's one node, before its listpack */

/* Bytes of the block whose first bytes are in `head`; 0: it is not one block. */
static size_t value_bytes(const struct value *v, const char *head) {
    switch (v->enc) {
    case ENC_RAW: return 4 + (size_t)load_u32(head);
    case ENC_LISTPACK:
        return v->type == TYPE_LIST ? NODE_HEAD + (size_t)load_u32(head + NODE_HEAD)
                                    : load_u32(head);
    case ENC_TEMPLATE: return load_u32(head);
    case ENC_INTSET: return intset_bytes((const uint8_t *)head);
    default: return 0;
    }
}

static enum peek_result copy_value(const struct share_reader *r, char *memory) {
    struct entry *e = peek_entry(memory);
    struct value v = entry_value(e);
    if (!v.root) return PEEK_FOUND;
    uint64_t at = (uint64_t)v.root * REF_UNIT;
    char *to = memory + AT_VALUE;
    size_t head = v.type == TYPE_LIST ? 2 * NODE_HEAD : 8;
    if (v.enc == ENC_HASHTABLE || v.enc == ENC_QUICKLIST || v.enc == ENC_SKIPLIST)
        return PEEK_UNFIT;
    if (!share_copy(r, at, to, head)) return PEEK_MOVED;
    size_t n = value_bytes(&v, to);
    if (!n || n > PEEK_VALUE_MAX) return PEEK_UNFIT;
    if (!copy_rest(r, at, to, head, n)) return PEEK_MOVED;
    store_u32(entry_tail(e), AT_VALUE / REF_UNIT);
    return PEEK_FOUND;
}

/* --- the key --- */

/* Where the database's table lies. Roots and seed of an arena stay what they were at its start. */
static uint64_t table_of(const struct share_reader *r, int db) {
    return (uint64_t)arena_super(r->arena)->roots[ROOT_DATABASES] * REF_UNIT +
           (uint64_t)db * sizeof(struct db) + offsetof(struct db, keys);
}

void peek_load(const struct share_reader *r, int db, const struct str *names, int n) {
    uint64_t hash[PEEK_LOADED];
    if (n > PEEK_LOADED) n = PEEK_LOADED;
    for (int i = 0; i < n; i++) hash[i] = dict_hash(r->arena, names[i]);
    dict_peek_load(r, table_of(r, db), hash, n);
}

enum peek_result peek_key(const struct share_reader *r, int db, struct str name, bool value,
                          char *memory) {
    if (name.n > KEY_MAX) return PEEK_UNFIT;
    struct wanted w = { .name = name, .memory = memory };
    uint64_t hash = dict_hash(r->arena, name);
    enum peek_result result = dict_peek(r, table_of(r, db), hash, copy_entry, &w);
    if (result == PEEK_FOUND && value) result = copy_value(r, memory);
    if (result != PEEK_FOUND && result != PEEK_MISSING) return result;
    memcpy(super_of(memory)->hash_seed, arena_super(r->arena)->hash_seed, 16);
    struct db *d = (struct db *)(void *)(memory + AT_DATABASE);
    ref_t item = result == PEEK_FOUND ? AT_ENTRY / REF_UNIT : REF_NULL;
    dict_make_single(memory, &d->keys, memory + AT_BUCKET, item, hash);
    return result;
}
