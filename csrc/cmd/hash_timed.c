/* hash_timed.c - fields read, or written, and given a time at once: HGETEX, HSETEX; and HGETDEL. */
#include "cmd/hash_ttl.h"

/* --- HGETDEL --- */

static void reply_field(struct call *c, struct hash *h, struct str name) {
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
        if (!h.key.entry || !hash_delete(&c->eng->arena, &h.value, name)) continue;
        changed_add(&deleted, name);
        gone++;
    }
    if (gone) hash_changed(c, &h, "hdel", gone, changed_fields(&deleted));
    free(deleted.at);
    if (gone) call_propagatef(c, "HDEL %b %a", &c->argv[1], first);
    if (h.key.entry) hash_close(c, &h);
}

/* --- options of HGETEX and HSETEX --- */

/* The words of one of the two, beside EX, PX, EXAT, PXAT and FIELDS. */
struct grammar {
    const char *command;
    const char *instead; /* stands in place of a time */
    bool conditions;     /* FNX, FXX */
    int per_field;       /* arguments */
};
static const struct grammar hgetex_grammar = { "hgetex", "PERSIST", false, 1 };
static const struct grammar hsetex_grammar = { "hsetex", "KEEPTTL", true, 2 };

struct time_options {
    bool given, instead; /* given: EX, PX, EXAT or PXAT; instead: the word in place of them */
    uint64_t expiry;
    int time_at;             /* argument of the time */
    unsigned cond;           /* HSETEX: COND_NX FNX, COND_XX FXX */
    int first, count, named; /* fields: the first argument, how many; HSETEX: how many were named */
};

/* The functions that take words from argument *i on say so. */
enum taking { REFUSED = -1, NOT_THEIRS, TAKEN }; /* REFUSED: replied */

static enum taking refused(struct call *c, const char *error) {
    reply_error(c->out, error);
    return REFUSED;
}

struct time_unit {
    const char *word;
    int64_t ms;
    bool relative;
};

static const struct time_unit *time_unit_at(struct call *c, int i) {
    static const struct time_unit units[] = {
        { "EX", 1000, true }, { "PX", 1, true }, { "EXAT", 1000, false }, { "PXAT", 1, false }
    };
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        if (arg_is(c, i, units[u].word)) return &units[u];
    return NULL;
}

/* EX 0 is allowed here, unlike for keys. */
static enum taking take_number(struct call *c, const struct grammar *g,
                               const struct time_unit *unit, int *i, struct time_options *o) {
    int64_t given, base = unit->relative ? (int64_t)c->eng->now_ms : 0;
    if (*i + 1 >= c->argc) return refused(c, "ERR missing expire time");
    if (!arg_i64(c, *i + 1, &given)) return REFUSED;
    if (given < 0) return refused(c, "ERR invalid expire time, must be >= 0");
    if (given > EXPIRY_LIMIT_MS / unit->ms || given * unit->ms + base > EXPIRY_LIMIT_MS) {
        reply_errorf(c->out, "ERR invalid expire time in '%s' command", g->command);
        return REFUSED;
    }
    o->given = true;
    o->expiry = (uint64_t)(given * unit->ms + base);
    o->time_at = ++*i;
    return TAKEN;
}

static enum taking take_time(struct call *c, const struct grammar *g, int *i,
                             struct time_options *o) {
    const struct time_unit *unit = time_unit_at(c, *i);
    bool instead = arg_is(c, *i, g->instead);
    if (!unit && !instead) return NOT_THEIRS;
    if (o->given || o->instead) {
        reply_errorf(c->out, "ERR Only one of EX, PX, EXAT, PXAT or %s arguments can be specified",
                     g->instead);
        return REFUSED;
    }
    if (unit) return take_number(c, g, unit, i, o);
    o->instead = true;
    return TAKEN;
}

static enum taking take_condition(struct call *c, const struct grammar *g, int *i,
                                  struct time_options *o) {
    unsigned cond = arg_is(c, *i, "FNX") ? COND_NX : arg_is(c, *i, "FXX") ? COND_XX : 0;
    if (!cond || !g->conditions) return NOT_THEIRS;
    if (o->cond) return refused(c, "ERR Only one of FXX or FNX arguments can be specified");
    o->cond = cond;
    return TAKEN;
}

static enum taking take_names(struct call *c, const struct grammar *g, int *i,
                              struct time_options *o) {
    if (!arg_is(c, *i, "FIELDS")) return NOT_THEIRS;
    bool fine =
        take_fields(c, i, "ERR invalid number of fields", g->per_field, &o->first, &o->count);
    return fine ? TAKEN : REFUSED;
}

/* False: replied. */
static bool parse_options(struct call *c, const struct grammar *g, struct time_options *o) {
    *o = (struct time_options){ 0 };
    for (int i = 2; i < c->argc; i++) {
        enum taking taking = take_time(c, g, &i, o);
        if (taking == NOT_THEIRS) taking = take_condition(c, g, &i, o);
        if (taking == NOT_THEIRS) taking = take_names(c, g, &i, o);
        if (taking == NOT_THEIRS) return arg_unknown(c, i);
        if (taking == REFUSED) return false;
    }
    if (o->first) return true;
    reply_error(c->out, "ERR Mandatory argument FIELDS is missing or not at the right position");
    return false;
}

/* --- HGETEX --- */

static void propagate_persisted(struct call *c, const struct str *fields, int count) {
    char number[24];
    struct str *argv = malloc((size_t)(count + 4) * sizeof *argv);
    ASSERT(argv);
    argv[0] = STR("HPERSIST");
    argv[1] = c->argv[1];
    argv[2] = STR("FIELDS");
    argv[3] = (struct str){ number, i64_to_text(number, count) };
    memcpy(argv + 4, fields, (size_t)count * sizeof *argv);
    call_propagate(c, count + 4, argv);
    free(argv);
}

/* All fields that were named, unless the arena was full after some. */
static void propagate_hgetex(struct call *c, const struct time_options *t, const struct hexpire *e,
                             const struct outcome *o, bool full) {
    const struct str *fields = full ? o->set : c->argv + t->first;
    int count = full ? o->n_set : t->count;
    if (o->n_set && t->given) outcome_log_set(c, fields, count, e);
    if (o->n_set && t->instead) propagate_persisted(c, fields, count);
    outcome_log_deleted(c, o);
}

static void cmd_hgetex(struct call *c) {
    struct time_options t;
    struct hash h;
    struct outcome o;
    if (!hash_open_write(c, 1, &h) || !parse_options(c, &hgetex_grammar, &t)) return;
    outcome_open(&o, t.count);
    struct hexpire e = { .when_ms = (int64_t)t.expiry };
    size_t mark = c->out->n;
    bool full = false;
    if (h.key.entry && (t.given || t.instead)) hash_admit_expiries(&c->eng->arena, &h.value);
    reply_array(c->out, (size_t)t.count);
    for (int i = 0; i < t.count && !full; i++) {
        struct str name = c->argv[t.first + i];
        reply_field(c, &h, name);
        if (!h.key.entry) continue;
        if (t.given)
            full = field_expire(c, &h, name, &e, &o) == ARENA_FULL;
        else if (t.instead && field_persist(c, &h, name) == DONE)
            o.set[o.n_set++] = name;
    }
    outcome_announce(c, &h, t.instead ? "hpersist" : "hexpire", &o);
    propagate_hgetex(c, &t, &e, &o, full);
    if (h.key.entry) hash_close(c, &h);
    free(o.set);
    if (full) reply_fail(c->out, mark, ST_ARENA_FULL);
}

/* --- HSETEX --- */

static bool fields_allow(struct call *c, struct hash *h, const struct time_options *t) {
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
        if (t->given && i == t->time_at - 1 && !arg_is(c, i, "PXAT")) argv[argc] = STR("PXAT");
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
    uint64_t expiry = t->instead ? HASH_KEEP_EXPIRY : t->given ? t->expiry : 0;
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
        hash_delete(&c->eng->arena, &h->value, name);
        o.deleted[o.n_deleted++] = name;
    }
    const struct field_list gone = { o.deleted, (size_t)o.n_deleted, 1 };
    engine_notify_fields(c->eng, "hdel", h->key.name, h->key.db, &gone);
    outcome_log_deleted(c, &o);
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
    if (!parse_options(c, &hsetex_grammar, &t) || !hash_open_write(c, 1, &h)) return;
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
#define TARGET KEY(1, KF_RW | KF_UPDATE)
static const struct command hash_timed_rows[] = {
    { "HGETDEL", -5, WRITES, H, cmd_hgetdel, { KEY(1, KF_RW | KF_ACCESS | KF_DELETE) } },
    { "HGETEX", -5, WRITES, H, cmd_hgetex, { KEY(1, KF_RW | KF_ACCESS | KF_UPDATE) } },
    { "HSETEX", -6, WRITES | CMD_DENYOOM, H, cmd_hsetex, { TARGET } },
};
COMMAND_GROUP(hash_timed_commands, "hash", hash_timed_rows);
