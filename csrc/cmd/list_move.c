/* list_move.c - from one list to another, and from the first of several: LMOVE, LMOVEM, LMPOP. */
#include "cmd/list.h"

/* --- moving --- */

/* Copies of elements on their way, in the order in which they were popped. */
struct cargo {
    struct str *items;
    size_t n, bytes;
};

static void load_cargo(struct call *c, const struct list *from, enum list_end end, size_t n,
                       struct cargo *cargo) {
    struct arena *a = &c->eng->arena;
    char buf[24];
    cargo->items = malloc((n + 1) * sizeof *cargo->items);
    ASSERT(cargo->items);
    struct list_place at = list_at(a, &from->value, end == LIST_HEAD ? 0 : -1);
    for (cargo->n = cargo->bytes = 0; cargo->n < n; cargo->n++) {
        struct str s = list_text(&at, buf);
        char *copy = malloc(s.n + 1);
        ASSERT(copy);
        memcpy(copy, s.p, s.n);
        cargo->items[cargo->n] = (struct str){ copy, s.n };
        cargo->bytes += s.n;
        if (cargo->n + 1 < n) at = end == LIST_HEAD ? list_next(a, &at) : list_prev(a, &at);
    }
}

static void free_cargo(struct cargo *cargo) {
    for (size_t i = 0; i < cargo->n; i++) free((char *)(uintptr_t)cargo->items[i].p);
    free(cargo->items);
}

/* Whether the elements are pushed in the order in which they were popped. */
static bool in_popped_order(const struct list_moves *m) {
    return !m->bulk || m->from != m->to;
}

static status unload_cargo(struct call *c, struct list *to, const struct list_moves *m,
                           const struct cargo *cargo) {
    status st = list_reserve(c->eng, &to->value, cargo->n, cargo->bytes);
    for (size_t i = 0; i < cargo->n && st == ST_OK; i++) {
        size_t at = in_popped_order(m) ? i : cargo->n - 1 - i;
        st = list_push(c->eng, &to->value, m->to, cargo->items[at]);
    }
    return st;
}

/* Within a listpack no memory is needed: it stays as large as it is, unless it is to become a
 * quicklist, and when that fails the elements go back. */
static status rotate_listpack(struct call *c, struct list *l, const struct list_moves *m,
                              const struct cargo *cargo) {
    struct arena *a = &c->eng->arena;
    for (size_t i = 0; i < cargo->n; i++) list_drop(a, &l->value, m->from);
    status st = unload_cargo(c, l, m, cargo);
    for (size_t i = cargo->n; st != ST_OK && i-- > 0;)
        ASSERT(list_push(c->eng, &l->value, m->from, cargo->items[i]) == ST_OK);
    return st;
}

/* In a quicklist the copies go in first, so that they can be taken back. */
static status rotate_quicklist(struct call *c, struct list *l, const struct list_moves *m,
                               const struct cargo *cargo) {
    struct arena *a = &c->eng->arena;
    uint64_t before = list_length(a, &l->value);
    status st = unload_cargo(c, l, m, cargo);
    if (st != ST_OK) {
        list_drop_many(a, &l->value, m->to, list_length(a, &l->value) - before);
        return st;
    }
    if (m->from != m->to) {
        list_drop_many(a, &l->value, m->from, cargo->n);
        return ST_OK;
    }
    bool tail = m->from == LIST_TAIL;
    int64_t n = (int64_t)cargo->n;
    struct list_place at = list_at(a, &l->value, tail ? -1 - n : n);
    for (; n > 0; n--) at = list_delete(a, &l->value, at, tail);
    return ST_OK;
}

static bool rotate(struct call *c, const struct list_moves *m, const struct cargo *cargo) {
    struct list l;
    if (!list_open_write(c, 1, &l)) return false;
    status st = l.value.enc == ENC_QUICKLIST ? rotate_quicklist(c, &l, m, cargo)
                                             : rotate_listpack(c, &l, m, cargo);
    if (st == ST_OK) {
        const char *first = list_push_event(m->to), *second = list_pop_event(m->from);
        if (m->many) first = second, second = list_push_event(m->to);
        call_changed(c, &l.key, NOTIFY_LIST, first, cargo->n);
        engine_notify(c->eng, NOTIFY_LIST, second, l.key.name, l.key.db);
    }
    list_close(c, &l);
    return call_ok(c, st);
}

/* The destination is opened first, so that nothing is popped when it cannot be. The source is
 * looked up again after: opening may have made a key. */
static bool move_elements(struct call *c, const struct list_moves *m, const struct cargo *cargo) {
    struct list from, to;
    if (str_eq(c->argv[1], c->argv[2])) return rotate(c, m, cargo);
    if (!list_open_create(c, 2, &to)) return false;
    uint64_t before = list_length(&c->eng->arena, &to.value);
    status st = unload_cargo(c, &to, m, cargo);
    if (st != ST_OK) { /* takes back what went in */
        uint64_t now = list_length(&c->eng->arena, &to.value);
        list_drop_many(&c->eng->arena, &to.value, m->to, now - before);
        list_close(c, &to);
        return call_ok(c, st);
    }
    call_changed(c, &to.key, NOTIFY_LIST, list_push_event(m->to), cargo->n);
    list_close(c, &to);
    list_open_write(c, 1, &from);
    list_drop_many(&c->eng->arena, &from.value, m->from, cargo->n);
    call_changed(c, &from.key, NOTIFY_LIST, list_pop_event(m->from), cargo->n);
    list_close(c, &from);
    return true;
}

/* Pops and pushes what m says; false: nothing was moved and the reply is there. */
static bool run_move(struct call *c, const struct list_moves *m, struct cargo *cargo) {
    struct list from;
    struct key to;
    *cargo = (struct cargo){ 0 };
    if (!list_open_write(c, 1, &from)) return false;
    uint64_t have = from.key.entry ? list_length(&c->eng->arena, &from.value) : 0;
    if (!have || (m->exactly && have < (uint64_t)m->count)) {
        if (m->many)
            reply_null_array(c->out);
        else
            reply_null(c->out);
        return false;
    }
    if (!call_write(c, 2, TYPE_LIST, &to)) return false;
    size_t n = have < (uint64_t)m->count ? (size_t)have : (size_t)m->count;
    load_cargo(c, &from, m->from, n, cargo);
    return move_elements(c, m, cargo);
}

void list_move_one(struct call *c, enum list_end from, enum list_end to) {
    struct list_moves m = { .from = from, .to = to, .count = 1 };
    struct cargo cargo;
    if (run_move(c, &m, &cargo)) reply_bulk(c->out, cargo.items[0]);
    free_cargo(&cargo);
}

static void cmd_lmove(struct call *c) {
    enum list_end from, to;
    if (arg_list_end(c, 3, &from) && arg_list_end(c, 4, &to)) list_move_one(c, from, to);
}

static void cmd_rpoplpush(struct call *c) {
    list_move_one(c, LIST_TAIL, LIST_HEAD);
}

bool arg_list_moves(struct call *c, int at, struct list_moves *m) {
    *m = (struct list_moves){ .count = 1, .many = true };
    if (!arg_list_end(c, 3, &m->from) || !arg_list_end(c, 4, &m->to)) return false;
    if (c->argc == at) return true;
    m->exactly = arg_is(c, at, "EXACTLY");
    m->bulk = arg_is(c, at + 2, "BULK");
    if (c->argc != at + 3 || !(m->exactly || arg_is(c, at, "COUNT")))
        return call_syntax_error(c), false;
    if (!arg_range(c, at + 1, 1, INT64_MAX, &m->count, "ERR count should be greater than 0"))
        return false;
    if (m->bulk || arg_is(c, at + 2, "OBO")) return true;
    return call_syntax_error(c), false;
}

void list_move_many(struct call *c, const struct list_moves *m) {
    struct cargo cargo;
    if (run_move(c, m, &cargo)) {
        /* As they lie now, from left to right. */
        bool pushed_order = in_popped_order(m);
        bool ascending = m->to == LIST_TAIL ? pushed_order : !pushed_order;
        reply_array(c->out, cargo.n);
        for (size_t i = 0; i < cargo.n; i++)
            reply_bulk(c->out, cargo.items[ascending ? i : cargo.n - 1 - i]);
    }
    free_cargo(&cargo);
}

static void cmd_lmovem(struct call *c) {
    struct list_moves m;
    if (arg_list_moves(c, 5, &m)) list_move_many(c, &m);
}

/* --- LMPOP --- */

bool arg_list_pops(struct call *c, int at, struct list_pops *out) {
    int64_t keys;
    *out = (struct list_pops){ .count = 1 };
    if (!arg_range(c, at, 1, INT64_MAX, &keys, "ERR numkeys should be greater than 0"))
        return false;
    if (keys > c->argc - at - 2) return call_syntax_error(c), false;
    int where = at + 1 + (int)keys;
    out->keys = (int)keys;
    if (!arg_list_end(c, where, &out->end)) return false;
    if (c->argc == where + 1) return true;
    bool counted = c->argc > where + 2 && arg_is(c, where + 1, "COUNT");
    if (counted &&
        !arg_range(c, where + 2, 1, INT64_MAX, &out->count, "ERR count should be greater than 0"))
        return false;
    if (!counted || c->argc > where + 3) return call_syntax_error(c), false;
    return true;
}

bool list_pop_many(struct call *c, int i, const struct list_pops *pops) {
    struct list l;
    if (!list_open_write(c, i, &l)) return true;
    if (!l.key.entry) return false;
    uint64_t length = list_length(&c->eng->arena, &l.value);
    int64_t n = (uint64_t)pops->count < length ? pops->count : (int64_t)length;
    reply_array(c->out, 2);
    reply_bulk(c->out, c->argv[i]);
    list_pop_reply(c, &l, pops->end, (uint64_t)n);
    call_propagatef(c, pops->end == LIST_HEAD ? "LPOP %b %i" : "RPOP %b %i", &c->argv[i], n);
    return true;
}

static void cmd_lmpop(struct call *c) {
    struct list_pops pops;
    if (!arg_list_pops(c, 1, &pops)) return;
    for (int i = 2; i < 2 + pops.keys; i++)
        if (list_pop_many(c, i, &pops)) return;
    reply_null_array(c->out);
}

#define FROM KEY(1, KF_RW | KF_ACCESS | KF_DELETE)
#define TO KEY(2, KF_RW | KF_INSERT)
static const struct command list_move_rows[] = {
    { "LMOVE", 5, CMD_WRITE | CMD_DENYOOM, "list", cmd_lmove, { FROM, TO } },
    { "LMOVEM", -5, CMD_WRITE | CMD_DENYOOM, "list", cmd_lmovem, { FROM, TO } },
    { "RPOPLPUSH", 3, CMD_WRITE | CMD_DENYOOM, "list", cmd_rpoplpush, { FROM, TO } },
    { "LMPOP",
      -4,
      CMD_WRITE | CMD_MOVABLE_KEYS,
      "list",
      cmd_lmpop,
      { KEYNUM(1, KF_RW | KF_ACCESS | KF_DELETE) } },
};
COMMAND_GROUP(list_move_commands, "list", list_move_rows);
