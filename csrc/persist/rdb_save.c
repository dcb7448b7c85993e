/* rdb_save.c - walking the databases. */
#include "persist/rdb_save.h"

#include <time.h>
#include <unistd.h>

#include "db/evict.h"
#include "db/keyspace.h"
#include "mem/number.h"

#define COMPATIBLE_VERSION "8.2.3" /* what redis-ver says: whose format it is */

int rdb_save_version(const struct engine *eng) {
    for (int i = 0; i < eng->databases; i++)
        if (engine_db(eng, i)->field_ttl_keys) return RDB_VERSION_FIELDS;
    return RDB_VERSION_PLAIN;
}

/* --- head and tail --- */

static void put_aux_number(struct rdb_writer *w, struct str name, int64_t v) {
    char text[24];
    rdb_put_aux(w, name, (struct str){ text, i64_to_text(text, v) });
}

static void save_magic(struct rdb_writer *w, int version) {
    char magic[16];
    snprintf(magic, sizeof magic, "REDIS%04d", version);
    sink_put(w->sink, magic, RDB_MAGIC_BYTES);
}

void rdb_save_head(struct rdb_writer *w, int version, uint64_t used_memory, bool aof_base) {
    save_magic(w, version);
    rdb_put_aux(w, STR("redis-ver"), STR(COMPATIBLE_VERSION));
    put_aux_number(w, STR("redis-bits"), 64);
    put_aux_number(w, STR("ctime"), (int64_t)time(NULL));
    put_aux_number(w, STR("used-mem"), (int64_t)used_memory);
    put_aux_number(w, STR("aof-base"), aof_base);
}

void rdb_save_tail(struct rdb_writer *w, bool checksum) {
    rdb_put_byte(w, RDB_EOF);
    uint64_t crc = sink_crc(w->sink);
    rdb_put_u64(w, checksum ? crc : 0);
}

/* --- records --- */

static void put_access(const struct engine *eng, struct rdb_writer *w, const struct entry *e) {
    if (policy_is_lfu(eng)) {
        rdb_put_byte(w, RDB_FREQ);
        rdb_put_byte(w, access_frequency(eng, e));
    } else if (policy_is_lru(eng)) {
        rdb_put_byte(w, RDB_IDLE);
        rdb_put_length(w, access_idle_seconds(eng, e));
    }
}

/* A record: expiry, access data as the policy has them, type, key and value. */
static void save_record(const struct engine *eng, struct rdb_writer *w, const struct entry *e) {
    const struct rdb_codec *codec = rdb_codec_of(entry_type(e));
    if (entry_volatile(e)) {
        rdb_put_byte(w, RDB_EXPIRY_MS);
        rdb_put_u64(w, entry_expiry(e));
    }
    put_access(eng, w, e);
    rdb_put_byte(w, codec->type_byte(&eng->arena, e));
    rdb_put_string(w, entry_key(e));
    codec->save(&eng->arena, e, w);
}

void rdb_delay(int64_t delay_us, uint64_t *n) {
    ++*n;
    if (delay_us > 0)
        usleep((useconds_t)delay_us);
    else if (*n % (uint64_t)-delay_us == 0)
        usleep(1);
}

/* --- databases --- */

struct walk {
    const struct engine *eng;
    struct rdb_writer *w;
    const struct rdb_save_options *options;
    uint64_t keys;
};

static bool goes_on(const struct walk *k) {
    return !k->w->sink->error && !(k->options->cancelled && *k->options->cancelled);
}

static void one_key_done(struct walk *k) {
    if (k->options->keys_done) __atomic_fetch_add(k->options->keys_done, 1, __ATOMIC_RELAXED);
    if (k->options->key_delay_us) rdb_delay(k->options->key_delay_us, &k->keys);
}

#define AHEAD 16u /* entries on their way into the cache */

/* Entries are scattered over the arena: they are asked for some steps before they are needed. */
static void save_keys(struct walk *k, const struct dict *keys) {
    const struct arena *a = &k->eng->arena;
    ref_t ahead[AHEAD];
    struct dict_iter it = { 0 };
    size_t head = 0, tail = 0;
    bool more = true;
    while (goes_on(k)) {
        while (more && head - tail < AHEAD) {
            ref_t r = dict_next(a, keys, &it);
            more = r;
            if (!r) break;
            __builtin_prefetch(arena_ptr(a, r));
            __builtin_prefetch((const char *)arena_ptr(a, r) + 64);
            ahead[head++ % AHEAD] = r;
        }
        if (tail == head) return;
        save_record(k->eng, k->w, arena_ptr(a, ahead[tail++ % AHEAD]));
        one_key_done(k);
    }
}

static void save_db(struct walk *k, int index) {
    const struct db *db = engine_db(k->eng, index);
    if (!db->keys.count) return;
    rdb_put_byte(k->w, RDB_SELECT_DB);
    rdb_put_length(k->w, (uint64_t)index);
    rdb_put_byte(k->w, RDB_RESIZE_DB);
    rdb_put_length(k->w, db->keys.count);
    rdb_put_length(k->w, db->volatile_keys);
    save_keys(k, &db->keys);
}

bool rdb_save_part(const struct engine *eng, struct rdb_writer *w,
                   const struct rdb_save_options *options) {
    struct walk k = { .eng = eng, .w = w, .options = options };
    for (int i = 0; i < eng->databases && goes_on(&k); i++) save_db(&k, i);
    return goes_on(&k);
}
