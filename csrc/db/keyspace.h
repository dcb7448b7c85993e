/* keyspace.h - keys of the databases: finding, adding, replacing, deleting one key.
 *
 * Owns      every entry and, through it, every value.
 * Callers   commands (by cmd/call.h), expiry, eviction, the defragmenter.
 * Promises  a struct key is valid until the keyspace changes by anything but functions given that
 * very struct, which keep it up to date. Expired keys are deleted on the way (and propagated).
 * Fails     ST_ARENA_FULL, having changed nothing.
 */
#ifndef SHMREDIS_KEYSPACE_H
#define SHMREDIS_KEYSPACE_H

#include "db/engine.h"

/* A key as it was looked up. entry is NULL when there is no such key. */
struct key {
    struct str name;
    uint64_t hash;
    int db;
    ref_t *place;
    struct entry *entry;
    bool untouched; /* its clock waits for the entry to be written: a snapshot reads the page */
};

enum key_access {
    KEY_READ = 0,   /* counts a hit or miss, touches the access clock */
    KEY_WRITE = 1,  /* touches the clock, counts nothing */
    KEY_PEEK = 2,   /* neither: DEBUG … */
    KEY_LOOK = 3,   /* counts as KEY_READ, but touches nothing: TYPE, TTL */
    KEY_UPDATE = 4, /* counts as KEY_READ, touches as KEY_WRITE: GETSET */
    KEY_INSPECT = 5 /* as KEY_LOOK, but a miss is no event: OBJECT */
};

#define TYPE_NONE TYPE_COUNT /* the type of a missing key */

/* Looks up; a key that has expired is deleted first. Returns k->entry. */
struct entry *key_find(struct engine *eng, int db, struct str name, enum key_access access,
                       struct key *k);

/* --- values that are not strings --- */
/* Adds the missing key with a value built before; on failure the value still belongs to the caller.
 */
status key_add(struct engine *eng, struct key *k, const struct value *v);
/* Puts an entry just as the spec says in the place of whatever is there, and tells nobody. */
status key_put_quietly(struct engine *eng, struct key *k, const struct entry_spec *spec);
/* Adds a missing key just as the spec says and tells nobody: loading, in two steps. First an entry
 * that no table knows: until the second it and its value are the caller's, who may put other work
 * between the two while the table's bucket is on its way into the cache. */
status key_build(struct engine *eng, const struct entry_spec *spec, ref_t *entry);
status key_enter(struct engine *eng, int db, ref_t entry, uint64_t hash);
/* Stores what a type function did to the value (new root, new encoding). Never fails. */
void key_store(struct engine *eng, struct key *k, const struct value *v);
/* Replaces whatever is there (and frees it) or adds; the expiry goes. */
status key_replace(struct engine *eng, struct key *k, const struct value *v);
/* Says whether a hash has (or may have) expiring fields: active expiry then visits it. */
void key_set_field_ttl(struct engine *eng, struct key *k, bool on);

/* --- strings --- */
#define EXPIRY_NONE 0u
#define EXPIRY_MAX (((int64_t)1 << 48) - 1) /* what an entry's 6 bytes hold: the year 10,889 */
#define EXPIRY_KEEP UINT64_MAX
/* Sets a string, integer-encoded when it is one; the key may be missing or of any type. `expiry` is
 * in ms, EXPIRY_NONE or EXPIRY_KEEP. */
status key_set_string(struct engine *eng, struct key *k, struct str bytes, uint64_t expiry);
/* The same, but never integer-encoded: results of floating-point commands. */
status key_set_text(struct engine *eng, struct key *k, struct str bytes, uint64_t expiry);
status key_set_integer(struct engine *eng, struct key *k, int64_t v, uint64_t expiry);
/* Sets a string of n bytes that `fill` writes, neither integer-encoded nor short: OBJECT ENCODING
 * says raw. The expiry goes. `fill` may read any key, this one too: what is there is freed only
 * then. */
typedef void (*key_fill_fn)(void *ctx, char *to, size_t n);
status key_fill_plain(struct engine *eng, struct key *k, size_t n, key_fill_fn fill, void *ctx);
/* key_set_text and key_set_integer change the number that is there: no event of overwriting. */
/* Makes the string (created if missing) a writable run of n bytes, zeros beyond its old end, and
 * gives its place; for APPEND, SETRANGE, SETBIT. n is not below the old length. The expiry stays.
 */
status key_grow_string(struct engine *eng, struct key *k, size_t n, char **bytes);
/* Cuts a string that key_grow_string has just made writable to its first n bytes; never fails. */
void key_cut_string(struct engine *eng, struct key *k, size_t n);

/* --- existence and time --- */
/* Deletes entry and value: small ones at once, big ones in slices by the lazy queue when `lazy`. */
void key_delete(struct engine *eng, struct key *k, bool lazy);
/* What has a key go that no command deletes: class and name of the event, name of the latency. */
struct key_end {
    enum notify_class notify;
    const char *event, *latency;
};
/* Deletes it so: logged, and told to all who care. */
void key_remove(struct engine *eng, struct key *k, bool lazy, const struct key_end *end);
/* Sets the expiry in ms (EXPIRY_NONE removes it). */
status key_set_expiry(struct engine *eng, struct key *k, uint64_t expiry);
/* Gives the value and expiry to another name or database without copying the value; what `to` was
 * is replaced, `from` is missing afterwards. They are different keys. `was` is what `to` was, for
 * key_tell_replaced after the caller's own events. */
status key_move(struct engine *eng, struct key *from, struct key *to, enum value_type *was);
/* A deep copy with the expiry; what `to` was is replaced. */
status key_copy(struct engine *eng, const struct key *from, struct key *to, enum value_type *was);
/* The events of a key that had a value of type `was` (TYPE_NONE: no value). */
void key_tell_replaced(struct engine *eng, const struct key *k, enum value_type was);

static inline bool key_expired(const struct engine *eng, const struct entry *e) {
    return entry_volatile(e) && entry_expiry(e) <= eng->now_ms;
}
/* The same from an entry of another arena; it tells nobody. */
status key_import(struct engine *eng, const struct arena *from, const struct entry *e,
                  struct key *to);

/* Frees a value (any type) at once or lazily. */
void value_free(struct engine *eng, struct value v, bool lazy);

/* Begins to load the first KEYS_LOADED of n keys, of every step-th name, into the processor's
 * cache: a large database costs each key two misses one after the other, which overlap when begun
 * together. Nothing else happens. */
#define KEYS_LOADED 16
void keyspace_load(struct engine *eng, int db, const struct str *names, int n, int step);
/* Whether that is worth while: small databases are in the cache anyway. */
bool keyspace_is_large(const struct engine *eng, int db);

/* --- whole databases --- */
uint64_t keyspace_count(const struct engine *eng, int db);
uint64_t keyspace_total(const struct engine *eng);
/* A uniformly random key that has not expired; NULL if none is found. */
struct entry *keyspace_random(struct engine *eng, int db, struct key *k);
/* Empties one database. Lazy: the table is freed in slices. */
void keyspace_flush(struct engine *eng, int db, bool lazy);
void keyspace_swap(struct engine *eng, int a, int b);
extern const struct dict_kind keyspace_kind;

/* Creates the databases in a fresh arena. */
status keyspace_create(struct engine *eng, int databases);
/* Takes over the databases of an arena that another process made, and adds empty ones if there are
 * too few. ST_SHM_FORMAT when they cannot be right, ST_ARENA_FULL. */
status keyspace_attach(struct engine *eng, int databases);
void keyspace_check(const struct engine *eng);

#endif
