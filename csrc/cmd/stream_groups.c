/* stream_groups.c - XGROUP: making, moving and removing groups and their consumers. */
#include "cmd/stream.h"

#define NEEDS_KEY                                                                                  \
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to "   \
    "use the MKSTREAM option to create an empty stream automatically."

struct xgroup {
    bool mkstream;
    int64_t entries_read; /* -1: unknown */
};

static bool unknown_form(struct call *c) {
    reply_errorf(c->out,
                 "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try XGROUP HELP.",
                 (int)c->argv[1].n, c->argv[1].p);
    return false;
}

/* Nobody can say an option twice; this is looked at when the key is. */
static bool is_short(struct call *c, int most) {
    return c->argc <= most || unknown_form(c);
}

/* Options from argv[5] on. */
static bool parse_options(struct call *c, bool creates, struct xgroup *x) {
    *x = (struct xgroup){ .entries_read = -1 };
    for (int i = 5; i < c->argc; i++) {
        if (creates && arg_is(c, i, "MKSTREAM")) {
            x->mkstream = true;
        } else if (i + 1 < c->argc && arg_is(c, i, "ENTRIESREAD")) {
            if (!arg_i64(c, ++i, &x->entries_read)) return false;
            if (x->entries_read >= -1) continue;
            reply_error(c->out, "ERR value for ENTRIESREAD must be positive or -1");
            return false;
        } else {
            return unknown_form(c);
        }
    }
    return true;
}

/* An id or $, the stream's last, at argv[4]; SETID takes - and + too. */
static bool arg_group_id(struct call *c, const struct stream *s, bool creates,
                         struct stream_id *id) {
    if (!str_eq(c->argv[4], STR("$")))
        return creates ? arg_stream_id(c, 4, 0, id) : arg_stream_id_or_end(c, 4, 0, id);
    *id = s ? s->last : STREAM_ID_MIN;
    return true;
}

/* A group cannot have read more than there ever was. */
static uint64_t clip_read(const struct stream *s, int64_t entries_read) {
    if (entries_read < 0) return ENTRIES_READ_UNKNOWN;
    uint64_t added = s ? s->added : 0;
    return (uint64_t)entries_read < added ? (uint64_t)entries_read : added;
}

static bool open_existing(struct call *c, struct stream_key *k) {
    if (!stream_open_write(c, 2, k)) return false;
    if (k->s) return true;
    reply_error(c->out, NEEDS_KEY);
    return false;
}

static struct stream_group *find_group(struct call *c, const struct stream *s) {
    struct stream_group *g = stream_group_find(&c->eng->arena, s, c->argv[3]);
    if (!g)
        reply_errorf(c->out, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                     (int)c->argv[3].n, c->argv[3].p, (int)c->argv[2].n, c->argv[2].p);
    return g;
}

/* --- CREATE --- */

static status create_group(struct call *c, struct stream_key *k, struct stream_id id,
                           int64_t entries_read) {
    struct engine *eng = c->eng;
    bool fresh = !k->s;
    status st = fresh ? stream_create(eng, &k->value) : ST_OK;
    if (st != ST_OK) return st;
    if (fresh) k->s = stream_of(&eng->arena, &k->value);
    st =
        stream_group_create(&eng->arena, k->s, c->argv[3], id, clip_read(k->s, entries_read), NULL);
    if (st == ST_OK && fresh) st = key_add(eng, &k->key, &k->value);
    if (st != ST_OK && fresh) value_free(eng, k->value, false);
    return st;
}

static void cmd_xgroup_create(struct call *c) {
    struct xgroup x;
    struct stream_key k;
    struct stream_id id;
    if (!parse_options(c, true, &x) || !stream_open_write(c, 2, &k)) return;
    if (!k.s && !x.mkstream) {
        reply_error(c->out, NEEDS_KEY);
        return;
    }
    if (!is_short(c, 8) || !arg_group_id(c, k.s, true, &id)) return;
    if (k.s && stream_group_find(&c->eng->arena, k.s, c->argv[3])) {
        reply_error(c->out, "BUSYGROUP Consumer Group name already exists");
        return;
    }
    bool fresh = !k.s;
    if (!call_ok(c, create_group(c, &k, id, x.entries_read))) return;
    if (fresh)
        call_changed(c, &k.key, NOTIFY_STREAM, "xgroup-create", 1);
    else
        call_regrouped(c, &k.key, "xgroup-create", 1);
    reply_ok(c->out);
}

/* --- the others --- */

static void cmd_xgroup_setid(struct call *c) {
    struct xgroup x;
    struct stream_key k;
    struct stream_id id;
    if (!parse_options(c, false, &x) || !open_existing(c, &k)) return;
    struct stream_group *g = find_group(c, k.s);
    if (!g || !is_short(c, 7) || !arg_group_id(c, k.s, false, &id)) return;
    g->last = id;
    g->entries_read = clip_read(k.s, x.entries_read);
    call_regrouped(c, &k.key, "xgroup-setid", 1);
    reply_ok(c->out);
}

static void cmd_xgroup_destroy(struct call *c) {
    struct stream_key k;
    if (!open_existing(c, &k)) return;
    bool there = stream_group_find(&c->eng->arena, k.s, c->argv[3]);
    if (there) {
        stream_group_destroy(&c->eng->arena, k.s, c->argv[3]);
        call_regrouped(c, &k.key, "xgroup-destroy", 1);
    }
    reply_int(c->out, there);
}

static void cmd_xgroup_createconsumer(struct call *c) {
    struct stream_key k;
    uint32_t number;
    bool created;
    if (!open_existing(c, &k)) return;
    struct stream_group *g = find_group(c, k.s);
    if (!g) return;
    if (stream_consumer_find(&c->eng->arena, g, c->argv[4]) != ROSTER_NONE) {
        reply_int(c->out, 0);
        return;
    }
    if (!call_ok(c, stream_consumer_open(c, &k.key, g, c->argv[4], &number, &created))) return;
    c->dirty++;
    reply_int(c->out, 1);
}

static void cmd_xgroup_delconsumer(struct call *c) {
    struct stream_key k;
    int64_t pending = 0;
    if (!open_existing(c, &k)) return;
    struct stream_group *g = find_group(c, k.s);
    if (!g) return;
    if (stream_consumer_find(&c->eng->arena, g, c->argv[4]) != ROSTER_NONE) {
        pending = (int64_t)stream_consumer_destroy(&c->eng->arena, g, c->argv[4]);
        call_regrouped(c, &k.key, "xgroup-delconsumer", 1);
    }
    reply_int(c->out, pending);
}

static void cmd_xgroup_help(struct call *c) {
    static const char *const lines[] = {
        "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CREATE <key> <groupname> <id|$> [option]",
        "    Create a new consumer group. Options are:",
        "    * MKSTREAM",
        "      Create the empty stream if it does not exist.",
        "    * ENTRIESREAD entries_read",
        "      Set the group's entries_read counter (internal use).",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Create a new consumer in the specified group.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove the specified consumer.",
        "DESTROY <key> <groupname>",
        "    Remove the specified group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "    Set the current group ID and entries_read counter.",
        "HELP",
        "    Print this help.",
    };
    reply_lines(c->out, lines, sizeof lines / sizeof *lines);
}

#define INSERTS KEY(2, KF_RW | KF_INSERT)
#define DELETES KEY(2, KF_RW | KF_DELETE)
#define W CMD_WRITE
static const struct command stream_groups_rows[] = {
    { "XGROUP", -2, CMD_CONTAINER, "", NULL, { { 0 } } },
    { "XGROUP|CREATE", -5, W | CMD_DENYOOM, "stream", cmd_xgroup_create, { INSERTS } },
    { "XGROUP|CREATECONSUMER",
      5,
      W | CMD_DENYOOM,
      "stream",
      cmd_xgroup_createconsumer,
      { INSERTS } },
    { "XGROUP|DELCONSUMER", 5, W, "stream", cmd_xgroup_delconsumer, { DELETES } },
    { "XGROUP|DESTROY", 4, W, "stream", cmd_xgroup_destroy, { DELETES } },
    { "XGROUP|SETID", -5, W, "stream", cmd_xgroup_setid, { KEY(2, KF_RW | KF_UPDATE) } },
    { "XGROUP|HELP", 2, CMD_LOADING | CMD_STALE, "stream", cmd_xgroup_help, { { 0 } } },
};
COMMAND_GROUP(stream_groups_commands, "stream", stream_groups_rows);
