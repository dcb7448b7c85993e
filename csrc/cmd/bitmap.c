/* bitmap.c - single bits of strings, and counting and finding them. */
#include "cmd/bitmap.h"

#include "ds/bits.h"

bool arg_bit_offset(struct call *c, int i, unsigned unit, uint64_t *out) {
    struct str s = c->argv[i];
    int64_t v, factor = 1;
    if (unit && s.n && *s.p == '#') {
        s.p++, s.n--;
        factor = unit;
    }
    if (str_to_i64(s, &v) && v >= 0 && !__builtin_mul_overflow(v, factor, &v) &&
        v / 8 < c->eng->config.proto_max_bulk_len && v / 8 < (int64_t)UINT32_MAX - 8) {
        *out = (uint64_t)v;
        return true;
    }
    reply_error(c->out, "ERR bit offset is not an integer or out of range");
    return false;
}

struct str bitmap_bytes(const struct call *c, const struct key *k, char buf[24]) {
    return k->entry ? entry_string(&c->eng->arena, k->entry, buf) : STR("");
}

bool bitmap_open(struct call *c, struct key *k, size_t n, char **bytes, size_t *length,
                 bool *longer) {
    char buf[24];
    size_t old = bitmap_bytes(c, k, buf).n;
    *longer = !k->entry || n > old;
    *length = n > old ? n : old;
    return call_ok(c, key_grow_string(c->eng, k, *length, bytes));
}

static void cmd_setbit(struct call *c) {
    struct key k;
    uint64_t at;
    int64_t bit;
    if (!arg_bit_offset(c, 2, 0, &at) ||
        !arg_range(c, 3, 0, 1, &bit, "ERR bit is not an integer or out of range"))
        return;
    char *bytes;
    size_t length;
    bool longer;
    if (!call_write(c, 1, TYPE_STRING, &k) ||
        !bitmap_open(c, &k, at / 8 + 1, &bytes, &length, &longer))
        return;
    bool was = bits_at((struct str){ bytes, length }, at);
    if (was != bit) bits_put(bytes, at, 1, (uint64_t)bit);
    if (longer || was != bit) call_changed(c, &k, NOTIFY_STRING, "setbit", 1);
    reply_int(c->out, was);
}

static void cmd_getbit(struct call *c) {
    struct key k;
    uint64_t at;
    char buf[24];
    if (!arg_bit_offset(c, 2, 0, &at) || !call_read(c, 1, TYPE_STRING, &k)) return;
    reply_int(c->out, bits_at(bitmap_bytes(c, &k, buf), at));
}

/* --- ranges --- */

struct range {
    int64_t start, end; /* as given, may be negative */
    bool end_given;
    bool in_bits;
};

/* [start [end [BYTE|BIT]]] from argv[i] on; false: error replied. */
static bool parse_range(struct call *c, int i, struct range *r) {
    *r = (struct range){ .end = -1, .end_given = i + 1 < c->argc };
    if (i < c->argc && !arg_i64(c, i, &r->start)) return false;
    r->in_bits = arg_is(c, i + 2, "BIT");
    return true;
}

static bool check_unit(struct call *c, int i) {
    if (i >= c->argc || arg_is(c, i, "BIT") || arg_is(c, i, "BYTE")) return true;
    call_syntax_error(c);
    return false;
}

/* The range as bits of a string of n bytes; false: there is none. */
static bool resolve(const struct range *r, size_t n, uint64_t *from, uint64_t *to) {
    int64_t total = (int64_t)n * (r->in_bits ? 8 : 1);
    int64_t start = r->start, end = r->end;
    if (start < 0) start = start + total < 0 ? 0 : start + total;
    if (end < 0) end = end + total < 0 ? 0 : end + total;
    if (end >= total) end = total - 1;
    if (start > end) return false;
    *from = (uint64_t)(r->in_bits ? start : 8 * start);
    *to = (uint64_t)(r->in_bits ? end : 8 * end + 7);
    return true;
}

static void cmd_bitcount(struct call *c) {
    struct key k;
    struct range r;
    char buf[24];
    uint64_t from, to;
    if (c->argc == 3 || c->argc > 5) {
        call_syntax_error(c);
        return;
    }
    if (!parse_range(c, 2, &r) || (r.end_given && !arg_i64(c, 3, &r.end)) || !check_unit(c, 4) ||
        !call_read(c, 1, TYPE_STRING, &k))
        return;
    struct str s = bitmap_bytes(c, &k, buf);
    bool reversed = r.start < 0 && r.end < 0 && r.start > r.end; /* also of what is before bit 0 */
    reply_int(c->out,
              !reversed && resolve(&r, s.n, &from, &to) ? (int64_t)bits_count(s, from, to) : 0);
}

static void cmd_bitpos(struct call *c) {
    struct key k;
    struct range r;
    char buf[24];
    int64_t bit;
    uint64_t from, to;
    if (!arg_i64(c, 2, &bit)) return;
    if (bit != 0 && bit != 1) {
        reply_error(c->out, "ERR The bit argument must be 1 or 0.");
        return;
    }
    if (c->argc > 6) {
        call_syntax_error(c);
        return;
    }
    if (!parse_range(c, 3, &r) || !check_unit(c, 5) || (r.end_given && !arg_i64(c, 4, &r.end)) ||
        !call_read(c, 1, TYPE_STRING, &k))
        return;
    if (!k.entry) {
        reply_int(c->out, bit ? -1 : 0);
        return;
    }
    struct str s = bitmap_bytes(c, &k, buf);
    int64_t at = -1;
    if (resolve(&r, s.n, &from, &to)) {
        at = bits_find(s, bit, from, to);
        /* Without an end the string goes on with zeros. */
        if (at < 0 && !bit && !r.end_given) at = (int64_t)s.n * 8;
    }
    reply_int(c->out, at);
}

#define READS KEY(1, KF_RO | KF_ACCESS)
static const struct command bitmap_rows[] = {
    { "SETBIT",
      4,
      CMD_WRITE | CMD_DENYOOM,
      "bitmap",
      cmd_setbit,
      { KEY(1, KF_RW | KF_ACCESS | KF_UPDATE) } },
    { "GETBIT", 3, CMD_READ | CMD_FAST, "bitmap", cmd_getbit, { READS } },
    { "BITCOUNT", -2, CMD_READ, "bitmap", cmd_bitcount, { READS } },
    { "BITPOS", -3, CMD_READ, "bitmap", cmd_bitpos, { READS } },
};
COMMAND_GROUP(bitmap_commands, "bitmap", bitmap_rows);
