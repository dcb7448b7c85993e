/* stream_read.c - XREAD and XREADGROUP. */
#include "cmd/stream.h"

enum read_from { FROM_ID, FROM_NEW /* > */, FROM_LAST /* + */ };

struct source {
    int key_at; /* index of the key */
    enum read_from from;
    struct stream_id after; /* FROM_ID */
};

struct xread {
    bool grouped;
    struct str group, consumer;
    int64_t count;             /* a stream; 0: no limit */
    int64_t maxcount, maxsize; /* in all; 0: no limit */
    int64_t block_ms;          /* -1: not given */
    int64_t claim_ms;          /* -1: not given */
    bool noack;
    struct source *sources;
    int n;
};

/* --- parsing: options --- */

static bool fail(struct call *c, const char *line) {
    reply_error(c->out, line);
    return false;
}

static bool only_grouped(struct call *c, const char *option) {
    reply_errorf(c->out,
                 "ERR The %s option is only supported by XREADGROUP. You called XREAD "
                 "instead.",
                 option);
    return false;
}

static bool arg_positive(struct call *c, int i, int64_t *out, const char *line) {
    if (!arg_i64(c, i, out)) return false;
    return *out > 0 || fail(c, line);
}

static bool arg_block(struct call *c, int i, int64_t *ms) {
    if (!arg_i64_or(c, i, ms, "ERR timeout is not an integer or out of range")) return false;
    return *ms >= 0 || fail(c, "ERR timeout is negative");
}

static bool arg_claim(struct call *c, int i, int64_t *ms) {
    if (!arg_i64_or(c, i, ms, "ERR min-idle-time is not an integer or out of range")) return false;
    return *ms >= 0 || fail(c, "ERR min-idle-time must be a positive integer");
}

/* The option at argv[*i], which moves to its last word; false: replied. */
static bool parse_option(struct call *c, int *i, struct xread *x) {
    int left = c->argc - 1 - *i, at = *i + 1;
    *i = at;
    if (left >= 1 && arg_is(c, at - 1, "COUNT")) {
        if (!arg_i64(c, at, &x->count)) return false;
        if (x->count < 0) x->count = 0;
        return true;
    }
    if (left >= 1 && arg_is(c, at - 1, "MAXCOUNT"))
        return arg_positive(c, at, &x->maxcount, "ERR MAXCOUNT must be a positive integer");
    if (left >= 1 && arg_is(c, at - 1, "MAXSIZE"))
        return arg_positive(c, at, &x->maxsize, "ERR MAXSIZE must be a positive integer");
    if (left >= 1 && arg_is(c, at - 1, "BLOCK")) return arg_block(c, at, &x->block_ms);
    if (left >= 1 && arg_is(c, at - 1, "CLAIM"))
        return x->grouped ? arg_claim(c, at, &x->claim_ms) : only_grouped(c, "CLAIM");
    if (left >= 2 && arg_is(c, at - 1, "GROUP")) {
        if (!x->grouped) return only_grouped(c, "GROUP");
        x->group = c->argv[at];
        x->consumer = c->argv[++*i];
        return true;
    }
    if (arg_is(c, at - 1, "NOACK")) {
        --*i;
        x->noack = true;
        return x->grouped || only_grouped(c, "NOACK");
    }
    return call_syntax_error(c), false;
}

static bool unbalanced(struct call *c, const struct xread *x) {
    return fail(c, x->grouped
                       ? "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID "
                         "or '>' must be specified."
                       : "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', "
                         "or '$' must be specified.");
}

/* --- parsing: where to read from --- */

/* The id at argv[i] as the source of this stream (NULL: there is none). */
static bool parse_source(struct call *c, int i, const struct stream *s, const struct xread *x,
                         struct source *from) {
    struct str word = c->argv[i];
    if (str_eq(word, STR("$"))) {
        if (x->grouped)
            return fail(c, "ERR The $ ID is meaningless in the context of XREADGROUP: you want to "
                           "read the history of this consumer by specifying a proper ID, or use "
                           "the > ID to get new messages. The $ ID would just return an empty "
                           "result set.");
        from->after = s ? s->last : STREAM_ID_MIN;
        return true;
    }
    if (str_eq(word, STR("+"))) {
        if (x->grouped)
            return fail(c, "ERR The + ID is meaningless in the context of XREADGROUP: you want to "
                           "read the history of this consumer by specifying a proper ID, or use "
                           "the > ID to get new messages. The + ID would just return an empty "
                           "result set.");
        from->from = FROM_LAST;
        from->after = s ? s->last : STREAM_ID_MIN;
        return true;
    }
    if (str_eq(word, STR(">"))) {
        from->from = FROM_NEW;
        return x->grouped || fail(c, "ERR The > ID can be specified only when calling XREADGROUP "
                                     "using the GROUP <group> <consumer> option.");
    }
    if (!arg_stream_id(c, i, 0, &from->after)) return false;
    /* Nothing can come after the greatest id: Redis takes it for > then. */
    if (x->grouped && stream_id_cmp(from->after, STREAM_ID_MAX) == 0) from->from = FROM_NEW;
    return true;
}

/* One that is no stream any more is an error for who comes, and nothing for who has waited. */
static bool open_source(struct call *c, int i, const struct xread *x, struct stream_key *k) {
    if (x->grouped) return stream_open_update(c, i, k);
    if (!c->resumed || !call_find(c, i, KEY_PEEK, &k->key) ||
        entry_type(k->key.entry) == TYPE_STREAM)
        return stream_open_read(c, i, k);
    k->s = NULL;
    return true;
}

static bool parse_sources(struct call *c, int first, struct xread *x) {
    x->n = (c->argc - first) / 2;
    x->sources = calloc((size_t)x->n, sizeof *x->sources);
    ASSERT(x->sources);
    for (int i = 0; i < x->n; i++) {
        struct stream_key k;
        struct source *from = &x->sources[i];
        from->key_at = first + i;
        if (!open_source(c, first + i, x, &k)) return false;
        if (x->grouped && (!k.s || !stream_group_find(&c->eng->arena, k.s, x->group))) {
            struct str key = c->argv[first + i];
            reply_errorf(c->out,
                         "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with "
                         "GROUP option",
                         (int)key.n, key.p, (int)x->group.n, x->group.p);
            return false;
        }
        if (!parse_source(c, first + x->n + i, k.s, x, from)) return false;
    }
    return true;
}

/* False: replied. x->sources is to be freed either way. */
static bool parse_xread(struct call *c, struct xread *x) {
    int i = 1;
    for (; i < c->argc && !(arg_is(c, i, "STREAMS") && i + 1 < c->argc); i++)
        if (!parse_option(c, &i, x)) return false;
    if (i >= c->argc) return call_syntax_error(c), false;
    if ((c->argc - i - 1) % 2) return unbalanced(c, x);
    if (x->grouped && !x->group.p) return fail(c, "ERR Missing GROUP option for XREADGROUP");
    if (x->maxcount && x->count > x->maxcount)
        return fail(c, "ERR MAXCOUNT must be greater than or equal to COUNT");
    return parse_sources(c, i + 1, x);
}

/* --- what goes into the reply --- */

/* A reply being written: entries are begun as long as the limits allow. */
struct answer {
    struct call *c;
    const struct xread *x;
    const struct source *source;
    size_t header;         /* of all streams: where its length will be */
    size_t streams;        /* that are in it */
    size_t mark;           /* where the length of this stream's array will be */
    size_t entries;        /* of this stream */
    uint64_t total;        /* entries of all streams */
    size_t settled, begun; /* bytes of streams that are done; where this one begins */
    bool open;             /* this stream's head is written */
    bool claims;           /* CLAIM counts up to the first id that is not > */
    bool recounted;        /* entries of a history, which nobody logs */
    status failed;         /* memory ran out before anything could be delivered */
};

static size_t answered_bytes(const struct answer *w) {
    size_t deferred = 16; /* the room of a length that is not known yet does not count */
    return w->open ? w->settled + w->c->out->n - w->begun - deferred : w->settled;
}

/* Whether another entry may follow; the first always may. */
static bool may_answer(const struct answer *w) {
    const struct xread *x = w->x;
    if (x->count && w->entries >= (uint64_t)x->count) return false;
    if (w->total == 0) return true;
    if (x->maxcount && w->total >= (uint64_t)x->maxcount) return false;
    return !x->maxsize || answered_bytes(w) < (size_t)x->maxsize;
}

static void open_stream(struct answer *w) {
    struct reply *out = w->c->out;
    if (w->open) return;
    if (w->streams++ == 0) w->header = reply_defer(out);
    w->begun = out->n;
    if (out->resp < 3) reply_array(out, 2);
    reply_bulk(out, w->c->argv[w->source->key_at]);
    w->mark = reply_defer(out);
    w->open = true;
}

static void close_stream(struct answer *w) {
    if (!w->open) return;
    reply_set_deferred_array(w->c->out, w->mark, w->entries);
    w->settled += w->c->out->n - w->begun;
    w->open = false;
}

static void answer_entry(struct answer *w, const struct stream_entry *e) {
    open_stream(w);
    reply_stream_entry(w->c->out, e, w->claims ? 2 : 0);
    w->entries++;
    w->total++;
}

/* --- XREAD --- */

static void read_stream(struct answer *w, const struct stream *s) {
    struct stream_cursor cursor;
    struct stream_entry e;
    struct stream_id start = w->source->after;
    bool last = w->source->from == FROM_LAST;
    if (!last && (stream_id_cmp(s->last, start) <= 0 || !stream_id_next(&start))) return;
    if (last)
        stream_seek(&w->c->eng->arena, s, STREAM_ID_MAX, STREAM_ID_MIN, true, &cursor);
    else
        stream_seek(&w->c->eng->arena, s, start, STREAM_ID_MAX, false, &cursor);
    while (stream_next(&cursor, &e)) {
        open_stream(w); /* also when its name leaves no room for an entry */
        if (!may_answer(w)) break;
        answer_entry(w, &e);
        if (last) break;
    }
    stream_cursor_close(&cursor);
}

/* --- XREADGROUP --- */

struct reader {
    const struct key *key;
    struct stream *s;
    struct stream_group *g;
    uint32_t consumer;
    bool created;
};

/* What this consumer has pending after an id. Deleted entries have no fields. */
static void read_history(struct answer *w, const struct reader *r) {
    struct arena *a = &w->c->eng->arena;
    struct stream_id start = w->source->after;
    struct idtree_iter it;
    open_stream(w);
    if (!stream_id_next(&start)) return;
    const struct stream_consumer *consumer = stream_consumer_at(a, r->g, r->consumer);
    const uint8_t *record = idtree_seek(a, &stream_ids_kind, &consumer->pending,
                                        (uint64_t[]){ start.ms, start.seq }, &it);
    for (; record && may_answer(w); record = idtree_next(a, &stream_ids_kind, &it)) {
        struct stream_pending p;
        stream_pending_find(
            a, r->g, (struct stream_id){ idtree_word(record, 0), idtree_word(record, 1) }, &p);
        w->entries++;
        w->total++;
        if (!reply_stream_entry_of(w->c, r->s, p.id, 0)) {
            reply_array(w->c->out, 2);
            reply_stream_id(w->c->out, p.id);
            reply_null_array(w->c->out);
            continue;
        }
        /* The owner stays, so its tree does; without memory the entry keeps its time and count. */
        (void)stream_deliver(a, r->g, r->consumer, p.id, engine_wall_ms(w->c->eng),
                             count_up(p.count));
        w->recounted = true;
    }
}

/* Ids that are pending for at least so long, those given back first, then the oldest. */
static struct stream_id *idle_entries(struct answer *w, const struct reader *r, size_t *n) {
    struct arena *a = &w->c->eng->arena;
    struct idtree_iter it;
    size_t room = 16;
    struct stream_id *ids = malloc(room * sizeof *ids);
    ASSERT(ids);
    *n = 0;
    const uint8_t *record = idtree_first(a, &stream_times_kind, &r->g->by_time, &it);
    for (; record; record = idtree_next(a, &stream_times_kind, &it)) {
        uint64_t time = when_ms(idtree_word(record, 0)), now = w->c->eng->now_ms;
        if (time > now || now - time < (uint64_t)w->x->claim_ms) break;
        struct stream_id id = { idtree_word(record, 1), idtree_word(record, 2) };
        if (!stream_has(a, r->s, id)) continue;
        if (w->x->count && *n >= (uint64_t)w->x->count) break;
        if (*n == room) {
            ids = realloc(ids, (room *= 2) * sizeof *ids);
            ASSERT(ids);
        }
        ids[(*n)++] = id;
    }
    return ids;
}

static struct str key_of(const struct answer *w) {
    return w->c->argv[w->source->key_at];
}

static void read_idle(struct answer *w, const struct reader *r) {
    struct arena *a = &w->c->eng->arena;
    uint64_t now = w->c->eng->now_ms;
    size_t n;
    struct stream_id *ids = idle_entries(w, r, &n);
    for (size_t i = 0; i < n; i++) {
        struct stream_pending p;
        struct stream_cursor cursor;
        open_stream(w);
        if (!may_answer(w)) break;
        struct stream_entry e;
        stream_pending_find(a, r->g, ids[i], &p);
        uint64_t before = p.count, time = pending_time(&p), idle = now > time ? now - time : 0;
        w->failed = stream_deliver(a, r->g, r->consumer, p.id, now, count_up(before));
        if (w->failed != ST_OK) break;
        stream_seek(a, r->s, p.id, p.id, false, &cursor);
        if (stream_next(&cursor, &e)) answer_entry(w, &e);
        stream_cursor_close(&cursor);
        reply_int(w->c->out, (int64_t)idle);
        reply_int(w->c->out, (int64_t)before);
        stream_consumer_at(a, r->g, r->consumer)->active_ms = now;
        stream_pending_find(a, r->g, ids[i], &p);
        stream_propagate_claim(w->c, key_of(w), w->x->group, w->x->consumer, &p, r->g->last);
        w->c->dirty++;
    }
    free(ids);
}

/* Gives the entry to the consumer, as the group's next. */
static status deliver(struct answer *w, const struct reader *r, struct stream_id id,
                      struct stream_id last) {
    struct arena *a = &w->c->eng->arena;
    struct stream_pending p = { .id = id };
    if (!w->x->noack) {
        status st = stream_deliver(a, r->g, r->consumer, id, engine_wall_ms(w->c->eng), 1);
        if (st != ST_OK) return st;
        stream_consumer_at(a, r->g, r->consumer)->active_ms = engine_wall_ms(w->c->eng);
        stream_pending_find(a, r->g, id, &p);
        stream_propagate_claim(w->c, key_of(w), w->x->group, w->x->consumer, &p, last);
    }
    stream_group_advance(r->s, r->g, id);
    w->c->dirty++;
    return ST_OK;
}

static void read_new(struct answer *w, const struct reader *r) {
    struct arena *a = &w->c->eng->arena;
    struct stream_cursor cursor;
    struct stream_entry e;
    struct stream_id last = r->g->last, start = last;
    size_t before = w->entries;
    if (stream_id_cmp(r->s->last, start) <= 0 || !stream_id_next(&start)) return;
    stream_seek(a, r->s, start, STREAM_ID_MAX, false, &cursor);
    while (stream_next(&cursor, &e)) {
        open_stream(w);
        if (!may_answer(w)) break;
        w->failed = deliver(w, r, e.id, last);
        if (w->failed != ST_OK) break;
        answer_entry(w, &e);
        if (!w->claims) continue;
        reply_int(w->c->out, 0);
        reply_int(w->c->out, 0);
    }
    stream_cursor_close(&cursor);
    if (w->entries > before) stream_propagate_setid(w->c, key_of(w), w->x->group, r->g);
}

static void read_group(struct answer *w, struct reader *r) {
    struct call *c = w->c;
    if (w->source->from != FROM_NEW) {
        w->claims = false;
        read_history(w, r);
    } else {
        uint64_t before = c->dirty;
        if (w->claims) read_idle(w, r);
        if (w->failed == ST_OK) read_new(w, r);
        if (c->dirty > before) engine_regrouped(c->eng, r->key->name, r->key->db);
    }
    bool claimed = w->source->from == FROM_NEW && w->entries > 0 && !w->x->noack;
    c->dirty += r->created;
    if (r->created && !claimed) {
        struct str key = key_of(w);
        call_propagatef(c, "XGROUP CREATECONSUMER %b %b %b", &key, &w->x->group, &w->x->consumer);
    }
}

static void open_and_read_group(struct answer *w, struct stream_key *k) {
    struct reader r = { .key = &k->key, .s = k->s };
    r.g = stream_group_find(&w->c->eng->arena, k->s, w->x->group);
    if (!r.g) return; /* another stream of this command had the same key and cannot have lost it */
    w->failed = stream_consumer_open(w->c, &k->key, r.g, w->x->consumer, &r.consumer, &r.created);
    if (w->failed == ST_OK) read_group(w, &r);
}

/* --- serving --- */

/* The stream that was opened before, which counts as another look at the key. False: it is gone, or
 * no stream any more. */
static bool open_again(struct call *c, int i, struct stream_key *k) {
    const struct entry *e = call_find(c, i, c->resumed ? KEY_PEEK : KEY_READ, &k->key);
    if (!e || entry_type(e) != TYPE_STREAM) return false;
    k->value = entry_value(e);
    k->s = stream_of(&c->eng->arena, &k->value);
    return true;
}

/* Writes all that is there to be read; false: nothing is, and nothing was written. May be called
 * again later, when the command has waited. */
static bool serve(struct call *c, const struct xread *x) {
    struct answer w = { .c = c, .x = x, .claims = x->claim_ms >= 0 };
    size_t begun = c->out->n;
    for (int i = 0; i < x->n; i++) {
        struct stream_key k;
        w.source = &x->sources[i];
        if (!open_again(c, w.source->key_at, &k)) continue;
        w.entries = 0;
        if (w.total > 0 && !may_answer(&w)) continue;
        if (x->grouped)
            open_and_read_group(&w, &k);
        else
            read_stream(&w, k.s);
        close_stream(&w);
        if (w.failed != ST_OK) break;
    }
    /* Copies of other workers' keys go back only when something has changed. */
    if (w.recounted && c->quiet) c->eng->stats.dirty++;
    if (w.failed != ST_OK) /* what was delivered is pending, for the consumer to ask for */
        reply_fail(c->out, begun, w.failed);
    else if (w.streams && c->out->resp < 3)
        reply_set_deferred_array(c->out, w.header, w.streams);
    else if (w.streams)
        reply_set_deferred_map(c->out, w.header, w.streams);
    return w.streams || w.failed != ST_OK;
}

/* The command that waits must not take $ for another id each time: it has the id instead. */
static char *fix_ids(struct call *c, const struct xread *x) {
    char(*texts)[STREAM_ID_TEXT] = malloc((size_t)x->n * sizeof *texts);
    ASSERT(texts);
    for (int i = 0; i < x->n; i++) {
        int at = x->sources[i].key_at + x->n;
        if (!str_eq(c->argv[at], STR("$"))) continue;
        c->argv[at] = (struct str){ texts[i], stream_id_text(texts[i], x->sources[i].after) };
    }
    return texts[0];
}

/* When an entry that is pending in the group will have been so for long enough; 0: none is. */
static uint64_t idle_at(struct call *c, const struct xread *x, int i) {
    struct arena *a = &c->eng->arena;
    struct stream_key k;
    struct idtree_iter it;
    if (x->sources[i].from != FROM_NEW || !open_again(c, x->sources[i].key_at, &k)) return 0;
    const struct stream_group *g = stream_group_find(a, k.s, x->group);
    const uint8_t *record = g ? idtree_first(a, &stream_times_kind, &g->by_time, &it) : NULL;
    for (; record; record = idtree_next(a, &stream_times_kind, &it)) {
        struct stream_id id = { idtree_word(record, 1), idtree_word(record, 2) };
        if (stream_has(a, k.s, id)) return when_ms(idtree_word(record, 0)) + (uint64_t)x->claim_ms;
    }
    return 0;
}

/* CLAIM: the first such time of all streams. */
static uint64_t first_idle(struct call *c, const struct xread *x) {
    uint64_t first = 0;
    for (int i = 0; i < x->n && x->claim_ms >= 0; i++) {
        uint64_t at = idle_at(c, x, i);
        if (at && (!first || at < first)) first = at;
    }
    return first;
}

static void wait_for_entries(struct call *c, const struct xread *x) {
    struct block_wish wish = { .first = x->sources[0].key_at, .step = 1 };
    wish.last = wish.first + x->n - 1;
    if (x->block_ms > 0) wish.until_ms = c->eng->now_ms + (uint64_t)x->block_ms;
    wish.again_ms = first_idle(c, x);
    if (c->may_block && !c->resumed) wish.texts = fix_ids(c, x);
    call_block(c, &wish);
}

static void xread(struct call *c, bool grouped) {
    struct xread x = { .grouped = grouped, .block_ms = -1, .claim_ms = -1 };
    if (parse_xread(c, &x) && !serve(c, &x)) {
        if (x.block_ms >= 0)
            wait_for_entries(c, &x);
        else
            reply_null_array(c->out);
    }
    free(x.sources);
}

static void cmd_xread(struct call *c) {
    xread(c, false);
}
static void cmd_xreadgroup(struct call *c) {
    xread(c, true);
}

#define STREAMS(at_, more)                                                                         \
    {                                                                                              \
        .flags = KF_RO | KF_ACCESS | KF_INCOMPLETE | (more), .begin = 'k', .find = 'r',            \
        .at = (at_), .a = -1, .b = 1, .c = 2, .keyword = "STREAMS"                                 \
    }
#define WAITS CMD_BLOCKING | CMD_MOVABLE_KEYS
static const struct command stream_read_rows[] = {
    { "XREAD", -4, CMD_READ | WAITS, "stream", cmd_xread, { STREAMS(1, 0) } },
    { "XREADGROUP", -7, CMD_WRITE | WAITS, "stream", cmd_xreadgroup, { STREAMS(4, KF_CHANGED) } },
};
COMMAND_GROUP(stream_read_commands, "stream", stream_read_rows);
