/* set.c - one set: members in, out, counted, drawn. */
#include "cmd/set.h"

/* --- open and close --- */

bool set_open_read(struct call *c, int i, struct set *s) {
    if (!call_read(c, i, TYPE_SET, &s->key)) return false;
    if (s->key.entry) s->value = entry_value(s->key.entry);
    return true;
}

static bool set_open_write(struct call *c, int i, struct set *s) {
    if (!call_write(c, i, TYPE_SET, &s->key)) return false;
    if (s->key.entry) s->value = entry_value(s->key.entry);
    return true;
}

/* Makes an empty one, for `members` members like `first`, when there is none; false: replied. It
 * must be closed then. */
static bool set_open_create(struct call *c, int i, struct str first, size_t members,
                            struct set *s) {
    if (!set_open_write(c, i, s)) return false;
    if (s->key.entry) return true;
    if (!call_ok(c, set_create(c->eng, &s->value, first, members))) return false;
    status st = key_add(c->eng, &s->key, &s->value);
    if (st != ST_OK) value_free(c->eng, s->value, false);
    return call_ok(c, st);
}

/* Stores what was done to the value; deletes the key when no member is left. */
static void set_close(struct call *c, struct set *s) {
    key_store(c->eng, &s->key, &s->value);
    call_delete_if(c, &s->key, set_length(&c->eng->arena, &s->value) == 0);
}

bool reply_member(void *ctx, struct str member) {
    struct member_reply *r = ctx;
    reply_bulk(r->out, member);
    r->n++;
    return true;
}

/* --- members in and out --- */

static void cmd_sadd(struct call *c) {
    struct set s;
    if (!set_open_create(c, 1, c->argv[2], (size_t)c->argc - 2, &s)) return;
    int64_t n = 0;
    status st = ST_OK;
    int i = 2;
    for (; i < c->argc && st == ST_OK; i++) {
        bool added = false;
        st = set_add(c->eng, &s.value, c->argv[i], &added);
        n += st == ST_OK && added;
    }
    if (n) call_changed(c, &s.key, NOTIFY_SET, "sadd", (uint64_t)n);
    if (n && st != ST_OK) call_propagate(c, i - 1, c->argv);
    set_close(c, &s);
    if (call_ok(c, st)) reply_int(c->out, n);
}

static void cmd_srem(struct call *c) {
    struct set s;
    int64_t n = 0;
    if (!set_open_write(c, 1, &s)) return;
    for (int i = 2; s.key.entry && i < c->argc; i++) {
        n += set_remove(&c->eng->arena, &s.value, c->argv[i]);
        if (set_length(&c->eng->arena, &s.value) == 0) break;
    }
    if (n) {
        call_changed(c, &s.key, NOTIFY_SET, "srem", (uint64_t)n);
        set_close(c, &s);
    }
    reply_int(c->out, n);
}

static void cmd_smove(struct call *c) {
    struct set from, to;
    if (!set_open_write(c, 1, &from)) return;
    if (!from.key.entry) {
        reply_int(c->out, 0);
        return;
    }
    if (!set_open_write(c, 2, &to)) return;
    bool member = set_contains(&c->eng->arena, &from.value, c->argv[3]);
    if (!member || str_eq(c->argv[1], c->argv[2])) {
        reply_int(c->out, member);
        return;
    }
    if (!set_open_create(c, 2, c->argv[3], 1, &to)) return;
    bool added;
    status st = set_add(c->eng, &to.value, c->argv[3], &added);
    set_close(c, &to);
    if (!call_ok(c, st)) return;
    set_open_write(c, 1, &from); /* opening the other may have moved its place */
    set_remove(&c->eng->arena, &from.value, c->argv[3]);
    call_changed(c, &from.key, NOTIFY_SET, "srem", 1);
    set_close(c, &from);
    if (added) call_changed(c, &to.key, NOTIFY_SET, "sadd", 1);
    reply_int(c->out, 1);
}

/* --- looking --- */

static void cmd_scard(struct call *c) {
    struct set s;
    if (!set_open_read(c, 1, &s)) return;
    reply_int(c->out, s.key.entry ? (int64_t)set_length(&c->eng->arena, &s.value) : 0);
}

static void cmd_sismember(struct call *c) {
    struct set s;
    if (!set_open_read(c, 1, &s)) return;
    reply_int(c->out, s.key.entry && set_contains(&c->eng->arena, &s.value, c->argv[2]));
}

static void cmd_smismember(struct call *c) {
    struct set s;
    if (!set_open_read(c, 1, &s)) return;
    reply_array(c->out, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++)
        reply_int(c->out, s.key.entry && set_contains(&c->eng->arena, &s.value, c->argv[i]));
}

static void reply_all(struct call *c, const struct set *s) {
    struct member_reply r = { .out = c->out };
    reply_set(c->out, s->key.entry ? (size_t)set_length(&c->eng->arena, &s->value) : 0);
    if (s->key.entry) set_each(&c->eng->arena, &s->value, reply_member, &r);
}

static void cmd_smembers(struct call *c) {
    struct set s;
    if (set_open_read(c, 1, &s)) reply_all(c, &s);
}

struct scan {
    struct member_reply r;
    struct scan_options o;
};

static bool scan_member(void *ctx, struct str member) {
    struct scan *w = ctx;
    return !scan_matches(&w->o, member) || reply_member(&w->r, member);
}

static void cmd_sscan(struct call *c) {
    struct set s;
    uint64_t cursor;
    struct scan w = { .r = { .out = c->out } };
    if (!arg_cursor(c, 2, &cursor) || !set_open_read(c, 1, &s)) return;
    if (!s.key.entry) {
        reply_empty_scan(c);
        return;
    }
    if (!arg_scan_options(c, 3, 0, &w.o)) return;
    reply_array(c->out, 2);
    size_t cursor_mark = c->out->n, mark = reply_defer(c->out);
    cursor =
        set_scan(&c->eng->arena, &s.value, cursor & UINT32_MAX, (size_t)w.o.count, scan_member, &w);
    reply_set_deferred_array(c->out, mark, w.r.n);
    reply_insert_cursor(c->out, cursor_mark, cursor);
}

/* --- random members --- */

static void cmd_srandmember(struct call *c) {
    struct set s;
    struct member_reply r = { .out = c->out };
    int64_t count = 1;
    if (c->argc > 3) {
        call_syntax_error(c);
        return;
    }
    if (c->argc == 3 && !arg_i64(c, 2, &count)) return;
    if (c->argc == 3 && !arg_in(c, 2, -INT64_MAX, INT64_MAX, &count)) return;
    if (!set_open_read(c, 1, &s)) return;
    if (c->argc == 2) {
        if (s.key.entry)
            set_random(c->eng, &s.value, 1, false, reply_member, &r);
        else
            reply_null(c->out);
        return;
    }
    size_t mark = reply_defer(c->out);
    bool repeat = count < 0;
    if (s.key.entry && count)
        set_random(c->eng, &s.value, (size_t)(repeat ? -count : count), repeat, reply_member, &r);
    reply_set_deferred_array(c->out, mark, r.n);
}

/* Members drawn for SPOP, copied: removing them invalidates what the set gave. */
struct drawn {
    struct str *members; /* [0] and [1] are room for the logged command */
    size_t n;
};

static bool keep_member(void *ctx, struct str member) {
    struct drawn *d = ctx;
    char *copy = malloc(member.n + 1);
    ASSERT(copy);
    memcpy(copy, member.p, member.n);
    d->members[2 + d->n++] = (struct str){ copy, member.n };
    return true;
}

static void pop_drawn(struct call *c, struct set *s, size_t count) {
    struct drawn d = { .members = malloc((count + 2) * sizeof *d.members) };
    ASSERT(d.members);
    set_random(c->eng, &s->value, count, false, keep_member, &d);
    for (size_t i = 0; i < d.n; i++) {
        set_remove(&c->eng->arena, &s->value, d.members[2 + i]);
        reply_bulk(c->out, d.members[2 + i]);
    }
    d.members[0] = STR("SREM");
    d.members[1] = c->argv[1];
    call_propagate(c, (int)d.n + 2, d.members);
    for (size_t i = 0; i < d.n; i++) free((char *)(uintptr_t)d.members[2 + i].p);
    free(d.members);
    call_changed(c, &s->key, NOTIFY_SET, "spop", d.n);
    set_close(c, s);
}

static void pop_all(struct call *c, struct set *s) {
    uint64_t n = set_length(&c->eng->arena, &s->value);
    reply_all(c, s);
    call_changed(c, &s->key, NOTIFY_SET, "spop", n);
    bool lazy = c->eng->config.lazyfree_lazy_server_del;
    call_propagatef(c, lazy ? "UNLINK %b" : "DEL %b", &c->argv[1]);
    call_delete_if(c, &s->key, true);
}

static void cmd_spop(struct call *c) {
    struct set s;
    int64_t count;
    if (c->argc > 3) {
        call_syntax_error(c);
        return;
    }
    if (c->argc == 3 && !arg_range(c, 2, 0, INT64_MAX, &count, status_text(ST_NOT_POSITIVE)))
        return;
    if (!set_open_write(c, 1, &s)) return;
    if (c->argc == 2) {
        if (s.key.entry)
            pop_drawn(c, &s, 1);
        else
            reply_null(c->out);
    } else if (!s.key.entry || !count) {
        reply_set(c->out, 0);
    } else if ((uint64_t)count >= set_length(&c->eng->arena, &s.value)) {
        pop_all(c, &s);
    } else {
        reply_set(c->out, (size_t)count);
        pop_drawn(c, &s, (size_t)count);
    }
}

#define S "set"
#define READ_FAST CMD_READ | CMD_FAST
static const struct command set_rows[] = {
    { "SADD", -3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, S, cmd_sadd, { KEY(1, KF_RW | KF_INSERT) } },
    { "SREM", -3, CMD_WRITE | CMD_FAST, S, cmd_srem, { KEY(1, KF_RW | KF_DELETE) } },
    { "SMOVE",
      4,
      CMD_WRITE | CMD_FAST,
      S,
      cmd_smove,
      { KEY(1, KF_RW | KF_ACCESS | KF_DELETE), KEY(2, KF_RW | KF_INSERT) } },
    { "SCARD", 2, READ_FAST, S, cmd_scard, { KEY(1, KF_RO) } },
    { "SISMEMBER", 3, READ_FAST, S, cmd_sismember, { KEY(1, KF_RO) } },
    { "SMISMEMBER", -3, READ_FAST, S, cmd_smismember, { KEY(1, KF_RO | KF_ACCESS) } },
    { "SMEMBERS", 2, CMD_READ, S, cmd_smembers, { KEY(1, KF_RO | KF_ACCESS) } },
    { "SSCAN", -3, CMD_READ, S, cmd_sscan, { KEY(1, KF_RO | KF_ACCESS) } },
    { "SRANDMEMBER", -2, CMD_READ, S, cmd_srandmember, { KEY(1, KF_RO | KF_ACCESS) } },
    { "SPOP", -2, CMD_WRITE | CMD_FAST, S, cmd_spop, { KEY(1, KF_RW | KF_ACCESS | KF_DELETE) } },
};
COMMAND_GROUP(set_commands, "set", set_rows);
