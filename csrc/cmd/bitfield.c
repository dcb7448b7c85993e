/* bitfield.c - BITFIELD: numbers of any width at any bit of a string, read, set and increased. */
#include "cmd/bitmap.h"
#include "ds/bits.h"

enum verb { GET, SET, INCRBY };
enum overflow { WRAP, SAT, FAIL };
__extension__ typedef __int128 wide; /* holds each sum of a field and an increment */

struct field {
    enum verb verb;
    enum overflow overflow;
    bool is_signed;
    unsigned width;
    uint64_t at;
    int64_t operand;
};

struct fields {
    struct field *of;
    int n;
    bool writes;
    uint64_t last; /* the highest bit that is written */
};

/* --- parsing --- */

static bool parse_type(struct call *c, int i, struct field *f) {
    struct str s = c->argv[i];
    int64_t width = 0;
    f->is_signed = s.n && *s.p == 'i';
    bool good = s.n > 1 && (*s.p == 'i' || *s.p == 'u') &&
                str_to_i64((struct str){ s.p + 1, s.n - 1 }, &width) && width >= 1 &&
                width <= (f->is_signed ? 64 : 63);
    f->width = (unsigned)width;
    if (!good)
        reply_error(c->out,
                    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is "
                    "not supported but i64 is.");
    return good;
}

static bool parse_overflow(struct call *c, int i, enum overflow *out) {
    static const char *const words[] = { "WRAP", "SAT", "FAIL" };
    for (int w = 0; w < 3; w++) {
        if (!arg_is(c, i, words[w])) continue;
        *out = (enum overflow)w;
        return true;
    }
    reply_error(c->out, "ERR Invalid OVERFLOW type specified");
    return false;
}

/* The verb at argv[i]; false: none, or too few words behind it. */
static bool parse_verb(struct call *c, int i, enum verb *out) {
    static const char *const words[] = { "GET", "SET", "INCRBY" };
    for (int w = 0; w < 3; w++) {
        if (!arg_is(c, i, words[w])) continue;
        *out = (enum verb)w;
        return i + (w == GET ? 2 : 3) < c->argc;
    }
    return false;
}

static bool parse_field(struct call *c, int i, struct field *f) {
    return parse_type(c, i + 1, f) && arg_bit_offset(c, i + 2, f->width, &f->at) &&
           (f->verb == GET || arg_i64(c, i + 3, &f->operand));
}

static bool parse(struct call *c, struct fields *fs) {
    enum overflow overflow = WRAP;
    fs->of = calloc((size_t)c->argc, sizeof *fs->of);
    ASSERT(fs->of);
    for (int i = 2; i < c->argc;) {
        if (arg_is(c, i, "OVERFLOW") && i + 1 < c->argc) {
            if (!parse_overflow(c, i + 1, &overflow)) return false;
            i += 2;
            continue;
        }
        struct field *f = &fs->of[fs->n++];
        f->overflow = overflow;
        if (!parse_verb(c, i, &f->verb)) return call_syntax_error(c), false;
        if (!parse_field(c, i, f)) return false;
        i += f->verb == GET ? 3 : 4;
        if (f->verb == GET) continue;
        fs->writes = true;
        uint64_t last = f->at + f->width - 1;
        if (last > fs->last) fs->last = last;
    }
    return true;
}

/* --- values --- */

static int64_t field_get(struct str s, const struct field *f) {
    uint64_t v = bits_get(s, f->at, f->width);
    unsigned unused = 64 - f->width;
    return f->is_signed ? (int64_t)(v << unused) >> unused : (int64_t)v;
}

/* What the field is to become; false: FAIL, it stays. (Redis saturates a wide signed field upwards
 * when it is SET to a number that is far too low.) */
static bool field_next(const struct field *f, int64_t old, int64_t *next) {
    wide top = ((wide)1 << (f->is_signed ? f->width - 1 : f->width)) - 1;
    wide bottom = f->is_signed ? -top - 1 : 0;
    wide v = f->verb == INCRBY ? (wide)old + f->operand : (wide)f->operand;
    if (f->verb == SET && !f->is_signed) v = (uint64_t)f->operand;
    if (v >= bottom && v <= top) {
        *next = (int64_t)v;
        return true;
    }
    unsigned unused = 64 - f->width;
    uint64_t low = (uint64_t)v << unused;
    if (f->overflow == WRAP)
        *next = f->is_signed ? (int64_t)low >> unused : (int64_t)(low >> unused);
    else
        *next = (int64_t)(v > top ? top : bottom);
    return f->overflow != FAIL;
}

/* Replies; true if the field is not what it was. */
static bool write_field(struct call *c, const struct field *f, char *bytes, size_t length) {
    int64_t old = field_get((struct str){ bytes, length }, f), next;
    if (!field_next(f, old, &next)) {
        reply_null(c->out);
        return false;
    }
    bits_put(bytes, f->at, f->width, (uint64_t)next);
    reply_int(c->out, f->verb == SET ? old : next);
    return next != old;
}

/* --- commands --- */

static void read_fields(struct call *c, const struct fields *fs) {
    struct key k;
    char buf[24];
    if (!call_read(c, 1, TYPE_STRING, &k)) return;
    struct str s = bitmap_bytes(c, &k, buf);
    reply_array(c->out, (size_t)fs->n);
    for (int i = 0; i < fs->n; i++) reply_int(c->out, field_get(s, &fs->of[i]));
}

static void write_fields(struct call *c, const struct fields *fs) {
    struct key k;
    char *bytes;
    size_t length;
    bool longer;
    uint64_t changes = 0;
    if (!call_write(c, 1, TYPE_STRING, &k) ||
        !bitmap_open(c, &k, fs->last / 8 + 1, &bytes, &length, &longer))
        return;
    reply_array(c->out, (size_t)fs->n);
    for (int i = 0; i < fs->n; i++) {
        if (fs->of[i].verb == GET)
            reply_int(c->out, field_get((struct str){ bytes, length }, &fs->of[i]));
        else
            changes += write_field(c, &fs->of[i], bytes, length);
    }
    if (longer && !changes) changes = 1;
    if (changes) call_changed(c, &k, NOTIFY_STRING, "setbit", changes);
}

static void cmd_bitfield(struct call *c) {
    struct fields fs = { 0 };
    if (parse(c, &fs)) {
        if (fs.writes)
            write_fields(c, &fs);
        else
            read_fields(c, &fs);
    }
    free(fs.of);
}

static void cmd_bitfield_ro(struct call *c) {
    struct fields fs = { 0 };
    if (parse(c, &fs)) {
        if (fs.writes)
            reply_error(c->out, "ERR BITFIELD_RO only supports the GET subcommand");
        else
            read_fields(c, &fs);
    }
    free(fs.of);
}

static const struct command bitfield_rows[] = {
    { "BITFIELD",
      -2,
      CMD_WRITE | CMD_DENYOOM,
      "bitmap",
      cmd_bitfield,
      { KEY(1, KF_RW | KF_ACCESS | KF_UPDATE | KF_VARIABLE) } },
    { "BITFIELD_RO",
      -2,
      CMD_READ | CMD_FAST,
      "bitmap",
      cmd_bitfield_ro,
      { KEY(1, KF_RO | KF_ACCESS) } },
};
COMMAND_GROUP(bitfield_commands, "bitmap", bitfield_rows);
