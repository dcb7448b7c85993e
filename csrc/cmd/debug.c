/* debug.c - the subcommands of DEBUG that look at keys or make them.
 *
 * They are no rows of the command table: DEBUG is one command, written in Python, which checks that
 * it is allowed and asks here by engine_debug for what needs the data.
 */
#include "cmd/debug.h"
#include "cmd/keys.h"

#include "db/digest.h"
#include "db/evict.h"

/* The key of argv[i]; replies the error when there is none. */
static struct entry *existing(struct call *c, int i, struct key *k) {
    struct entry *e = call_find(c, i, KEY_PEEK, k);
    if (!e) reply_status(c->out, ST_NOT_FOUND);
    return e;
}

/* DEBUG OBJECT key. The serialized length is what the value takes in memory. */
static void debug_object(struct call *c) {
    struct key k;
    const struct entry *e = existing(c, 2, &k);
    if (!e) return;
    const struct arena *a = &c->eng->arena;
    char line[256];
    struct value v = entry_value(e);
    size_t bytes = entry_bytes(e) + (v.root ? type_of(v.type)->memory(a, &v, 0) : 0);
    snprintf(line, sizeof line,
             "Value at:%p refcount:1 encoding:%s serializedlength:%zu lru:%u lru_seconds_idle:%llu",
             (const void *)e, entry_encoding_name(a, e), bytes, entry_clock(e),
             (unsigned long long)access_idle_seconds(c->eng, e));
    reply_simple(c->out, line);
}

/* DEBUG SDSLEN key: how long key and value are, and what their blocks take. A key and a short value
 * are one block. */
static void debug_sdslen(struct call *c) {
    struct key k;
    const struct entry *e = existing(c, 2, &k);
    if (!e) return;
    const struct arena *a = &c->eng->arena;
    struct value v = entry_value(e);
    if (entry_type(e) != TYPE_STRING || v.enc == ENC_INT) {
        reply_error(c->out, "ERR Not an sds encoded string.");
        return;
    }
    size_t length = (size_t)type_of(v.type)->length(a, &v);
    size_t own = v.root ? heap_usable(a, v.root) : 0;
    char line[256];
    snprintf(line, sizeof line,
             "key_sds_len:%zu, key_sds_avail:0, key_zmalloc: %zu, val_sds_len:%zu, "
             "val_sds_avail:%zu, val_zmalloc: %zu",
             c->argv[2].n, entry_bytes(e), length, own > length ? own - length : 0, own);
    reply_simple(c->out, line);
}

/* Prints the figures of a value of this encoding. */
static void print_value(struct call *c, enum encoding enc) {
    struct key k;
    const struct entry *e = existing(c, 2, &k);
    if (!e) return;
    struct value v = entry_value(e);
    const char *name = encoding_name(enc);
    if (v.enc != enc) {
        reply_errorf(c->out, "ERR Not a %s encoded object.", name);
        return;
    }
    const struct arena *a = &c->eng->arena;
    printf("%s at %p: {elements %llu} {bytes %zu}\n", name, arena_ptr(a, v.root),
           (unsigned long long)type_of(v.type)->length(a, &v), type_of(v.type)->memory(a, &v, 0));
    fflush(stdout);
    char line[64];
    snprintf(line, sizeof line, "%c%s structure printed on stdout", name[0] - 'a' + 'A', name + 1);
    reply_simple(c->out, line);
}

/* DEBUG QUICKLIST key [0|1] */
static void debug_quicklist(struct call *c) {
    print_value(c, ENC_QUICKLIST);
}

/* DEBUG STRUCTSIZE: what lies in arenas. */
static void debug_structsize(struct call *c) {
    char line[128];
    snprintf(line, sizeof line, "bits:%zu entry:%zu bucket:%zu page:%zu", sizeof(void *) * 8,
             sizeof(struct entry), (size_t)64, PAGE_SIZE_BYTES);
    reply_simple(c->out, line);
}

/* DEBUG REPLICATE command [argument ...]: logs a command that is not executed. */
static void debug_replicate(struct call *c) {
    engine_propagate(c->eng, c->db, c->argc - 2, c->argv + 2);
    reply_ok(c->out);
}

/* DEBUG LISTPACK key */
static void debug_listpack(struct call *c) {
    print_value(c, ENC_LISTPACK);
}

/* --- DIGEST: the same scheme as Redis's, so equal data has equal digests on both --- */

static void mix_u32(struct digest *d, uint32_t v) {
    uint8_t big_endian[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
                              (uint8_t)v };
    digest_mix(d, big_endian, sizeof big_endian);
}

static void mix_value(const struct arena *a, const struct entry *e, struct digest *d) {
    mix_u32(d, entry_type(e));
    if (entry_type(e) == TYPE_STRING) {
        char buf[24];
        struct str s = entry_string(a, e, buf);
        digest_mix(d, s.p, s.n);
    } else {
        struct value v = entry_value(e);
        type_of(v.type)->digest(a, &v, d);
    }
    if (entry_expiry(e)) digest_xor(d, "!!expire!!", 10);
}

static void reply_digest(struct call *c, const struct digest *d) {
    char hex[2 * DIGEST_BYTES + 1];
    for (int i = 0; i < DIGEST_BYTES; i++) snprintf(hex + 2 * i, 3, "%02x", d->sum[i]);
    reply_simple(c->out, hex);
}

/* The keys of a database, in any order, into `whole`. */
static void digest_keys(struct call *c, int db, struct digest *whole) {
    const struct arena *a = &c->eng->arena;
    const struct dict *keys = &engine_db(c->eng, db)->keys;
    struct dict_iter it = { 0 };
    for (ref_t r = dict_next(a, keys, &it); r; r = dict_next(a, keys, &it)) {
        const struct entry *e = arena_ptr(a, r);
        struct digest d;
        digest_init(&d);
        digest_mix(&d, entry_key(e).p, entry_key(e).n);
        mix_value(a, e, &d);
        digest_xor(whole, d.sum, DIGEST_BYTES);
    }
}

static void debug_digest(struct call *c) {
    struct digest whole;
    digest_init(&whole);
    for (int db = 0; db < c->eng->databases; db++) {
        if (!keyspace_count(c->eng, db)) continue;
        mix_u32(&whole, (uint32_t)db);
        digest_keys(c, db, &whole);
    }
    reply_digest(c, &whole);
}

/* DEBUG DIGEST-KEYS, what DIGEST of several workers is made of: the keys of each database. */
static void debug_digest_keys(struct call *c) {
    reply_array(c->out, (size_t)c->eng->databases);
    for (int db = 0; db < c->eng->databases; db++) {
        struct digest keys;
        digest_init(&keys);
        digest_keys(c, db, &keys);
        reply_digest(c, &keys);
    }
}

static void debug_digest_value(struct call *c) {
    reply_array(c->out, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        struct digest d;
        struct key k;
        digest_init(&d);
        if (call_find(c, i, KEY_PEEK, &k)) mix_value(&c->eng->arena, k.entry, &d);
        reply_digest(c, &d);
    }
}

/* --- POPULATE --- */

static bool is_own(const struct engine *eng, struct str name) {
    return eng->workers < 2 || key_owner(name, eng->workers) == eng->worker;
}

/* DEBUG POPULATE count [prefix] [size]: keys that are there stay; nothing is propagated. Of several
 * workers each makes its own. */
static void debug_populate(struct call *c) {
    int64_t count, size = 0;
    struct str prefix = c->argc > 3 ? c->argv[3] : STR("key");
    const char *error = "ERR value is out of range, must be positive";
    if (!arg_range(c, 2, 0, INT64_MAX, &count, error)) return;
    int64_t limit = c->eng->config.proto_max_bulk_len;
    if (c->argc > 4 && !arg_range(c, 4, 0, limit, &size, error)) return;
    size_t room = prefix.n + 24, value_room = size ? (size_t)size : 32;
    char *name = malloc(room), *value = calloc(1, value_room);
    ASSERT(name && value);
    status st = ST_OK;
    for (int64_t i = 0; i < count && st == ST_OK; i++) {
        char text[32];
        struct key k;
        size_t n = (size_t)snprintf(text, sizeof text, "value:%lld", (long long)i);
        if (size && n > (size_t)size) n = (size_t)size;
        memcpy(value, text, n);
        memcpy(name, prefix.p, prefix.n);
        size_t name_n = prefix.n;
        name_n += (size_t)snprintf(name + prefix.n, 24, ":%lld", (long long)i);
        const struct str whole = { name, name_n };
        if (!is_own(c->eng, whole) || key_find(c->eng, c->db, whole, KEY_PEEK, &k)) continue;
        struct str bytes = { value, size ? (size_t)size : n };
        st = key_set_string(c->eng, &k, bytes, EXPIRY_NONE);
    }
    free(name);
    free(value);
    if (call_ok(c, st)) reply_ok(c->out);
}

/* --- HTSTATS --- */

static int print_table(const struct call *c, const struct dict *d, bool full, char *text,
                       size_t room) {
    if (!d->count) return 0;
    struct dict_stats s;
    dict_stats(&c->eng->arena, d, &s);
    int n = snprintf(text, room,
                     "Hash table 0 stats (main hash table):\n table size: %llu\n"
                     " number of elements: %llu\n",
                     (unsigned long long)s.buckets * 12, (unsigned long long)d->count);
    if (!full) return n;
    n += snprintf(text + n, room - (size_t)n,
                  " buckets: %llu\n overflow buckets: %llu\n empty buckets: %llu\n"
                  " longest chain of buckets: %llu\n buckets with expiring keys: %llu\n",
                  (unsigned long long)s.buckets, (unsigned long long)s.overflow,
                  (unsigned long long)s.empty_buckets, (unsigned long long)s.longest_chain,
                  (unsigned long long)s.marked_buckets);
    return n;
}

/* DEBUG HTSTATS db [full]. Expiry times are in the entries, so there is one table only. */
static void debug_htstats(struct call *c) {
    int64_t db;
    if (!arg_i64(c, 2, &db)) return;
    if (db < 0 || db >= c->eng->databases) {
        reply_error(c->out, "ERR Out of range database");
        return;
    }
    char text[640] = "[Dictionary HT]\n";
    size_t n = strlen(text);
    n += (size_t)print_table(c, &engine_db(c->eng, (int)db)->keys, arg_is(c, 3, "full"), text + n,
                             sizeof text - n);
    n += (size_t)snprintf(text + n, sizeof text - n, "[Expires HT]\n");
    reply_verbatim(c->out, "txt", (struct str){ text, n });
}

/* DEBUG HTSTATS-KEY key: elements and bytes of a value that is a hash table. */
static void debug_htstats_key(struct call *c) {
    struct key k;
    const struct entry *e = existing(c, 2, &k);
    if (!e) return;
    struct value v = entry_value(e);
    if (v.enc != ENC_HASHTABLE && v.enc != ENC_SKIPLIST) {
        reply_error(c->out, "ERR The value stored at the specified key is not represented using an "
                            "hash table");
        return;
    }
    const struct arena *a = &c->eng->arena;
    char text[160];
    int n = snprintf(text, sizeof text,
                     "Hash table 0 stats (main hash table):\n number of elements: %llu\n"
                     " bytes: %zu\n",
                     (unsigned long long)type_of(v.type)->length(a, &v),
                     type_of(v.type)->memory(a, &v, 0));
    reply_verbatim(c->out, "txt", (struct str){ text, (size_t)n });
}

/* --- the table --- */

static const struct command debug_rows[] = {
    { "OBJECT", 3, 0, "", debug_object, { { 0 } } },
    { "SDSLEN", 3, 0, "", debug_sdslen, { { 0 } } },
    { "STRUCTSIZE", 2, 0, "", debug_structsize, { { 0 } } },
    { "REPLICATE", -3, 0, "", debug_replicate, { { 0 } } },
    { "QUICKLIST", -3, 0, "", debug_quicklist, { { 0 } } },
    { "LISTPACK", 3, 0, "", debug_listpack, { { 0 } } },
    { "DIGEST", 2, 0, "", debug_digest, { { 0 } } },
    { "DIGEST-KEYS", 2, 0, "", debug_digest_keys, { { 0 } } },
    { "DIGEST-VALUE", -2, 0, "", debug_digest_value, { { 0 } } },
    { "POPULATE", -3, 0, "", debug_populate, { { 0 } } },
    { "HTSTATS", -3, 0, "", debug_htstats, { { 0 } } },
    { "HTSTATS-KEY", -3, 0, "", debug_htstats_key, { { 0 } } },
};

static const struct command *find_row(int argc, const struct str *argv) {
    for (size_t i = 0; argc > 1 && i < sizeof debug_rows / sizeof *debug_rows; i++) {
        const struct command *row = &debug_rows[i];
        if (str_is(argv[1], row->name))
            return (row->arity > 0 ? argc == row->arity : argc >= -row->arity) ? row : NULL;
    }
    return NULL;
}

bool debug_execute(struct call *c) {
    const struct command *row = find_row(c->argc, c->argv);
    if (row) row->fn(c);
    return row;
}
