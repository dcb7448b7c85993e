/* hash_ttl.c - the expiries of fields: HEXPIRE, HTTL, HPERSIST. */
#include "cmd/hash_ttl.h"

static void reply_no_fields(struct call *c, int count) {
    reply_array(c->out, (size_t)count);
    for (int i = 0; i < count; i++) reply_int(c->out, NO_FIELD);
}

bool arg_fields_at(struct call *c, int at, int *first, int *count) {
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

static int condition_word(const struct call *c, int i) {
    static const char *const words[] = { "NX", "XX", "GT", "LT" };
    for (int w = 0; w < 4; w++)
        if (arg_is(c, i, words[w])) return 1 << w;
    return 0;
}

bool take_fields(struct call *c, int *i, const char *bad_count, int width, int *first, int *count) {
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

bool arg_unknown(struct call *c, int i) {
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
        } else if (arg_is(c, i, "FIELDS") && !o->first && i + 2 >= c->argc) {
            reply_error(c->out, "ERR FIELDS requires at least numfields and one field argument");
            return false;
        } else if (arg_is(c, i, "FIELDS")) {
            const char *bad = "ERR Parameter `numFields` should be greater than 0";
            if (!take_fields(c, &i, bad, 1, &o->first, &o->count)) return false;
        } else {
            return arg_unknown(c, i);
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

void outcome_open(struct outcome *o, int fields) {
    o->set = malloc(2 * ((size_t)fields + 1) * sizeof *o->set);
    ASSERT(o->set);
    o->deleted = o->set + fields + 1;
    o->n_set = o->n_deleted = 0;
}

void outcome_announce(struct call *c, const struct hash *h, const char *event,
                      const struct outcome *o) {
    size_t set = (size_t)o->n_set, deleted = (size_t)o->n_deleted;
    if (set) hash_changed(c, h, event, set, (struct field_list){ o->set, set, 1 });
    if (deleted) hash_changed(c, h, "hdel", deleted, (struct field_list){ o->deleted, deleted, 1 });
}

void outcome_log_deleted(struct call *c, const struct outcome *o) {
    for (int i = 0; i < o->n_deleted; i++)
        call_propagatef(c, "HDEL %b %b", &c->argv[1], &o->deleted[i]);
}

/* The command as it was said, but for the time, which is absolute, and the fields, which are those
 * that it was set for. */
void outcome_log_set(struct call *c, const struct str *fields, int count, const struct hexpire *e) {
    char time[24], number[24];
    struct str *argv = malloc((size_t)(c->argc + count + 5) * sizeof *argv);
    ASSERT(argv);
    int n = 0;
    argv[n++] = STR("HPEXPIREAT");
    argv[n++] = c->argv[1];
    argv[n++] = (struct str){ time, i64_to_text(time, e->when_ms) };
    for (int i = 3; i < e->first - 1; i++) argv[n++] = c->argv[i];
    if (!e->first) argv[n++] = STR("FIELDS");
    argv[n++] = (struct str){ number, i64_to_text(number, count) };
    for (int i = 0; i < count; i++) argv[n++] = fields[i];
    for (int i = e->first + e->count; e->first && i < c->argc; i++) argv[n++] = c->argv[i];
    call_propagate(c, n, argv);
    free(argv);
}

int field_expire(struct call *c, struct hash *h, struct str name, const struct hexpire *e,
                 struct outcome *o) {
    struct hash_field f;
    if (!hash_find(&c->eng->arena, &h->value, name, &f)) return NO_FIELD; /* it may be revived */
    if (!condition_met(e->cond, f.expiry, e->when_ms)) return NOT_MET;
    if (e->when_ms <= (int64_t)c->eng->now_ms) {
        hash_delete(&c->eng->arena, &h->value, name);
        o->deleted[o->n_deleted++] = name;
        return DELETED;
    }
    if (hash_set_expiry(c->eng, &h->value, name, (uint64_t)e->when_ms) != ST_OK) return ARENA_FULL;
    o->set[o->n_set++] = name;
    return DONE;
}

/* Logs and tells what was done. */
static void end_expiring(struct call *c, struct hash *h, const struct hexpire *e,
                         struct outcome *o) {
    if (o->n_set) outcome_log_set(c, o->set, o->n_set, e);
    outcome_log_deleted(c, o);
    outcome_announce(c, h, "hexpire", o);
    hash_close(c, h);
    free(o->set);
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
        int code = field_expire(c, &h, c->argv[e.first + i], &e, &o);
        full = code == ARENA_FULL;
        reply_int(c->out, code);
    }
    end_expiring(c, &h, &e, &o);
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
    int code = field_expire(c, &h, c->argv[2], &e, &o);
    end_expiring(c, &h, &e, &o);
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
        if (!hash_field_seen(c, &h, c->argv[first + i], &f)) {
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

int field_persist(struct call *c, struct hash *h, struct str name) {
    struct hash_field f;
    if (!hash_field_seen(c, h, name, &f)) return NO_FIELD;
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
        int code = field_persist(c, &h, c->argv[first + i]);
        done += code == DONE;
        if (code == DONE) changed_add(&lasting, c->argv[first + i]);
        reply_int(c->out, code);
    }
    if (done) hash_changed(c, &h, "hpersist", (uint64_t)done, changed_fields(&lasting));
    free(lasting.at);
    hash_close(c, &h);
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
};
COMMAND_GROUP(hash_ttl_commands, "hash", hash_ttl_rows);
