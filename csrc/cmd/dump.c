/* dump.c - DUMP and RESTORE: one key as bytes. */
#include "cmd/call.h"
#include "db/evict.h"
#include "persist/dump.h"

enum sanitize { SANITIZE_NO, SANITIZE_YES, SANITIZE_CLIENTS };

static void cmd_dump(struct call *c) {
    struct key k;
    if (!call_find(c, 1, KEY_READ, &k)) {
        reply_null(c->out);
        return;
    }
    struct sink out;
    sink_init_memory(&out);
    dump_entry(&c->eng->arena, k.entry, c->eng->config.rdbcompression, &out);
    reply_bulk(c->out, (struct str){ out.buf, out.n });
    sink_free(&out);
}

/* --- RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency] --- */

struct restore {
    bool replace, absolute;
    int64_t idle, frequency; /* -1: not given */
    int64_t ttl;
};

static bool parse_options(struct call *c, struct restore *o) {
    *o = (struct restore){ .idle = -1, .frequency = -1 };
    for (int i = 4; i < c->argc; i++) {
        bool more = i + 1 < c->argc;
        if (arg_is(c, i, "REPLACE")) {
            o->replace = true;
        } else if (arg_is(c, i, "ABSTTL")) {
            o->absolute = true;
        } else if (arg_is(c, i, "IDLETIME") && more && o->frequency == -1) {
            if (!arg_i64(c, ++i, &o->idle)) return false;
            if (o->idle < 0)
                return reply_error(c->out, "ERR Invalid IDLETIME value, must be >= 0"), false;
        } else if (arg_is(c, i, "FREQ") && more && o->idle == -1) {
            if (!arg_i64(c, ++i, &o->frequency)) return false;
            if (o->frequency < 0 || o->frequency > 255)
                return reply_error(c->out, "ERR Invalid FREQ value, must be >= 0 and <= 255"),
                       false;
        } else {
            return call_syntax_error(c), false;
        }
    }
    return true;
}

static bool parse_ttl(struct call *c, struct restore *o) {
    if (!arg_i64(c, 2, &o->ttl)) return false;
    if (o->ttl < 0) return reply_error(c->out, "ERR Invalid TTL value, must be >= 0"), false;
    if (o->ttl == 0) return true;
    /* Source: RESTORE of Redis 8.10; a time beyond all numbers is one that is over. */
    if (!o->absolute && __builtin_add_overflow(o->ttl, (int64_t)c->eng->now_ms, &o->ttl))
        o->ttl = 1;
    if (o->ttl > EXPIRY_MAX) o->ttl = EXPIRY_MAX;
    return true;
}

/* Whether elements that are there twice are looked for. */
static bool sanitizes(const struct call *c) {
    const struct engine *eng = c->eng;
    if (eng->config.sanitize_dump_payload != SANITIZE_CLIENTS)
        return eng->config.sanitize_dump_payload == SANITIZE_YES;
    return !(c->session && eng->hooks.trusts && eng->hooks.trusts(c->session));
}

/* False: the reply is the error. */
static bool read_payload(struct call *c, struct dump_value *v) {
    bool unique = sanitizes(c);
    enum dump_check check = dump_read(c->eng, c->argv[3], unique, v);
    c->eng->stats.sanitized += v->reader.sanitized;
    switch (check) {
    case DUMP_FINE: return true;
    case DUMP_BAD_FOOTER:
        reply_error(c->out, "ERR DUMP payload version or checksum are wrong");
        break;
    case DUMP_BAD_VALUE: reply_error(c->out, "ERR Bad data format"); break;
    case DUMP_FULL: reply_status(c->out, ST_ARENA_FULL); break;
    }
    dump_free(c->eng, v, false);
    return false;
}

/* Its time is over already: only what was there before goes. */
static void restore_nothing(struct call *c, struct key *k) {
    if (k->entry) {
        bool lazy = c->eng->config.lazyfree_lazy_server_del;
        key_delete(c->eng, k, lazy);
        call_propagatef(c, lazy ? "UNLINK %b" : "DEL %b", &c->argv[1]);
        call_changed(c, k, NOTIFY_GENERIC, "del", 1);
    }
    reply_ok(c->out);
}

static void set_access(struct call *c, const struct restore *o, struct entry *e) {
    bool lfu = policy_is_lfu(c->eng);
    if (lfu && o->frequency >= 0)
        access_set_frequency(c->eng, e, (uint8_t)o->frequency);
    else if (!lfu && o->idle >= 0)
        access_set_idle(c->eng, e, (uint64_t)o->idle);
}

/* A TTL is logged as the time that it is. */
static void propagate(struct call *c, const struct restore *o) {
    if (!o->ttl || o->absolute) return;
    int64_t ttl = o->ttl;
    call_propagatef(c, "RESTORE %b %i %a ABSTTL", &c->argv[1], ttl, 3);
}

/* Redis adds a new key and finds out afterwards that there was one. */
static void tell(struct call *c, struct key *k, bool replaced, enum value_type before) {
    engine_notify(c->eng, NOTIFY_NEW, "new", k->name, k->db);
    call_changed(c, k, NOTIFY_GENERIC, "restore", 1);
    if (!replaced) return;
    engine_notify(c->eng, NOTIFY_OVERWRITTEN, "overwritten", k->name, k->db);
    if (before != entry_type(k->entry))
        engine_notify(c->eng, NOTIFY_TYPE_CHANGED, "type_changed", k->name, k->db);
}

static void cmd_restore(struct call *c) {
    struct restore o;
    struct key k;
    struct dump_value v;
    if (!parse_options(c, &o)) return;
    call_find(c, 1, KEY_PEEK, &k);
    if (k.entry && !o.replace) {
        reply_status(c->out, ST_EXISTS);
        return;
    }
    if (!parse_ttl(c, &o) || !read_payload(c, &v)) return;
    if (o.ttl && o.ttl <= (int64_t)c->eng->now_ms) {
        restore_nothing(c, &k);
        dump_free(c->eng, &v, false);
        return;
    }
    v.spec.key = k.name;
    v.spec.expiry = (uint64_t)o.ttl;
    v.spec.clock = access_clock_new(c->eng);
    bool replaced = k.entry;
    enum value_type before = replaced ? entry_type(k.entry) : TYPE_STRING;
    status st = key_put_quietly(c->eng, &k, &v.spec);
    dump_free(c->eng, &v, st == ST_OK);
    if (!call_ok(c, st)) return;
    set_access(c, &o, k.entry);
    propagate(c, &o);
    tell(c, &k, replaced, before);
    reply_ok(c->out);
}

#define RESTORE_FLAGS (CMD_WRITE | CMD_DENYOOM | CMD_DANGEROUS)
static const struct command dump_rows[] = {
    { "DUMP", 2, CMD_READ, "keyspace", cmd_dump, { KEY(1, KF_RO | KF_ACCESS) } },
    { "RESTORE", -4, RESTORE_FLAGS, "keyspace", cmd_restore, { KEY(1, KF_OW | KF_UPDATE) } },
};
COMMAND_GROUP(dump_commands, "generic", dump_rows);

static const struct command asking_rows[] = {
    { "RESTORE-ASKING",
      -4,
      RESTORE_FLAGS | CMD_ASKING,
      "keyspace",
      cmd_restore,
      { KEY(1, KF_OW | KF_UPDATE) } },
};
COMMAND_GROUP(restore_asking_commands, "server", asking_rows);
