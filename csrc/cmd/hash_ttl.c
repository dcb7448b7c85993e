/* hash_ttl.c - fields with an expiry: HEXPIRE, HTTL, HPERSIST, HGETEX, HSETEX, HGETDEL. */
#include "cmd/hash.h"

#define EXPIRY_LIMIT_MS (((int64_t)1 << 46) - 1)

/* Codes of the replies, one a field. */
enum { NO_FIELD = -2, NO_EXPIRY = -1, NOT_MET = 0, DONE = 1, DELETED = 2 };
#define ARENA_FULL (-10) /* is never replied */

static void reply_no_fields(struct call *c, int count) {
    reply_array(c->out, (size_t)count);
    for (int i = 0; i < count; i++) reply_int(c->out, NO_FIELD);
}

/* "FIELDS numfields field …" of HTTL, HPERSIST, HGETDEL at argv[at]: the index of the first field
 * and how many; false: replied. */
static bool arg_fields_at(struct call *c, int at, int *first, int *count) {
    int64_t n;
    if (!arg_is(c, at, "FIELDS")) {
        reply_error(c->out,
                    "ERR Mandatory argument FIELDS is missing or not at the right position");
        return false;
    }
    if (!arg_range(c, at + 1, 1, INT64_MAX, &n, "ERR Number of fields must be a positive integer"))
        return false;
    *first = at + 2;
    *count = c->argc - *first;
    if (n == *count) return true;
    reply_error(c->out, "ERR The `numfields` parameter must match the number of arguments");
    return false;
}

/* --- HEXPIRE and its family --- */

enum { COND_NX = 1, COND_XX = 2, COND_GT = 4, COND_LT = 8 };

struct hexpire {
    int64_t when_ms;
    unsigned cond;
    int first, count;
};

static int condition_word(const struct call *c, int i) {
    static const char *const words[] = { "NX", "XX", "GT", "LT" };
    for (int w = 0; w < 4; w++)
        if (arg_is(c, i, words[w])) return 1 << w;
    return 0;
}

/* "FIELDS n field …" at argv[*i], anywhere among options; *i moves to its last word. */
static bool take_fields(struct call *c, int *i, const char *bad_count, int width, int *first,
                        int *count) {
    int64_t n;
    if (*first) {
        reply_error(c->out, "ERR FIELDS keyword specified multiple times");
        return false;
    }
    if (*i + 1 >= c->argc) return call_arity_error(c), false;
    if (!arg_range(c, *i + 1, 1, INT32_MAX, &n, bad_count)) return false;
    if (n > (c->argc - *i - 2) / width) {
        reply_error(c->out, "ERR wrong number of arguments");
        return false;
    }
    *first = *i + 2;
    *count = (int)n;
    *i += 1 + (int)n * width;
    return true;
}

static bool unknown_argument(struct call *c, int i) {
    int n = (int)(c->argv[i].n < 128 ? c->argv[i].n : 128);
    reply_errorf(c->out, "ERR unknown argument: %.*s", n, c->argv[i].p);
    return false;
}

static bool parse_hexpire(struct call *c, int64_t unit_ms, bool relative, struct hexpire *o) {
    int64_t given;
    *o = (struct hexpire){ 0 };
    bool several = false;
    if (!arg_i64(c, 2, &given)) return false;
    if (given < 0) {
        reply_error(c->out, "ERR invalid expire time, must be >= 0");
        return false;
    }
    if (given > EXPIRY_LIMIT_MS / unit_ms) goto too_large;
    o->when_ms = given * unit_ms + (relative ? (int64_t)c->eng->now_ms : 0);
    if (o->when_ms > EXPIRY_LIMIT_MS) goto too_large;
    for (int i = 3; i < c->argc; i++) {
        int cond = condition_word(c, i);
        if (cond) {
            several = several || (o->cond && o->cond != (unsigned)cond);
            o->cond = (unsigned)cond;
        } else if (arg_is(c, i, "FIELDS") && i + 2 >= c->argc) {
            reply_error(c->out, "ERR FIELDS requires at least numfields and one field argument");
            return false;
        } else if (arg_is(c, i, "FIELDS")) {
            const char *bad = "ERR Parameter `numFields` should be greater than 0";
            if (!take_fields(c, &i, bad, 1, &o->first, &o->count)) return false;
        } else {
            return unknown_argument(c, i);
        }
    }
    if (o->first && !several) return true;
    reply_error(c->out, o->first ? "ERR Multiple condition flags specified"
                                 : "ERR missing FIELDS argument");
    return false;
too_large:
    reply_errorf(c->out, "ERR invalid expire time in '%s' command",
                 unit_ms == 1000 ? (relative ? "hexpire" : "hexpireat")
                                 : (relative ? "hpexpire" : "hpexpireat"));
    return false;
}

static bool condition_met(unsigned cond, uint64_t now, int64_t wanted) {
    if (cond & COND_NX) return !now;
    if (cond & COND_XX) return now;
    if (cond & COND_GT) return now && wanted > (int64_t)now;
    if (cond & COND_LT) return !now || wanted < (int64_t)now;
    return true;
}

/* What a family command did, for the log and the events. */
struct outcome {
    struct str *set, *deleted;
    int n_set, n_deleted;
};

static bool outcome_open(struct outcome *o, int fields) {
    o->set = malloc(2 * ((size_t)fields + 1) * sizeof *o->set);
    ASSERT(o->set);
    o->deleted = o->set + fields + 1;
    o->n_set = o->n_deleted = 0;
    return true;
}

/* The events: what befell the fields that stay, and those that are gone. */
static void announce(struct call *c, const struct hash *h, const char *event,
                     const struct outcome *o) {
    size_t set = (size_t)o->n_set, deleted = (size_t)o->n_deleted;
    if (set) hash_changed(c, h, event, set, (struct field_list){ o->set, set, 1 });
    if (deleted) hash_changed(c, h, "hdel", deleted, (struct field_list){ o->deleted, deleted, 1 });
}

static void propagate_fields(struct call *c, struct str *head, int n_head, const struct str *fields,
                             int n) {
    struct str *argv = malloc((size_t)(n_head + n) * sizeof *argv);
    ASSERT(argv);
    memcpy(argv, head, (size_t)n_head * sizeof *argv);
    memcpy(argv + n_head, fields, (size_t)n * sizeof *argv);
    call_propagate(c, n_head + n, argv);
    free(argv);
}

static void propagate_deleted(struct call *c, const struct outcome *o) {
    for (int i = 0; i < o->n_deleted; i++)
        call_propagatef(c, "HDEL %b %b", &c->argv[1], &o->deleted[i]);
}

static struct str condition_text(unsigned cond) {
    switch (cond) {
    case COND_NX: return STR("NX");
    case COND_XX: return STR("XX");
    case COND_GT: return STR("GT");
    case COND_LT: return STR("LT");
    default: return (struct str){ NULL, 0 };
    }
}

static void propagate_set(struct call *c, const struct str *fields, int count,
                          const struct hexpire *e) {
    char time[24], number[24];
    struct str cond = condition_text(e->cond);
    struct str head[6] = { STR("HPEXPIREAT"), c->argv[1], { time, i64_to_text(time, e->when_ms) } };
    int n = 3;
    if (cond.p) head[n++] = cond;
    head[n++] = e->first ? c->argv[e->first - 2] : STR("FIELDS");
    head[n++] = (struct str){ number, i64_to_text(number, count) };
    propagate_fields(c, head, n, fields, count);
}

/* One field of HEXPIRE; the code of the reply, or ARENA_FULL. */
static int expire_field(struct call *c, struct hash *h, struct str name, const struct hexpire *e,
                        struct outcome *o) {
    struct hash_field f;
    if (!hash_field_at(c, h, name, &f)) return NO_FIELD;
    if (!condition_met(e->cond, f.expiry, e->when_ms)) return NOT_MET;
    if (e->when_ms <= (int64_t)c->eng->now_ms) {
        hash_delete(&c->eng->arena, &h->value, name, c->eng->now_ms);
        o->deleted[o->n_deleted++] = name;
        return DELETED;
    }
    if (hash_set_expiry(c->eng, &h->value, name, (uint64_t)e->when_ms) != ST_OK) return ARENA_FULL;
    o->set[o->n_set++] = name;
    return DONE;
}

static void hexpire(struct call *c, int64_t unit_ms, bool relative) {
    struct hexpire e;
    struct hash h;
    struct outcome o;
    if (!hash_open_write(c, 1, &h) || !parse_hexpire(c, unit_ms, relative, &e)) return;
    if (!h.key.entry) {
        reply_no_fields(c, e.count);
        return;
    }
    outcome_open(&o, e.count);
    size_t mark = c->out->n;
    hash_admit_expiries(&c->eng->arena, &h.value); /* no room: said when a field needs it */
    reply_array(c->out, (size_t)e.count);
    bool full = false;
    for (int i = 0; i < e.count && !full; i++) {
        int code = expire_field(c, &h, c->argv[e.first + i], &e, &o);
        full = code == ARENA_FULL;
        reply_int(c->out, code);
    }
    if (o.n_set) propagate_set(c, o.set, o.n_set, &e);
    propagate_deleted(c, &o);
    announce(c, &h, "hexpire", &o);
    hash_close(c, &h);
    free(o.set);
    if (full) reply_fail(c->out, mark, ST_ARENA_FULL);
}

static void cmd_hexpire(struct call *c) {
    hexpire(c, 1000, true);
}
static void cmd_hpexpire(struct call *c) {
    hexpire(c, 1, true);
}
static void cmd_hexpireat(struct call *c) {
    hexpire(c, 1000, false);
}
static void cmd_hpexpireat(struct call *c) {
    hexpire(c, 1, false);
}

/* HPEXPIREFIELD key field ms: HPEXPIRE for one field, its code as the reply. */
static void cmd_hpexpirefield(struct call *c) {
    struct hash h;
    struct hexpire e = { .count = 1 };
    struct outcome o;
    int64_t ms;
    if (!arg_i64(c, 3, &ms)) return;
    if (ms < 0 || ms > EXPIRY_LIMIT_MS - (int64_t)c->eng->now_ms) {
        reply_error(c->out, "ERR invalid expire time in 'hpexpirefield' command");
        return;
    }
    if (!hash_open_write(c, 1, &h)) return;
    if (!h.key.entry) {
        reply_int(c->out, NO_FIELD);
        return;
    }
    e.when_ms = ms + (int64_t)c->eng->now_ms;
    outcome_open(&o, 1);
    int code = expire_field(c, &h, c->argv[2], &e, &o);
    if (o.n_set) propagate_set(c, o.set, o.n_set, &e);
    propagate_deleted(c, &o);
    announce(c, &h, "hexpire", &o);
    hash_close(c, &h);
    free(o.set);
    if (call_ok(c, code == ARENA_FULL ? ST_ARENA_FULL : ST_OK)) reply_int(c->out, code);
}

/* --- HTTL and its family --- */

static void read_expiries(struct call *c, int64_t unit_ms, bool relative) {
    struct hash h;
    struct hash_field f;
    int first, count;
    if (!hash_open_read(c, 1, &h) || !arg_fields_at(c, 2, &first, &count)) return;
    reply_array(c->out, (size_t)count);
    for (int i = 0; i < count; i++) {
        if (!hash_field_at(c, &h, c->argv[first + i], &f)) {
            reply_int(c->out, NO_FIELD);
        } else if (!f.expiry) {
            reply_int(c->out, NO_EXPIRY);
        } else {
            int64_t ms = (int64_t)f.expiry - (relative ? (int64_t)c->eng->now_ms : 0);
            reply_int(c->out, (ms + unit_ms - 1) / unit_ms);
        }
    }
}

static void cmd_httl(struct call *c) {
    read_expiries(c, 1000, true);
}
static void cmd_hpttl(struct call *c) {
    read_expiries(c, 1, true);
}
static void cmd_hexpiretime(struct call *c) {
    read_expiries(c, 1000, false);
}
static void cmd_hpexpiretime(struct call *c) {
    read_expiries(c, 1, false);
}

/* Takes the expiry of a field away; the code of HPERSIST. */
static int persist_field(struct call *c, struct hash *h, struct str name) {
    struct hash_field f;
    if (!hash_field_at(c, h, name, &f)) return NO_FIELD;
    if (!f.expiry) return NO_EXPIRY;
    return hash_set_expiry(c->eng, &h->value, name, 0) == ST_OK ? DONE : NO_EXPIRY;
}

static void cmd_hpersist(struct call *c) {
    struct hash h;
    struct changed lasting;
    int first, count, done = 0;
    if (!hash_open_write(c, 1, &h) || !arg_fields_at(c, 2, &first, &count)) return;
    if (!h.key.entry) {
        reply_no_fields(c, count);
        return;
    }
    changed_open(c, &lasting, count);
    reply_array(c->out, (size_t)count);
    for (int i = 0; i < count; i++) {
        int code = persist_field(c, &h, c->argv[first + i]);
        done += code == DONE;
        if (code == DONE) changed_add(&lasting, c->argv[first + i]);
        reply_int(c->out, code);
    }
    if (done) hash_changed(c, &h, "hpersist", (uint64_t)done, changed_fields(&lasting));
    free(lasting.at);
    hash_close(c, &h);
}

/* --- HGETDEL, HGETEX --- */

static void reply_field(struct call *c, const struct hash *h, struct str name) {
    struct hash_field f;
    if (hash_field_at(c, h, name, &f))
        reply_bulk(c->out, f.value);
    else
        reply_null(c->out);
}

static void cmd_hgetdel(struct call *c) {
    struct hash h;
    int first, count;
    struct changed deleted;
    uint64_t gone = 0;
    if (!hash_open_write(c, 1, &h) || !arg_fields_at(c, 2, &first, &count)) return;
    changed_open(c, &deleted, count);
    reply_array(c->out, (size_t)count);
    for (int i = 0; i < count; i++) {
        struct str name = c->argv[first + i];
        reply_field(c, &h, name);
        if (!h.key.entry || !hash_delete(&c->eng->arena, &h.value, name, c->eng->now_ms)) continue;
        changed_add(&deleted, name);
        gone++;
    }
    if (gone) hash_changed(c, &h, "hdel", gone, changed_fields(&deleted));
    free(deleted.at);
    if (!h.key.entry) return;
    if (gone) call_propagatef(c, "HDEL %b %a", &c->argv[1], first);
    hash_close(c, &h);
}

/* Time options of HGETEX and HSETEX. */
struct time_options {
    bool given, persist, keep; /* given: EX, PX, EXAT or PXAT */
    uint64_t expiry;
    int time_at;             /* argument of the time */
    unsigned cond;           /* HSETEX: COND_NX FNX, COND_XX FXX */
    int first, count, named; /* fields: the first argument, how many; HSETEX: how many were named */
};

static bool two_times(struct call *c, const char *last) {
    reply_errorf(c->out, "ERR Only one of EX, PX, EXAT, PXAT or %s arguments can be specified",
                 last);
    return false;
}

/* EX 0 is allowed here, unlike for keys. `last` is the fifth word that may stand here, `taken`
 * whether one of the five did. 1: taken, 0: another word, -1: replied. */
static int take_time(struct call *c, int *i, const char *last, bool taken, uint64_t *expiry) {
    static const struct {
        const char *word;
        int64_t unit_ms;
        bool relative;
    } words[] = {
        { "EX", 1000, true }, { "PX", 1, true }, { "EXAT", 1000, false }, { "PXAT", 1, false }
    };
    int w = 0;
    while (w < 4 && !arg_is(c, *i, words[w].word)) w++;
    if (w == 4) return 0;
    int64_t given;
    if (taken) return two_times(c, last), -1;
    if (*i + 1 >= c->argc) {
        reply_error(c->out, "ERR missing expire time");
        return -1;
    }
    if (!arg_i64(c, *i + 1, &given)) return -1;
    if (given < 0) {
        reply_error(c->out, "ERR invalid expire time, must be >= 0");
        return -1;
    }
    int64_t base = words[w].relative ? (int64_t)c->eng->now_ms : 0;
    if (given > EXPIRY_LIMIT_MS / words[w].unit_ms ||
        given * words[w].unit_ms + base > EXPIRY_LIMIT_MS) {
        reply_errorf(c->out, "ERR invalid expire time in '%s' command",
                     c->cmd->name[1] == 'G' ? "hgetex" : "hsetex");
        return -1;
    }
    *expiry = (uint64_t)(given * words[w].unit_ms + base);
    ++*i;
    return 1;
}

static bool no_fields(struct call *c, const struct time_options *o) {
    if (o->first) return false;
    reply_error(c->out, "ERR Mandatory argument FIELDS is missing or not at the right position");
    return true;
}

static bool parse_hgetex(struct call *c, struct time_options *o) {
    *o = (struct time_options){ 0 };
    for (int i = 2; i < c->argc; i++) {
        uint64_t expiry = 0;
        bool full = o->given || o->persist;
        int taken = arg_is(c, i, "PERSIST") ? 2 : take_time(c, &i, "PERSIST", full, &expiry);
        if (taken < 0) return false;
        if (taken && full) return two_times(c, "PERSIST");
        if (taken == 1) {
            o->given = true;
            o->expiry = expiry;
        } else if (taken == 2) {
            o->persist = true;
        } else if (arg_is(c, i, "FIELDS")) {
            if (!take_fields(c, &i, "ERR invalid number of fields", 1, &o->first, &o->count))
                return false;
        } else {
            return unknown_argument(c, i);
        }
    }
    return !no_fields(c, o);
}

static void propagate_persisted(struct call *c, const struct str *fields, int count) {
    char number[24];
    struct str head[4] = {
        STR("HPERSIST"), c->argv[1], STR("FIELDS"), { number, i64_to_text(number, count) }
    };
    propagate_fields(c, head, 4, fields, count);
}

/* All fields that were named, unless the arena was full after some. */
static void propagate_hgetex(struct call *c, const struct time_options *t, const struct hexpire *e,
                             const struct outcome *o, bool full) {
    const struct str *fields = full ? o->set : c->argv + t->first;
    int count = full ? o->n_set : t->count;
    if (o->n_set && t->given) propagate_set(c, fields, count, e);
    if (o->n_set && t->persist) propagate_persisted(c, fields, count);
    propagate_deleted(c, o);
}

static void cmd_hgetex(struct call *c) {
    struct time_options t;
    struct hash h;
    struct outcome o;
    if (!hash_open_write(c, 1, &h) || !parse_hgetex(c, &t)) return;
    outcome_open(&o, t.count);
    struct hexpire e = { .when_ms = (int64_t)t.expiry };
    size_t mark = c->out->n;
    bool full = false;
    if (h.key.entry && (t.given || t.persist)) hash_admit_expiries(&c->eng->arena, &h.value);
    reply_array(c->out, (size_t)t.count);
    for (int i = 0; i < t.count && !full; i++) {
        struct str name = c->argv[t.first + i];
        reply_field(c, &h, name);
        if (!h.key.entry) continue;
        if (t.given)
            full = expire_field(c, &h, name, &e, &o) == ARENA_FULL;
        else if (t.persist && persist_field(c, &h, name) == DONE)
            o.set[o.n_set++] = name;
    }
    announce(c, &h, t.persist ? "hpersist" : "hexpire", &o);
    propagate_hgetex(c, &t, &e, &o, full);
    if (h.key.entry) hash_close(c, &h);
    free(o.set);
    if (full) reply_fail(c->out, mark, ST_ARENA_FULL);
}

/* --- HSETEX --- */

static bool parse_hsetex(struct call *c, struct time_options *o) {
    *o = (struct time_options){ 0 };
    for (int i = 2; i < c->argc; i++) {
        uint64_t expiry = 0;
        unsigned cond = arg_is(c, i, "FNX") ? COND_NX : arg_is(c, i, "FXX") ? COND_XX : 0;
        if (cond && o->cond) {
            reply_error(c->out, "ERR Only one of FXX or FNX arguments can be specified");
            return false;
        }
        bool full = o->given || o->keep;
        int taken = arg_is(c, i, "KEEPTTL") ? 2
                    : cond                  ? 3
                                            : take_time(c, &i, "KEEPTTL", full, &expiry);
        if (taken < 0) return false;
        if (taken == 2 && full) return two_times(c, "KEEPTTL");
        if (taken == 1) {
            o->given = true;
            o->expiry = expiry;
            o->time_at = i;
        } else if (taken == 2) {
            o->keep = true;
        } else if (cond) {
            o->cond = cond;
        } else if (arg_is(c, i, "FIELDS")) {
            if (!take_fields(c, &i, "ERR invalid number of fields", 2, &o->first, &o->count))
                return false;
        } else {
            return unknown_argument(c, i);
        }
    }
    return !no_fields(c, o);
}

static bool fields_allow(struct call *c, const struct hash *h, const struct time_options *t) {
    for (int i = 0; i < t->count && t->cond; i++) {
        struct hash_field f;
        bool there = hash_field_at(c, h, c->argv[t->first + 2 * i], &f);
        if (there == (t->cond == COND_NX)) return false;
    }
    return true;
}

/* As it was said but for the time, which is absolute; `all`: every field that was named is set. */
static void propagate_hsetex(struct call *c, const struct time_options *t, bool all) {
    char time[24], count[24];
    if (all && !t->given) return;
    struct str *argv = malloc((size_t)c->argc * sizeof *argv);
    ASSERT(argv);
    int argc = 0, end = t->first + 2 * t->named;
    for (int i = 0; i < c->argc; i++) {
        if (i >= t->first + 2 * t->count && i < end) continue;
        argv[argc] = c->argv[i];
        if (t->given && i == t->time_at - 1) argv[argc] = STR("PXAT");
        if (t->given && i == t->time_at)
            argv[argc] = (struct str){ time, i64_to_text(time, (int64_t)t->expiry) };
        if (i == t->first - 1) argv[argc] = (struct str){ count, i64_to_text(count, t->count) };
        argc++;
    }
    call_propagate(c, argc, argv);
    free(argv);
}

/* Sets the fields. When the arena is full after some, those stay: t->count is how many are in. */
static status hsetex_fields(struct call *c, struct hash *h, struct time_options *t) {
    t->named = t->count;
    /* As if all words behind were fields too, as in Redis. */
    size_t words = (size_t)(c->argc - t->first) / 2, longest = 0;
    for (int i = t->first; i < c->argc; i++)
        if (c->argv[i].n > longest) longest = c->argv[i].n;
    status room = hash_reserve(c->eng, &h->value, words, longest);
    if (room != ST_OK) {
        t->count = 0;
        return room;
    }
    uint64_t expiry = t->keep ? HASH_KEEP_EXPIRY : t->given ? t->expiry : 0;
    for (int i = 0; i < t->count; i++) {
        int at = t->first + 2 * i;
        bool fresh;
        status st = hash_set(c->eng, &h->value, c->argv[at], c->argv[at + 1], expiry, &fresh);
        if (st == ST_OK) continue;
        t->count = i;
        return st;
    }
    return ST_OK;
}

/* A time that has passed: the fields are written and gone at once. */
static void hsetex_past(struct call *c, struct hash *h, const struct time_options *t) {
    struct outcome o;
    outcome_open(&o, t->count);
    for (int i = 0; i < t->count; i++) {
        struct str name = c->argv[t->first + 2 * i];
        hash_delete(&c->eng->arena, &h->value, name, 0);
        o.deleted[o.n_deleted++] = name;
    }
    const struct field_list gone = { o.deleted, (size_t)o.n_deleted, 1 };
    engine_notify_fields(c->eng, "hdel", h->key.name, h->key.db, &gone);
    propagate_deleted(c, &o);
    free(o.set);
}

/* `all`: every field that was named is set. */
static void announce_hsetex(struct call *c, struct hash *h, const struct time_options *t,
                            bool all) {
    const struct field_list fields = { c->argv + t->first, (size_t)t->count, 2 };
    hash_changed(c, h, "hset", (uint64_t)t->count, fields);
    if (t->given && t->expiry <= c->eng->now_ms) {
        hsetex_past(c, h, t);
        return;
    }
    if (t->given) engine_notify_fields(c->eng, "hexpire", h->key.name, h->key.db, &fields);
    propagate_hsetex(c, t, all);
}

static void cmd_hsetex(struct call *c) {
    struct time_options t;
    struct hash h;
    if (!parse_hsetex(c, &t) || !hash_open_write(c, 1, &h)) return;
    if (!fields_allow(c, &h, &t)) {
        reply_int(c->out, 0);
        return;
    }
    if (!hash_open_create(c, 1, &h)) return;
    status st = hsetex_fields(c, &h, &t);
    if (t.count) announce_hsetex(c, &h, &t, st == ST_OK);
    hash_close(c, &h);
    if (call_ok(c, st)) reply_int(c->out, 1);
}

#define H "hash"
#define WRITES CMD_WRITE | CMD_FAST
#define READS CMD_READ | CMD_FAST
#define TARGET KEY(1, KF_RW | KF_UPDATE)
#define SOURCE KEY(1, KF_RO | KF_ACCESS)
static const struct command hash_ttl_rows[] = {
    { "HEXPIRE", -6, WRITES, H, cmd_hexpire, { TARGET } },
    { "HPEXPIRE", -6, WRITES, H, cmd_hpexpire, { TARGET } },
    { "HEXPIREAT", -6, WRITES, H, cmd_hexpireat, { TARGET } },
    { "HPEXPIREAT", -6, WRITES, H, cmd_hpexpireat, { TARGET } },
    { "HPEXPIREFIELD", 4, WRITES, H, cmd_hpexpirefield, { TARGET } },
    { "HPERSIST", -5, WRITES, H, cmd_hpersist, { TARGET } },
    { "HTTL", -5, READS, H, cmd_httl, { SOURCE } },
    { "HPTTL", -5, READS, H, cmd_hpttl, { SOURCE } },
    { "HEXPIRETIME", -5, READS, H, cmd_hexpiretime, { SOURCE } },
    { "HPEXPIRETIME", -5, READS, H, cmd_hpexpiretime, { SOURCE } },
    { "HGETDEL", -5, WRITES, H, cmd_hgetdel, { KEY(1, KF_RW | KF_ACCESS | KF_DELETE) } },
    { "HGETEX", -5, WRITES, H, cmd_hgetex, { KEY(1, KF_RW | KF_ACCESS | KF_UPDATE) } },
    { "HSETEX", -6, WRITES | CMD_DENYOOM, H, cmd_hsetex, { TARGET } },
};
COMMAND_GROUP(hash_ttl_commands, "hash", hash_ttl_rows);
