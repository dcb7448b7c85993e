/* zset_block.c - sorted sets that are waited for: BZPOPMIN, BZPOPMAX, BZMPOP. */
#include "cmd/zset.h"

static void pop_first(struct call *c, bool high) {
    struct block_wish wish = { .first = 1, .last = c->argc - 2, .step = 1 };
    struct zset z;
    if (!arg_timeout(c, c->argc - 1, &wish.until_ms)) return;
    for (int i = 1; i < c->argc - 1; i++) {
        if (!call_serves(c, i, TYPE_ZSET)) continue;
        if (!zset_open_write(c, i, &z)) return;
        struct score_reply r = { .out = c->out, .scores = true };
        reply_array(c->out, 3);
        reply_bulk(c->out, c->argv[i]);
        zset_pop(c, &z, 1, high, &r);
        call_propagatef(c, high ? "ZPOPMAX %b" : "ZPOPMIN %b", &c->argv[i]);
        return;
    }
    call_block(c, &wish);
}

static void cmd_bzpopmin(struct call *c) {
    pop_first(c, false);
}
static void cmd_bzpopmax(struct call *c) {
    pop_first(c, true);
}

static void cmd_bzmpop(struct call *c) {
    struct block_wish wish = { .first = 3, .step = 1 };
    struct zset_pops pops;
    if (!arg_zset_pops(c, 2, &pops) || !arg_timeout(c, 1, &wish.until_ms)) return;
    wish.last = 2 + pops.keys;
    for (int i = wish.first; i <= wish.last; i++) {
        if (!call_serves(c, i, TYPE_ZSET)) continue;
        zset_pop_many(c, i, &pops);
        return;
    }
    call_block(c, &wish);
}

#define Z "sortedset"
#define POPPED KEYS(1, -2, 1, KF_RW | KF_ACCESS | KF_DELETE)
static const struct command zset_block_rows[] = {
    { "BZPOPMIN", -3, CMD_WRITE | CMD_BLOCKING | CMD_FAST, Z, cmd_bzpopmin, { POPPED } },
    { "BZPOPMAX", -3, CMD_WRITE | CMD_BLOCKING | CMD_FAST, Z, cmd_bzpopmax, { POPPED } },
    { "BZMPOP",
      -5,
      CMD_WRITE | CMD_BLOCKING | CMD_MOVABLE_KEYS,
      Z,
      cmd_bzmpop,
      { KEYNUM(2, KF_RW | KF_ACCESS | KF_DELETE) } },
};
COMMAND_GROUP(zset_block_commands, "sorted-set", zset_block_rows);
