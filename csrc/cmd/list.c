/* list.c - lists: both ends, ranges, single elements. */
#include "cmd/list.h"

/* --- open and close --- */

bool list_open_read(struct call *c, int i, struct list *l) {
    if (!call_read(c, i, TYPE_LIST, &l->key)) return false;
    if (l->key.entry) l->value = entry_value(l->key.entry);
    return true;
}

bool list_open_write(struct call *c, int i, struct list *l) {
    if (!call_write(c, i, TYPE_LIST, &l->key)) return false;
    if (l->key.entry) l->value = entry_value(l->key.entry);
    return true;
}

bool list_open_create(struct call *c, int i, struct list *l) {
    if (!list_open_write(c, i, l)) return false;
    if (l->key.entry) return true;
    if (!call_ok(c, list_create(&c->eng->arena, &l->value))) return false;
    status st = key_add(c->eng, &l->key, &l->value);
    if (st != ST_OK) value_free(c->eng, l->value, false);
    return call_ok(c, st);
}

void list_close(struct call *c, struct list *l) {
    bool empty = list_length(&c->eng->arena, &l->value) == 0;
    if (!empty) list_settle(c->eng, &l->value);
    key_store(c->eng, &l->key, &l->value);
    call_delete_if(c, &l->key, empty);
}

bool arg_list_end(struct call *c, int i, enum list_end *end) {
    *end = arg_is(c, i, "LEFT") ? LIST_HEAD : LIST_TAIL;
    if (*end == LIST_HEAD || arg_is(c, i, "RIGHT")) return true;
    call_syntax_error(c);
    return false;
}

/* --- pushing --- */

static size_t argument_bytes(const struct call *c, int from) {
    size_t n = 0;
    for (int i = from; i < c->argc; i++) n += c->argv[i].n;
    return n;
}

/* Pushes argv[2] and the rest; when the arena is full after some, those stay and are logged. */
static void push(struct call *c, enum list_end end, bool create) {
    struct list l;
    if (!(create ? list_open_create(c, 1, &l) : list_open_write(c, 1, &l))) return;
    if (!l.key.entry) {
        reply_int(c->out, 0);
        return;
    }
    size_t elements = (size_t)c->argc - 2;
    status st = list_reserve(c->eng, &l.value, elements, argument_bytes(c, 2));
    int i = 2;
    for (; i < c->argc && st == ST_OK; i++) st = list_push(c->eng, &l.value, end, c->argv[i]);
    bool some = st == ST_OK || i > 3;
    if (some) call_changed(c, &l.key, NOTIFY_LIST, list_push_event(end), elements);
    if (st != ST_OK && some) call_propagate(c, i - 1, c->argv);
    int64_t length = (int64_t)list_length(&c->eng->arena, &l.value);
    key_store(c->eng, &l.key, &l.value);
    call_delete_if(c, &l.key, length == 0);
    if (call_ok(c, st)) reply_int(c->out, length);
}

static void cmd_lpush(struct call *c) {
    push(c, LIST_HEAD, true);
}
static void cmd_rpush(struct call *c) {
    push(c, LIST_TAIL, true);
}
static void cmd_lpushx(struct call *c) {
    push(c, LIST_HEAD, false);
}
static void cmd_rpushx(struct call *c) {
    push(c, LIST_TAIL, false);
}

/* --- popping --- */

/* Elements from `at` on, n of them, in an array. */
static void reply_elements(struct call *c, struct list_place at, uint64_t n, bool backwards) {
    char buf[24];
    reply_array(c->out, (size_t)n);
    for (; n > 0; n--) {
        reply_bulk(c->out, list_text(&at, buf));
        if (n > 1) at = backwards ? list_prev(&c->eng->arena, &at) : list_next(&c->eng->arena, &at);
    }
}

void list_pop_reply(struct call *c, struct list *l, enum list_end end, uint64_t n) {
    uint64_t length = list_length(&c->eng->arena, &l->value);
    if (n > length) n = length;
    struct list_place at = list_at(&c->eng->arena, &l->value, end == LIST_HEAD ? 0 : -1);
    reply_elements(c, at, n, end == LIST_TAIL);
    if (!n) return;
    list_drop_many(&c->eng->arena, &l->value, end, n);
    call_changed(c, &l->key, NOTIFY_LIST, list_pop_event(end), n);
    list_close(c, l);
}

void list_pop_one(struct call *c, struct list *l, enum list_end end) {
    char buf[24];
    reply_bulk(c->out, list_peek(&c->eng->arena, &l->value, end, buf));
    list_drop(&c->eng->arena, &l->value, end);
    call_changed(c, &l->key, NOTIFY_LIST, list_pop_event(end), 1);
    list_close(c, l);
}

static void pop(struct call *c, enum list_end end) {
    struct list l;
    int64_t n = 1;
    if (c->argc > 3) {
        call_arity_error(c);
        return;
    }
    if (c->argc == 3 && !arg_range(c, 2, 0, INT64_MAX, &n, status_text(ST_NOT_POSITIVE))) return;
    if (!list_open_write(c, 1, &l)) return;
    if (!l.key.entry) {
        if (c->argc == 3)
            reply_null_array(c->out);
        else
            reply_null(c->out);
        return;
    }
    if (c->argc == 3) {
        list_pop_reply(c, &l, end, (uint64_t)n);
        return;
    }
    list_pop_one(c, &l, end);
}

static void cmd_lpop(struct call *c) {
    pop(c, LIST_HEAD);
}
static void cmd_rpop(struct call *c) {
    pop(c, LIST_TAIL);
}

/* --- looking --- */

static void cmd_llen(struct call *c) {
    struct list l;
    if (!list_open_read(c, 1, &l)) return;
    reply_int(c->out, l.key.entry ? (int64_t)list_length(&c->eng->arena, &l.value) : 0);
}

static void cmd_lindex(struct call *c) {
    struct list l;
    int64_t index;
    char buf[24];
    if (!list_open_read(c, 1, &l)) return;
    if (!l.key.entry) {
        reply_null(c->out);
        return;
    }
    if (!arg_i64(c, 2, &index)) return;
    struct list_place at = list_at(&c->eng->arena, &l.value, index);
    if (at.p)
        reply_bulk(c->out, list_text(&at, buf));
    else
        reply_null(c->out);
}

/* Clips [start, stop] with negative indexes to a list of n; false: nothing is in it. */
static bool clip_range(int64_t *start, int64_t *stop, int64_t n) {
    if (*start < 0) *start = *start < -n ? 0 : *start + n;
    if (*stop < 0) *stop += n;
    if (*stop >= n) *stop = n - 1;
    return *start <= *stop && *start < n;
}

static void cmd_lrange(struct call *c) {
    struct list l;
    int64_t start, stop;
    if (!arg_i64(c, 2, &start) || !arg_i64(c, 3, &stop) || !list_open_read(c, 1, &l)) return;
    int64_t n = l.key.entry ? (int64_t)list_length(&c->eng->arena, &l.value) : 0;
    if (!clip_range(&start, &stop, n)) {
        reply_array(c->out, 0);
        return;
    }
    struct list_place at = list_at(&c->eng->arena, &l.value, start);
    reply_elements(c, at, (uint64_t)(stop - start + 1), false);
}

static void cmd_ltrim(struct call *c) {
    struct list l;
    int64_t start, stop;
    if (!arg_i64(c, 2, &start) || !arg_i64(c, 3, &stop) || !list_open_write(c, 1, &l)) return;
    if (l.key.entry) {
        struct arena *a = &c->eng->arena;
        int64_t n = (int64_t)list_length(a, &l.value);
        if (!clip_range(&start, &stop, n)) start = n, stop = n - 1;
        list_drop_many(a, &l.value, LIST_TAIL, (uint64_t)(n - 1 - stop));
        list_drop_many(a, &l.value, LIST_HEAD, (uint64_t)start);
        call_changed(c, &l.key, NOTIFY_LIST, "ltrim", (uint64_t)(n - (stop - start + 1)));
        list_close(c, &l);
    }
    reply_ok(c->out);
}

#define L "list"
#define PUSHES KEY(1, KF_RW | KF_INSERT)
#define POPS KEY(1, KF_RW | KF_ACCESS | KF_DELETE)
#define READS KEY(1, KF_RO | KF_ACCESS)
#define PUSH_FLAGS CMD_WRITE | CMD_DENYOOM | CMD_FAST
static const struct command list_rows[] = {
    { "LPUSH", -3, PUSH_FLAGS, L, cmd_lpush, { PUSHES } },
    { "RPUSH", -3, PUSH_FLAGS, L, cmd_rpush, { PUSHES } },
    { "LPUSHX", -3, PUSH_FLAGS, L, cmd_lpushx, { PUSHES } },
    { "RPUSHX", -3, PUSH_FLAGS, L, cmd_rpushx, { PUSHES } },
    { "LPOP", -2, CMD_WRITE | CMD_FAST, L, cmd_lpop, { POPS } },
    { "RPOP", -2, CMD_WRITE | CMD_FAST, L, cmd_rpop, { POPS } },
    { "LLEN", 2, CMD_READ | CMD_FAST, L, cmd_llen, { KEY(1, KF_RO) } },
    { "LINDEX", 3, CMD_READ, L, cmd_lindex, { READS } },
    { "LRANGE", 4, CMD_READ, L, cmd_lrange, { READS } },
    { "LTRIM", 4, CMD_WRITE, L, cmd_ltrim, { KEY(1, KF_RW | KF_DELETE) } },
};
COMMAND_GROUP(list_commands, "list", list_rows);
