/* list_edit.c - lists in the middle: LINSERT, LSET, LREM, LPOS. */
#include "cmd/list.h"

static void cmd_linsert(struct call *c) {
    struct list l;
    bool after = arg_is(c, 2, "AFTER");
    if (!after && !arg_is(c, 2, "BEFORE")) {
        call_syntax_error(c);
        return;
    }
    if (!list_open_write(c, 1, &l)) return;
    if (!l.key.entry) {
        reply_int(c->out, 0);
        return;
    }
    struct arena *a = &c->eng->arena;
    /* The encoding changes even if nothing is inserted, as in Redis. */
    status st = list_reserve(c->eng, &l.value, 1, c->argv[4].n);
    struct list_place at = list_at(a, &l.value, 0);
    while (at.p && !list_equal(&at, c->argv[3])) at = list_next(a, &at);
    if (!at.p) {
        key_store(c->eng, &l.key, &l.value);
        reply_int(c->out, -1);
        return;
    }
    if (st == ST_OK) st = list_insert(c->eng, &l.value, at, after, c->argv[4]);
    key_store(c->eng, &l.key, &l.value);
    if (!call_ok(c, st)) return;
    call_changed(c, &l.key, NOTIFY_LIST, "linsert", 1);
    reply_int(c->out, (int64_t)list_length(a, &l.value));
}

static void cmd_lset(struct call *c) {
    struct list l;
    int64_t index;
    if (!list_open_write(c, 1, &l)) return;
    if (!l.key.entry) {
        reply_status(c->out, ST_NOT_FOUND);
        return;
    }
    if (!arg_i64(c, 2, &index)) return;
    status st = list_reserve(c->eng, &l.value, 1, c->argv[3].n);
    struct list_place at = list_at(&c->eng->arena, &l.value, index);
    if (!at.p) {
        key_store(c->eng, &l.key, &l.value);
        reply_status(c->out, ST_OUT_OF_RANGE);
        return;
    }
    if (st == ST_OK) st = list_set(c->eng, &l.value, at, c->argv[3]);
    if (st == ST_OK) call_changed(c, &l.key, NOTIFY_LIST, "lset", 1);
    list_close(c, &l);
    if (call_ok(c, st)) reply_ok(c->out);
}

static void cmd_lrem(struct call *c) {
    struct list l;
    int64_t count, removed = 0;
    if (!arg_in(c, 2, -INT64_MAX, INT64_MAX, &count) || !list_open_write(c, 1, &l)) return;
    if (!l.key.entry) {
        reply_int(c->out, 0);
        return;
    }
    struct arena *a = &c->eng->arena;
    bool backwards = count < 0;
    uint64_t limit = count == 0 ? UINT64_MAX : backwards ? 0 - (uint64_t)count : (uint64_t)count;
    struct list_place at = list_at(a, &l.value, backwards ? -1 : 0);
    while (at.p && (uint64_t)removed < limit) {
        if (list_equal(&at, c->argv[3])) {
            at = list_delete(a, &l.value, at, backwards);
            removed++;
        } else {
            at = backwards ? list_prev(a, &at) : list_next(a, &at);
        }
    }
    if (removed) {
        call_changed(c, &l.key, NOTIFY_LIST, "lrem", (uint64_t)removed);
        list_close(c, &l);
    }
    reply_int(c->out, removed);
}

/* --- LPOS --- */

struct lpos {
    int64_t rank, count, max_length; /* count -1: not given */
};

static bool parse_lpos(struct call *c, struct lpos *o) {
    *o = (struct lpos){ .rank = 1, .count = -1 };
    for (int i = 3; i < c->argc; i += 2) {
        if (i + 1 == c->argc) return call_syntax_error(c), false;
        if (arg_is(c, i, "RANK")) {
            if (!arg_in(c, i + 1, -INT64_MAX, INT64_MAX, &o->rank)) return false;
            if (o->rank == 0) {
                reply_error(c->out,
                            "ERR RANK can't be zero: use 1 to start from the first match, 2 from "
                            "the second ... or use negative to start from the end of the list");
                return false;
            }
        } else if (arg_is(c, i, "COUNT")) {
            if (!arg_range(c, i + 1, 0, INT64_MAX, &o->count, "ERR COUNT can't be negative"))
                return false;
        } else if (arg_is(c, i, "MAXLEN")) {
            if (!arg_range(c, i + 1, 0, INT64_MAX, &o->max_length, "ERR MAXLEN can't be negative"))
                return false;
        } else {
            return call_syntax_error(c), false;
        }
    }
    return true;
}

/* Replies each match; returns how many. */
static size_t reply_matches(struct call *c, const struct list *l, const struct lpos *o,
                            int64_t limit) {
    struct arena *a = &c->eng->arena;
    bool backwards = o->rank < 0;
    int64_t skip = (backwards ? -o->rank : o->rank) - 1;
    int64_t n = (int64_t)list_length(a, &l->value), seen = 0;
    size_t found = 0;
    struct list_place at = list_at(a, &l->value, backwards ? -1 : 0);
    while (at.p && (!o->max_length || seen < o->max_length)) {
        if (list_equal(&at, c->argv[2]) && skip-- <= 0) {
            reply_int(c->out, backwards ? n - 1 - seen : seen);
            if ((int64_t)++found == limit) break;
        }
        seen++;
        at = backwards ? list_prev(a, &at) : list_next(a, &at);
    }
    return found;
}

static void cmd_lpos(struct call *c) {
    struct list l;
    struct lpos o;
    if (!parse_lpos(c, &o) || !list_open_read(c, 1, &l)) return;
    if (o.count < 0) {
        if (!l.key.entry || !reply_matches(c, &l, &o, 1)) reply_null(c->out);
        return;
    }
    size_t mark = reply_defer(c->out);
    size_t found = l.key.entry ? reply_matches(c, &l, &o, o.count) : 0;
    reply_set_deferred_array(c->out, mark, found);
}

static const struct command list_edit_rows[] = {
    { "LINSERT", 5, CMD_WRITE | CMD_DENYOOM, "list", cmd_linsert, { KEY(1, KF_RW | KF_INSERT) } },
    { "LSET", 4, CMD_WRITE | CMD_DENYOOM, "list", cmd_lset, { KEY(1, KF_RW | KF_UPDATE) } },
    { "LREM", 4, CMD_WRITE, "list", cmd_lrem, { KEY(1, KF_RW | KF_DELETE) } },
    { "LPOS", -3, CMD_READ, "list", cmd_lpos, { KEY(1, KF_RO | KF_ACCESS) } },
};
COMMAND_GROUP(list_edit_commands, "list", list_edit_rows);
