/* sort.c - SORT: the elements of a list, set or sorted set in the order of their own or other
 * values, with values of other keys instead of or beside them.
 *
 * A pattern's first * stands for the element and names another key, or with "->" a field of a hash.
 * Keys of other workers are brought here while these are held (net/reach.h); where that cannot be,
 * in a script that has changed something, such a pattern ends with an error, as in a cluster.
 */
#include "cmd/sort.h"

#include "cmd/keys.h"
#include "cmd/list.h"
#include "db/type_hash.h"
#include "db/type_set.h"
#include "db/type_zset.h"
#include "ds/order.h"

#define SHORT_TEXT 24u
struct element {
    struct str text;        /* in the arena … */
    char small[SHORT_TEXT]; /* … or, if short, here */
    double score;
    struct str by; /* malloc; .p NULL: there is none */
};

struct sorting {
    struct call *c;
    bool descending, alpha, unsorted;
    struct str by; /* .p NULL: the elements themselves */
    int64_t offset, count;
    int *gets; /* arguments of the patterns */
    int n_gets;
    int store; /* argument; 0: none */

    struct element *elements;
    size_t n, room;
    size_t first, end; /* the part that LIMIT leaves */
    bool not_a_number;
    const char *foreign; /* option whose pattern led to a key that cannot be brought here … */
    status trouble;      /* … and why */
};

static struct str text_of(const struct element *e) {
    return e->text.n > SHORT_TEXT ? e->text : (struct str){ e->small, e->text.n };
}

/* --- options --- */

static bool parse_limit(struct call *c, int i, struct sorting *s) {
    return arg_i64(c, i, &s->offset) && arg_i64(c, i + 1, &s->count);
}

static bool parse(struct call *c, bool may_store, struct sorting *s) {
    s->gets = calloc((size_t)c->argc, sizeof *s->gets);
    ASSERT(s->gets);
    for (int i = 2; i < c->argc; i++) {
        int left = c->argc - i - 1;
        if (arg_is(c, i, "ASC") || arg_is(c, i, "DESC")) {
            s->descending = arg_is(c, i, "DESC");
        } else if (arg_is(c, i, "ALPHA")) {
            s->alpha = true;
        } else if (arg_is(c, i, "LIMIT") && left >= 2) {
            if (!parse_limit(c, i + 1, s)) return false;
            i += 2;
        } else if (may_store && arg_is(c, i, "STORE") && left >= 1) {
            s->store = ++i;
        } else if (arg_is(c, i, "BY") && left >= 1) {
            s->by = c->argv[++i];
            s->unsorted = !memchr(s->by.p, '*', s->by.n);
        } else if (arg_is(c, i, "GET") && left >= 1) {
            s->gets[s->n_gets++] = ++i;
        } else {
            return call_syntax_error(c), false;
        }
    }
    return true;
}

/* --- patterns --- */

/* A looked-up value; lives as long as this struct and its key. */
struct looked_up {
    char *name;
    struct hash_field field;
    char text[24];
};

/* Where "->" and a field begin behind the star, or the pattern's end. */
static const char *field_mark(struct str pattern, const char *star) {
    const char *end = pattern.p + pattern.n;
    for (const char *p = star + 1; p + 2 < end; p++)
        if (p[0] == '-' && p[1] == '>') return p;
    return end;
}

static struct str make_name(struct str pattern, const char *star, const char *mark,
                            struct str element, struct looked_up *l) {
    size_t before = (size_t)(star - pattern.p), behind = (size_t)(mark - star - 1);
    size_t n = before + element.n + behind;
    l->name = malloc(n + 1);
    ASSERT(l->name);
    memcpy(l->name, pattern.p, before);
    memcpy(l->name + before, element.p, element.n);
    memcpy(l->name + before + element.n, star + 1, behind);
    return (struct str){ l->name, n };
}

static bool value_at(struct sorting *s, struct str name, struct str field, struct looked_up *l,
                     struct str *out) {
    struct engine *eng = s->c->eng;
    struct key k;
    if (!key_find(eng, s->c->db, name, KEY_READ, &k)) return false;
    if (!field.n) {
        if (entry_type(k.entry) != TYPE_STRING) return false;
        *out = entry_string(&eng->arena, k.entry, l->text);
        return true;
    }
    if (entry_type(k.entry) != TYPE_HASH) return false;
    struct value v = entry_value(k.entry);
    if (!hash_get(&eng->arena, &v, field, eng->now_ms, &l->field)) return false;
    *out = l->field.value;
    return true;
}

/* The key belongs here, or was brought. */
static bool is_here(struct sorting *s, struct str name) {
    struct engine *eng = s->c->eng;
    if (LIKELY(eng->workers == 1) || key_owner(name, eng->workers) == eng->worker) return true;
    s->trouble = eng->hooks.bring(eng, s->c->db, name);
    return s->trouble == ST_OK;
}

/* What the pattern gives for an element; false: nothing. The caller frees l->name. */
static bool look_up(struct sorting *s, struct str pattern, const char *option, struct str element,
                    struct looked_up *l, struct str *out) {
    l->name = NULL;
    if (str_eq(pattern, STR("#"))) {
        *out = element;
        return true;
    }
    const char *star = memchr(pattern.p, '*', pattern.n), *end = pattern.p + pattern.n;
    if (!star) return false;
    const char *mark = field_mark(pattern, star);
    struct str field = { mark, 0 };
    if (mark < end) field = (struct str){ mark + 2, (size_t)(end - mark) - 2 };
    struct str name = make_name(pattern, star, mark, element, l);
    if (!is_here(s, name)) {
        s->foreign = option;
        return false;
    }
    return value_at(s, name, field, l, out);
}

/* --- elements --- */

static bool add_element(struct sorting *s, struct str text) {
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : 64;
        s->elements = realloc(s->elements, s->room * sizeof *s->elements);
        ASSERT(s->elements);
    }
    struct element *e = &s->elements[s->n];
    *e = (struct element){ .text = text };
    s->n++;
    if (text.n <= SHORT_TEXT) memcpy(e->small, text.p, text.n);
    return true;
}

static bool add_member(void *ctx, struct str member) {
    return add_element(ctx, member);
}

static bool add_scored(void *ctx, struct str member, double score) {
    (void)score;
    return add_element(ctx, member);
}

static void add_list(struct sorting *s, const struct value *v) {
    const struct arena *a = &s->c->eng->arena;
    bool backwards = s->unsorted && s->descending;
    struct list_place at = list_at(a, v, backwards ? -1 : 0);
    while (at.p) {
        char buf[24];
        add_element(s, list_text(&at, buf));
        at = backwards ? list_prev(a, &at) : list_next(a, &at);
    }
}

/* A stored result has an order that does not depend on how a set keeps its members. */
static void give_order(struct sorting *s, const struct value *v) {
    if (v->type != TYPE_SET || !s->unsorted || !s->store) return;
    s->unsorted = false;
    s->alpha = true;
    s->by.p = NULL;
}

static void collect(struct sorting *s, const struct value *v) {
    const struct arena *a = &s->c->eng->arena;
    if (v->type == TYPE_LIST)
        add_list(s, v);
    else if (v->type == TYPE_SET)
        set_each(a, v, add_member, s);
    else {
        uint64_t n = zset_length(a, v);
        bool backwards = s->unsorted && s->descending;
        zset_each(a, v, backwards ? n - 1 : 0, n, backwards, add_scored, s);
    }
}

/* --- order --- */

static void weigh(struct sorting *s, struct element *e) {
    struct looked_up l = { 0 };
    struct str by = text_of(e);
    if (!s->by.p || look_up(s, s->by, "BY", text_of(e), &l, &by)) {
        if (!s->alpha) {
            s->not_a_number |= !str_to_double(by, &e->score);
        } else if (s->by.p) {
            char *copy = malloc(by.n + 1);
            ASSERT(copy);
            memcpy(copy, by.p, by.n);
            e->by = (struct str){ copy, by.n };
        }
    }
    free(l.name);
}

static int compare_by(const struct element *x, const struct element *y) {
    if (!x->by.p || !y->by.p) return (x->by.p != NULL) - (y->by.p != NULL);
    return str_cmp(x->by, y->by);
}

/* Of two elements with the same number. */
static int compare_rest(size_t a, size_t b, void *ctx) {
    const struct sorting *s = ctx;
    const struct element *x = &s->elements[a], *y = &s->elements[b];
    int order = s->alpha && s->by.p ? compare_by(x, y) : str_cmp(text_of(x), text_of(y));
    return s->descending ? -order : order;
}

/* The first bytes of a text as a number, which says the order of most. */
static double prefix_of(struct str text) {
    uint64_t v = 0;
    for (size_t i = 0; i < 6; i++) v = v << 8 | (i < text.n ? (uint8_t)text.p[i] : 0);
    return (double)v;
}

static double number_of(const struct sorting *s, const struct element *e) {
    if (!s->alpha) return e->score;
    if (!s->by.p) return prefix_of(text_of(e));
    return e->by.p ? prefix_of(e->by) : -1; /* those without a value come first */
}

/* Brings the wanted ranks to their places; the others may be anywhere. */
static void put_in_order(struct sorting *s) {
    struct ordered *items = malloc(s->n * sizeof *items);
    struct element *sorted = malloc(s->n * sizeof *sorted);
    ASSERT(items && sorted);
    double sign = s->descending ? -1 : 1;
    for (size_t i = 0; i < s->n; i++)
        items[i] = (struct ordered){ sign * number_of(s, &s->elements[i]), i };
    order_part(items, s->n, s->first, s->end, compare_rest, s);
    for (size_t i = 0; i < s->n; i++) sorted[i] = s->elements[items[i].index];
    free(items);
    free(s->elements);
    s->elements = sorted;
    s->room = s->n;
}

static void limit(struct sorting *s) {
    uint64_t offset = s->offset < 0 ? 0 : (uint64_t)s->offset;
    s->first = offset < s->n ? (size_t)offset : s->n;
    s->end = s->n;
    if (s->count >= 0 && (uint64_t)s->count < s->n - s->first) s->end = s->first + (size_t)s->count;
}

static void sort(struct sorting *s) {
    limit(s);
    if (s->unsorted) return;
    for (size_t i = 0; i < s->n; i++) weigh(s, &s->elements[i]);
    if (s->n && !s->not_a_number && !s->foreign) put_in_order(s);
}

/* --- the result --- */

/* Stops when take returns false; text.p NULL: a pattern that gave nothing. */
typedef bool (*take_fn)(void *ctx, struct str text);

static void each_result(struct sorting *s, take_fn take, void *ctx) {
    bool more = true;
    for (size_t i = s->first; i < s->end && more; i++) {
        struct str text = text_of(&s->elements[i]);
        if (!s->n_gets) more = take(ctx, text);
        for (int g = 0; g < s->n_gets && more; g++) {
            struct looked_up l = { 0 };
            struct str found = { NULL, 0 };
            if (!look_up(s, s->c->argv[s->gets[g]], "GET", text, &l, &found)) found.p = NULL;
            more = take(ctx, found);
            free(l.name);
        }
    }
}

static bool reply_result(void *ctx, struct str text) {
    if (text.p)
        reply_bulk(ctx, text);
    else
        reply_null(ctx);
    return true;
}

struct storing {
    struct engine *eng;
    struct value v;
    status st;
};

static bool push_result(void *ctx, struct str text) {
    struct storing *t = ctx;
    if (!text.p) text = STR("");
    t->st = list_reserve(t->eng, &t->v, 1, text.n);
    if (t->st == ST_OK) t->st = list_push(t->eng, &t->v, LIST_TAIL, text);
    return t->st == ST_OK;
}

static bool refused(struct sorting *s) {
    if (s->foreign && s->trouble == ST_AWAY_KEY)
        reply_status(s->c->out, s->trouble);
    else if (s->foreign)
        reply_errorf(s->c->out,
                     "ERR %s option of SORT denied in cluster mode when keys formed by the pattern "
                     "may be in different slots.",
                     s->foreign);
    else if (s->not_a_number)
        reply_error(s->c->out, "ERR One or more scores can't be converted into double");
    return s->foreign || s->not_a_number;
}

static size_t result_length(const struct sorting *s) {
    return (s->end - s->first) * (size_t)(s->n_gets ? s->n_gets : 1);
}

static void reply_results(struct sorting *s) {
    struct reply *out = s->c->out;
    size_t mark = out->n;
    reply_array(out, result_length(s));
    each_result(s, reply_result, out);
    if (!s->foreign) return;
    out->n = mark;
    refused(s);
}

static void delete_target(struct call *c, int store) {
    struct key k;
    if (call_find(c, store, KEY_WRITE, &k)) {
        key_delete(c->eng, &k, c->eng->config.lazyfree_lazy_server_del);
        call_changed(c, &k, NOTIFY_GENERIC, "del", 1);
    }
    reply_int(c->out, 0);
}

static void store_results(struct sorting *s) {
    struct call *c = s->c;
    struct storing t = { .eng = c->eng };
    struct key k;
    size_t n = result_length(s);
    if (!n) {
        delete_target(c, s->store);
        return;
    }
    if (!call_ok(c, list_create(&c->eng->arena, &t.v))) return;
    each_result(s, push_result, &t);
    bool good = !refused(s) && call_ok(c, t.st);
    if (good) {
        call_find(c, s->store, KEY_WRITE, &k);
        good = call_ok(c, key_replace(c->eng, &k, &t.v));
    }
    if (!good) {
        value_free(c->eng, t.v, false);
        return;
    }
    call_changed(c, &k, NOTIFY_LIST, "sortstore", n);
    reply_int(c->out, (int64_t)n);
}

/* --- the commands --- */

/* False: wrong type, replied. A missing key has no elements. */
static bool open_source(struct sorting *s) {
    struct key k;
    if (!call_find(s->c, 1, KEY_READ, &k)) return true;
    struct value v = entry_value(k.entry);
    if (v.type != TYPE_LIST && v.type != TYPE_SET && v.type != TYPE_ZSET) {
        reply_status(s->c->out, ST_WRONG_TYPE);
        return false;
    }
    give_order(s, &v);
    collect(s, &v);
    return true;
}

static void run(struct call *c, bool may_store) {
    struct sorting s = { .c = c, .count = -1 };
    if (parse(c, may_store, &s) && open_source(&s)) {
        sort(&s);
        if (!refused(&s)) {
            if (s.store)
                store_results(&s);
            else
                reply_results(&s);
        }
    }
    for (size_t i = 0; i < s.n; i++) free((char *)(uintptr_t)s.elements[i].by.p);
    free(s.elements);
    free(s.gets);
}

static void cmd_sort(struct call *c) {
    run(c, true);
}
static void cmd_sort_ro(struct call *c) {
    run(c, false);
}

/* A pattern whose hash tag has the star behind it names keys of one slot. */
static bool leaves_slot(struct str pattern, int owner, int workers) {
    const char *star = memchr(pattern.p, '*', pattern.n);
    const char *open = star ? memchr(pattern.p, '{', (size_t)(star - pattern.p)) : NULL;
    const char *close = open ? memchr(open, '}', (size_t)(star - open)) : NULL;
    if (!star) return false;
    return !close || close == open + 1 || key_owner(pattern, workers) != owner;
}

bool sort_reaches_out(const struct command *cmd, int argc, const struct str *argv, int workers) {
    if (cmd->fn != cmd_sort && cmd->fn != cmd_sort_ro) return false;
    int owner = key_owner(argv[1], workers);
    for (int i = 2; i + 1 < argc; i++) {
        bool looks = str_is(argv[i], "BY") || str_is(argv[i], "GET");
        if (looks && leaves_slot(argv[i + 1], owner, workers)) return true;
        if (looks) i++;
    }
    return false;
}

#define SOURCE KEY(1, KF_RO | KF_ACCESS)
#define PATTERNS                                                                                   \
    { .flags = KF_RO | KF_ACCESS, .begin = '?', .find = '?' }
/* The last STORE: cmd/keys.c. */
#define TARGET                                                                                     \
    { .flags = KF_OW | KF_UPDATE, .begin = '?', .find = '?', .at = 2, .keyword = "STORE" }
static const struct command sort_rows[] = {
    { "SORT",
      -2,
      CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS | CMD_DANGEROUS,
      "set sortedset list",
      cmd_sort,
      { SOURCE, PATTERNS, TARGET } },
    { "SORT_RO",
      -2,
      CMD_READ | CMD_MOVABLE_KEYS | CMD_DANGEROUS,
      "set sortedset list",
      cmd_sort_ro,
      { SOURCE, PATTERNS } },
};
COMMAND_GROUP(sort_commands, "generic", sort_rows);
