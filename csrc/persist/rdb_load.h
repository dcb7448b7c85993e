/* rdb_load.h - RDB files into databases, a slice at a time, so that the server answers meanwhile.
 *
 * Reads versions 1 to 12 of Redis and 80 of Valkey. Several workers read the same file side by
 * side, each keeping the keys of its own slots and passing over the others by their structure.
 *
 * Owns      nothing but its own struct; the source is the caller's and stands behind the RDB part
 *           when the load is done, where an old AOF goes on with commands.
 * Fails     with the failure noted in the source; keys loaded so far stay.
 */
#ifndef SHMREDIS_RDB_LOAD_H
#define SHMREDIS_RDB_LOAD_H

#include "persist/rdb_codec.h"

enum rdb_duplicates {
    DUPLICATES_FAIL,   /* a key twice in one database: the file is broken */
    DUPLICATES_REPLACE /* DEBUG RELOAD MERGE */
};

/* What the caller is told on the way. Each may be NULL; strings are valid during the call. */
struct rdb_load_events {
    void *ctx;
    bool (*keep)(void *ctx, struct str key); /* false: the key belongs to another worker */
    void (*aux)(void *ctx, struct str name, struct str value);
    void (*select)(void *ctx, uint64_t db);
    /* A library; NULL in `error` or why the load must end. */
    const char *(*function)(void *ctx, struct str source);
    /* Each record of a walk (rdb_walk), at the offset of its type byte. */
    void (*record)(void *ctx, struct str key, uint8_t type_byte, int64_t expiry, uint64_t offset);
};

struct rdb_load_options {
    bool drop_expired;    /* a master's start; not for an AOF's base, nor a replica */
    bool unique;          /* refuse elements that are twice in a packed value */
    bool no_checksum;     /* DEBUG SET-SKIP-CHECKSUM-VALIDATION, rdbchecksum no */
    bool values;          /* false: only a walk, nothing is kept */
    int64_t key_delay_us; /* key-load-delay */
    enum rdb_duplicates duplicates;
};

enum rdb_progress { RDB_MORE, RDB_DONE, RDB_FAILED };

struct rdb_load_stats {
    int version;
    bool valkey;
    uint64_t keys, volatile_keys; /* loaded */
    uint64_t expired;             /* dropped */
    uint64_t empty;               /* collections without elements, passed over */
    uint64_t foreign;             /* of other workers */
    uint64_t functions;
    enum { CHECKSUM_NONE, CHECKSUM_OFF, CHECKSUM_FINE } checksum; /* of a file read to its end */
};

#define RDB_WAITING 16

struct rdb_loader {
    struct engine *eng;
    struct rdb_reader reader;
    struct rdb_load_options options;
    struct rdb_load_events events;
    struct rdb_load_stats stats;
    uint64_t now_ms;
    enum { LOAD_MAGIC, LOAD_BODY, LOAD_END } state;
    int db;
    const char *doing; /* in redis-check-rdb's words; static */
    /* for the next key */
    int64_t expiry, idle, freq; /* -1: not given */
    uint64_t delayed;
    /* Entries on their way into the table of `db`; none between two slices. */
    struct {
        ref_t entry;
        uint64_t hash;
    } waiting[RDB_WAITING];
    unsigned waiting_n;
    uint64_t said; /* keys that follow in this part of the file, as it says; 0: used, or unknown */
    uint64_t passed; /* of these so far, that are not kept */
};

/* Of options and events copies are kept. */
void rdb_load_begin(struct rdb_loader *l, struct engine *eng, struct source *src,
                    const struct rdb_load_options *options, const struct rdb_load_events *events);
/* Loads until about so many bytes more are read. */
enum rdb_progress rdb_load_step(struct rdb_loader *l, uint64_t bytes);
void rdb_load_end(struct rdb_loader *l);

#endif
