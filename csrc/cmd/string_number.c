/* string_number.c - strings as numbers: INCR and its family. */
#include "cmd/call.h"

#include <float.h>

/* The integer at k (0 if missing); false: not one, replied. */
static bool present_integer(struct call *c, const struct key *k, int64_t *v) {
    char buf[24];
    *v = 0;
    if (!k->entry) return true;
    if (entry_encoding(k->entry) == ENC_INT) {
        *v = entry_integer(k->entry);
        return true;
    }
    if (str_to_i64(entry_string(&c->eng->arena, k->entry, buf), v)) return true;
    reply_status(c->out, ST_NOT_INTEGER);
    return false;
}

static bool present_float(struct call *c, const struct key *k, long double *v) {
    char buf[24];
    *v = 0;
    if (!k->entry) return true;
    if (str_to_long_double(entry_string(&c->eng->arena, k->entry, buf), v)) return true;
    reply_status(c->out, ST_NOT_FLOAT);
    return false;
}

static void increment(struct call *c, int64_t by) {
    struct key k;
    int64_t v;
    if (!call_write(c, 1, TYPE_STRING, &k) || !present_integer(c, &k, &v)) return;
    if (__builtin_add_overflow(v, by, &v)) {
        reply_status(c->out, ST_OVERFLOW);
        return;
    }
    if (!call_ok(c, key_set_integer(c->eng, &k, v, EXPIRY_KEEP))) return;
    call_changed(c, &k, NOTIFY_STRING, "incrby", 1);
    reply_int(c->out, v);
}

static void cmd_incr(struct call *c) {
    increment(c, 1);
}

static void cmd_decr(struct call *c) {
    increment(c, -1);
}

static void cmd_incrby(struct call *c) {
    int64_t by;
    if (arg_i64(c, 2, &by)) increment(c, by);
}

static void cmd_decrby(struct call *c) {
    int64_t by;
    if (!arg_i64(c, 2, &by)) return;
    if (by == INT64_MIN)
        reply_error(c->out, "ERR decrement would overflow");
    else
        increment(c, -by);
}

static bool is_finite(long double v) {
    return v - v == 0;
}

static void cmd_incrbyfloat(struct call *c) {
    struct key k;
    long double v, by;
    if (!call_write(c, 1, TYPE_STRING, &k) || !present_float(c, &k, &v)) return;
    if (!str_to_long_double(c->argv[2], &by)) {
        reply_status(c->out, ST_NOT_FLOAT);
        return;
    }
    v += by;
    if (!is_finite(v)) {
        reply_status(c->out, ST_NAN_RESULT);
        return;
    }
    char text[NUMBER_TEXT_MAX];
    struct str s = { text, long_double_to_text(text, v) };
    if (!call_ok(c, key_set_text(c->eng, &k, s, EXPIRY_KEEP))) return;
    call_changed(c, &k, NOTIFY_STRING, "incrbyfloat", 1);
    call_propagatef(c, "SET %b %b KEEPTTL", &k.name, &s);
    reply_bulk(c->out, s);
}

/* --- INCREX --- */

struct increx {
    bool by_float, saturate, enx, persist, has_low, has_high;
    bool has_by;
    int64_t by;
    long double float_by;
    struct str low, high; /* texts; read as the kind that BYINT or BYFLOAT says */
    struct expiry_option time;
    uint64_t expiry;
};

static bool bound_integer(struct call *c, struct str s, const char *name, int64_t *v) {
    if (str_to_i64(s, v)) return true;
    reply_errorf(c->out, "ERR %s is not an integer or out of range", name);
    return false;
}

static bool bound_float(struct call *c, struct str s, const char *what, long double *v) {
    if (str_to_long_double(s, v)) return true;
    reply_errorf(c->out, "ERR %s is not a valid float", what);
    return false;
}

/* A word that may stand once. */
static bool take_flag(const struct call *c, int i, const char *word, bool *flag) {
    if (*flag || !arg_is(c, i, word)) return false;
    return *flag = true;
}

/* The same with a text behind it. */
static bool take_text(const struct call *c, int *i, const char *word, bool *given,
                      struct str *text) {
    if (*i + 1 >= c->argc || !take_flag(c, *i, word, given)) return false;
    *text = c->argv[++*i];
    return true;
}

/* BYINT or BYFLOAT and its number. 1: taken, 0: another word, -1: replied. */
static int take_increment(struct call *c, int *i, struct increx *o) {
    bool by_float = arg_is(c, *i, "BYFLOAT");
    if (o->has_by || *i + 1 >= c->argc || (!by_float && !arg_is(c, *i, "BYINT"))) return 0;
    struct str text = c->argv[++*i];
    o->has_by = true;
    o->by_float = by_float;
    if (!by_float) return bound_integer(c, text, "Increment", &o->by) ? 1 : -1;
    if (!bound_float(c, text, "Increment", &o->float_by)) return -1;
    if (is_finite(o->float_by)) return 1;
    reply_error(c->out, "ERR BYFLOAT increment cannot be Infinity");
    return -1;
}

static bool take_increx_option(struct call *c, int *i, struct increx *o) {
    if (take_text(c, i, "LBOUND", &o->has_low, &o->low) ||
        take_text(c, i, "UBOUND", &o->has_high, &o->high) ||
        take_flag(c, *i, "SATURATE", &o->saturate))
        return true;
    if (!o->persist && take_flag(c, *i, "ENX", &o->enx)) return true;
    if (!o->enx && !o->time.word && take_flag(c, *i, "PERSIST", &o->persist)) return true;
    return !o->time.word && !o->persist && take_expiry(c, i, &o->time);
}

static bool parse_increx(struct call *c, struct increx *o) {
    *o = (struct increx){ .by = 1 };
    for (int i = 2; i < c->argc; i++) {
        int taken = take_increment(c, &i, o);
        if (taken < 0) return false;
        if (!taken && !take_increx_option(c, &i, o)) return call_syntax_error(c), false;
    }
    return true;
}

/* The time comes last of all that is checked. */
static bool increx_time(struct call *c, struct increx *o) {
    if (!o->enx || o->time.word) return read_expiry(c, &o->time, &o->expiry);
    reply_error(c->out, "ERR ENX flag requires an expiration");
    return false;
}

static bool sets_time(const struct increx *o, const struct key *k) {
    return o->expiry != EXPIRY_NONE && !(o->enx && k->entry && entry_volatile(k->entry));
}

/* The new value would be gone at once: only the old one goes. */
static bool dropped_at_once(struct call *c, struct key *k, const struct increx *o) {
    if (!sets_time(o, k) || o->expiry > c->eng->now_ms) return false;
    if (!k->entry) return true;
    bool lazy = c->eng->config.lazyfree_lazy_expire;
    key_delete(c->eng, k, lazy);
    call_changed(c, k, NOTIFY_GENERIC, "del", 1);
    call_propagatef(c, lazy ? "UNLINK %b" : "DEL %b", &k->name);
    return true;
}

/* The expiry part of INCREX on the key just written; says what to log. */
static void increx_expiry(struct call *c, struct key *k, const struct increx *o, struct str text) {
    if (sets_time(o, k) && key_set_expiry(c->eng, k, o->expiry) == ST_OK) {
        engine_notify(c->eng, NOTIFY_GENERIC, "expire", k->name, k->db);
        call_propagatef(c, "SET %b %b PXAT %i", &k->name, &text, (int64_t)o->expiry);
    } else if (o->persist) {
        bool had = entry_volatile(k->entry);
        key_set_expiry(c->eng, k, EXPIRY_NONE);
        if (had) engine_notify(c->eng, NOTIFY_GENERIC, "persist", k->name, k->db);
        call_propagatef(c, "SET %b %b", &k->name, &text);
    } else {
        call_propagatef(c, "SET %b %b KEEPTTL", &k->name, &text);
    }
}

/* Stores the new number in its text form (an integer that is `integer` if given). */
static bool store_increx(struct call *c, struct key *k, const struct increx *o, struct str text,
                         const int64_t *integer) {
    if (dropped_at_once(c, k, o)) return true;
    status st = integer ? key_set_integer(c->eng, k, *integer, EXPIRY_KEEP)
                        : key_set_text(c->eng, k, text, EXPIRY_KEEP);
    if (!call_ok(c, st)) return false;
    call_changed(c, k, NOTIFY_STRING, integer ? "incrby" : "incrbyfloat", 1);
    increx_expiry(c, k, o, text);
    return true;
}

static void reply_int_pair(struct call *c, int64_t a, int64_t b) {
    reply_array(c->out, 2);
    reply_int(c->out, a);
    reply_int(c->out, b);
}

static void increx_integer(struct call *c, struct increx *o) {
    int64_t low = INT64_MIN, high = INT64_MAX, old, now, delta;
    struct key k;
    if (o->has_low && !bound_integer(c, o->low, "LBOUND", &low)) return;
    if (o->has_high && !bound_integer(c, o->high, "UBOUND", &high)) return;
    if (low > high) {
        reply_error(c->out, "ERR LBOUND can't be greater than UBOUND");
        return;
    }
    if (!increx_time(c, o) || !call_write(c, 1, TYPE_STRING, &k) || !present_integer(c, &k, &old))
        return;
    bool overflow = __builtin_add_overflow(old, o->by, &now);
    bool outside = overflow || now < low || now > high;
    if (outside && !o->saturate) {
        reply_int_pair(c, old, 0);
        return;
    }
    if (overflow) now = o->by > 0 ? INT64_MAX : INT64_MIN;
    now = now < low ? low : now > high ? high : now;
    if (__builtin_sub_overflow(now, old, &delta)) delta = now > old ? INT64_MAX : INT64_MIN;
    char text[24];
    struct str s = { text, i64_to_text(text, now) };
    if (store_increx(c, &k, o, s, &now)) reply_int_pair(c, now, delta);
}

/* A double in RESP3, a bulk string in RESP2, with INCRBYFLOAT's digits. */
static void reply_long_double(struct call *c, long double v) {
    char text[NUMBER_TEXT_MAX];
    struct str s = { text, long_double_to_text(text, v) };
    if (c->out->resp < 3) {
        reply_bulk(c->out, s);
        return;
    }
    reply_raw(c->out, ",", 1);
    reply_raw(c->out, s.p, s.n);
    REPLY_RAW(c->out, "\r\n");
}

static void reply_float_pair(struct call *c, long double a, long double b) {
    reply_array(c->out, 2);
    reply_long_double(c, a);
    reply_long_double(c, b);
}

static void increx_float(struct call *c, struct increx *o) {
    long double low = -LDBL_MAX, high = LDBL_MAX, old;
    struct key k;
    if (o->has_low && !bound_float(c, o->low, "LBOUND", &low)) return;
    if (o->has_high && !bound_float(c, o->high, "UBOUND", &high)) return;
    if (low > high) {
        reply_error(c->out, "ERR LBOUND can't be greater than UBOUND");
        return;
    }
    if (!increx_time(c, o) || !call_write(c, 1, TYPE_STRING, &k) || !present_float(c, &k, &old))
        return;
    long double now = old + o->float_by;
    bool outside = !is_finite(now) || now < low || now > high;
    if (outside && !o->saturate) {
        reply_float_pair(c, old, 0);
        return;
    }
    now = now < low ? low : now > high ? high : now;
    if (!is_finite(now - old)) {
        reply_error(c->out, "ERR applied increment would be Infinity");
        return;
    }
    char text[NUMBER_TEXT_MAX];
    struct str s = { text, long_double_to_text(text, now) };
    if (store_increx(c, &k, o, s, NULL)) reply_float_pair(c, now, now - old);
}

static void cmd_increx(struct call *c) {
    struct increx o;
    if (!parse_increx(c, &o)) return;
    if (o.by_float)
        increx_float(c, &o);
    else
        increx_integer(c, &o);
}

#define COUNTER KEY(1, KF_RW | KF_ACCESS | KF_UPDATE)
#define COUNTER_FLAGS CMD_WRITE | CMD_DENYOOM | CMD_FAST
static const struct command string_number_rows[] = {
    { "INCR", 2, COUNTER_FLAGS, "string", cmd_incr, { COUNTER } },
    { "DECR", 2, COUNTER_FLAGS, "string", cmd_decr, { COUNTER } },
    { "INCRBY", 3, COUNTER_FLAGS, "string", cmd_incrby, { COUNTER } },
    { "DECRBY", 3, COUNTER_FLAGS, "string", cmd_decrby, { COUNTER } },
    { "INCRBYFLOAT", 3, COUNTER_FLAGS, "string", cmd_incrbyfloat, { COUNTER } },
    { "INCREX", -2, COUNTER_FLAGS, "string", cmd_increx, { COUNTER } },
};
COMMAND_GROUP(string_number_commands, "string", string_number_rows);
