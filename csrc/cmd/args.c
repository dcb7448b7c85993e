/* args.c - reading arguments: numbers, times, SCAN options; each replies its own error. */
#include "cmd/call.h"

#include <ctype.h>

bool arg_i64_or(struct call *c, int i, int64_t *out, const char *error_line) {
    if (str_to_i64(c->argv[i], out)) return true;
    reply_error(c->out, error_line);
    return false;
}

bool arg_i64(struct call *c, int i, int64_t *out) {
    return arg_i64_or(c, i, out, status_text(ST_NOT_INTEGER));
}

bool arg_range(struct call *c, int i, int64_t min, int64_t max, int64_t *out,
               const char *error_line) {
    if (!str_to_i64(c->argv[i], out) || *out < min || *out > max) {
        reply_error(c->out, error_line);
        return false;
    }
    return true;
}

bool arg_in(struct call *c, int i, int64_t min, int64_t max, int64_t *out) {
    if (!arg_i64(c, i, out)) return false;
    if (*out >= min && *out <= max) return true;
    reply_errorf(c->out, "ERR value is out of range, value must between %lld and %lld",
                 (long long)min, (long long)max);
    return false;
}

bool arg_db(struct call *c, int i, int *db) {
    int64_t v;
    if (!arg_in(c, i, INT32_MIN, INT32_MAX, &v)) return false;
    if (v < 0 || v >= c->eng->databases) return call_ok(c, ST_DB_INDEX);
    *db = (int)v;
    return true;
}

bool arg_double(struct call *c, int i, double *out, const char *error_line) {
    if (str_to_double(c->argv[i], out)) return true;
    reply_error(c->out, error_line ? error_line : status_text(ST_NOT_FLOAT));
    return false;
}

void call_syntax_error(struct call *c) {
    reply_status(c->out, ST_SYNTAX);
}

/* The command's name as error texts have it: lower case, "object|freq". */
static void lower_name(const struct call *c, char name[64]) {
    size_t i = 0;
    for (; c->cmd->name[i] && i < 63; i++) name[i] = (char)tolower((unsigned char)c->cmd->name[i]);
    name[i] = '\0';
}

void call_arity_error(struct call *c) {
    char name[64];
    lower_name(c, name);
    reply_errorf(c->out, "ERR wrong number of arguments for '%s' command", name);
}

static bool invalid_expiry(struct call *c) {
    char name[64];
    lower_name(c, name);
    reply_errorf(c->out, "ERR invalid expire time in '%s' command", name);
    return false;
}

bool arg_expiry(struct call *c, int i, int64_t unit_ms, bool relative, int64_t *expiry_ms) {
    int64_t v;
    if (!arg_i64(c, i, &v)) return false;
    if (__builtin_mul_overflow(v, unit_ms, &v)) return invalid_expiry(c);
    if (relative && __builtin_add_overflow(v, (int64_t)c->eng->now_ms, &v))
        return invalid_expiry(c);
    *expiry_ms = v < EXPIRY_MAX ? v : EXPIRY_MAX;
    return true;
}

bool arg_future(struct call *c, int i, int64_t unit_ms, bool relative, uint64_t *expiry) {
    int64_t given, ms;
    if (!arg_i64(c, i, &given)) return false;
    if (given <= 0) return invalid_expiry(c);
    if (!arg_expiry(c, i, unit_ms, relative, &ms)) return false;
    *expiry = (uint64_t)ms;
    return true;
}

struct expiry_word {
    const char *word;
    int64_t unit_ms;
    bool relative;
};
static const struct expiry_word expiry_words[] = {
    { "EX", 1000, true }, { "PX", 1, true }, { "EXAT", 1000, false }, { "PXAT", 1, false }
};

bool take_expiry(struct call *c, int *i, struct expiry_option *o) {
    const struct expiry_word *w = expiry_words, *end = w + 4;
    while (w < end && !arg_is(c, *i, w->word)) w++;
    if (w == end || *i + 1 >= c->argc || (o->word && o->word != w)) return false;
    *o = (struct expiry_option){ w, ++*i };
    return true;
}

bool read_expiry(struct call *c, const struct expiry_option *o, uint64_t *expiry) {
    if (!o->word) return true;
    return arg_future(c, o->at, o->word->unit_ms, o->word->relative, expiry);
}

bool arg_cursor(struct call *c, int i, uint64_t *cursor) {
    if (str_to_u64_any(c->argv[i], cursor)) return true;
    reply_status(c->out, ST_CURSOR);
    return false;
}

void reply_empty_scan(struct call *c) {
    reply_array(c->out, 2);
    reply_bulk(c->out, STR("0"));
    reply_array(c->out, 0);
}

bool arg_scan_options(struct call *c, int i, unsigned accept, struct scan_options *out) {
    *out = (struct scan_options){ .count = 10 };
    for (; i < c->argc; i++) {
        bool more = i + 1 < c->argc;
        if (more && arg_is(c, i, "COUNT")) {
            if (!arg_i64(c, ++i, &out->count)) return false;
            if (out->count < 1) return call_syntax_error(c), false;
        } else if (more && arg_is(c, i, "MATCH")) {
            out->pattern = c->argv[++i];
        } else if (more && accept & SCAN_TYPE && arg_is(c, i, "TYPE")) {
            out->type = c->argv[++i];
        } else if (accept & SCAN_NOVALUES && arg_is(c, i, "NOVALUES")) {
            out->no_values = true;
        } else {
            return call_syntax_error(c), false;
        }
    }
    if (out->pattern.p && str_eq(out->pattern, STR("*"))) out->pattern.p = NULL;
    return true;
}
