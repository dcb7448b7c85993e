/* stream_add.c - XADD, and what belongs to idempotent producers: XCFGSET, XIDMPRECORD. */
#include "cmd/stream.h"
#include "db/digest.h"
#include "db/stream_idmp.h"
#include "ds/listpack.h"

#define IID_BYTES 16

enum id_form { ID_AUTO, ID_AUTO_SEQ, ID_GIVEN };

struct xadd {
    struct stream_trim_args trim;
    bool no_mkstream;
    int id_at; /* index of the id */
    enum id_form form;
    struct stream_id id;
    struct str pid, iid; /* pid.p NULL: no producer */
    bool hash;           /* IDMPAUTO: the iid is made of the fields */
    char hashed[DIGEST_BYTES];
};

/* --- parsing --- */

static bool fail(struct call *c, const char *line) {
    reply_error(c->out, line);
    return false;
}

static bool parse_id(struct call *c, int i, struct xadd *x) {
    struct str s = c->argv[i];
    x->id_at = i;
    x->form = ID_GIVEN;
    if (s.n > 2 && !memcmp(s.p + s.n - 2, "-*", 2)) {
        x->form = ID_AUTO_SEQ;
        s.n -= 2;
        if (!memchr(s.p, '-', s.n) && stream_parse_id(s, 0, &x->id)) return true;
        return fail(c, "ERR Invalid stream ID specified as stream command argument");
    }
    return arg_stream_id(c, i, 0, &x->id);
}

/* IDMP pid iid, or IDMPAUTO pid, at argv[*i]; 0: it is neither. */
static int parse_producer(struct call *c, int *i, struct xadd *x) {
    bool named = arg_is(c, *i, "IDMP") && *i + 2 < c->argc;
    if (!named && !(arg_is(c, *i, "IDMPAUTO") && *i + 1 < c->argc)) return 0;
    if (x->pid.p) return fail(c, "ERR syntax error, IDMP/IDMPAUTO specified multiple times"), -1;
    x->pid = c->argv[++*i];
    x->hash = !named;
    if (!x->pid.n && named)
        return fail(c, "ERR syntax error, IDMP requires a non-empty producer ID"), -1;
    if (!x->pid.n)
        return fail(c, "ERR syntax error, IDMPAUTO requires a non-empty producer ID"), -1;
    if (!named) return 1;
    x->iid = c->argv[++*i];
    if (!x->iid.n) return fail(c, "ERR syntax error, IDMP requires a non-empty idempotent ID"), -1;
    return 1;
}

/* Only a log that is being loaded gives the id, which was chosen when the entry was added; a call
 * without a session is of such a log, or of another worker's client. */
static bool producer_allowed(struct call *c, const struct xadd *x) {
    bool of_client = c->session || (c->eng->remote && !c->eng->config.loading);
    if (!x->pid.p || x->form == ID_AUTO || !of_client) return true;
    return fail(c, "ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs");
}

static bool parse_xadd(struct call *c, struct xadd *x) {
    int i = 2;
    for (; i < c->argc; i++) {
        if (str_eq(c->argv[i], STR("*"))) {
            x->id_at = i;
            break;
        }
        int taken = arg_trim_option(c, &i, &x->trim);
        if (taken == 0) taken = parse_producer(c, &i, x);
        if (taken < 0) return false;
        if (taken > 0) continue;
        if (arg_is(c, i, "NOMKSTREAM")) {
            x->no_mkstream = true;
        } else if (!parse_id(c, i, x)) {
            return false;
        } else {
            break;
        }
    }
    if (!producer_allowed(c, x) || !arg_trim_finish(c, &x->trim)) return false;
    int words = c->argc - i - 1;
    if (words < 2 || words % 2) return call_arity_error(c), false;
    return x->form != ID_GIVEN || !stream_id_zero(x->id) ||
           fail(c, "ERR The ID specified in XADD must be greater than 0-0");
}

/* --- the id --- */

static bool choose_id(struct call *c, const struct stream *s, struct xadd *x) {
    static const struct stream none = { 0 };
    if (!s) s = &none;
    struct stream_id last = s->last;
    if (stream_id_cmp(last, STREAM_ID_MAX) == 0)
        return fail(c, "ERR The stream has exhausted the last possible ID, unable to add more "
                       "items");
    if (x->form == ID_AUTO) return stream_next_id(c->eng, s, &x->id);
    if (x->form == ID_AUTO_SEQ && x->id.ms == last.ms) {
        x->id.seq = last.seq + 1;
        if (last.seq == UINT64_MAX) x->id.seq = 0; /* refused below */
    }
    if (stream_id_cmp(x->id, last) > 0) return true;
    return fail(c, "ERR The ID specified in XADD is equal or smaller than the target stream top "
                   "item");
}

/* --- producers --- */

static int compare_pairs(const void *a, const void *b) {
    const struct str *p = *(const struct str *const *)a, *q = *(const struct str *const *)b;
    int order = str_cmp(p[0], q[0]);
    return order ? order : str_cmp(p[1], q[1]);
}

/* The iid of IDMPAUTO: of fields and values in whatever order they come. */
static void hash_fields(struct xadd *x, const struct str *pairs, uint32_t n) {
    struct digest d;
    const struct str **sorted = malloc(n * sizeof *sorted);
    ASSERT(sorted);
    for (uint32_t i = 0; i < n; i++) sorted[i] = pairs + 2 * (size_t)i;
    qsort(sorted, n, sizeof *sorted, compare_pairs);
    digest_init(&d);
    for (uint32_t i = 0; i < n; i++) {
        digest_mix(&d, sorted[i][0].p, sorted[i][0].n);
        digest_mix(&d, sorted[i][1].p, sorted[i][1].n);
    }
    free(sorted);
    memcpy(x->hashed, d.sum, DIGEST_BYTES);
    x->iid = (struct str){ x->hashed, IID_BYTES };
}

/* The producer has added it before: its id again, and one more duplicate. */
static bool is_duplicate(struct call *c, struct stream_key *k, const struct xadd *x) {
    struct stream_id id;
    struct arena *a = &c->eng->arena;
    if (!k->s || !stream_idmp_find(a, k->s, x->pid, x->iid, c->eng->now_ms, &id)) return false;
    stream_idmp_of(a, k->s)->duplicates++;
    call_regrouped(c, &k->key, NULL, 1);
    reply_stream_id(c->out, id);
    return true;
}

/* --- adding --- */

/* Appends to the stream; a new one gets its key when all else is done. */
static status add_entry(struct call *c, struct stream_key *k, const struct xadd *x,
                        const struct str *pairs, uint32_t n) {
    struct engine *eng = c->eng;
    bool fresh = !k->s;
    status st = fresh ? stream_create(eng, &k->value) : ST_OK;
    if (st != ST_OK) return st;
    if (fresh) k->s = stream_of(&eng->arena, &k->value);
    if (x->pid.p) st = stream_idmp_reserve(&eng->arena, k->s, x->pid, x->iid, eng->now_ms);
    if (st == ST_OK) st = stream_append(eng, k->s, x->id, pairs, n);
    if (st == ST_OK && fresh) st = key_add(eng, &k->key, &k->value);
    if (st != ST_OK) {
        if (fresh) value_free(eng, k->value, false);
        return st;
    }
    if (x->pid.p)
        ASSERT(stream_idmp_add(&eng->arena, k->s, x->pid, x->iid, x->id, eng->now_ms) == ST_OK);
    return ST_OK;
}

static bool too_large(const struct str *pairs, uint32_t n) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < 2 * n; i++) bytes += pairs[i].n;
    return bytes > LP_MAX_BYTES;
}

static void cmd_xadd(struct call *c) {
    struct xadd x = { .trim.limit = -1 };
    struct stream_key k;
    if (!parse_xadd(c, &x) || !stream_open_write(c, 1, &k)) return;
    const struct str *pairs = c->argv + x.id_at + 1;
    uint32_t n = (uint32_t)(c->argc - x.id_at - 1) / 2;
    if (!k.s && x.no_mkstream) {
        reply_null(c->out);
        return;
    }
    if (x.hash) hash_fields(&x, pairs, n);
    if (x.pid.p && is_duplicate(c, &k, &x)) return;
    if (!choose_id(c, k.s, &x)) return;
    if (too_large(pairs, n)) {
        reply_error(c->out, "ERR Elements are too large to be stored");
        return;
    }
    if (!call_ok(c, add_entry(c, &k, &x, pairs, n))) return;
    call_changed(c, &k.key, NOTIFY_STREAM, "xadd", 1);
    if (x.trim.trim.how != TRIM_NONE && stream_trim(&c->eng->arena, k.s, &x.trim.trim))
        call_changed(c, &k.key, NOTIFY_STREAM, "xtrim", 1);
    stream_propagate_trimmed(c, k.s, &x.trim, x.form == ID_GIVEN ? 0 : x.id_at, x.id);
    reply_stream_id(c->out, x.id);
}

/* --- XCFGSET --- */

struct xcfgset {
    int64_t duration, maxsize; /* 0: not given */
};

static bool parse_xcfgset(struct call *c, struct xcfgset *x) {
    *x = (struct xcfgset){ 0 };
    for (int i = 2; i < c->argc; i += 2) {
        bool duration = arg_is(c, i, "IDMP-DURATION");
        if (i + 1 >= c->argc || (!duration && !arg_is(c, i, "IDMP-MAXSIZE")))
            return call_syntax_error(c), false;
        int64_t *to = duration ? &x->duration : &x->maxsize;
        if (*to)
            return fail(c, duration ? "ERR IDMP-DURATION specified multiple times"
                                    : "ERR IDMP-MAXSIZE specified multiple times");
        if (!arg_i64(c, i + 1, to)) return false;
        if (duration && (*to < 1 || *to > 86400))
            return fail(c, "ERR IDMP-DURATION must be between 1 and 86400 seconds");
        if (!duration && (*to < 1 || *to > 10000))
            return fail(c, "ERR IDMP-MAXSIZE must be between 1 and 10000 entries");
    }
    return x->duration || x->maxsize || fail(c, "ERR At least one parameter must be specified");
}

static void cmd_xcfgset(struct call *c) {
    struct xcfgset x;
    struct stream_key k;
    if (!stream_open_write(c, 1, &k)) return;
    if (!k.s) {
        reply_status(c->out, ST_NOT_FOUND);
        return;
    }
    if (!parse_xcfgset(c, &x)) return;
    bool changed = (x.duration && x.duration != k.s->idmp_duration) ||
                   (x.maxsize && x.maxsize != k.s->idmp_maxsize);
    if (changed) {
        if (x.duration) k.s->idmp_duration = (uint32_t)x.duration;
        if (x.maxsize) k.s->idmp_maxsize = (uint32_t)x.maxsize;
        stream_idmp_clear(&c->eng->arena, k.s);
        call_regrouped(c, &k.key, NULL, 1);
    }
    reply_ok(c->out);
}

/* --- XIDMPRECORD: what a rewritten log has of producers --- */

static void cmd_xidmprecord(struct call *c) {
    struct stream_key k;
    struct stream_id id, there;
    struct arena *a = &c->eng->arena;
    if (!arg_stream_id(c, 4, 0, &id)) return;
    if (!c->argv[2].n) {
        fail(c, "ERR producer ID must be non-empty");
        return;
    }
    if (!c->argv[3].n) {
        fail(c, "ERR idempotent ID must be non-empty");
        return;
    }
    if (!stream_open_write(c, 1, &k)) return;
    if (!k.s) {
        reply_status(c->out, ST_NOT_FOUND);
    } else if (stream_idmp_find(a, k.s, c->argv[2], c->argv[3], 0, &there)) {
        if (stream_id_cmp(there, id) == 0)
            reply_ok(c->out);
        else
            fail(c, "ERR IID already exists for this producer with a different stream ID");
    } else if (!stream_has(a, k.s, id)) {
        fail(c, "ERR No such message in stream");
    } else if (call_ok(c, stream_idmp_add(a, k.s, c->argv[2], c->argv[3], id, 0))) {
        call_regrouped(c, &k.key, NULL, 1);
        reply_ok(c->out);
    }
}

#define ADDS CMD_WRITE | CMD_DENYOOM | CMD_FAST
static const struct command stream_add_rows[] = {
    { "XADD", -5, ADDS, "stream", cmd_xadd, { KEY(1, KF_RW | KF_UPDATE) } },
    { "XCFGSET", -2, CMD_WRITE | CMD_FAST, "stream", cmd_xcfgset, { KEY(1, KF_RW | KF_UPDATE) } },
    { "XIDMPRECORD", 5, ADDS, "stream", cmd_xidmprecord, { KEY(1, KF_RW | KF_UPDATE) } },
};
COMMAND_GROUP(stream_add_commands, "stream", stream_add_rows);
