/* expiry.c - EXPIRE, TTL and their family. */
#include "cmd/call.h"

enum { EXPIRE_NX = 1, EXPIRE_XX = 2, EXPIRE_GT = 4, EXPIRE_LT = 8 };

static bool parse_flags(struct call *c, unsigned *flags) {
    static const char *const words[] = { "NX", "XX", "GT", "LT" };
    *flags = 0;
    for (int i = 3; i < c->argc; i++) {
        int w = 0;
        while (w < 4 && !arg_is(c, i, words[w])) w++;
        if (w == 4) {
            int n = (int)(c->argv[i].n < 128 ? c->argv[i].n : 128);
            reply_errorf(c->out, "ERR Unsupported option %.*s", n, c->argv[i].p);
            return false;
        }
        *flags |= 1u << w;
    }
    if (*flags & EXPIRE_NX && *flags & (EXPIRE_XX | EXPIRE_GT | EXPIRE_LT))
        reply_error(c->out, "ERR NX and XX, GT or LT options at the same time are not compatible");
    else if (*flags & EXPIRE_GT && *flags & EXPIRE_LT)
        reply_error(c->out, "ERR GT and LT options at the same time are not compatible");
    else
        return true;
    return false;
}

/* No expiry counts as an infinite one. */
static bool flags_allow(unsigned flags, uint64_t present, int64_t wanted) {
    if (flags & EXPIRE_NX && present) return false;
    if (flags & EXPIRE_XX && !present) return false;
    if (flags & EXPIRE_GT && (!present || wanted <= (int64_t)present)) return false;
    if (flags & EXPIRE_LT && present && wanted >= (int64_t)present) return false;
    return true;
}

static void expire(struct call *c, int64_t unit_ms, bool relative) {
    unsigned flags;
    int64_t when;
    struct key k;
    if (!parse_flags(c, &flags) || !arg_expiry(c, 2, unit_ms, relative, &when)) return;
    if (!call_find(c, 1, KEY_WRITE, &k) || !flags_allow(flags, entry_expiry(k.entry), when)) {
        reply_int(c->out, 0);
        return;
    }
    if (when <= (int64_t)c->eng->now_ms) {
        bool lazy = c->eng->config.lazyfree_lazy_expire;
        key_delete(c->eng, &k, lazy);
        call_changed(c, &k, NOTIFY_GENERIC, "del", 1);
        call_propagatef(c, lazy ? "UNLINK %b" : "DEL %b", &k.name);
    } else {
        if (!call_ok(c, key_set_expiry(c->eng, &k, (uint64_t)when))) return;
        call_changed(c, &k, NOTIFY_GENERIC, "expire", 1);
        call_propagatef(c, "PEXPIREAT %b %i %a", &k.name, when, 3);
    }
    reply_int(c->out, 1);
}

static void cmd_expire(struct call *c) {
    expire(c, 1000, true);
}
static void cmd_pexpire(struct call *c) {
    expire(c, 1, true);
}
static void cmd_expireat(struct call *c) {
    expire(c, 1000, false);
}
static void cmd_pexpireat(struct call *c) {
    expire(c, 1, false);
}

/* -2: no key, -1: no expiry, else the time left or the time itself, in ms. */
static int64_t present_expiry(struct call *c, bool relative) {
    struct key k;
    if (!call_find(c, 1, KEY_LOOK, &k)) return -2;
    if (!entry_volatile(k.entry)) return -1;
    int64_t when = (int64_t)entry_expiry(k.entry);
    if (!relative) return when;
    int64_t left = when - (int64_t)c->eng->now_ms;
    return left < 0 ? 0 : left;
}

static int64_t to_seconds(int64_t ms) {
    return ms < 0 ? ms : (ms + 500) / 1000;
}

static void cmd_ttl(struct call *c) {
    reply_int(c->out, to_seconds(present_expiry(c, true)));
}
static void cmd_pttl(struct call *c) {
    reply_int(c->out, present_expiry(c, true));
}
static void cmd_expiretime(struct call *c) {
    reply_int(c->out, to_seconds(present_expiry(c, false)));
}
static void cmd_pexpiretime(struct call *c) {
    reply_int(c->out, present_expiry(c, false));
}

static void cmd_persist(struct call *c) {
    struct key k;
    bool had = call_find(c, 1, KEY_WRITE, &k) && entry_volatile(k.entry);
    if (had) {
        if (!call_ok(c, key_set_expiry(c->eng, &k, EXPIRY_NONE))) return;
        call_changed(c, &k, NOTIFY_GENERIC, "persist", 1);
    }
    reply_int(c->out, had);
}

#define WRITES CMD_WRITE | CMD_FAST
#define READS CMD_READ | CMD_FAST
#define TARGET KEY(1, KF_RW | KF_UPDATE)
#define SOURCE KEY(1, KF_RO | KF_ACCESS)
static const struct command expiry_rows[] = {
    { "EXPIRE", -3, WRITES, "keyspace", cmd_expire, { TARGET } },
    { "PEXPIRE", -3, WRITES, "keyspace", cmd_pexpire, { TARGET } },
    { "EXPIREAT", -3, WRITES, "keyspace", cmd_expireat, { TARGET } },
    { "PEXPIREAT", -3, WRITES, "keyspace", cmd_pexpireat, { TARGET } },
    { "PERSIST", 2, WRITES, "keyspace", cmd_persist, { TARGET } },
    { "TTL", 2, READS, "keyspace", cmd_ttl, { SOURCE } },
    { "PTTL", 2, READS, "keyspace", cmd_pttl, { SOURCE } },
    { "EXPIRETIME", 2, READS, "keyspace", cmd_expiretime, { SOURCE } },
    { "PEXPIRETIME", 2, READS, "keyspace", cmd_pexpiretime, { SOURCE } },
};
COMMAND_GROUP(expiry_commands, "generic", expiry_rows);
