/* array.c - elements of arrays by their index: set, read, removed, counted. */
#include "cmd/array.h"

/* --- open and close --- */

static bool opened(struct call *c, struct array_key *k) {
    k->r = NULL;
    if (!k->key.entry) return true;
    k->value = entry_value(k->key.entry);
    k->r = array_of(&c->eng->arena, &k->value);
    return true;
}

bool array_open_read(struct call *c, struct array_key *k) {
    return call_read(c, 1, TYPE_ARRAY, &k->key) && opened(c, k);
}

bool array_open_write(struct call *c, struct array_key *k) {
    return call_write(c, 1, TYPE_ARRAY, &k->key) && opened(c, k);
}

bool array_open_create(struct call *c, struct array_key *k) {
    if (!array_open_write(c, k)) return false;
    if (k->r) return true;
    if (!call_ok(c, array_create(c->eng, &k->value))) return false;
    status st = key_add(c->eng, &k->key, &k->value);
    if (st != ST_OK) value_free(c->eng, k->value, false);
    k->r = array_of(&c->eng->arena, &k->value);
    return call_ok(c, st);
}

void array_close(struct call *c, struct array_key *k) {
    call_delete_if(c, &k->key, k->r->count == 0);
}

status array_put(struct call *c, struct array_key *k, uint64_t index, struct str s, bool *added) {
    struct array_limits l = array_limits(c->eng);
    return array_set(&c->eng->arena, &l, k->r, index, s, added);
}

/* --- arguments and replies --- */

bool arg_index(struct call *c, int i, uint64_t max, uint64_t *index) {
    if (str_to_u64_any(c->argv[i], index) && *index <= max) return true;
    reply_error(c->out, "ERR invalid array index");
    return false;
}

bool arg_range_ends(struct call *c, int i, uint64_t *from, uint64_t *to) {
    return arg_index(c, i, ARRAY_INDEX_MAX, from) && arg_index(c, i + 1, ARRAY_INDEX_MAX, to);
}

bool arg_limit(struct call *c, int i, uint64_t *limit) {
    int64_t v;
    if (!arg_i64(c, i, &v)) return false;
    if (v <= 0) reply_error(c->out, "ERR LIMIT must be positive");
    *limit = (uint64_t)v;
    return v > 0;
}

void reply_index(struct reply *r, uint64_t v) {
    char text[24];
    if (v <= INT64_MAX) {
        reply_int(r, (int64_t)v);
        return;
    }
    size_t n = u64_to_text(text, v);
    if (r->resp == 2) {
        reply_bulk(r, (struct str){ text, n });
        return;
    }
    REPLY_RAW(r, "(");
    reply_raw(r, text, n);
    REPLY_RAW(r, "\r\n");
}

void reply_element(struct call *c, const struct array_key *k, uint64_t index) {
    char buf[CELL_TEXT];
    struct str s;
    if (k->r && array_get(&c->eng->arena, k->r, index, buf, &s))
        reply_bulk(c->out, s);
    else
        reply_null(c->out);
}

/* --- setting --- */

/* Values from argv[first] on, every step-th: at `start` and behind it, or, in pairs, each at the
 * index before it. What fits is done when memory runs out. */
static void set_elements(struct call *c, int first, int step, uint64_t start, const char *event) {
    struct array_key k;
    if (!array_open_create(c, &k)) return;
    int64_t n = 0;
    status st = ST_OK;
    int i = first;
    for (; i < c->argc && st == ST_OK; i += step) {
        bool added = false;
        uint64_t index = start + (uint64_t)(i - first);
        if (step == 2) str_to_u64_any(c->argv[i - 1], &index);
        st = array_put(c, &k, index, c->argv[i], &added);
        n += st == ST_OK && added;
    }
    int begin = first - (step - 1), done = st == ST_OK ? c->argc : i - step - (step - 1);
    if (done > begin) {
        uint64_t changes = (uint64_t)(done - begin) / (uint64_t)step;
        call_changed(c, &k.key, NOTIFY_ARRAY, event, changes);
        if (st != ST_OK) call_propagate(c, done, c->argv);
    }
    array_close(c, &k);
    if (call_ok(c, st)) reply_int(c->out, n);
}

static void cmd_arset(struct call *c) {
    uint64_t index;
    if (!arg_index(c, 2, ARRAY_INDEX_MAX, &index)) return;
    if ((uint64_t)(c->argc - 4) > ARRAY_INDEX_MAX - index)
        reply_error(c->out, "ERR array index overflow");
    else
        set_elements(c, 3, 1, index, "arset");
}

static void cmd_armset(struct call *c) {
    uint64_t index;
    if (c->argc % 2) {
        call_arity_error(c);
        return;
    }
    for (int i = 2; i < c->argc; i += 2)
        if (!arg_index(c, i, ARRAY_INDEX_MAX, &index)) return;
    set_elements(c, 3, 2, 0, "armset");
}

/* --- reading --- */

static void cmd_arget(struct call *c) {
    struct array_key k;
    uint64_t index;
    if (array_open_read(c, &k) && arg_index(c, 2, ARRAY_INDEX_MAX, &index))
        reply_element(c, &k, index);
}

static void cmd_armget(struct call *c) {
    struct array_key k;
    uint64_t index = 0;
    if (!array_open_read(c, &k)) return;
    for (int i = 2; i < c->argc; i++)
        if (!arg_index(c, i, ARRAY_INDEX_MAX, &index)) return;
    reply_array(c->out, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        str_to_u64_any(c->argv[i], &index);
        reply_element(c, &k, index);
    }
}

static void cmd_arlen(struct call *c) {
    struct array_key k;
    if (array_open_read(c, &k)) reply_index(c->out, k.r ? array_length(&c->eng->arena, k.r) : 0);
}

static void cmd_arcount(struct call *c) {
    struct array_key k;
    if (array_open_read(c, &k)) reply_int(c->out, k.r ? (int64_t)k.r->count : 0);
}

/* --- removing --- */

static void remove_ranges(struct call *c, int step, const char *event) {
    struct array_key k;
    struct array_limits l = array_limits(c->eng);
    uint64_t removed = 0, from = 0, to = 0;
    for (int i = 2; i < c->argc; i++)
        if (!arg_index(c, i, ARRAY_INDEX_MAX, &from)) return;
    if (!array_open_write(c, &k)) return;
    for (int i = 2; k.r && k.r->count && i < c->argc; i += step) {
        str_to_u64_any(c->argv[i], &from);
        str_to_u64_any(c->argv[i + step - 1], &to);
        uint64_t low = from < to ? from : to, high = from < to ? to : from;
        removed += array_remove(&c->eng->arena, &l, k.r, low, high);
    }
    if (removed) {
        call_changed(c, &k.key, NOTIFY_ARRAY, event, removed);
        array_close(c, &k);
    }
    reply_int(c->out, (int64_t)removed);
}

static void cmd_ardel(struct call *c) {
    remove_ranges(c, 1, "ardel");
}

static void cmd_ardelrange(struct call *c) {
    if (c->argc % 2)
        call_arity_error(c);
    else
        remove_ranges(c, 2, "ardelrange");
}

#define A "array"
#define WRITE_FAST CMD_WRITE | CMD_DENYOOM | CMD_FAST
#define READ_FAST CMD_READ | CMD_FAST
static const struct command array_rows[] = {
    { "ARSET", -4, WRITE_FAST, A, cmd_arset, { KEY(1, KF_RW | KF_UPDATE) } },
    { "ARMSET", -4, WRITE_FAST, A, cmd_armset, { KEY(1, KF_RW | KF_UPDATE) } },
    { "ARGET", 3, READ_FAST, A, cmd_arget, { KEY(1, KF_RO | KF_ACCESS) } },
    { "ARMGET", -3, READ_FAST, A, cmd_armget, { KEY(1, KF_RO | KF_ACCESS) } },
    { "ARLEN", 2, READ_FAST, A, cmd_arlen, { KEY(1, KF_RO | KF_ACCESS) } },
    { "ARCOUNT", 2, READ_FAST, A, cmd_arcount, { KEY(1, KF_RO | KF_ACCESS) } },
    { "ARDEL", -3, CMD_WRITE | CMD_FAST, A, cmd_ardel, { KEY(1, KF_RW | KF_DELETE) } },
    { "ARDELRANGE", -4, CMD_WRITE, A, cmd_ardelrange, { KEY(1, KF_RW | KF_DELETE) } },
};
COMMAND_GROUP(array_commands, "array", array_rows);
