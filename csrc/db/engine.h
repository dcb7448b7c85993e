/* engine.h - one worker's engine: its arena, databases, clock, limits, statistics and hooks.
 *
 * Made of small structs by subject; functions take the smallest they need. Process-local except for
 * what engine_db() points to. One engine per worker process; tests make as many as they like.
 */
#ifndef SHMREDIS_ENGINE_H
#define SHMREDIS_ENGINE_H

#include "core.h"
#include "db/entry.h"

/* In the arena: one per database, found from the superblock's ROOT_DATABASES. */
struct db {
    struct dict keys;
    uint64_t volatile_keys;  /* keys with an expiry */
    uint64_t field_ttl_keys; /* hashes that may have expiring fields */
    uint64_t expire_cursor;  /* where active expiry goes on */
    uint64_t avg_ttl_ms;     /* running estimate, for INFO */
};
enum {
    ROOT_DATABASES = 0, /* mem/seal.h */
    ROOT_LAZY = 1,      /* db/lazyfree.h */
    ROOT_LAZY_AGAIN = 2 /* the same: it changes with commands, and a damaged one must be found */
};

enum maxmemory_policy {
    POLICY_NOEVICTION,
    POLICY_ALLKEYS_LRU,
    POLICY_ALLKEYS_LFU,
    POLICY_ALLKEYS_LRM,
    POLICY_ALLKEYS_RANDOM,
    POLICY_VOLATILE_LRU,
    POLICY_VOLATILE_LFU,
    POLICY_VOLATILE_LRM,
    POLICY_VOLATILE_RANDOM,
    POLICY_VOLATILE_TTL
};

/* Classes of keyspace events, as notify-keyspace-events has them. */
enum notify_class {
    NOTIFY_KEYSPACE = 1 << 0,      /* K */
    NOTIFY_KEYEVENT = 1 << 1,      /* E */
    NOTIFY_GENERIC = 1 << 2,       /* g */
    NOTIFY_STRING = 1 << 3,        /* $ */
    NOTIFY_LIST = 1 << 4,          /* l */
    NOTIFY_SET = 1 << 5,           /* s */
    NOTIFY_HASH = 1 << 6,          /* h */
    NOTIFY_ZSET = 1 << 7,          /* z */
    NOTIFY_EXPIRED = 1 << 8,       /* x */
    NOTIFY_EVICTED = 1 << 9,       /* e */
    NOTIFY_STREAM = 1 << 10,       /* t */
    NOTIFY_KEY_MISS = 1 << 11,     /* m */
    NOTIFY_MODULE = 1 << 13,       /* d */
    NOTIFY_NEW = 1 << 14,          /* n */
    NOTIFY_OVERWRITTEN = 1 << 15,  /* o */
    NOTIFY_TYPE_CHANGED = 1 << 16, /* c */
    NOTIFY_ARRAY = 1 << 17,        /* a */
    /* The fields of hashes that events are about. */
    NOTIFY_SUBKEYSPACE = 1 << 18,     /* S */
    NOTIFY_SUBKEYEVENT = 1 << 19,     /* T */
    NOTIFY_SUBKEYSPACEITEM = 1 << 20, /* I */
    NOTIFY_SUBKEYSPACEEVENT = 1 << 21 /* V */
};
#define NOTIFY_SUBKEYS                                                                             \
    (NOTIFY_SUBKEYSPACE | NOTIFY_SUBKEYEVENT | NOTIFY_SUBKEYSPACEITEM | NOTIFY_SUBKEYSPACEEVENT)

/* Fields of a hash: every step-th of the words from `at` on, n of them. */
struct field_list {
    const struct str *at;
    size_t n, step;
};

struct acl_event;
struct aof;
struct engine;
struct session;

/* What upper layers are told. Each may be NULL. Strings are valid during the call only. */
struct engine_hooks {
    void *ctx;
    /* Once per effective write: what a replica must execute. */
    void (*propagate)(void *ctx, int db, int argc, const struct str *argv);
    /* The same for the append-only file. */
    void (*log)(struct aof *aof, int db, int argc, const struct str *argv);
    /* All that it was told is in the file, or no file is open any more. */
    void (*logged)(struct engine *eng);
    void (*notify)(void *ctx, enum notify_class cls, const char *event, struct str key, int db);
    /* The same event as notify's, for keyspace notifications. */
    void (*event)(struct engine *eng, const char *event, struct str key, int db);
    /* After an event of a hash: its fields. */
    void (*fields)(struct engine *eng, const char *event, struct str key, int db,
                   const struct field_list *f);
    /* A key's content or existence changed (WATCH, client-side caching). */
    void (*modified)(struct engine *eng, struct str key, int db);
    /* Less than that: of interest to clients that wait for it. */
    void (*regrouped)(struct engine *eng, struct str key, int db);
    /* The keys of a database are about to go (FLUSHDB), or to become those of another one (SWAPDB;
     * `from` -1: none). */
    void (*replacing)(struct engine *eng, int db, int from);
    /* Keys have been flushed, if there were any: what clients have cached is to go. */
    void (*flushed)(struct engine *eng);
    /* XXH3, 64 bit, seed 0: the digest of DIGEST and IFDEQ. */
    uint64_t (*xxh3)(const char *p, size_t n);
    void (*say)(int level, const char *text);
    /* A client was refused what its user may not do; core_session.h. */
    void (*denied)(uint64_t session_id, const struct acl_event *event);
    /* Whether a client's user is trusted with payloads: skip-sanitize-payload. */
    bool (*trusts)(const struct session *s);
    /* Several workers: has a copy of another one's key here, if it exists, until the command has
     * ended. ST_NOT_HERE: its owner is not held; net/cross.h. */
    status (*bring)(struct engine *eng, int db, struct str name);
    /* FLUSHALL has dropped everything, which is so many changes; persist/fork.c. */
    void (*emptied)(struct engine *eng, uint64_t changes);
    /* The instant of this id, between two commands; persist/fork.c. */
    void (*instant)(struct engine *eng, uint64_t id);
};

/* What eviction knows of the other workers, and they of this one; net/remote.c keeps it. */
struct evict_peers {
    uint64_t used;        /* bytes of all of them, a turn old at most */
    uint64_t barren_used; /* bytes of those that have no key that may be evicted */
    bool barren;          /* that are all of them */
    bool ask;             /* set by eviction: they are to evict their share */
    bool self_barren;
};

struct engine {
    struct arena arena;
    bool unlogged; /* effects of this turn are not in the log yet: nothing that tells may leave */
    int log_error; /* errno of the last write to the log; non-zero: writes are refused */
    int databases;
    int worker, workers; /* which of how many; 0 of 1 */
    uint64_t now_ms;     /* wall clock of this command or tick; engine_tick_clock sets it */
    uint64_t now_us;
    uint32_t lru_clock;          /* 24 bits, seconds */
    struct engine_config config; /* core.h */
    struct engine_stats stats;   /* core.h */
    struct engine_hooks hooks;
    uint64_t random_state[2];
    struct evict_pool *evict;  /* db/evict.h */
    struct evict_peers peers;  /* db/evict.h */
    struct defrag *defrag;     /* db/defrag.h */
    struct batch *batch;       /* db/batch.h; NULL: there was none yet */
    struct watches *watches;   /* net/watch.h */
    struct pubsub *pubsub;     /* net/pubsub.h */
    struct tracks *tracks;     /* net/tracking.h */
    struct blocks *blocks;     /* net/block.h */
    bool copying;              /* keys are being copied between workers: no events of that */
    bool blocks_ready;         /* a key that somebody waits for has changed */
    struct registry *registry; /* cmd/registry.h */
    struct latency *latency;   /* db/latency.h */
    struct hub *hub;           /* net/hub.h */
    struct remote *remote;     /* net/remote.h; NULL: the only worker */
    struct recorder *recorder; /* core_commands.c */
    struct slowlog *slowlog;   /* net/slowlog.h */
    struct hotkeys *hotkeys;   /* net/hotkeys.h; NULL: no session */
    struct acl_user *user;     /* of new sessions, net/acl.h; NULL: who may do everything */
    const struct acl_user *acting_user; /* of a command whose session is elsewhere; likewise */
    struct acl_users *users;            /* by number, net/acl.h */
    struct aof *aof;                    /* persist/aof.h */
    struct forks *forks;                /* persist/fork.h */
};

static inline struct db *engine_db(const struct engine *eng, int index) {
    struct db *dbs = arena_ptr(&eng->arena, arena_super(&eng->arena)->roots[ROOT_DATABASES]);
    return dbs + index;
}
/* Reads the clocks into now_ms, now_us and lru_clock. */
void engine_tick_clock(struct engine *eng);
/* 64 random bits, not for secrets. Fits dict_random with the engine as its ctx. */
uint64_t engine_random(void *eng);
/* Uniform in [0, n), n > 0. */
uint64_t engine_random_below(struct engine *eng, uint64_t n);

/* Call the hooks when there is somebody to hear. */
void engine_propagate(struct engine *eng, int db, int argc, const struct str *argv);
static inline bool engine_propagates(const struct engine *eng) {
    return eng->hooks.propagate || eng->hooks.log;
}
/* Writes a line to the server's log. */
void engine_say(const struct engine *eng, enum say_level level, const char *format, ...);
void engine_notify(struct engine *eng, enum notify_class cls, const char *event, struct str key,
                   int db);
/* The wall clock in ms, while a log is replayed, too: now_ms stands at zero then. */
static inline uint64_t engine_wall_ms(const struct engine *eng) {
    return LIKELY(eng->now_ms) ? eng->now_ms : eng->now_us / 1000;
}
/* Whether anybody hears of the fields of hashes. */
static inline bool engine_tells_fields(const struct engine *eng) {
    int64_t on = eng->config.notify_events;
    return UNLIKELY(on & NOTIFY_SUBKEYS) && on & NOTIFY_HASH && !eng->copying;
}
/* An event of a hash, and of its fields. */
void engine_notify_fields(struct engine *eng, const char *event, struct str key, int db,
                          const struct field_list *f);
void engine_modified(struct engine *eng, struct str key, int db);
/* What belongs to a stream but is no entry of it changed: only who waits for the key is told. */
void engine_regrouped(struct engine *eng, struct str key, int db);

#endif
