/* rdb_load.c - opcode by opcode. */
#include "persist/rdb_load.h"

#include "db/evict.h"
#include "db/keyspace.h"
#include "persist/rdb_save.h"

#define RECORD_BYTES_MIN 3u /* type byte, empty key, empty value */
#define SAID_MAX (UINT64_C(1) << 48)

static void forget_prefixes(struct rdb_loader *l) {
    l->expiry = l->idle = l->freq = -1;
}

void rdb_load_begin(struct rdb_loader *l, struct engine *eng, struct source *src,
                    const struct rdb_load_options *options, const struct rdb_load_events *events) {
    *l = (struct rdb_loader){ .eng = eng, .options = *options, .doing = "start" };
    if (events) l->events = *events;
    rdb_reader_init(&l->reader, src, 0);
    l->reader.unique = options->unique;
    engine_tick_clock(eng);
    l->now_ms = eng->now_ms;
    forget_prefixes(l);
}

void rdb_load_end(struct rdb_loader *l) {
    rdb_reader_free(&l->reader);
}

/* --- the magic --- */

static bool read_digits(const char *p, size_t n, int *v) {
    *v = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') return false;
        *v = *v * 10 + (p[i] - '0');
    }
    return true;
}

static bool load_magic(struct rdb_loader *l) {
    const char *p = source_take(l->reader.src, RDB_MAGIC_BYTES);
    if (!p) return false;
    bool redis = !memcmp(p, "REDIS", 5);
    l->stats.valkey = !redis && !memcmp(p, "VALKEY", 6);
    int version = 0;
    bool known = redis             ? read_digits(p + 5, 4, &version)
                 : l->stats.valkey ? read_digits(p + 6, 3, &version)
                                   : false;
    if (!known && !redis && !l->stats.valkey)
        return rdb_bad(&l->reader, "Wrong signature trying to load DB from file");
    bool ours = redis ? version >= 1 && version <= RDB_VERSION_MAX : version == RDB_VALKEY;
    if (!known || !ours)
        return source_fail(l->reader.src, SOURCE_REFUSED, "Can't handle RDB format version %d",
                           version);
    l->reader.version = l->stats.version = version;
    l->state = LOAD_BODY;
    return true;
}

/* --- records --- */

/* The key's time has come, and the options say that such keys are dropped. */
static bool is_expired(const struct rdb_loader *l) {
    return l->options.drop_expired && l->expiry != -1 && l->expiry <= (int64_t)l->now_ms;
}

static uint64_t expiry_of(const struct rdb_loader *l) {
    if (l->expiry == -1) return 0;
    return l->expiry < 1 ? 1 : l->expiry > EXPIRY_MAX ? EXPIRY_MAX : (uint64_t)l->expiry;
}

static void set_access(struct rdb_loader *l, struct entry *e) {
    bool lfu = policy_is_lfu(l->eng);
    if (lfu && l->freq >= 0)
        access_set_frequency(l->eng, e, (uint8_t)l->freq);
    else if (!lfu && l->idle >= 0)
        access_set_idle(l->eng, e, (uint64_t)l->idle);
}

/* A value that was built although nobody keeps it. */
static void drop_value(struct engine *eng, struct value v) {
    if (v.root) value_free(eng, v, false);
}

static void drop_entry(struct engine *eng, ref_t entry) {
    drop_value(eng, entry_value(arena_ptr(&eng->arena, entry)));
    heap_free(&eng->arena, entry);
}

/* An entry goes into its table; it is the caller's still if that fails. */
static bool enter(struct rdb_loader *l, ref_t entry, uint64_t hash) {
    struct engine *eng = l->eng;
    const struct dict *keys = &engine_db(eng, l->db)->keys;
    struct key k = { .hash = hash, .db = l->db };
    k.name = entry_key(arena_ptr(&eng->arena, entry));
    k.place = dict_find(&eng->arena, &keyspace_kind, keys, k.name, hash);
    if (k.place) {
        if (l->options.duplicates == DUPLICATES_FAIL)
            return rdb_bad(&l->reader, "RDB has duplicated key '%.*s' in DB %d",
                           k.name.n < 100 ? (int)k.name.n : 100, k.name.p, l->db);
        k.entry = arena_ptr(&eng->arena, *k.place);
        key_delete(eng, &k, false);
    }
    if (key_enter(eng, l->db, entry, hash) != ST_OK)
        return source_fail(l->reader.src, SOURCE_FULL, "The arena is full");
    l->stats.keys++;
    l->stats.volatile_keys += entry_volatile(arena_ptr(&eng->arena, entry));
    return true;
}

/* Makes the table as large as what is to come. Several workers keep a part of a file's keys each,
 * or all of a part that they have written themselves: the first keys tell. */
static void expect(struct rdb_loader *l) {
    uint64_t kept = l->waiting_n;
    if (!l->said || !kept) return;
    struct dict *keys = &engine_db(l->eng, l->db)->keys;
    dict_expect(&l->eng->arena, keys, l->said * kept / (kept + l->passed));
    l->said = 0;
}

/* All that wait go into their table; those behind one that may not are dropped. */
static bool settle(struct rdb_loader *l) {
    bool ok = true;
    expect(l);
    for (unsigned i = 0; i < l->waiting_n; i++) {
        ok = ok && enter(l, l->waiting[i].entry, l->waiting[i].hash);
        if (!ok) drop_entry(l->eng, l->waiting[i].entry);
    }
    l->waiting_n = 0;
    return ok;
}

/* Builds the key's entry, and has its bucket loaded into the cache while the next keys are read: in
 * a large table that takes longer than reading one. False: the value is the caller's still. */
static bool insert(struct rdb_loader *l, struct str name, struct entry_spec *spec) {
    struct engine *eng = l->eng;
    uint64_t hash = dict_hash(&eng->arena, name);
    ref_t entry;
    dict_prefetch(&eng->arena, &engine_db(eng, l->db)->keys, hash);
    spec->key = name;
    spec->expiry = expiry_of(l);
    spec->clock = access_clock_new(eng);
    if (key_build(eng, spec, &entry) != ST_OK)
        return source_fail(l->reader.src, SOURCE_FULL, "The arena is full");
    set_access(l, arena_ptr(&eng->arena, entry));
    l->waiting[l->waiting_n].entry = entry;
    l->waiting[l->waiting_n].hash = hash;
    l->waiting_n++;
    return true;
}

static bool load_value(struct rdb_loader *l, struct str name, uint8_t type_byte) {
    const struct rdb_codec *codec = rdb_codec_for(type_byte);
    struct entry_spec spec = { 0 };
    if (!codec) {
        if (type_byte == RDB_MODULE) return rdb_refuse_module(&l->reader);
        return rdb_bad(&l->reader, "Unknown RDB encoding type %d", type_byte);
    }
    if (!codec->load(&l->reader, l->eng, type_byte, &spec)) {
        if (l->reader.src->error != SOURCE_EMPTY) return false;
        source_forgive(l->reader.src);
        l->stats.empty++;
        return true;
    }
    if (l->options.values && insert(l, name, &spec)) return l->waiting_n < RDB_WAITING || settle(l);
    drop_value(l->eng, spec.value);
    return !l->reader.src->error;
}

static bool load_record(struct rdb_loader *l, uint8_t type_byte) {
    struct str name;
    uint64_t offset = source_offset(l->reader.src) - 1;
    if (!rdb_type_known(type_byte))
        return rdb_bad(&l->reader, "Invalid object type: %d", type_byte);
    l->doing = "read-key";
    if (!rdb_get_string(&l->reader, RDB_PLACE_KEY, &name)) return false;
    l->doing = "read-object-value";
    if (l->events.record) l->events.record(l->events.ctx, name, type_byte, l->expiry, offset);
    bool ours = !l->events.keep || l->events.keep(l->events.ctx, name);
    bool expired = is_expired(l), known = rdb_codec_for(type_byte) || l->options.values;
    l->stats.foreign += !ours;
    l->stats.expired += ours && expired;
    l->passed += !ours || expired;
    bool ok = ours && !expired && known ? load_value(l, name, type_byte)
                                        : rdb_skip_value(&l->reader, type_byte);
    forget_prefixes(l);
    if (l->options.key_delay_us) rdb_delay(l->options.key_delay_us, &l->delayed);
    return ok;
}

/* --- opcodes --- */

static bool load_aux(struct rdb_loader *l) {
    struct str name, value;
    l->doing = "read-aux";
    if (!rdb_get_string(&l->reader, RDB_PLACE_FIELD, &name)) return false;
    if (!rdb_get_string(&l->reader, RDB_PLACE_VALUE, &value)) return false;
    if (l->events.aux) l->events.aux(l->events.ctx, name, value);
    return true;
}

static bool load_function(struct rdb_loader *l) {
    struct str source;
    l->doing = "read-functions";
    if (!rdb_get_string(&l->reader, RDB_PLACE_VALUE, &source)) return false;
    l->stats.functions++;
    const char *error = l->events.function ? l->events.function(l->events.ctx, source) : NULL;
    return !error || rdb_bad(&l->reader, "%s", error);
}

static bool select_db(struct rdb_loader *l) {
    uint64_t db;
    l->doing = "read-len";
    if (!rdb_get_length(&l->reader, &db)) return false;
    if (l->options.values && db >= (uint64_t)l->eng->databases)
        return rdb_bad(&l->reader,
                       "Data file was created with a Redis server configured to handle "
                       "more than %d databases",
                       l->eng->databases);
    if (!settle(l)) return false;
    if (l->events.select) l->events.select(l->events.ctx, db);
    l->said = 0;
    l->db = db <= INT32_MAX ? (int)db : INT32_MAX;
    return true;
}

static bool skip_lengths(struct rdb_loader *l, int n) {
    uint64_t ignored;
    l->doing = "read-len";
    while (n-- > 0)
        if (!rdb_get_length(&l->reader, &ignored)) return false;
    return true;
}

/* May be wrong, or a lie: it is not believed beyond what the file could have. */
static bool load_size(struct rdb_loader *l) {
    uint64_t keys, ignored, possible = source_left(l->reader.src) / RECORD_BYTES_MIN;
    l->doing = "read-len";
    if (!rdb_get_length(&l->reader, &keys) || !rdb_get_length(&l->reader, &ignored)) return false;
    if (!settle(l)) return false;
    l->said = keys < possible ? keys : possible;
    if (l->said > SAID_MAX) l->said = SAID_MAX;
    l->passed = 0;
    return true;
}

/* Tables that expected more than came. */
static void fit_tables(struct rdb_loader *l) {
    for (int db = 0; db < l->eng->databases; db++)
        dict_fit(&l->eng->arena, &keyspace_kind, &engine_db(l->eng, db)->keys);
}

static bool load_expiry(struct rdb_loader *l, bool seconds) {
    l->doing = "read-expire";
    const char *p = source_take(l->reader.src, seconds ? 4 : 8);
    if (!p) return false;
    l->expiry = seconds ? (int64_t)(int32_t)load_u32(p) * 1000 : (int64_t)load_u64(p);
    if (l->expiry == -1) l->expiry = 0; /* long ago, but given */
    return true;
}

static bool load_access(struct rdb_loader *l, bool frequency) {
    uint64_t v = 0;
    uint8_t b = 0;
    if (frequency ? !rdb_get_byte(&l->reader, &b) : !rdb_get_length(&l->reader, &v)) return false;
    if (frequency)
        l->freq = b;
    else
        l->idle = v > INT32_MAX ? INT32_MAX : (int64_t)v;
    return true;
}

static bool skip_module_aux(struct rdb_loader *l) {
    /* id, then the tagged number that says whether it stands before or after the keys */
    return skip_lengths(l, 3) && rdb_skip_module_items(&l->reader);
}

static bool load_eof(struct rdb_loader *l) {
    if (!settle(l)) return false;
    uint64_t ours = source_crc(l->reader.src), theirs = 0;
    l->state = LOAD_END;
    l->doing = "check-sum";
    if (l->reader.version < 5) return true;
    if (!rdb_get_u64(&l->reader, &theirs)) return false;
    l->stats.checksum = theirs ? CHECKSUM_FINE : CHECKSUM_OFF;
    if (l->options.no_checksum || theirs == 0 || theirs == ours) return true;
    return rdb_bad(&l->reader, "Wrong RDB checksum expected: (%llx) but got (%llx). Aborting now.",
                   (unsigned long long)ours, (unsigned long long)theirs);
}

static bool load_one(struct rdb_loader *l) {
    uint8_t op;
    l->doing = "read-type";
    if (!rdb_get_byte(&l->reader, &op)) return false;
    switch (op) {
    case RDB_EXPIRY_MS: return load_expiry(l, false);
    case RDB_EXPIRY_S: return load_expiry(l, true);
    case RDB_FREQ: return load_access(l, true);
    case RDB_IDLE: return load_access(l, false);
    case RDB_EOF: return load_eof(l);
    case RDB_SELECT_DB: return select_db(l);
    case RDB_RESIZE_DB: return load_size(l);
    case RDB_SLOT_INFO: return skip_lengths(l, 3);
    case RDB_AUX: return load_aux(l);
    case RDB_FUNCTION: return load_function(l);
    case RDB_FUNCTION_OLD:
        return source_fail(l->reader.src, SOURCE_REFUSED,
                           "Pre-release function format not supported.");
    case RDB_TEMPLATE: return rdb_load_template(&l->reader);
    case RDB_MODULE_AUX: return skip_module_aux(l);
    default: return load_record(l, op);
    }
}

enum rdb_progress rdb_load_step(struct rdb_loader *l, uint64_t bytes) {
    struct source *src = l->reader.src;
    uint64_t until = source_offset(src) + bytes;
    if (l->state == LOAD_MAGIC && !load_magic(l)) return RDB_FAILED;
    bool ok = true;
    do ok = l->state == LOAD_END || load_one(l);
    while (ok && l->state != LOAD_END && source_offset(src) < until);
    ok = settle(l) && ok;
    if (ok && l->state != LOAD_END) return RDB_MORE;
    if (l->options.values) fit_tables(l);
    return ok ? RDB_DONE : RDB_FAILED;
}
