/* keys.c - slots, keys of commands, commands that are spread. */
#include "cmd/keys.h"

#include "mem/number.h"

/* --- slots --- */

/* CRC-16/XMODEM: polynomial 0x1021, initial value 0. Row k: what a byte does to the remainder when
 * k bytes follow it, so that four bytes are taken at a time. */
#define CRC_STEP 4u
static uint16_t crc_table[CRC_STEP][256];

__attribute__((constructor)) static void fill_crc_table(void) {
    for (unsigned i = 0; i < 256; i++) {
        uint16_t crc = (uint16_t)(i << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
        crc_table[0][i] = crc;
    }
    for (unsigned k = 1; k < CRC_STEP; k++)
        for (unsigned i = 0; i < 256; i++) {
            uint16_t crc = crc_table[k - 1][i];
            crc_table[k][i] = (uint16_t)(crc << 8 ^ crc_table[0][crc >> 8]);
        }
}

static uint16_t crc16(struct str s) {
    const uint8_t *p = (const uint8_t *)s.p;
    size_t n = s.n;
    unsigned crc = 0;
    for (; n >= CRC_STEP; p += CRC_STEP, n -= CRC_STEP)
        crc = (unsigned)(crc_table[3][p[0] ^ crc >> 8] ^ crc_table[2][p[1] ^ (crc & 0xff)] ^
                         crc_table[1][p[2]] ^ crc_table[0][p[3]]);
    for (; n; p++, n--) crc = (crc << 8 & 0xffff) ^ crc_table[0][crc >> 8 ^ *p];
    return (uint16_t)crc;
}

static struct str hash_tag(struct str key) {
    const char *open = memchr(key.p, '{', key.n);
    if (!open) return key;
    const char *tag = open + 1, *end = key.p + key.n;
    const char *close = memchr(tag, '}', (size_t)(end - tag));
    return close && close > tag ? (struct str){ tag, (size_t)(close - tag) } : key;
}

uint32_t key_slot(struct str key) {
    return crc16(key.n ? hash_tag(key) : key) & (SLOTS_TOTAL - 1);
}

/* --- spread commands --- */

static const struct {
    const char *name;
    enum spread spread;
    int step;
} spreads[] = {
    { "DEL", SPREAD_SUM, 1 },
    { "UNLINK", SPREAD_SUM, 1 },
    { "EXISTS", SPREAD_SUM, 1 },
    { "TOUCH", SPREAD_SUM, 1 },
    { "MSET", SPREAD_OK, 2 },
    { "MGET", SPREAD_VALUES, 1 },
    { "DBSIZE", SPREAD_ALL_SUM, 0 },
    { "FLUSHALL", SPREAD_ALL_OK, 0 },
    { "FLUSHDB", SPREAD_ALL_OK, 0 },
    { "SWAPDB", SPREAD_ALL_OK, 0 },
    { "KEYS", SPREAD_ALL_CONCAT, 0 },
    { "SCAN", SPREAD_SCAN, 0 },
    { "PUBLISH", SPREAD_ALL_SUM, 0 },
    { "SPUBLISH", SPREAD_ALL_SUM, 0 },
    { "RANDOMKEY", SPREAD_ALL_RANDOM, 0 },
};

static int find_spread(const struct command *cmd) {
    for (int i = 0; i < (int)(sizeof spreads / sizeof *spreads); i++)
        if (!strcmp(spreads[i].name, cmd->name)) return i;
    return -1;
}

enum spread spread_of(const struct command *cmd) {
    int i = find_spread(cmd);
    return i < 0 ? SPREAD_NOT : spreads[i].spread;
}

int spread_step(const struct command *cmd) {
    int i = find_spread(cmd);
    return i < 0 ? 1 : spreads[i].step;
}

bool spread_to_all(enum spread spread) {
    return spread == SPREAD_ALL_SUM || spread == SPREAD_ALL_OK || spread == SPREAD_ALL_CONCAT ||
           spread == SPREAD_ALL_RANDOM;
}

/* --- commands that may run on copies --- */

#define ENTRY COPIED_ENTRY
#define VALUE COPIED_VALUE
#define ACCESS (COPIED_VALUE | COPIED_TOUCHES)
static const struct {
    const char *name;
    unsigned how;
} copied[] = {
    { "GET", ACCESS },
    { "STRLEN", ACCESS },
    { "GETRANGE", ACCESS },
    { "SUBSTR", ACCESS },
    { "DIGEST", ACCESS },
    { "GETBIT", ACCESS },
    { "BITCOUNT", ACCESS },
    { "BITPOS", ACCESS },
    { "BITFIELD_RO", ACCESS },
    { "HGET", ACCESS },
    { "HMGET", ACCESS },
    { "HEXISTS", ACCESS },
    { "HLEN", ACCESS },
    { "HSTRLEN", ACCESS },
    { "HGETALL", ACCESS },
    { "HKEYS", ACCESS },
    { "HVALS", ACCESS },
    { "LLEN", ACCESS },
    { "LINDEX", ACCESS },
    { "LRANGE", ACCESS },
    { "SCARD", ACCESS },
    { "SISMEMBER", ACCESS },
    { "SMISMEMBER", ACCESS },
    { "SMEMBERS", ACCESS },
    { "ZCARD", ACCESS },
    { "ZSCORE", ACCESS },
    { "ZMSCORE", ACCESS },
    { "ZRANK", ACCESS },
    { "ZREVRANK", ACCESS },
    { "GEODIST", ACCESS },
    { "GEOHASH", ACCESS },
    { "GEOPOS", ACCESS },
    { "GEOSEARCH", ACCESS },
    { "GEORADIUS_RO", ACCESS },
    { "GEORADIUSBYMEMBER_RO", ACCESS },
    { "TYPE", ENTRY },
    { "TTL", ENTRY },
    { "PTTL", ENTRY },
    { "EXPIRETIME", ENTRY },
    { "PEXPIRETIME", ENTRY },
    { "OBJECT|ENCODING", VALUE },
    { "EXISTS", ENTRY | COPIED_TOUCHES },
};
#undef ENTRY
#undef VALUE
#undef ACCESS

unsigned copied_of(const struct command *cmd, int *key) {
    *key = cmd->keys[0].at;
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        if (!strcmp(copied[i].name, cmd->name)) return copied[i].how;
    return 0;
}

/* --- channels --- */

static const struct {
    const char *name;
    enum channel_use use;
} channels[] = {
    { "PUBLISH", CHANNELS_ONE },         { "SPUBLISH", CHANNELS_ONE },
    { "SUBSCRIBE", CHANNELS_ALL },       { "SSUBSCRIBE", CHANNELS_ALL },
    { "PSUBSCRIBE", CHANNELS_PATTERNS },
};

enum channel_use channels_of(const struct command *cmd) {
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        if (!strcmp(channels[i].name, cmd->name)) return channels[i].use;
    return CHANNELS_NONE;
}

/* --- keys --- */

/* The first argument that a spec is about, 0: the spec does not apply. */
static int spec_begin(const struct key_spec *spec, int argc, const struct str *argv) {
    if (spec->begin == 'i') return spec->at < argc ? spec->at : 0;
    if (spec->begin != 'k') return 0;
    int step = spec->at < 0 ? -1 : 1;
    for (int i = spec->at < 0 ? argc + spec->at : spec->at; i > 0 && i < argc; i += step)
        if (str_is(argv[i], spec->keyword)) return i + 1 < argc ? i + 1 : 0;
    return 0;
}

struct key_list {
    struct key_at *out;
    int n, max;
};

static void add_keys(struct key_list *l, int first, int last, int step, uint16_t flags) {
    for (int i = first; i <= last; i += step) {
        if (l->n < l->max) l->out[l->n] = (struct key_at){ i, flags };
        l->n++;
    }
}

/* SORT's target: what follows the last STORE that is an option and no operand of another one. */
static int sort_target(const struct key_spec *spec, int argc, const struct str *argv) {
    int target = 0;
    for (int i = spec->at; i < argc; i++) {
        if (str_is(argv[i], "LIMIT"))
            i += 2;
        else if (str_is(argv[i], "GET") || str_is(argv[i], "BY"))
            i++;
        else if (str_is(argv[i], spec->keyword) && i + 1 < argc)
            target = ++i;
    }
    return target;
}

static void spec_keys(const struct key_spec *spec, int argc, const struct str *argv,
                      struct key_list *l) {
    if (spec->begin == '?' && spec->keyword) {
        int target = sort_target(spec, argc, argv);
        if (target) add_keys(l, target, target, 1, spec->flags);
        return;
    }
    int begin = spec_begin(spec, argc, argv);
    if (!begin) return;
    if (spec->find == 'r') {
        int last = spec->a < 0 ? argc + spec->a : begin + spec->a;
        if (spec->c > 1) last = begin + (last - begin + 1) / spec->c - 1; /* a part of the rest */
        add_keys(l, begin, last < argc ? last : argc - 1, spec->b > 0 ? spec->b : 1, spec->flags);
    } else if (spec->find == 'n') {
        int64_t n;
        int at = begin + spec->a, first = begin + spec->b;
        if (at >= argc || !str_to_i64(argv[at], &n) || n <= 0 || first >= argc) return;
        int step = spec->c > 0 ? spec->c : 1;
        int64_t last = n > argc ? argc : first + (n - 1) * step;
        if (last < argc) add_keys(l, first, (int)last, step, spec->flags); /* or it is an error */
    }
}

int only_key_of(const struct command *cmd) {
    const struct key_spec *spec = &cmd->keys[0];
    bool one = spec->begin == 'i' && spec->find == 'r' && spec->a == 0 && !cmd->keys[1].begin;
    return one && !(spec->flags & KF_NOT_KEY) ? spec->at : 0;
}

/* MIGRATE: an empty key stands for those that follow a keyword. */
static bool stands_for_others(const struct command *cmd, int argc, const struct str *argv) {
    const struct key_spec *others = &cmd->keys[1];
    if (!(others->flags & KF_INCOMPLETE) || cmd->keys[0].at >= argc) return false;
    return !argv[cmd->keys[0].at].n && spec_begin(others, argc, argv);
}

int command_keys(const struct command *cmd, int argc, const struct str *argv, struct key_at *out,
                 int max) {
    struct key_list l = { .out = out, .max = max };
    for (int i = stands_for_others(cmd, argc, argv); i < COMMAND_KEY_SPECS && cmd->keys[i].begin;
         i++)
        if (!(cmd->keys[i].flags & KF_NOT_KEY)) spec_keys(&cmd->keys[i], argc, argv, &l);
    return l.n;
}
