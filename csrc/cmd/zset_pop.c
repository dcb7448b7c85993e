/* zset_pop.c - members taken from the ends of sorted sets. */
#include "cmd/zset.h"

void zset_pop(struct call *c, struct zset *z, uint64_t n, bool high, struct score_reply *r) {
    struct arena *a = &c->eng->arena;
    uint64_t length = zset_length(a, &z->value);
    zset_each(a, &z->value, high ? length - 1 : 0, n, high, reply_scored, r);
    zset_remove_range(a, &z->value, high ? length - n : 0, n);
    call_changed(c, &z->key, NOTIFY_ZSET, high ? "zpopmax" : "zpopmin", n);
    zset_close(c, z);
}

static uint64_t available(const struct call *c, const struct zset *z, uint64_t wanted) {
    uint64_t length = z->key.entry ? zset_length(&c->eng->arena, &z->value) : 0;
    return wanted < length ? wanted : length;
}

static void pop_end(struct call *c, bool high) {
    struct zset z;
    int64_t count = 1;
    if (c->argc > 3) {
        call_syntax_error(c);
        return;
    }
    if (c->argc == 3 && !arg_range(c, 2, 0, INT64_MAX, &count, status_text(ST_NOT_POSITIVE)))
        return;
    if (!zset_open_write(c, 1, &z)) return;
    uint64_t n = available(c, &z, (uint64_t)count);
    struct score_reply r = score_reply(c, true);
    r.nested &= c->argc == 3;
    reply_array(c->out, score_reply_length(&r, (size_t)n));
    if (n) zset_pop(c, &z, n, high, &r);
}

static void cmd_zpopmin(struct call *c) {
    pop_end(c, false);
}
static void cmd_zpopmax(struct call *c) {
    pop_end(c, true);
}

bool arg_zset_pops(struct call *c, int first, struct zset_pops *out) {
    int64_t n;
    bool counted = false;
    *out = (struct zset_pops){ .count = 1 };
    if (!arg_range(c, first, 1, INT64_MAX, &n, "ERR numkeys should be greater than 0"))
        return false;
    int at = n < c->argc - first - 1 ? (int)n + first + 1 : c->argc;
    out->keys = at - first - 1;
    out->high = arg_is(c, at, "MAX");
    bool valid = out->high || arg_is(c, at, "MIN");
    for (int i = at + 1; valid && i < c->argc; i += 2) {
        valid = !counted && arg_is(c, i, "COUNT") && i + 1 < c->argc;
        counted = true;
        if (valid &&
            !arg_range(c, i + 1, 1, INT64_MAX, &out->count, "ERR count should be greater than 0"))
            return false;
    }
    if (!valid) call_syntax_error(c);
    return valid;
}

bool zset_pop_many(struct call *c, int i, const struct zset_pops *pops) {
    struct zset z;
    if (!zset_open_write(c, i, &z)) return true;
    if (!z.key.entry) return false;
    uint64_t n = available(c, &z, (uint64_t)pops->count);
    struct score_reply r = { .out = c->out, .scores = true, .nested = true };
    reply_array(c->out, 2);
    reply_bulk(c->out, c->argv[i]);
    reply_array(c->out, (size_t)n);
    zset_pop(c, &z, n, pops->high, &r);
    int64_t popped = (int64_t)n;
    call_propagatef(c, pops->high ? "ZPOPMAX %b %i" : "ZPOPMIN %b %i", &c->argv[i], popped);
    return true;
}

static void cmd_zmpop(struct call *c) {
    struct zset_pops pops;
    if (!arg_zset_pops(c, 1, &pops)) return;
    for (int i = 2; i < 2 + pops.keys; i++)
        if (zset_pop_many(c, i, &pops)) return;
    reply_null_array(c->out);
}

#define Z "sortedset"
#define POPS KEY(1, KF_RW | KF_ACCESS | KF_DELETE)
static const struct command zset_pop_rows[] = {
    { "ZPOPMIN", -2, CMD_WRITE | CMD_FAST, Z, cmd_zpopmin, { POPS } },
    { "ZPOPMAX", -2, CMD_WRITE | CMD_FAST, Z, cmd_zpopmax, { POPS } },
    { "ZMPOP",
      -4,
      CMD_WRITE | CMD_MOVABLE_KEYS,
      Z,
      cmd_zmpop,
      { KEYNUM(1, KF_RW | KF_ACCESS | KF_DELETE) } },
};
COMMAND_GROUP(zset_pop_commands, "sorted-set", zset_pop_rows);
