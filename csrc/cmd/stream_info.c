/* stream_info.c - XINFO: what a stream, its groups and consumers are like. */
#include "cmd/stream.h"
#include "db/stream_idmp.h"

#define FULL_COUNT 10 /* entries and pending ones that FULL shows when nobody says how many */

static void pair_int(struct reply *r, const char *name, uint64_t v) {
    reply_cstr(r, name);
    reply_int(r, (int64_t)v);
}
static void pair_id(struct reply *r, const char *name, struct stream_id id) {
    reply_cstr(r, name);
    reply_stream_id(r, id);
}
static void pair_name(struct reply *r, struct str name) {
    reply_cstr(r, "name");
    reply_bulk(r, name);
}
/* An integer, or null when it is not known. */
static void pair_known(struct reply *r, const char *name, bool known, uint64_t v) {
    reply_cstr(r, name);
    if (known)
        reply_int(r, (int64_t)v);
    else
        reply_null(r);
}

/* --- XINFO STREAM --- */

#define HEAD_PAIRS 13
static void reply_head(struct call *c, const struct stream *s) {
    const struct arena *a = &c->eng->arena;
    const struct stream_idmp *m = stream_idmp_of(a, s);
    struct reply *r = c->out;
    uint64_t producers, records;
    stream_idmp_count(a, s, c->eng->now_ms, &producers, &records);
    pair_int(r, "length", s->length);
    pair_int(r, "radix-tree-keys", s->nodes.count);
    pair_int(r, "radix-tree-nodes", stream_radix_nodes(a, s));
    pair_id(r, "last-generated-id", s->last);
    pair_id(r, "max-deleted-entry-id", s->max_deleted);
    pair_int(r, "entries-added", s->added);
    pair_id(r, "recorded-first-entry-id", s->first);
    pair_int(r, "idmp-duration", s->idmp_duration);
    pair_int(r, "idmp-maxsize", s->idmp_maxsize);
    pair_int(r, "pids-tracked", producers);
    pair_int(r, "iids-tracked", records);
    pair_int(r, "iids-added", m ? m->added : 0);
    pair_int(r, "iids-duplicates", m ? m->duplicates : 0);
}

/* The first or the last entry, or null. */
static void pair_end(struct call *c, const char *name, const struct stream *s, bool last) {
    struct stream_cursor cursor;
    struct stream_entry e;
    reply_cstr(c->out, name);
    stream_seek(&c->eng->arena, s, last ? STREAM_ID_MAX : STREAM_ID_MIN,
                last ? STREAM_ID_MIN : STREAM_ID_MAX, last, &cursor);
    if (stream_next(&cursor, &e))
        reply_stream_entry(c->out, &e, 0);
    else
        reply_null(c->out);
    stream_cursor_close(&cursor);
}

static void pair_lag(struct reply *r, const struct stream *s, const struct stream_group *g) {
    uint64_t lag;
    pair_known(r, "entries-read", g->entries_read != ENTRIES_READ_UNKNOWN, g->entries_read);
    bool known = stream_group_lag(s, g, &lag);
    pair_known(r, "lag", known, lag);
}

static size_t shown(uint64_t there, uint64_t count) {
    return (size_t)(count && count < there ? count : there);
}

static void reply_group_pending(struct call *c, const struct stream_group *g, uint64_t count) {
    const struct arena *a = &c->eng->arena;
    struct idtree_iter it;
    struct str nobody = { "", 0 };
    size_t n = shown(g->pending.count, count);
    reply_cstr(c->out, "pending");
    reply_array(c->out, n);
    const uint8_t *record = idtree_first(a, &stream_pending_kind, &g->pending, &it);
    for (; n > 0; n--, record = idtree_next(a, &stream_pending_kind, &it)) {
        struct stream_pending p;
        stream_pending_read(record, &p);
        reply_array(c->out, 4);
        reply_stream_id(c->out, p.id);
        reply_bulk(c->out, p.consumer == ROSTER_NONE
                               ? nobody
                               : stream_consumer_name(stream_consumer_at(a, g, p.consumer)));
        reply_int(c->out, (int64_t)pending_time(&p));
        reply_int(c->out, (int64_t)p.count);
    }
}

static void reply_consumer_full(struct call *c, const struct stream_group *g,
                                const struct stream_consumer *one, uint64_t count) {
    const struct arena *a = &c->eng->arena;
    struct idtree_iter it;
    size_t n = shown(one->pending.count, count);
    reply_map(c->out, 5);
    pair_name(c->out, stream_consumer_name(one));
    pair_int(c->out, "seen-time", one->seen_ms);
    pair_int(c->out, "active-time", one->active_ms);
    pair_int(c->out, "pel-count", one->pending.count);
    reply_cstr(c->out, "pending");
    reply_array(c->out, n);
    const uint8_t *record = idtree_first(a, &stream_ids_kind, &one->pending, &it);
    for (; n > 0; n--, record = idtree_next(a, &stream_ids_kind, &it)) {
        struct stream_pending p;
        stream_pending_find(
            a, g, (struct stream_id){ idtree_word(record, 0), idtree_word(record, 1) }, &p);
        reply_array(c->out, 3);
        reply_stream_id(c->out, p.id);
        reply_int(c->out, (int64_t)pending_time(&p));
        reply_int(c->out, (int64_t)p.count);
    }
}

static void reply_group_full(struct call *c, const struct stream *s, const struct stream_group *g,
                             uint64_t count) {
    const struct arena *a = &c->eng->arena;
    reply_map(c->out, 8);
    pair_name(c->out, stream_group_name(g));
    pair_id(c->out, "last-delivered-id", g->last);
    pair_lag(c->out, s, g);
    pair_int(c->out, "pel-count", g->pending.count);
    pair_int(c->out, "nacked-count", g->nacked);
    reply_group_pending(c, g, count);
    reply_cstr(c->out, "consumers");
    reply_array(c->out, g->consumers.count);
    for (uint32_t i = 0; i < g->consumers.count; i++)
        reply_consumer_full(c, g, stream_consumer_at(a, g, stream_consumer_number(a, g, i)), count);
}

static void reply_full(struct call *c, const struct stream *s, int64_t count) {
    reply_map(c->out, HEAD_PAIRS + 2);
    reply_head(c, s);
    reply_cstr(c->out, "entries");
    reply_stream_range(c, s, STREAM_ID_MIN, STREAM_ID_MAX, false, count ? count : -1);
    reply_cstr(c->out, "groups");
    reply_array(c->out, s->groups.count);
    for (uint32_t i = 0; i < s->groups.count; i++)
        reply_group_full(c, s, stream_group_at(&c->eng->arena, s, i), (uint64_t)count);
}

static void reply_brief(struct call *c, const struct stream *s) {
    reply_map(c->out, HEAD_PAIRS + 3);
    reply_head(c, s);
    pair_int(c->out, "groups", s->groups.count);
    pair_end(c, "first-entry", s, false);
    pair_end(c, "last-entry", s, true);
}

static bool open_existing(struct call *c, struct stream_key *k) {
    if (!stream_open_read(c, 2, k)) return false;
    if (k->s) return true;
    reply_status(c->out, ST_NOT_FOUND);
    return false;
}

/* FULL [COUNT n] at argv[3]; *count is -1 without it. */
static bool arg_full(struct call *c, int64_t *count) {
    *count = -1;
    if (c->argc == 3) return true;
    bool right = arg_is(c, 3, "FULL") && (c->argc == 4 || (c->argc == 6 && arg_is(c, 4, "COUNT")));
    if (!right) {
        reply_errorf(c->out,
                     "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try XINFO "
                     "HELP.",
                     (int)c->argv[1].n, c->argv[1].p);
        return false;
    }
    *count = FULL_COUNT;
    if (c->argc == 6 && !arg_i64(c, 5, count)) return false;
    if (*count < 0) *count = FULL_COUNT;
    return true;
}

static void cmd_xinfo_stream(struct call *c) {
    struct stream_key k;
    int64_t count;
    if (!open_existing(c, &k) || !arg_full(c, &count)) return;
    if (count < 0)
        reply_brief(c, k.s);
    else
        reply_full(c, k.s, count);
}

/* --- XINFO GROUPS, CONSUMERS --- */

static void cmd_xinfo_groups(struct call *c) {
    struct stream_key k;
    if (!open_existing(c, &k)) return;
    reply_array(c->out, k.s->groups.count);
    for (uint32_t i = 0; i < k.s->groups.count; i++) {
        const struct stream_group *g = stream_group_at(&c->eng->arena, k.s, i);
        reply_map(c->out, 6);
        pair_name(c->out, stream_group_name(g));
        pair_int(c->out, "consumers", g->consumers.count);
        pair_int(c->out, "pending", g->pending.count);
        pair_id(c->out, "last-delivered-id", g->last);
        pair_lag(c->out, k.s, g);
    }
}

static uint64_t since(const struct call *c, uint64_t ms) {
    return c->eng->now_ms > ms ? c->eng->now_ms - ms : 0;
}

static void cmd_xinfo_consumers(struct call *c) {
    struct stream_key k;
    const struct arena *a = &c->eng->arena;
    if (!open_existing(c, &k)) return;
    const struct stream_group *g = stream_group_find(a, k.s, c->argv[3]);
    if (!g) {
        reply_errorf(c->out, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                     (int)c->argv[3].n, c->argv[3].p, (int)c->argv[2].n, c->argv[2].p);
        return;
    }
    reply_array(c->out, g->consumers.count);
    for (uint32_t i = 0; i < g->consumers.count; i++) {
        const struct stream_consumer *one =
            stream_consumer_at(a, g, stream_consumer_number(a, g, i));
        reply_map(c->out, 4);
        pair_name(c->out, stream_consumer_name(one));
        pair_int(c->out, "pending", one->pending.count);
        pair_int(c->out, "idle", since(c, one->seen_ms));
        reply_cstr(c->out, "inactive");
        reply_int(c->out, one->active_ms == NEVER_MS ? -1 : (int64_t)since(c, one->active_ms));
    }
}

static void cmd_xinfo_help(struct call *c) {
    static const char *const lines[] = {
        "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CONSUMERS <key> <groupname>",
        "    Show consumers of <groupname>.",
        "GROUPS <key>",
        "    Show the stream consumer groups.",
        "STREAM <key> [FULL [COUNT <count>]",
        "    Show information about the stream.",
        "HELP",
        "    Print this help.",
    };
    reply_lines(c->out, lines, sizeof lines / sizeof *lines);
}

#define S "stream"
#define READS KEY(2, KF_RO | KF_ACCESS)
static const struct command stream_info_rows[] = {
    { "XINFO", -2, CMD_CONTAINER, "", NULL, { { 0 } } },
    { "XINFO|STREAM", -3, CMD_READ, S, cmd_xinfo_stream, { READS } },
    { "XINFO|GROUPS", 3, CMD_READ, S, cmd_xinfo_groups, { READS } },
    { "XINFO|CONSUMERS", 4, CMD_READ, S, cmd_xinfo_consumers, { READS } },
    { "XINFO|HELP", 2, CMD_LOADING | CMD_STALE, S, cmd_xinfo_help, { { 0 } } },
};
COMMAND_GROUP(stream_info_commands, "stream", stream_info_rows);
