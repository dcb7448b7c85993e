/* lcs.c - LCS: the longest common subsequence of two strings, by the classic table.
 *
 * cell[i][j] is the length for the first i bytes of a and the first j of b; walking back from the
 * last cell gives the subsequence and its runs.
 */
#include "cmd/call.h"

struct lcs {
    struct str a, b;
    uint32_t *cells; /* (a.n + 1) rows of (b.n + 1) */
    bool length_only, runs, with_length;
    int64_t min_run;
};

static uint32_t *cell(const struct lcs *l, size_t i, size_t j) {
    return l->cells + i * (l->b.n + 1) + j;
}

static void fill_row(const struct lcs *l, size_t i) {
    const uint32_t *above = cell(l, i - 1, 0);
    uint32_t *row = cell(l, i, 0), left = 0;
    for (size_t j = 1; j <= l->b.n; j++) {
        uint32_t best = above[j] > left ? above[j] : left;
        left = l->a.p[i - 1] == l->b.p[j - 1] ? above[j - 1] + 1 : best;
        row[j] = left;
    }
}

static bool fill(struct lcs *l) {
    l->cells = calloc(l->a.n + 1, (l->b.n + 1) * sizeof(uint32_t));
    if (!l->cells) return false;
    for (size_t i = 1; i <= l->a.n; i++) fill_row(l, i);
    return true;
}

static bool parse(struct call *c, struct lcs *l) {
    for (int i = 3; i < c->argc; i++) {
        if (arg_is(c, i, "LEN")) {
            l->length_only = true;
        } else if (arg_is(c, i, "IDX")) {
            l->runs = true;
        } else if (arg_is(c, i, "WITHMATCHLEN")) {
            l->with_length = true;
        } else if (arg_is(c, i, "MINMATCHLEN") && i + 1 < c->argc) {
            if (!arg_i64(c, ++i, &l->min_run)) return false;
            if (l->min_run < 0) l->min_run = 0;
        } else {
            return call_syntax_error(c), false;
        }
    }
    if (!l->length_only || !l->runs) return true;
    reply_error(c->out, "ERR If you want both the length and indexes, please just use IDX.");
    return false;
}

static void reply_range(struct call *c, size_t start, size_t end) {
    reply_array(c->out, 2);
    reply_int(c->out, (int64_t)start);
    reply_int(c->out, (int64_t)end);
}

/* A run of equal bytes that ends before a[i], b[j]. */
static size_t reply_run(struct call *c, const struct lcs *l, size_t i, size_t j, size_t n) {
    if (n == 0 || (int64_t)n < l->min_run) return 0;
    reply_array(c->out, l->with_length ? 3 : 2);
    reply_range(c, i, i + n - 1);
    reply_range(c, j, j + n - 1);
    if (l->with_length) reply_int(c->out, (int64_t)n);
    return 1;
}

/* From the end to the beginning; text (if any) is filled from its end. */
static size_t walk_back(struct call *c, const struct lcs *l, char *text) {
    size_t i = l->a.n, j = l->b.n, at = *cell(l, i, j), run = 0, runs = 0;
    while (i > 0 && j > 0) {
        if (l->a.p[i - 1] == l->b.p[j - 1]) {
            i--, j--, run++;
            if (text) text[--at] = l->a.p[i];
            continue;
        }
        if (!text) runs += reply_run(c, l, i, j, run);
        run = 0;
        if (*cell(l, i - 1, j) > *cell(l, i, j - 1))
            i--;
        else
            j--;
    }
    if (!text) runs += reply_run(c, l, i, j, run);
    return runs;
}

static void reply_runs(struct call *c, const struct lcs *l, uint32_t length) {
    reply_map(c->out, 2);
    reply_cstr(c->out, "matches");
    size_t mark = reply_defer(c->out);
    reply_set_deferred_array(c->out, mark, walk_back(c, l, NULL));
    reply_cstr(c->out, "len");
    reply_int(c->out, length);
}

static void reply_text(struct call *c, const struct lcs *l, uint32_t length) {
    char *text = malloc((size_t)length + 1);
    ASSERT(text);
    walk_back(c, l, text);
    reply_bulk(c->out, (struct str){ text, length });
    free(text);
}

/* The string at argv[i], empty if there is none; false: it is no string. */
static bool load(struct call *c, int i, char buf[24], struct str *s) {
    struct key k;
    *s = (struct str){ "", 0 };
    if (!call_find(c, i, KEY_READ, &k)) return true;
    if (entry_type(k.entry) != TYPE_STRING) return false;
    *s = entry_string(&c->eng->arena, k.entry, buf);
    return true;
}

/* The table may take as much memory as the longest string. */
static bool too_large(const struct call *c, const struct lcs *l) {
    size_t cells, bytes;
    return l->a.n >= UINT32_MAX - 1 || l->b.n >= UINT32_MAX - 1 ||
           __builtin_mul_overflow(l->a.n + 1, l->b.n + 1, &cells) ||
           __builtin_mul_overflow(cells, sizeof(uint32_t), &bytes) ||
           bytes > (size_t)c->eng->config.proto_max_bulk_len;
}

static void cmd_lcs(struct call *c) {
    struct lcs l = { 0 };
    char a[24], b[24];
    bool strings = load(c, 1, a, &l.a);
    strings = load(c, 2, b, &l.b) && strings; /* both are looked at */
    if (!strings) {
        reply_error(c->out, "ERR The specified keys must contain string values");
        return;
    }
    if (!parse(c, &l)) return;
    if (too_large(c, &l) || !fill(&l)) {
        reply_error(c->out,
                    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
        return;
    }
    uint32_t length = *cell(&l, l.a.n, l.b.n);
    if (l.length_only)
        reply_int(c->out, length);
    else if (l.runs)
        reply_runs(c, &l, length);
    else
        reply_text(c, &l, length);
    free(l.cells);
}

static const struct command lcs_rows[] = {
    { "LCS", -3, CMD_READ, "string", cmd_lcs, { KEYS(1, 1, 1, KF_RO | KF_ACCESS) } },
};
COMMAND_GROUP(lcs_commands, "string", lcs_rows);
