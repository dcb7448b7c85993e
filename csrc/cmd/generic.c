/* generic.c - commands on keys of any type: deleting, renaming, copying, moving, looking at. */
#include "cmd/call.h"

#include "db/evict.h"

/* --- existence --- */

static void delete_keys(struct call *c, bool lazy) {
    int64_t n = 0;
    for (int i = 1; i < c->argc; i++) {
        struct key k;
        call_load_keys(c, 1, i, c->argc, 1);
        if (!call_find(c, i, KEY_PEEK, &k)) continue;
        key_delete(c->eng, &k, lazy);
        call_changed(c, &k, NOTIFY_GENERIC, "del", 1);
        n++;
    }
    reply_int(c->out, n);
}

static void cmd_del(struct call *c) {
    delete_keys(c, c->eng->config.lazyfree_lazy_user_del);
}

static void cmd_unlink(struct call *c) {
    delete_keys(c, true);
}

static void count_keys(struct call *c, enum key_access access) {
    int64_t n = 0;
    for (int i = 1; i < c->argc; i++) {
        struct key k;
        call_load_keys(c, 1, i, c->argc, 1);
        n += call_find(c, i, access, &k) != NULL;
    }
    reply_int(c->out, n);
}

static void cmd_exists(struct call *c) {
    count_keys(c, KEY_READ);
}

static void cmd_touch(struct call *c) {
    c->no_touch = false; /* who says so means it, CLIENT NO-TOUCH or not */
    count_keys(c, KEY_READ);
}

static void cmd_type(struct call *c) {
    struct key k;
    call_find(c, 1, KEY_LOOK, &k);
    reply_simple(c->out, k.entry ? type_of(entry_type(k.entry))->name : "none");
}

static void cmd_randomkey(struct call *c) {
    struct key k;
    if (keyspace_random(c->eng, c->db, &k))
        reply_bulk(c->out, k.name);
    else
        reply_null(c->out);
}

/* --- other names, other databases --- */

/* Renames argv[1] to argv[2]; false: error replied. *done: it happened. */
static bool rename_key(struct call *c, bool replace, bool *done) {
    struct key from, to;
    *done = false;
    if (!call_find(c, 1, KEY_WRITE, &from)) return call_ok(c, ST_NOT_FOUND);
    bool same = str_eq(c->argv[1], c->argv[2]);
    call_find(c, 2, KEY_WRITE, &to);
    if (same || (to.entry && !replace)) return true;
    if (to.entry) {
        /* Looking up the second key may have deleted it by expiry, but never moved the first. */
        engine_modified(c->eng, to.name, to.db);
    }
    enum value_type was;
    if (!call_ok(c, key_move(c->eng, &from, &to, &was))) return false;
    call_changed(c, &from, NOTIFY_GENERIC, "rename_from", 1);
    call_changed(c, &to, NOTIFY_GENERIC, "rename_to", 0);
    key_tell_replaced(c->eng, &to, was);
    *done = true;
    return true;
}

static void cmd_rename(struct call *c) {
    bool done;
    if (rename_key(c, true, &done)) reply_ok(c->out);
}

static void cmd_renamenx(struct call *c) {
    bool done;
    if (rename_key(c, false, &done)) reply_int(c->out, done);
}

static void cmd_move(struct call *c) {
    struct key from, to;
    int db = c->db;
    if (!arg_db(c, 2, &db)) return;
    if (db == c->db) {
        reply_status(c->out, ST_SAME_OBJECT);
        return;
    }
    bool movable =
        call_find(c, 1, KEY_WRITE, &from) && !key_find(c->eng, db, c->argv[1], KEY_WRITE, &to);
    if (movable) {
        enum value_type was;
        if (!call_ok(c, key_move(c->eng, &from, &to, &was))) return;
        call_changed(c, &from, NOTIFY_GENERIC, "move_from", 1);
        call_changed(c, &to, NOTIFY_GENERIC, "move_to", 0);
    }
    reply_int(c->out, movable);
}

static void cmd_copy(struct call *c) {
    struct key from, to;
    int db = c->db;
    bool replace = false;
    for (int i = 3; i < c->argc; i++) {
        if (arg_is(c, i, "REPLACE")) {
            replace = true;
        } else if (arg_is(c, i, "DB") && i + 1 < c->argc) {
            if (!arg_db(c, ++i, &db)) return;
        } else {
            call_syntax_error(c);
            return;
        }
    }
    if (db == c->db && str_eq(c->argv[1], c->argv[2])) {
        reply_status(c->out, ST_SAME_OBJECT);
        return;
    }
    bool possible = call_find(c, 1, KEY_READ, &from) != NULL;
    if (possible) possible = !key_find(c->eng, db, c->argv[2], KEY_WRITE, &to) || replace;
    if (possible) {
        enum value_type was;
        if (!call_ok(c, key_copy(c->eng, &from, &to, &was))) return;
        call_changed(c, &to, NOTIFY_GENERIC, "copy_to", 1);
        key_tell_replaced(c->eng, &to, was);
    }
    reply_int(c->out, possible);
}

/* --- OBJECT --- */

static void cmd_object_encoding(struct call *c) {
    struct key k;
    if (call_find(c, 2, KEY_INSPECT, &k))
        reply_cstr(c->out, entry_encoding_name(&c->eng->arena, k.entry));
    else
        reply_null(c->out);
}

static void cmd_object_refcount(struct call *c) {
    struct key k;
    if (call_find(c, 2, KEY_INSPECT, &k))
        reply_int(c->out, 1);
    else
        reply_null(c->out);
}

static void cmd_object_freq(struct call *c) {
    struct key k;
    if (!call_find(c, 2, KEY_INSPECT, &k))
        reply_null(c->out);
    else if (!policy_is_lfu(c->eng))
        reply_error(c->out,
                    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
                    "Please note that when switching between policies at runtime LRU and LFU data "
                    "will take some time to adjust.");
    else
        reply_int(c->out, access_frequency(c->eng, k.entry));
}

static void cmd_object_idletime(struct call *c) {
    struct key k;
    if (!call_find(c, 2, KEY_INSPECT, &k))
        reply_null(c->out);
    else if (policy_is_lfu(c->eng))
        reply_error(c->out,
                    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note "
                    "that when switching between policies at runtime LRU and LFU data will take "
                    "some time to adjust.");
    else
        reply_int(c->out, (int64_t)access_idle_seconds(c->eng, k.entry));
}

static void cmd_object_help(struct call *c) {
    static const char *const lines[] = {
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    How the value of the key is stored.",
        "FREQ <key>",
        "    The access frequency of the key, under an LFU policy.",
        "HELP",
        "    This text.",
        "IDLETIME <key>",
        "    Seconds since the key was last used.",
        "REFCOUNT <key>",
        "    How many references the value has: always 1.",
    };
    reply_lines(c->out, lines, sizeof lines / sizeof *lines);
}

#define GENERIC "keyspace"
#define ANY_KEYS(flags) KEYS(1, -1, 1, flags)
static const struct command generic_rows[] = {
    { "DEL", -2, CMD_WRITE, GENERIC, cmd_del, { ANY_KEYS(KF_RM | KF_DELETE) } },
    { "UNLINK", -2, CMD_WRITE | CMD_FAST, GENERIC, cmd_unlink, { ANY_KEYS(KF_RM | KF_DELETE) } },
    { "EXISTS", -2, CMD_READ | CMD_FAST, GENERIC, cmd_exists, { ANY_KEYS(KF_RO) } },
    { "TOUCH", -2, CMD_READ | CMD_FAST, GENERIC, cmd_touch, { ANY_KEYS(KF_RO) } },
    { "TYPE", 2, CMD_READ | CMD_FAST, GENERIC, cmd_type, { KEY(1, KF_RO) } },
    { "RANDOMKEY", 1, CMD_READ, GENERIC, cmd_randomkey, { { 0 } } },
    { "RENAME",
      3,
      CMD_WRITE,
      GENERIC,
      cmd_rename,
      { KEY(1, KF_RW | KF_ACCESS | KF_DELETE), KEY(2, KF_OW | KF_UPDATE) } },
    { "RENAMENX",
      3,
      CMD_WRITE | CMD_FAST,
      GENERIC,
      cmd_renamenx,
      { KEY(1, KF_RW | KF_ACCESS | KF_DELETE), KEY(2, KF_OW | KF_INSERT) } },
    { "MOVE",
      3,
      CMD_WRITE | CMD_FAST,
      GENERIC,
      cmd_move,
      { KEY(1, KF_RW | KF_ACCESS | KF_UPDATE) } },
    { "COPY",
      -3,
      CMD_WRITE | CMD_DENYOOM,
      GENERIC,
      cmd_copy,
      { KEY(1, KF_RO | KF_ACCESS), KEY(2, KF_OW | KF_UPDATE) } },
    { "OBJECT", -2, CMD_CONTAINER, "", NULL, { { 0 } } },
    { "OBJECT|ENCODING", 3, CMD_READ, GENERIC, cmd_object_encoding, { KEY(2, KF_RO) } },
    { "OBJECT|REFCOUNT", 3, CMD_READ, GENERIC, cmd_object_refcount, { KEY(2, KF_RO) } },
    { "OBJECT|FREQ", 3, CMD_READ, GENERIC, cmd_object_freq, { KEY(2, KF_RO) } },
    { "OBJECT|IDLETIME", 3, CMD_READ, GENERIC, cmd_object_idletime, { KEY(2, KF_RO) } },
    { "OBJECT|HELP", 2, CMD_LOADING | CMD_STALE, GENERIC, cmd_object_help, { { 0 } } },
};
COMMAND_GROUP(generic_commands, "generic", generic_rows);
