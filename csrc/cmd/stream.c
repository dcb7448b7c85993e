/* stream.c - streams: reading ranges, deleting, trimming, setting ids. */
#include "cmd/stream.h"

static void cmd_xlen(struct call *c) {
    struct stream_key k;
    if (stream_open_read(c, 1, &k)) reply_int(c->out, k.s ? (int64_t)k.s->length : 0);
}

/* --- ranges --- */

static bool arg_count(struct call *c, int i, int64_t *count) {
    *count = -1;
    for (; i < c->argc; i += 2) {
        if (!arg_is(c, i, "COUNT") || i + 1 >= c->argc) return call_syntax_error(c), false;
        if (!arg_i64(c, i + 1, count)) return false;
        if (*count < 0) *count = 0;
    }
    return true;
}

static void range(struct call *c, bool backwards) {
    struct stream_key k;
    struct stream_id start, end;
    int64_t count;
    if (!arg_stream_start(c, backwards ? 3 : 2, &start)) return;
    if (!arg_stream_end(c, backwards ? 2 : 3, &end)) return;
    if (!arg_count(c, 4, &count) || !stream_open_read(c, 1, &k)) return;
    if (!k.s)
        reply_array(c->out, 0);
    else if (count == 0)
        reply_null_array(c->out);
    else
        reply_stream_range(c, k.s, backwards ? end : start, backwards ? start : end, backwards,
                           count);
}

static void cmd_xrange(struct call *c) {
    range(c, false);
}
static void cmd_xrevrange(struct call *c) {
    range(c, true);
}

/* --- deleting --- */

static void cmd_xdel(struct call *c) {
    struct stream_key k;
    if (!stream_open_write(c, 1, &k)) return;
    if (!k.s) {
        reply_int(c->out, 0);
        return;
    }
    int64_t deleted = 0;
    struct stream_id *ids = arg_stream_ids(c, 2, c->argc - 2);
    if (!ids) return;
    for (int i = 0; i < c->argc - 2; i++) deleted += stream_delete(&c->eng->arena, k.s, ids[i]);
    free(ids);
    if (deleted) call_changed(c, &k.key, NOTIFY_STREAM, "xdel", (uint64_t)deleted);
    reply_int(c->out, deleted);
}

enum removal { NOT_THERE = -1, REMOVED = 1, STILL_WANTED = 2 };

static const struct stream_ids_texts ids_texts = {
    "ERR Number of IDs must be a positive integer",
    "ERR The `numids` parameter must match the number of arguments", INT64_MAX
};

/* IDS and a policy in any order; the last IDS counts. */
struct removal_args {
    enum stream_refs refs;
    int first, n; /* arguments with ids */
};

/* From argv[i] on; false: replied. The ids themselves are read later, if there is a stream. */
static bool arg_removal(struct call *c, int i, struct removal_args *r) {
    bool has_refs = false;
    *r = (struct removal_args){ .refs = REFS_KEEP };
    while (i < c->argc) {
        if (arg_is(c, i, "IDS")) {
            if (!arg_stream_numids(c, &i, &ids_texts, &r->n)) return false;
            r->first = i - r->n;
        } else if (!has_refs && arg_stream_refs(c, i, &r->refs)) {
            has_refs = true;
            i++;
        } else {
            break;
        }
    }
    if (r->n && i == c->argc) return true;
    return call_syntax_error(c), false;
}

/* Removes an entry under a policy; NOT_THERE when the stream does not have it. */
static enum removal remove_entry(struct arena *a, struct stream *s, struct stream_id id,
                                 enum stream_refs refs) {
    if (refs == REFS_ACKED && stream_wanted(a, s, id)) return STILL_WANTED;
    if (refs == REFS_DROP) stream_forget(a, s, id);
    return stream_delete(a, s, id) ? REMOVED : NOT_THERE;
}

/* As many -1 as there are ids. */
static void reply_none(struct call *c, int n) {
    reply_array(c->out, (size_t)n);
    for (; n > 0; n--) reply_int(c->out, NOT_THERE);
}

static void cmd_xdelex(struct call *c) {
    struct stream_key k;
    struct removal_args r;
    uint64_t deleted = 0;
    if (!stream_open_write(c, 1, &k) || !arg_removal(c, 2, &r)) return;
    if (!k.s) {
        reply_none(c, r.n);
        return;
    }
    struct stream_id *ids = arg_stream_ids(c, r.first, r.n);
    if (!ids) return;
    struct arena *a = &c->eng->arena;
    reply_array(c->out, (size_t)r.n);
    for (int i = 0; i < r.n; i++) {
        enum removal what = remove_entry(a, k.s, ids[i], r.refs);
        deleted += what == REMOVED;
        reply_int(c->out, what);
    }
    free(ids);
    if (deleted) call_changed(c, &k.key, NOTIFY_STREAM, "xdel", deleted);
}

/* Acknowledges first; an entry that others have not acknowledged stays under ACKED. */
static void cmd_xackdel(struct call *c) {
    struct stream_key k;
    struct removal_args r;
    uint64_t acked = 0, deleted = 0;
    if (!stream_open_update(c, 1, &k) || !arg_removal(c, 3, &r)) return;
    struct arena *a = &c->eng->arena;
    struct stream_group *g = k.s ? stream_group_find(a, k.s, c->argv[2]) : NULL;
    if (!g) {
        reply_none(c, r.n);
        return;
    }
    struct stream_id *ids = arg_stream_ids(c, r.first, r.n);
    if (!ids) return;
    reply_array(c->out, (size_t)r.n);
    for (int i = 0; i < r.n; i++) {
        enum removal what = NOT_THERE;
        if (stream_acknowledge(a, g, ids[i])) {
            acked++;
            what = remove_entry(a, k.s, ids[i], r.refs);
            deleted += what == REMOVED;
            if (what == NOT_THERE) what = REMOVED; /* by somebody else, before */
        }
        reply_int(c->out, what);
    }
    free(ids);
    if (acked) call_changed(c, &k.key, NOTIFY_STREAM, deleted ? "xdel" : NULL, acked);
}

/* --- trimming --- */

static void cmd_xtrim(struct call *c) {
    struct stream_key k;
    struct stream_trim_args t = { .limit = -1 };
    for (int i = 2; i < c->argc; i++) {
        int taken = arg_trim_option(c, &i, &t);
        if (taken == 0) call_syntax_error(c);
        if (taken != 1) return;
    }
    if (!arg_trim_finish(c, &t)) return;
    if (t.trim.how == TRIM_NONE) {
        reply_error(c->out, "ERR syntax error, XTRIM must be called with a trimming strategy");
        return;
    }
    if (!stream_open_write(c, 1, &k)) return;
    uint64_t removed = k.s ? stream_trim(&c->eng->arena, k.s, &t.trim) : 0;
    if (removed) {
        call_changed(c, &k.key, NOTIFY_STREAM, "xtrim", removed);
        if (t.trim.approximate) stream_propagate_trimmed(c, k.s, &t, 0, STREAM_ID_MIN);
    }
    reply_int(c->out, (int64_t)removed);
}

/* --- XSETID --- */

struct setid {
    struct stream_id last, max_deleted;
    int64_t added; /* -1: not given */
    bool has_max_deleted;
};

static bool parse_setid(struct call *c, struct setid *x) {
    *x = (struct setid){ .added = -1 };
    if (!arg_stream_id(c, 2, 0, &x->last)) return false;
    for (int i = 3; i < c->argc; i += 2) {
        bool more = i + 1 < c->argc;
        if (more && arg_is(c, i, "ENTRIESADDED")) {
            if (!arg_i64(c, i + 1, &x->added)) return false;
            if (x->added >= 0) continue;
            reply_error(c->out, "ERR entries_added must be positive");
            return false;
        } else if (more && arg_is(c, i, "MAXDELETEDID")) {
            x->has_max_deleted = true;
            if (!arg_stream_id(c, i + 1, 0, &x->max_deleted)) return false;
            if (stream_id_cmp(x->last, x->max_deleted) >= 0) continue;
            reply_error(c->out, "ERR The ID specified in XSETID is smaller than the provided "
                                "max_deleted_entry_id");
            return false;
        } else {
            return call_syntax_error(c), false;
        }
    }
    return true;
}

/* What is wrong with it for this stream, or NULL. */
static const char *setid_problem(struct call *c, const struct stream *s, const struct setid *x) {
    if (stream_id_cmp(x->last, s->max_deleted) < 0)
        return "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
    if (!s->length) return NULL;
    struct stream_cursor cursor;
    struct stream_entry e = { .id = STREAM_ID_MIN };
    stream_seek(&c->eng->arena, s, STREAM_ID_MAX, STREAM_ID_MIN, true, &cursor);
    stream_next(&cursor, &e);
    stream_cursor_close(&cursor);
    if (stream_id_cmp(x->last, e.id) < 0)
        return "ERR The ID specified in XSETID is smaller than the target stream top item";
    if (x->added >= 0 && (uint64_t)x->added < s->length)
        return "ERR The entries_added specified in XSETID is smaller than the target stream length";
    return NULL;
}

static void cmd_xsetid(struct call *c) {
    struct stream_key k;
    struct setid x;
    if (!parse_setid(c, &x) || !stream_open_write(c, 1, &k)) return;
    if (!k.s) {
        reply_status(c->out, ST_NOT_FOUND);
        return;
    }
    const char *problem = setid_problem(c, k.s, &x);
    if (problem) {
        reply_error(c->out, problem);
        return;
    }
    k.s->last = x.last;
    if (x.added >= 0) k.s->added = (uint64_t)x.added;
    if (x.has_max_deleted && !stream_id_zero(x.max_deleted)) k.s->max_deleted = x.max_deleted;
    call_regrouped(c, &k.key, "xsetid", 1);
    reply_ok(c->out);
}

#define S "stream"
#define READS KEY(1, KF_RO | KF_ACCESS)
#define DELETES KEY(1, KF_RW | KF_DELETE)
static const struct command stream_rows[] = {
    { "XLEN", 2, CMD_READ | CMD_FAST, S, cmd_xlen, { KEY(1, KF_RO) } },
    { "XRANGE", -4, CMD_READ, S, cmd_xrange, { READS } },
    { "XREVRANGE", -4, CMD_READ, S, cmd_xrevrange, { READS } },
    { "XDEL", -3, CMD_WRITE | CMD_FAST, S, cmd_xdel, { DELETES } },
    { "XDELEX", -5, CMD_WRITE | CMD_FAST, S, cmd_xdelex, { DELETES } },
    { "XACKDEL",
      -6,
      CMD_WRITE | CMD_FAST,
      S,
      cmd_xackdel,
      { KEY(1, KF_RW | KF_UPDATE | KF_DELETE) } },
    { "XTRIM", -4, CMD_WRITE, S, cmd_xtrim, { DELETES } },
    { "XSETID",
      -3,
      CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      S,
      cmd_xsetid,
      { KEY(1, KF_RW | KF_UPDATE) } },
};
COMMAND_GROUP(stream_commands, "stream", stream_rows);
