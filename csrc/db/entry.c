/* entry.c - building and reading the two forms of an entry. */
#include "db/entry.h"

#include "mem/number.h"

/* Bytes of the shortest little-endian two's complement form of v: 1 to 8. */
static size_t integer_width(int64_t v) {
    uint64_t u = (uint64_t)(v < 0 ? ~v : v) << 1;
    return u ? (size_t)(71 - __builtin_clzll(u)) / 8 : 1;
}

static int64_t read_integer(const uint8_t *p, size_t width) {
    uint64_t u = 0;
    memcpy(&u, p, width);
    unsigned unused = (unsigned)(64 - 8 * width);
    return (int64_t)(u << unused) >> unused;
}

int64_t entry_integer(const struct entry *e) {
    return read_integer(entry_tail(e), entry_tiny(e) ? e->head & ENTRY_TINY_MAX : 8);
}

struct value entry_value(const struct entry *e) {
    enum encoding enc = entry_encoding(e);
    bool in_entry = enc == ENC_INT || enc == ENC_INLINE;
    return (struct value){ .type = (uint8_t)entry_type(e),
                           .enc = (uint8_t)enc,
                           .root = in_entry ? REF_NULL : entry_root(e) };
}

/* The bytes of an ENC_INLINE value. */
static struct str inline_bytes(const struct entry *e) {
    const uint8_t *tail = entry_tail(e);
    if (entry_tiny(e)) return (struct str){ (const char *)tail, e->head & ENTRY_TINY_MAX };
    return (struct str){ (const char *)tail + 2, load_u16(tail) };
}

struct str entry_string(const struct arena *a, const struct entry *e, char buf[24]) {
    switch (entry_encoding(e)) {
    case ENC_INT: return (struct str){ buf, i64_to_text(buf, entry_integer(e)) };
    case ENC_INLINE: return inline_bytes(e);
    default: {
        const char *block = arena_ptr(a, entry_root(e));
        return (struct str){ block + 4, load_u32(block) };
    }
    }
}

static bool spec_is_tiny(const struct entry_spec *spec) {
    if (spec->key.n > 255 || spec->flags || spec->value.type != TYPE_STRING) return false;
    if (spec->value.enc == ENC_INT) return true;
    return spec->value.enc == ENC_INLINE && spec->bytes.n <= ENTRY_TINY_MAX;
}

static size_t full_tail_bytes(const struct entry_spec *spec) {
    switch (spec->value.enc) {
    case ENC_INT: return 8;
    case ENC_INLINE: return 2 + spec->bytes.n;
    default: return sizeof(ref_t);
    }
}

size_t entry_spec_bytes(const struct entry_spec *spec) {
    size_t ttl = spec->expiry ? 6 : 0;
    if (spec_is_tiny(spec)) {
        bool integer = spec->value.enc == ENC_INT;
        return 5 + ttl + spec->key.n + (integer ? integer_width(spec->integer) : spec->bytes.n);
    }
    return (spec->key.n > 255 ? 9u : 6u) + ttl + spec->key.n + full_tail_bytes(spec);
}

size_t entry_bytes(const struct entry *e) {
    size_t before = (size_t)(entry_tail(e) - (const uint8_t *)e);
    if (entry_tiny(e)) return before + (e->head & ENTRY_TINY_MAX);
    switch (entry_encoding(e)) {
    case ENC_INT: return before + 8;
    case ENC_INLINE: return before + 2 + load_u16(entry_tail(e));
    default: return before + sizeof(ref_t);
    }
}

/* Expiry and key at p; returns the place after them. */
static uint8_t *write_body(uint8_t *p, const struct entry_spec *spec) {
    if (spec->expiry) {
        store_u48(p, spec->expiry);
        p += 6;
    }
    memcpy(p, spec->key.p, spec->key.n);
    return p + spec->key.n;
}

static void write_tiny(struct entry *e, const struct entry_spec *spec) {
    bool integer = spec->value.enc == ENC_INT;
    size_t n = integer ? integer_width(spec->integer) : spec->bytes.n;
    e->head = (uint8_t)(ENTRY_TINY | (spec->expiry ? ENTRY_VOLATILE : 0) |
                        (integer ? ENTRY_TINY_INT : 0) | n);
    e->rest[0] = (uint8_t)spec->key.n;
    uint8_t *tail = write_body(e->rest + 1, spec);
    memcpy(tail, integer ? (const void *)&spec->integer : spec->bytes.p, n);
}

static void write_full(struct entry *e, const struct entry_spec *spec) {
    uint8_t flags = (uint8_t)(spec->flags & ~ENTRY_LONG_KEY);
    uint8_t *p = e->rest + 2;
    if (spec->key.n > 255) {
        flags |= ENTRY_LONG_KEY;
        store_u32(e->rest + 1, (uint32_t)spec->key.n);
        p = e->rest + 5;
    } else {
        e->rest[1] = (uint8_t)spec->key.n;
    }
    e->head = (uint8_t)((spec->expiry ? ENTRY_VOLATILE : 0) | spec->value.type);
    e->rest[0] = (uint8_t)(spec->value.enc << 4 | flags);
    uint8_t *tail = write_body(p, spec);
    if (spec->value.enc == ENC_INT) {
        store_u64(tail, (uint64_t)spec->integer);
    } else if (spec->value.enc == ENC_INLINE) {
        store_u16(tail, (uint16_t)spec->bytes.n);
        memcpy(tail + 2, spec->bytes.p, spec->bytes.n);
    } else {
        store_u32(tail, spec->value.root);
    }
}

void entry_write(struct entry *e, const struct entry_spec *spec) {
    if (spec_is_tiny(spec))
        write_tiny(e, spec);
    else
        write_full(e, spec);
    entry_set_clock(e, spec->clock);
}

struct entry_spec entry_read(const struct entry *e) {
    struct entry_spec spec = { .key = entry_key(e),
                               .expiry = entry_expiry(e),
                               .clock = entry_clock(e),
                               .flags = (uint8_t)(entry_flags(e) & ~ENTRY_LONG_KEY),
                               .value = entry_value(e) };
    if (spec.value.enc == ENC_INT) spec.integer = entry_integer(e);
    if (spec.value.enc == ENC_INLINE) spec.bytes = inline_bytes(e);
    return spec;
}

/* Redis 8.10 keeps key and short value in one block: embstr means that both fit there. */
#define EMBSTR_MAX 41u

const char *entry_encoding_name(const struct arena *a, const struct entry *e) {
    if (entry_type(e) != TYPE_STRING) return encoding_name(entry_encoding(e));
    if (entry_encoding(e) == ENC_INT) return "int";
    if (entry_encoding(e) == ENC_RAW || entry_flags(e) & ENTRY_PLAIN) return "raw";
    char buf[24];
    size_t n = entry_key(e).n + entry_string(a, e, buf).n;
    return n <= EMBSTR_MAX ? "embstr" : "raw";
}
