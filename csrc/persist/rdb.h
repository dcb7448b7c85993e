/* rdb.h - the numbers of the RDB format: versions, opcodes, type bytes.
 *
 * A file is a magic with a version, then opcodes and records, then RDB_EOF and a CRC-64. A record
 * is [expiry] [idle or frequency] type byte, key, value. Layouts go by the type byte alone, but for
 * type 22, which Valkey 9 (versions from 80 on) uses for another layout. Types from 26 on and
 * RDB_TEMPLATE are of Redis 8.6 and later; their layouts were observed on 8.10.2.
 */
#ifndef SHMREDIS_RDB_H
#define SHMREDIS_RDB_H

#define RDB_VERSION_MAX 15    /* the newest Redis version that is read: 8.10 */
#define RDB_VERSION_PLAIN 11  /* written while no type of 22 to 25 is needed */
#define RDB_VERSION_FIELDS 12 /* written otherwise */
#define RDB_VALKEY 80         /* VALKEY080; all above is refused */
#define RDB_MAGIC_BYTES 9
#define RDB_FOOTER_BYTES 10 /* of a DUMP payload: version u16, CRC-64 */

enum rdb_opcode {
    RDB_TEMPLATE = 242, /* names of the fields of hashes to come */
    RDB_SLOT_INFO = 244,
    RDB_FUNCTION = 245,
    RDB_FUNCTION_OLD = 246,
    RDB_MODULE_AUX = 247,
    RDB_IDLE = 248,
    RDB_FREQ = 249,
    RDB_AUX = 250,
    RDB_RESIZE_DB = 251,
    RDB_EXPIRY_MS = 252,
    RDB_EXPIRY_S = 253,
    RDB_SELECT_DB = 254,
    RDB_EOF = 255
};

enum rdb_type {
    RDB_STRING = 0,
    RDB_LIST = 1,
    RDB_SET = 2,
    RDB_ZSET_TEXT = 3,
    RDB_HASH = 4,
    RDB_ZSET = 5,
    RDB_MODULE_OLD = 6,
    RDB_MODULE = 7,
    RDB_HASH_ZIPMAP = 9,
    RDB_LIST_ZIPLIST = 10,
    RDB_SET_INTSET = 11,
    RDB_ZSET_ZIPLIST = 12,
    RDB_HASH_ZIPLIST = 13,
    RDB_QUICKLIST_ZIPLISTS = 14,
    RDB_STREAM_1 = 15,
    RDB_HASH_LISTPACK = 16,
    RDB_ZSET_LISTPACK = 17,
    RDB_QUICKLIST = 18,
    RDB_STREAM_2 = 19,
    RDB_SET_LISTPACK = 20,
    RDB_STREAM_3 = 21,
    RDB_HASH_FIELDS_RC = 22, /* of Redis 7.4's release candidates; Valkey 9: another layout */
    RDB_HASH_PACK_FIELDS_RC = 23,
    RDB_HASH_FIELDS = 24,
    RDB_HASH_PACK_FIELDS = 25,
    RDB_STREAM_4 = 26, /* with what idempotent producers have sent */
    RDB_STREAM_5 = 27, /* and with entries that were given back */
    RDB_ARRAY = 28,
    RDB_HASH_TEMPLATE_DUMP = 29, /* with the names of its fields */
    RDB_HASH_TEMPLATE = 30,      /* with the number of their RDB_TEMPLATE */
    RDB_TYPES = 31
};

#endif
