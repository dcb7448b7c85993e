/* array_insert.c - elements that go where the cursor is: inserted, in a ring, read back. */
#include "cmd/array.h"

/* Where the next insertion goes; false: there is no index left. */
static bool next_index(const struct array_key *k, uint64_t *next) {
    *next = k->r ? k->r->last + 1 : 0; /* after ARRAY_NONE comes 0 */
    return !k->r || k->r->last != ARRAY_INDEX_MAX;
}

/* Writes the values from argv[first] on; `size` 0: no ring. The argument that did not fit. */
static int insert_values(struct call *c, struct array_key *k, int first, uint64_t size,
                         status *st) {
    for (int i = first; i < c->argc; i++) {
        bool added;
        uint64_t index = k->r->last + 1;
        if (size) index %= size;
        *st = array_put(c, k, index, c->argv[i], &added);
        if (*st != ST_OK) return i;
        k->r->last = index;
    }
    return c->argc;
}

/* The end of the command when the arguments from `first` to before `end` have been written. */
static void inserted(struct call *c, struct array_key *k, int first, int end, status st,
                     const char *event) {
    uint64_t last = k->r->last;
    if (end > first) {
        call_changed(c, &k->key, NOTIFY_ARRAY, event, (uint64_t)(end - first));
        if (st != ST_OK) call_propagate(c, end, c->argv);
    }
    array_close(c, k);
    if (call_ok(c, st)) reply_index(c->out, last);
}

static void insert(struct call *c, struct array_key *k, int first, uint64_t size,
                   const char *event) {
    status st = ST_OK;
    int end = insert_values(c, k, first, size, &st);
    inserted(c, k, first, end, st, event);
}

static void cmd_arinsert(struct call *c) {
    struct array_key k;
    uint64_t next;
    if (!array_open_write(c, &k)) return;
    if (!next_index(&k, &next) || (uint64_t)(c->argc - 3) > ARRAY_INDEX_MAX - next)
        reply_error(c->out, "ERR insert index overflow");
    else if (array_open_create(c, &k))
        insert(c, &k, 2, 0, "arinsert");
}

static void cmd_arnext(struct call *c) {
    struct array_key k;
    uint64_t next;
    if (!array_open_read(c, &k)) return;
    if (next_index(&k, &next))
        reply_index(c->out, next);
    else
        reply_null(c->out);
}

static void cmd_arseek(struct call *c) {
    struct array_key k;
    uint64_t index;
    if (!arg_index(c, 2, UINT64_MAX, &index) || !array_open_write(c, &k)) return;
    if (k.r) {
        k.r->last = index - 1; /* ARRAY_NONE before 0 */
        call_changed(c, &k.key, NOTIFY_ARRAY, "arseek", 1);
    }
    reply_int(c->out, k.r != NULL);
}

/* --- rings --- */

static uint64_t index_before(uint64_t index, uint64_t length) {
    return (index ? index : length) - 1;
}

/* How many elements lie without a hole up to `index`, going round at 0, at most `most`; *first is
 * the index of the first of them. */
static uint64_t run_before(struct call *c, const struct array *r, uint64_t index, uint64_t most,
                           uint64_t *first) {
    uint64_t n = 0, length = array_length(&c->eng->arena, r);
    char buf[CELL_TEXT];
    struct str s;
    while (n < most && array_get(&c->eng->arena, r, index, buf, &s)) {
        *first = index;
        index = index_before(index, length);
        n++;
    }
    return n;
}

/* `n` elements from `first` on, going round, as a new array from 0 on. */
static status lay_out(struct call *c, const struct array *r, uint64_t first, uint64_t n,
                      struct array *to) {
    struct arena *a = &c->eng->arena;
    struct array_limits l = array_limits(c->eng);
    uint64_t length = array_length(a, r);
    array_init(to, r->size);
    for (uint64_t i = 0; i < n; i++, first = (first + 1) % length) {
        char buf[CELL_TEXT];
        struct str s = { 0 };
        bool added;
        array_get(a, r, first, buf, &s);
        /* Setting may grow the arena, but nothing in it moves. */
        status st = array_set(a, &l, to, i, s, &added);
        if (st == ST_OK) continue;
        array_clear(a, to);
        return st;
    }
    to->last = n - 1;
    return ST_OK;
}

/* Whether the elements have to be laid out anew before the ring has `size` slots: they are beyond
 * its end, or it grows where its newest element is not its last one. */
static bool ring_changes(const struct array *r, uint64_t length, uint64_t size) {
    return length > size || (length < size && r->last != ARRAY_NONE && r->last + 1 < length);
}

/* The elements that a ring of `size` slots keeps, where it has them. */
static status resize_ring(struct call *c, const struct array *r, uint64_t size,
                          struct array *fresh) {
    uint64_t length = array_length(&c->eng->arena, r), first = 0;
    uint64_t newest = r->last == ARRAY_NONE ? length - 1 : r->last % length;
    uint64_t n = run_before(c, r, newest, r->count < size ? r->count : size, &first);
    return lay_out(c, r, first, n, fresh);
}

/* The new layout takes effect with the first value: what is logged does both. */
static void insert_resized(struct call *c, struct array_key *k, uint64_t size) {
    struct array before = *k->r;
    status st = resize_ring(c, &before, size, k->r);
    if (st != ST_OK) {
        *k->r = before;
        call_ok(c, st);
        return;
    }
    int end = insert_values(c, k, 3, size, &st);
    array_clear(&c->eng->arena, end > 3 ? &before : k->r);
    if (end == 3) *k->r = before;
    inserted(c, k, 3, end, st, "arring");
}

static void cmd_arring(struct call *c) {
    struct array_key k;
    int64_t size;
    if (!arg_i64_or(c, 2, &size, "ERR invalid size")) return;
    if (size <= 0) {
        reply_error(c->out, "ERR size must be positive");
        return;
    }
    if (!array_open_create(c, &k)) return;
    if (ring_changes(k.r, array_length(&c->eng->arena, k.r), (uint64_t)size))
        insert_resized(c, &k, (uint64_t)size);
    else
        insert(c, &k, 3, (uint64_t)size, "arring");
}

/* --- what came last --- */

static void reply_last(struct call *c, const struct array_key *k, uint64_t n, bool newest_first) {
    uint64_t length = array_length(&c->eng->arena, k->r);
    uint64_t newest = k->r->last == ARRAY_NONE ? length - 1 : k->r->last;
    bool round = newest < n - 1; /* before index 0 comes the end of the array */
    uint64_t oldest = round ? length - (n - 1 - newest) : newest - (n - 1);
    uint64_t index = newest_first ? newest : oldest;
    for (uint64_t i = 0; i < n; i++) {
        reply_element(c, k, index);
        if (newest_first)
            index = index_before(index, length);
        else
            index = round && index + 1 == length ? 0 : index + 1;
    }
}

static void last_items(struct call *c, uint64_t count) {
    struct array_key k;
    if (!array_open_read(c, &k)) return;
    uint64_t there = k.r ? k.r->count : 0;
    uint64_t n = count < there ? count : there;
    reply_array(c->out, (size_t)n);
    if (n) reply_last(c, &k, n, c->argc == 4);
}

static void cmd_arlastitems(struct call *c) {
    int64_t count;
    if (!arg_i64_or(c, 2, &count, "ERR invalid COUNT")) return;
    if (count <= 0)
        reply_array(c->out, 0);
    else if (c->argc > 4)
        call_arity_error(c);
    else if (c->argc == 4 && !arg_is(c, 3, "REV"))
        call_syntax_error(c);
    else
        last_items(c, (uint64_t)count);
}

#define A "array"
static const struct command array_insert_rows[] = {
    { "ARINSERT",
      -3,
      CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      A,
      cmd_arinsert,
      { KEY(1, KF_RW | KF_UPDATE) } },
    { "ARNEXT", 2, CMD_READ | CMD_FAST, A, cmd_arnext, { KEY(1, KF_RO | KF_ACCESS) } },
    { "ARSEEK", 3, CMD_WRITE | CMD_FAST, A, cmd_arseek, { KEY(1, KF_RW | KF_UPDATE) } },
    { "ARRING", -4, CMD_WRITE | CMD_DENYOOM, A, cmd_arring, { KEY(1, KF_RW | KF_UPDATE) } },
    { "ARLASTITEMS", -3, CMD_READ, A, cmd_arlastitems, { KEY(1, KF_RO | KF_ACCESS) } },
};
COMMAND_GROUP(array_insert_commands, "array", array_insert_rows);
