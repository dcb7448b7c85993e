/* string.c - GET and SET in all their forms. */
#include <ctype.h>

#include "cmd/call.h"

/* --- conditions on the present value --- */

/* When a write happens: SET and DELEX have these words. */
enum condition { COND_NONE, COND_NX, COND_XX, COND_IFEQ, COND_IFNE, COND_IFDEQ, COND_IFDNE };

#define DIGEST_DIGITS 16

/* True if c is IFEQ … IFDNE: a condition on the value of a string. */
static bool condition_compares(enum condition c) {
    return c >= COND_IFEQ;
}

/* 16 lower-case hex digits of the XXH3 of s. */
static void digest_text(const struct engine *eng, struct str s, char out[DIGEST_DIGITS + 1]) {
    uint64_t digest = eng->hooks.xxh3 ? eng->hooks.xxh3(s.p, s.n) : 0;
    snprintf(out, DIGEST_DIGITS + 1, "%016llx", (unsigned long long)digest);
}

/* Reads IFEQ, IFNE, IFDEQ or IFDNE with its operand at argv[i]; COND_NONE if it is none of them. */
static enum condition arg_comparison(struct call *c, int i) {
    static const char *const words[] = { "IFEQ", "IFNE", "IFDEQ", "IFDNE" };
    for (int w = 0; w < 4; w++)
        if (arg_is(c, i, words[w])) return (enum condition)(COND_IFEQ + w);
    return COND_NONE;
}

/* The digest operand is well-formed, else the error is replied. */
static bool check_digest_operand(struct call *c, enum condition cond, struct str operand) {
    if (cond < COND_IFDEQ || operand.n == DIGEST_DIGITS) return true;
    reply_error(c->out, "ERR must be exactly 16 hexadecimal characters");
    return false;
}

static bool digest_equal(const char digest[DIGEST_DIGITS], struct str operand) {
    for (size_t i = 0; i < DIGEST_DIGITS; i++)
        if (tolower((unsigned char)operand.p[i]) != digest[i]) return false;
    return true;
}

/* Whether the string at k (which may be missing) fulfils the comparison. */
static bool comparison_holds(const struct engine *eng, const struct key *k, enum condition cond,
                             struct str operand) {
    bool negated = cond == COND_IFNE || cond == COND_IFDNE;
    if (!k->entry) return negated;
    char buf[24], digest[DIGEST_DIGITS + 1];
    struct str value = entry_string(&eng->arena, k->entry, buf);
    if (cond < COND_IFDEQ) return str_eq(value, operand) != negated;
    digest_text(eng, value, digest);
    return digest_equal(digest, operand) != negated;
}

/* --- reading --- */

static void reply_value(struct call *c, const struct key *k) {
    char buf[24];
    if (k->entry)
        reply_bulk_borrowed(c->out, entry_string(&c->eng->arena, k->entry, buf));
    else
        reply_null(c->out);
}

static void cmd_get(struct call *c) {
    struct key k;
    if (call_read(c, 1, TYPE_STRING, &k)) reply_value(c, &k);
}

static void cmd_strlen(struct call *c) {
    struct key k;
    char buf[24];
    if (!call_read(c, 1, TYPE_STRING, &k)) return;
    reply_int(c->out, k.entry ? (int64_t)entry_string(&c->eng->arena, k.entry, buf).n : 0);
}

static void cmd_digest(struct call *c) {
    struct key k;
    char buf[24], digest[DIGEST_DIGITS + 1];
    if (!call_read(c, 1, TYPE_STRING, &k)) return;
    if (!k.entry) {
        reply_null(c->out);
        return;
    }
    digest_text(c->eng, entry_string(&c->eng->arena, k.entry, buf), digest);
    reply_bulk(c->out, (struct str){ digest, DIGEST_DIGITS });
}

/* --- SET --- */

struct set_options {
    enum condition cond;
    struct str operand;
    bool get, keep;
    struct expiry_option time;
    uint64_t expiry; /* EXPIRY_NONE, EXPIRY_KEEP or ms */
};

/* One word of SET's options at argv[*i]; false: no such word, or not beside the others. */
static bool take_set_option(struct call *c, int *i, struct set_options *o) {
    enum condition cmp = arg_comparison(c, *i);
    bool nx = arg_is(c, *i, "NX"), xx = arg_is(c, *i, "XX");
    if (nx || xx) {
        enum condition cond = nx ? COND_NX : COND_XX;
        bool free_condition = o->cond == COND_NONE || o->cond == cond;
        o->cond = cond;
        return free_condition;
    }
    if ((o->cond == COND_NONE || o->cond == cmp) && cmp != COND_NONE && *i + 1 < c->argc) {
        o->cond = cmp;
        o->operand = c->argv[++*i];
        return true;
    }
    if (arg_is(c, *i, "GET")) return o->get = true;
    if (!o->time.word && arg_is(c, *i, "KEEPTTL")) return o->keep = true;
    return !o->keep && take_expiry(c, i, &o->time);
}

static bool parse_set(struct call *c, struct set_options *o) {
    for (int i = 3; i < c->argc; i++) {
        if (take_set_option(c, &i, o)) continue;
        call_syntax_error(c);
        return false;
    }
    if (o->keep) o->expiry = EXPIRY_KEEP;
    return read_expiry(c, &o->time, &o->expiry);
}

static bool condition_holds(struct call *c, const struct key *k, const struct set_options *o) {
    switch (o->cond) {
    case COND_NONE: return true;
    case COND_NX: return !k->entry;
    case COND_XX: return k->entry;
    default: return comparison_holds(c->eng, k, o->cond, o->operand);
    }
}

/* A value whose time is over when it is set: only the old one goes. */
static void drop_old(struct call *c, struct key *k) {
    if (!k->entry) return;
    bool lazy = c->eng->config.lazyfree_lazy_server_del;
    key_delete(c->eng, k, lazy);
    call_changed(c, k, NOTIFY_GENERIC, "del", 1);
    call_propagatef(c, lazy ? "UNLINK %b" : "DEL %b", &k->name);
}

/* Stores argv[value] under k and says so to the log; replies nothing. */
static bool store(struct call *c, struct key *k, int value, const struct set_options *o) {
    if (o->expiry != EXPIRY_NONE && o->expiry <= c->eng->now_ms) return drop_old(c, k), true;
    if (!call_ok(c, key_set_string(c->eng, k, c->argv[value], o->expiry))) return false;
    call_changed(c, k, NOTIFY_STRING, "set", 1);
    if (o->expiry != EXPIRY_NONE && o->expiry != EXPIRY_KEEP) {
        engine_notify(c->eng, NOTIFY_GENERIC, "expire", k->name, k->db);
        bool as_said = o->time.word && arg_is(c, o->time.at - 1, "PXAT");
        if (!as_said)
            call_propagatef(c, "SET %b %b PXAT %i", &k->name, &c->argv[value], (int64_t)o->expiry);
    }
    return true;
}

/* The key of SET; false: it is of another type where that matters. GET counts as a reading. */
static bool find_to_set(struct call *c, const struct set_options *o, struct key *k) {
    if (o->get) return call_update(c, 1, TYPE_STRING, k);
    if (condition_compares(o->cond)) return call_write(c, 1, TYPE_STRING, k);
    call_find(c, 1, KEY_WRITE, k);
    return true;
}

/* SET as it was said, but for GET. */
static void propagate_without_get(struct call *c) {
    struct str *argv = malloc((size_t)c->argc * sizeof *argv);
    ASSERT(argv);
    int argc = 0;
    for (int i = 0; i < c->argc; i++)
        if (i < 3 || !arg_is(c, i, "GET")) argv[argc++] = c->argv[i];
    call_propagate(c, argc, argv);
    free(argv);
}

static void cmd_set(struct call *c) {
    struct set_options o = { 0 };
    struct key k;
    if (!parse_set(c, &o)) return;
    if (!find_to_set(c, &o, &k)) return;
    if (k.entry && !check_digest_operand(c, o.cond, o.operand)) return;
    size_t mark = c->out->n;
    char buf[24];
    bool holds = condition_holds(c, &k, &o);
    if (o.get && k.entry)
        reply_bulk(c->out, entry_string(&c->eng->arena, k.entry, buf));
    else if (o.get || !holds)
        reply_null(c->out);
    else
        reply_ok(c->out);
    if (!holds) return;
    size_t end = c->out->n;
    if (store(c, &k, 2, &o)) {
        if (o.get && !o.time.word) propagate_without_get(c);
        return;
    }
    /* The error alone is the reply. */
    memmove(c->out->p + mark, c->out->p + end, c->out->n - end);
    c->out->n -= end - mark;
}

static void cmd_setnx(struct call *c) {
    struct key k;
    struct set_options o = { 0 };
    bool missing = !call_find(c, 1, KEY_WRITE, &k);
    if (missing && !store(c, &k, 2, &o)) return;
    reply_int(c->out, missing);
}

static void set_with_expiry(struct call *c, int64_t unit_ms) {
    struct key k;
    struct set_options o = { 0 };
    if (!arg_future(c, 2, unit_ms, true, &o.expiry)) return;
    call_find(c, 1, KEY_WRITE, &k);
    if (store(c, &k, 3, &o)) reply_ok(c->out);
}

static void cmd_setex(struct call *c) {
    set_with_expiry(c, 1000);
}

static void cmd_psetex(struct call *c) {
    set_with_expiry(c, 1);
}

static void cmd_getset(struct call *c) {
    struct key k;
    char buf[24];
    if (!call_update(c, 1, TYPE_STRING, &k)) return;
    char *old = NULL;
    struct str value = { NULL, 0 };
    if (k.entry) {
        value = entry_string(&c->eng->arena, k.entry, buf);
        old = malloc(value.n + 1);
        ASSERT(old);
        memcpy(old, value.p, value.n);
    }
    struct set_options o = { 0 };
    if (store(c, &k, 2, &o)) {
        call_propagatef(c, "SET %b %b", &k.name, &c->argv[2]);
        if (old)
            reply_bulk(c->out, (struct str){ old, value.n });
        else
            reply_null(c->out);
    }
    free(old);
}

/* --- reading that changes --- */

static void cmd_getdel(struct call *c) {
    struct key k;
    char buf[24];
    if (!call_update(c, 1, TYPE_STRING, &k)) return;
    if (!k.entry) {
        reply_null(c->out);
        return;
    }
    reply_bulk(c->out, entry_string(&c->eng->arena, k.entry, buf));
    key_delete(c->eng, &k, c->eng->config.lazyfree_lazy_server_del);
    call_changed(c, &k, NOTIFY_GENERIC, "del", 1);
    call_propagatef(c, "DEL %b", &k.name);
}

/* GETEX's change, after the value is in the reply. */
static status apply_getex(struct call *c, struct key *k, bool persist, uint64_t expiry) {
    if (persist) {
        if (!entry_volatile(k->entry)) return ST_OK;
        status st = key_set_expiry(c->eng, k, EXPIRY_NONE);
        if (st != ST_OK) return st;
        call_changed(c, k, NOTIFY_GENERIC, "persist", 1);
        call_propagatef(c, "PERSIST %b", &k->name);
    } else if (expiry <= c->eng->now_ms) {
        bool lazy = c->eng->config.lazyfree_lazy_expire;
        key_delete(c->eng, k, lazy);
        call_changed(c, k, NOTIFY_GENERIC, "del", 1);
        call_propagatef(c, lazy ? "UNLINK %b" : "DEL %b", &k->name);
    } else {
        status st = key_set_expiry(c->eng, k, expiry);
        if (st != ST_OK) return st;
        call_changed(c, k, NOTIFY_GENERIC, "expire", 1);
        call_propagatef(c, "PEXPIREAT %b %i", &k->name, (int64_t)expiry);
    }
    return ST_OK;
}

static bool parse_getex(struct call *c, bool *persist, struct expiry_option *time) {
    for (int i = 2; i < c->argc; i++) {
        if (!time->word && arg_is(c, i, "PERSIST"))
            *persist = true;
        else if (*persist || !take_expiry(c, &i, time))
            return call_syntax_error(c), false;
    }
    return true;
}

static void cmd_getex(struct call *c) {
    bool persist = false;
    struct expiry_option time = { 0 };
    uint64_t expiry = EXPIRY_NONE;
    if (!parse_getex(c, &persist, &time)) return;
    struct key k;
    char buf[24];
    if (!call_read(c, 1, TYPE_STRING, &k)) return;
    if (!k.entry) {
        reply_null(c->out);
        return;
    }
    if (!read_expiry(c, &time, &expiry)) return;
    size_t mark = c->out->n;
    reply_bulk(c->out, entry_string(&c->eng->arena, k.entry, buf));
    if (!persist && expiry == EXPIRY_NONE) return;
    status st = apply_getex(c, &k, persist, expiry);
    if (st != ST_OK) reply_fail(c->out, mark, st);
}

/* --- conditional deletion --- */

/* `as_del`: a replica need not compare again. */
static void delete_string(struct call *c, struct key *k, bool as_del) {
    key_delete(c->eng, k, c->eng->config.lazyfree_lazy_user_del);
    call_changed(c, k, NOTIFY_GENERIC, "del", 1);
    if (as_del) call_propagatef(c, "DEL %b", &k->name);
}

static void cmd_delex(struct call *c) {
    struct key k;
    if (c->argc != 2 && c->argc != 4) {
        call_arity_error(c);
        return;
    }
    bool holds = true;
    if (!call_find(c, 1, c->argc == 4 ? KEY_UPDATE : KEY_WRITE, &k)) {
        reply_int(c->out, 0);
        return;
    }
    if (c->argc == 4) {
        enum condition cond = arg_comparison(c, 2);
        if (entry_type(k.entry) != TYPE_STRING) {
            reply_error(c->out, "ERR Key should be of string type if conditions are specified");
            return;
        }
        if (cond == COND_NONE) {
            reply_error(c->out, "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
            return;
        }
        if (!check_digest_operand(c, cond, c->argv[3])) return;
        holds = comparison_holds(c->eng, &k, cond, c->argv[3]);
    }
    if (holds) delete_string(c, &k, c->argc == 4);
    reply_int(c->out, holds);
}

static void cmd_delifeq(struct call *c) {
    struct key k;
    if (!call_write(c, 1, TYPE_STRING, &k)) return;
    bool holds = k.entry && comparison_holds(c->eng, &k, COND_IFEQ, c->argv[2]);
    if (holds) delete_string(c, &k, true);
    reply_int(c->out, holds);
}

#define READS KEY(1, KF_RO | KF_ACCESS)
static const struct command string_rows[] = {
    { "GET", 2, CMD_READ | CMD_FAST, "string", cmd_get, { READS } },
    { "STRLEN", 2, CMD_READ | CMD_FAST, "string", cmd_strlen, { KEY(1, KF_RO) } },
    { "DIGEST", 2, CMD_READ | CMD_FAST, "string", cmd_digest, { READS } },
    { "SET",
      -3,
      CMD_WRITE | CMD_DENYOOM,
      "string",
      cmd_set,
      { KEY(1, KF_RW | KF_ACCESS | KF_UPDATE | KF_VARIABLE) } },
    { "SETNX",
      3,
      CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      "string",
      cmd_setnx,
      { KEY(1, KF_OW | KF_INSERT) } },
    { "SETEX", 4, CMD_WRITE | CMD_DENYOOM, "string", cmd_setex, { KEY(1, KF_OW | KF_UPDATE) } },
    { "PSETEX", 4, CMD_WRITE | CMD_DENYOOM, "string", cmd_psetex, { KEY(1, KF_OW | KF_UPDATE) } },
    { "GETSET",
      3,
      CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      "string",
      cmd_getset,
      { KEY(1, KF_RW | KF_ACCESS | KF_UPDATE) } },
    { "GETDEL",
      2,
      CMD_WRITE | CMD_FAST,
      "string",
      cmd_getdel,
      { KEY(1, KF_RW | KF_ACCESS | KF_DELETE) } },
    { "GETEX",
      -2,
      CMD_WRITE | CMD_FAST,
      "string",
      cmd_getex,
      { KEY(1, KF_RW | KF_ACCESS | KF_UPDATE) } },
    { "DELEX",
      -2,
      CMD_WRITE | CMD_FAST,
      "string",
      cmd_delex,
      { KEY(1, KF_RW | KF_DELETE | KF_VARIABLE) } },
    { "DELIFEQ", 3, CMD_WRITE | CMD_FAST, "string", cmd_delifeq, { KEY(1, KF_RM | KF_DELETE) } },
};
COMMAND_GROUP(string_commands, "string", string_rows);
