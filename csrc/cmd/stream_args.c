/* stream_args.c - ids and trimming options. */
#include "cmd/stream.h"

#define INVALID_ID "ERR Invalid stream ID specified as stream command argument"
#define ID_TEXT_MAX 127u
#define LIMIT_MAX 1000000

/* --- ids --- */

/* Decimal digits as strtoull takes them: spaces and a plus may come before. */
static bool loose_u64(struct str s, uint64_t *out) {
    while (s.n > 1 && (*s.p == ' ' || (*s.p >= '\t' && *s.p <= '\r'))) s.p++, s.n--;
    if (s.n > 1 && *s.p == '+') s.p++, s.n--;
    return str_to_u64(s, out);
}

bool stream_parse_id(struct str s, uint64_t seq, struct stream_id *id) {
    if (s.n > ID_TEXT_MAX) return false;
    const char *dash = s.n ? memchr(s.p, '-', s.n) : NULL;
    id->seq = seq;
    if (!dash) return loose_u64(s, &id->ms);
    struct str ms = { s.p, (size_t)(dash - s.p) };
    struct str rest = { dash + 1, s.n - ms.n - 1 };
    return loose_u64(ms, &id->ms) && loose_u64(rest, &id->seq);
}

static bool invalid_id(struct call *c) {
    reply_error(c->out, INVALID_ID);
    return false;
}

bool arg_stream_id(struct call *c, int i, uint64_t seq, struct stream_id *id) {
    return stream_parse_id(c->argv[i], seq, id) || invalid_id(c);
}

bool arg_stream_id_or_end(struct call *c, int i, uint64_t seq, struct stream_id *id) {
    if (str_eq(c->argv[i], STR("-"))) return *id = STREAM_ID_MIN, true;
    if (str_eq(c->argv[i], STR("+"))) return *id = STREAM_ID_MAX, true;
    return arg_stream_id(c, i, seq, id);
}

static bool arg_bound(struct call *c, int i, bool start, struct stream_id *id) {
    struct str s = c->argv[i];
    uint64_t seq = start ? 0 : UINT64_MAX;
    if (!s.n || *s.p != '(') return arg_stream_id_or_end(c, i, seq, id);
    if (!stream_parse_id((struct str){ s.p + 1, s.n - 1 }, seq, id)) return invalid_id(c);
    if (start ? stream_id_next(id) : stream_id_prev(id)) return true;
    reply_error(c->out, start ? "ERR invalid start ID for the interval"
                              : "ERR invalid end ID for the interval");
    return false;
}

bool arg_stream_start(struct call *c, int i, struct stream_id *id) {
    return arg_bound(c, i, true, id);
}
bool arg_stream_end(struct call *c, int i, struct stream_id *id) {
    return arg_bound(c, i, false, id);
}

struct stream_id *arg_stream_ids(struct call *c, int i, int n) {
    struct stream_id *ids = malloc(((size_t)n + 1) * sizeof *ids);
    ASSERT(ids);
    for (int k = 0; k < n; k++) {
        if (arg_stream_id(c, i + k, 0, &ids[k])) continue;
        free(ids);
        return NULL;
    }
    return ids;
}

bool arg_stream_numids(struct call *c, int *i, const struct stream_ids_texts *texts, int *n) {
    int64_t count;
    if (*i + 1 >= c->argc) return call_syntax_error(c), false;
    if (!arg_range(c, *i + 1, 1, texts->most, &count, texts->not_positive)) return false;
    if (count > c->argc - *i - 2) {
        reply_error(c->out, texts->mismatch);
        return false;
    }
    *n = (int)count;
    *i += 2 + *n;
    return true;
}

/* --- trimming --- */

bool arg_stream_refs(const struct call *c, int i, enum stream_refs *refs) {
    if (arg_is(c, i, "KEEPREF")) return *refs = REFS_KEEP, true;
    if (arg_is(c, i, "DELREF")) return *refs = REFS_DROP, true;
    if (arg_is(c, i, "ACKED")) return *refs = REFS_ACKED, true;
    return false;
}

static int arg_threshold(struct call *c, int *i, bool by_length, struct stream_trim_args *t) {
    int64_t length;
    if (t->trim.how != TRIM_NONE) {
        reply_error(c->out, "ERR syntax error, MAXLEN and MINID options at the same time are not "
                            "compatible");
        return -1;
    }
    t->trim.how = by_length ? TRIM_LENGTH : TRIM_ID;
    ++*i;
    bool more = *i + 1 < c->argc;
    if (more && (arg_is(c, *i, "~") || arg_is(c, *i, "="))) {
        t->trim.approximate = arg_is(c, *i, "~");
        t->approx_at = (*i)++;
    }
    t->threshold_at = *i;
    if (!by_length) return arg_stream_id(c, *i, 0, &t->trim.id) ? 1 : -1;
    if (!arg_i64(c, *i, &length)) return -1;
    t->trim.length = (uint64_t)length;
    if (length >= 0) return 1;
    reply_error(c->out, "ERR The MAXLEN argument must be >= 0.");
    return -1;
}

int arg_trim_option(struct call *c, int *i, struct stream_trim_args *t) {
    bool more = *i + 1 < c->argc;
    if (more && arg_is(c, *i, "MAXLEN")) return arg_threshold(c, i, true, t);
    if (more && arg_is(c, *i, "MINID")) return arg_threshold(c, i, false, t);
    if (more && arg_is(c, *i, "LIMIT")) {
        t->limit_at = *i;
        if (!arg_i64(c, ++*i, &t->limit)) return -1;
        if (t->limit >= 0) return 1;
        reply_error(c->out, "ERR The LIMIT argument must be >= 0.");
        return -1;
    }
    if (t->has_refs || !arg_stream_refs(c, *i, &t->trim.refs)) return 0;
    t->has_refs = true;
    return 1;
}

/* Looks at so many entries when nobody says how many. */
static uint64_t default_limit(const struct engine *eng) {
    int64_t entries = eng->config.stream_node_max_entries;
    if (entries <= 0) return 10000;
    return entries > LIMIT_MAX / 100 ? LIMIT_MAX : (uint64_t)entries * 100;
}

bool arg_trim_finish(struct call *c, struct stream_trim_args *t) {
    if (t->limit_at && t->trim.how == TRIM_NONE) {
        reply_error(c->out, "ERR syntax error, LIMIT cannot be used without specifying a trimming "
                            "strategy");
        return false;
    }
    if (t->limit_at && !t->trim.approximate) {
        reply_error(c->out, "ERR syntax error, LIMIT cannot be used without the special ~ option");
        return false;
    }
    if (t->trim.approximate)
        t->trim.limit = t->limit_at ? (uint64_t)t->limit : default_limit(c->eng);
    return true;
}

/* The id below which nothing is left: of the first entry, deleted or not. */
static struct stream_id lowest_left(const struct call *c, const struct stream *s) {
    struct idtree_iter it;
    const uint8_t *record = idtree_first(&c->eng->arena, &stream_nodes_kind, &s->nodes, &it);
    if (!record) return STREAM_ID_MAX;
    return (struct stream_id){ idtree_word(record, 0), idtree_word(record, 1) };
}

/* An approximate threshold as an exact one by which the same entries go. */
struct exact {
    struct str word, threshold;
    char text[STREAM_ID_TEXT];
};

static void exact_id(struct exact *x, struct stream_id id) {
    x->word = STR("MINID");
    x->threshold = (struct str){ x->text, stream_id_text(x->text, id) };
}

/* Whole nodes have gone, or single entries: all that were to go and are not wanted, up to where the
 * limit came. (Redis 8.10 says the first id left in either case: what its log brings back then,
 * ours does not.) */
static void exact_threshold(struct call *c, const struct stream *s,
                            const struct stream_trim_args *t, struct exact *x) {
    const struct stream_trim *trim = &t->trim;
    struct stream_id asked = trim->how == TRIM_ID ? trim->id : STREAM_ID_MAX;
    x->word = c->argv[t->approx_at - 1];
    x->threshold = c->argv[t->threshold_at];
    if (trim->refs == REFS_KEEP && trim->how == TRIM_LENGTH)
        x->threshold = (struct str){ x->text, u64_to_text(x->text, s->length) };
    else if (trim->refs == REFS_KEEP)
        exact_id(x, lowest_left(c, s));
    else if (stream_id_cmp(trim->stopped_at, asked) < 0)
        exact_id(x, trim->stopped_at);
}

void stream_propagate_trimmed(struct call *c, const struct stream *s,
                              const struct stream_trim_args *t, int id_at, struct stream_id id) {
    char text[STREAM_ID_TEXT];
    struct exact exact;
    if (!engine_propagates(c->eng)) return;
    struct str *argv = malloc((size_t)c->argc * sizeof *argv);
    ASSERT(argv);
    int n = 0;
    if (t->trim.approximate) exact_threshold(c, s, t, &exact);
    for (int i = 0; i < c->argc; i++) {
        argv[n] = c->argv[i];
        if (t->limit_at && i == t->limit_at) {
            i++;
            continue;
        }
        if (t->trim.approximate && i == t->approx_at - 1)
            argv[n] = exact.word;
        else if (t->trim.approximate && i == t->approx_at)
            argv[n] = STR("=");
        else if (t->trim.approximate && i == t->threshold_at)
            argv[n] = exact.threshold;
        else if (id_at && i == id_at)
            argv[n] = (struct str){ text, stream_id_text(text, id) };
        n++;
    }
    call_propagate(c, n, argv);
    free(argv);
}
