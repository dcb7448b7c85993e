/* list_block.c - lists that are waited for: BLPOP, BRPOP, BLMOVE, BLMOVEM, BRPOPLPUSH, BLMPOP. */
#include "cmd/list.h"

static void pop_first(struct call *c, enum list_end end) {
    struct block_wish wish = { .first = 1, .last = c->argc - 2, .step = 1 };
    struct list l;
    if (!arg_timeout(c, c->argc - 1, &wish.until_ms)) return;
    for (int i = 1; i < c->argc - 1; i++) {
        if (!call_serves(c, i, TYPE_LIST)) continue;
        if (!list_open_write(c, i, &l)) return;
        reply_array(c->out, 2);
        reply_bulk(c->out, c->argv[i]);
        list_pop_one(c, &l, end);
        call_propagatef(c, end == LIST_HEAD ? "LPOP %b" : "RPOP %b", &c->argv[i]);
        return;
    }
    call_block(c, &wish);
}

static void cmd_blpop(struct call *c) {
    pop_first(c, LIST_HEAD);
}
static void cmd_brpop(struct call *c) {
    pop_first(c, LIST_TAIL);
}

static void cmd_blmpop(struct call *c) {
    struct block_wish wish = { .first = 3, .step = 1 };
    struct list_pops pops;
    if (!arg_list_pops(c, 2, &pops) || !arg_timeout(c, 1, &wish.until_ms)) return;
    wish.last = 2 + pops.keys;
    for (int i = wish.first; i <= wish.last; i++) {
        if (!call_serves(c, i, TYPE_LIST)) continue;
        list_pop_many(c, i, &pops);
        return;
    }
    call_block(c, &wish);
}

static void cmd_blmove(struct call *c) {
    struct block_wish wish = { .bulk = true, .first = 1, .last = 1, .step = 1 };
    enum list_end from, to;
    if (!arg_list_end(c, 3, &from) || !arg_list_end(c, 4, &to)) return;
    if (!arg_timeout(c, 5, &wish.until_ms)) return;
    if (!call_serves(c, 1, TYPE_LIST)) {
        call_block(c, &wish);
        return;
    }
    list_move_one(c, from, to);
    if (c->dirty)
        call_propagatef(c, "LMOVE %b %b %b %b", &c->argv[1], &c->argv[2], &c->argv[3], &c->argv[4]);
}

static void cmd_brpoplpush(struct call *c) {
    struct block_wish wish = { .bulk = true, .first = 1, .last = 1, .step = 1 };
    if (!arg_timeout(c, 3, &wish.until_ms)) return;
    if (!call_serves(c, 1, TYPE_LIST)) {
        call_block(c, &wish);
        return;
    }
    list_move_one(c, LIST_TAIL, LIST_HEAD);
    if (c->dirty) call_propagatef(c, "RPOPLPUSH %b %b", &c->argv[1], &c->argv[2]);
}

/* Whether there are so many elements; true also when it is no list, which is an error elsewhere. */
static bool has(struct call *c, int64_t n) {
    struct key k;
    if (entry_type(call_find(c, 1, KEY_PEEK, &k)) != TYPE_LIST) return true;
    struct value v = entry_value(k.entry);
    return list_length(&c->eng->arena, &v) >= (uint64_t)n;
}

static void cmd_blmovem(struct call *c) {
    struct block_wish wish = { .first = 1, .last = 1, .step = 1 };
    struct list_moves m;
    /* The timeout is checked between the ends and what comes behind it. */
    if (!arg_list_end(c, 3, &m.from) || !arg_list_end(c, 4, &m.to)) return;
    if (!arg_timeout(c, 5, &wish.until_ms) || !arg_list_moves(c, 6, &m)) return;
    if (!call_serves(c, 1, TYPE_LIST) || !has(c, m.exactly ? m.count : 1)) {
        call_block(c, &wish);
        return;
    }
    list_move_many(c, &m);
    if (!c->dirty) return;
    const char *format =
        c->argc > 6 ? "LMOVEM %b %b %b %b %a" : "LMOVEM %b %b %b %b EXACTLY 1 BULK";
    call_propagatef(c, format, &c->argv[1], &c->argv[2], &c->argv[3], &c->argv[4], 6);
}

#define FROM KEY(1, KF_RW | KF_ACCESS | KF_DELETE)
#define TO KEY(2, KF_RW | KF_INSERT)
#define POPPED KEYS(1, -2, 1, KF_RW | KF_ACCESS | KF_DELETE)
#define MOVES (CMD_WRITE | CMD_DENYOOM | CMD_BLOCKING)
static const struct command list_block_rows[] = {
    { "BLPOP", -3, CMD_WRITE | CMD_BLOCKING, "list", cmd_blpop, { POPPED } },
    { "BRPOP", -3, CMD_WRITE | CMD_BLOCKING, "list", cmd_brpop, { POPPED } },
    { "BLMOVE", 6, MOVES, "list", cmd_blmove, { FROM, TO } },
    { "BLMOVEM", -6, MOVES, "list", cmd_blmovem, { FROM, TO } },
    { "BRPOPLPUSH", 4, MOVES, "list", cmd_brpoplpush, { FROM, TO } },
    { "BLMPOP",
      -5,
      CMD_WRITE | CMD_BLOCKING | CMD_MOVABLE_KEYS,
      "list",
      cmd_blmpop,
      { KEYNUM(2, KF_RW | KF_ACCESS | KF_DELETE) } },
};
COMMAND_GROUP(list_block_commands, "list", list_block_rows);
