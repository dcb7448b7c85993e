/* array_grep.c - ARGREP: the elements of a range whose texts match. */
#define _GNU_SOURCE /* memmem */
#include "cmd/array.h"
#include "ds/regex.h"

#include <ctype.h>

#define PATTERN_MAX 2048u /* bytes of a regular expression */

struct predicate {
    enum { PRED_EXACT, PRED_MATCH, PRED_GLOB, PRED_RE } kind;
    struct str text;
    struct regex *re;
    char *copy; /* malloc: the text in lower case */
};
struct grep {
    uint64_t from, to, limit;
    bool all, values, nocase; /* AND, WITHVALUES, NOCASE */
    struct predicate *predicates;
    size_t n;
    char *buffer; /* of an element in lower case */
    size_t room;
};

/* --- arguments --- */

/* An index, or - or + for the first and the last there can be. */
static bool arg_end(struct call *c, int i, uint64_t *index) {
    bool least = str_eq(c->argv[i], STR("-")), most = str_eq(c->argv[i], STR("+"));
    if (!least && !most) return arg_index(c, i, ARRAY_INDEX_MAX, index);
    *index = least ? 0 : ARRAY_INDEX_MAX;
    return true;
}

static bool take_predicate(struct call *c, int *i, struct grep *g) {
    static const char *const words[] = { "EXACT", "MATCH", "GLOB", "RE" };
    for (unsigned kind = 0; kind < 4 && *i + 1 < c->argc; kind++) {
        if (!arg_is(c, *i, words[kind])) continue;
        g->predicates[g->n++] = (struct predicate){ .kind = kind, .text = c->argv[++*i] };
        return true;
    }
    return false;
}

static bool take_option(struct call *c, int *i, struct grep *g) {
    if (arg_is(c, *i, "AND"))
        g->all = true;
    else if (arg_is(c, *i, "OR"))
        g->all = false;
    else if (arg_is(c, *i, "WITHVALUES"))
        g->values = true;
    else if (arg_is(c, *i, "NOCASE"))
        g->nocase = true;
    else if (arg_is(c, *i, "LIMIT") && *i + 1 < c->argc)
        return arg_limit(c, ++*i, &g->limit);
    else
        return call_syntax_error(c), false;
    return true;
}

/* In lower case, at `to`. */
static struct str fold(struct str s, char *to) {
    for (size_t i = 0; i < s.n; i++) to[i] = (char)tolower((unsigned char)s.p[i]);
    return (struct str){ to, s.n };
}

static bool compile(struct call *c, struct predicate *p, bool nocase) {
    const char *error;
    if (nocase && (p->kind == PRED_EXACT || p->kind == PRED_MATCH)) {
        p->copy = malloc(p->text.n + 1);
        ASSERT(p->copy);
        p->text = fold(p->text, p->copy);
    }
    if (p->kind != PRED_RE) return true;
    if (p->text.n == 0) {
        reply_error(c->out, "ERR regular expression is empty");
        return false;
    }
    if (p->text.n > PATTERN_MAX) {
        reply_errorf(c->out, "ERR regular expression is too long, maximum is %u bytes",
                     PATTERN_MAX);
        return false;
    }
    p->re = regex_compile(p->text, nocase, &error);
    if (p->re) return true;
    if (error == regex_backreference)
        reply_error(c->out, "ERR regular expression backreferences are not supported");
    else
        reply_errorf(c->out, "ERR invalid regular expression: %s", error);
    return false;
}

static bool arg_grep(struct call *c, struct grep *g) {
    if (!arg_end(c, 2, &g->from) || !arg_end(c, 3, &g->to)) return false;
    for (int i = 4; i < c->argc; i++)
        if (!take_predicate(c, &i, g) && !take_option(c, &i, g)) return false;
    if (g->n == 0) return call_syntax_error(c), false;
    for (size_t i = 0; i < g->n; i++)
        if (!compile(c, g->predicates + i, g->nocase)) return false;
    return true;
}

/* --- matching --- */

/* `plain` is the element, in lower case with NOCASE, as the texts of EXACT and MATCH are then. */
static bool fits(const struct predicate *p, struct str s, struct str plain, bool nocase) {
    switch (p->kind) {
    case PRED_EXACT: return str_eq(plain, p->text);
    case PRED_MATCH:
        return p->text.n == 0 || (plain.n && memmem(plain.p, plain.n, p->text.p, p->text.n));
    case PRED_GLOB: return glob_match(p->text, s, nocase);
    default: return regex_search(p->re, s);
    }
}

static struct str folded(struct grep *g, struct str s) {
    if (!g->nocase) return s;
    if (s.n > g->room) {
        g->room = 2 * s.n;
        g->buffer = realloc(g->buffer, g->room);
        ASSERT(g->buffer);
    }
    return fold(s, g->buffer);
}

static bool wanted(struct grep *g, struct str s) {
    struct str plain = folded(g, s);
    for (size_t i = 0; i < g->n; i++)
        if (fits(g->predicates + i, s, plain, g->nocase) != g->all) return !g->all;
    return g->all;
}

static void reply_matches(struct call *c, struct grep *g, const struct array *r) {
    struct array_walk w;
    struct str s;
    uint64_t index;
    size_t mark = reply_defer(c->out), n = 0;
    if (r) array_seek(&c->eng->arena, r, g->from, g->to, &w);
    while (r && n < g->limit && array_next(&w, &index, &s)) {
        if (!wanted(g, s)) continue;
        if (g->values) reply_array(c->out, 2);
        reply_index(c->out, index);
        if (g->values) reply_bulk(c->out, s);
        n++;
    }
    reply_set_deferred_array(c->out, mark, n);
}

static void cmd_argrep(struct call *c) {
    struct array_key k;
    struct grep g = { .limit = UINT64_MAX };
    g.predicates = malloc((size_t)c->argc / 2 * sizeof *g.predicates);
    ASSERT(g.predicates);
    if (arg_grep(c, &g) && array_open_read(c, &k)) reply_matches(c, &g, k.r);
    for (size_t i = 0; i < g.n; i++) {
        regex_free(g.predicates[i].re);
        free(g.predicates[i].copy);
    }
    free(g.predicates);
    free(g.buffer);
}

static const struct command array_grep_rows[] = {
    { "ARGREP", -6, CMD_READ, "array", cmd_argrep, { KEY(1, KF_RO | KF_ACCESS) } },
};
COMMAND_GROUP(array_grep_commands, "array", array_grep_rows);
