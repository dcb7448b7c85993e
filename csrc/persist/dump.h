/* dump.h - one key as bytes: DUMP, RESTORE, and keys that workers send each other.
 *
 *   type byte | value | version u16 | CRC-64 of all before
 *
 * The version is 11 while the type byte is one that Redis 7.2 and Valkey know, else 12; so payloads
 * travel both ways between all of them.
 */
#ifndef SHMREDIS_DUMP_H
#define SHMREDIS_DUMP_H

#include "db/keyspace.h"
#include "persist/rdb_codec.h"

/* The payload of an entry, put into a memory sink. `compress`: worth it if it travels far. */
void dump_entry(const struct arena *a, const struct entry *e, bool compress, struct sink *out);

enum dump_check {
    DUMP_FINE,
    DUMP_BAD_FOOTER, /* too short, a newer version, another checksum */
    DUMP_BAD_VALUE,
    DUMP_FULL
};
/* Builds the value of a payload: spec->value and what belongs to it; spec->bytes points into
 * `scratch`, which dump_free releases. */
struct dump_value {
    struct entry_spec spec;
    struct source src;
    struct rdb_reader reader;
};
enum dump_check dump_read(struct engine *eng, struct str payload, bool unique,
                          struct dump_value *out);
/* Frees what reading needed; the value itself, too, unless it was `taken`. */
void dump_free(struct engine *eng, struct dump_value *v, bool taken);

/* Between workers: the payload with the key's expiry and access clock before it, no checksum. */
void dump_record(const struct engine *eng, const struct entry *e, struct sink *out);
/* Puts such a record in the place of whatever `k` is. ST_NOT_FOUND: the bytes are broken. */
status dump_restore_record(struct engine *eng, struct key *k, struct str record);

#endif
