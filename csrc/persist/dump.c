/* dump.c - payloads of single keys. */
#include "persist/dump.h"

#include "persist/crc64.h"

#define RECORD_HEAD 12u /* expiry u64, clock u32 */

/* --- out --- */

static void put_value(const struct arena *a, const struct entry *e, bool compress, struct sink *out,
                      uint8_t *type_byte) {
    const struct rdb_codec *codec = rdb_codec_of(entry_type(e));
    struct rdb_writer w;
    rdb_writer_init(&w, out, compress);
    *type_byte = codec->type_byte(a, e);
    rdb_put_byte(&w, *type_byte);
    codec->save(a, e, &w);
    rdb_writer_free(&w);
}

void dump_entry(const struct arena *a, const struct entry *e, bool compress, struct sink *out) {
    uint8_t type_byte;
    put_value(a, e, compress, out, &type_byte);
    uint16_t version = type_byte < RDB_HASH_FIELDS_RC ? RDB_VERSION_PLAIN
                       : type_byte < RDB_STREAM_4     ? RDB_VERSION_FIELDS
                                                      : RDB_VERSION_MAX;
    sink_put(out, &version, sizeof version);
    uint64_t crc = sink_crc(out);
    sink_put(out, &crc, sizeof crc);
}

/* --- in --- */

static bool footer_valid(const struct engine *eng, struct str payload, int *version) {
    if (payload.n < RDB_FOOTER_BYTES) return false;
    const char *footer = payload.p + payload.n - RDB_FOOTER_BYTES;
    *version = load_u16(footer);
    if (*version > RDB_VERSION_MAX && *version != RDB_VALKEY) return false;
    if (eng->config.skip_checksum) return true;
    return crc64(0, payload.p, payload.n - 8) == load_u64(footer + 2);
}

/* Builds the value that `bytes` are, all of them. */
static enum dump_check read_value(struct engine *eng, struct str bytes, int version, bool unique,
                                  struct dump_value *out) {
    uint8_t type_byte;
    source_init_memory(&out->src, bytes.p, bytes.n);
    out->src.checksum = false;
    rdb_reader_init(&out->reader, &out->src, version);
    out->reader.unique = unique;
    out->spec = (struct entry_spec){ 0 };
    if (!rdb_get_byte(&out->reader, &type_byte)) return DUMP_BAD_VALUE;
    const struct rdb_codec *codec = rdb_codec_for(type_byte);
    if (!codec) return DUMP_BAD_VALUE;
    if (!codec->load(&out->reader, eng, type_byte, &out->spec)) {
        out->spec.value.root = REF_NULL;
        return out->src.error == SOURCE_FULL ? DUMP_FULL : DUMP_BAD_VALUE;
    }
    return DUMP_FINE;
}

enum dump_check dump_read(struct engine *eng, struct str payload, bool unique,
                          struct dump_value *out) {
    int version;
    *out = (struct dump_value){ 0 };
    if (!footer_valid(eng, payload, &version)) return DUMP_BAD_FOOTER;
    struct str value = { payload.p, payload.n - RDB_FOOTER_BYTES };
    return read_value(eng, value, version, unique, out);
}

void dump_free(struct engine *eng, struct dump_value *v, bool taken) {
    rdb_reader_free(&v->reader);
    source_free(&v->src);
    if (!taken && v->spec.value.root) value_free(eng, v->spec.value, false);
}

/* --- between workers --- */

void dump_record(const struct engine *eng, const struct entry *e, struct sink *out) {
    uint8_t type_byte;
    uint64_t expiry = entry_expiry(e);
    uint32_t clock = entry_clock(e);
    sink_put(out, &expiry, sizeof expiry);
    sink_put(out, &clock, sizeof clock);
    put_value(&eng->arena, e, false, out, &type_byte);
}

status dump_restore_record(struct engine *eng, struct key *k, struct str record) {
    struct dump_value v;
    if (record.n < RECORD_HEAD) return ST_NOT_FOUND;
    struct str value = { record.p + RECORD_HEAD, record.n - RECORD_HEAD };
    enum dump_check check = read_value(eng, value, RDB_VERSION_MAX, false, &v);
    status st = check == DUMP_FINE ? ST_OK : check == DUMP_FULL ? ST_ARENA_FULL : ST_NOT_FOUND;
    if (st == ST_OK) {
        v.spec.key = k->name;
        v.spec.expiry = load_u64(record.p);
        v.spec.clock = load_u32(record.p + 8);
        st = key_put_quietly(eng, k, &v.spec);
    }
    dump_free(eng, &v, st == ST_OK);
    return st;
}
