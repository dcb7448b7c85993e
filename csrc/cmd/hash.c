/* hash.c - hashes: setting, getting, counting, deleting fields. */
#include "cmd/hash.h"

#include "db/expire.h"

/* --- open and close --- */

bool hash_open_read(struct call *c, int i, struct hash *h) {
    if (!call_read(c, i, TYPE_HASH, &h->key)) return false;
    if (h->key.entry) h->value = entry_value(h->key.entry);
    return true;
}

bool hash_open_write(struct call *c, int i, struct hash *h) {
    if (!call_write(c, i, TYPE_HASH, &h->key)) return false;
    if (h->key.entry) h->value = entry_value(h->key.entry);
    return true;
}

bool hash_open_create(struct call *c, int i, struct hash *h) {
    if (!hash_open_write(c, i, h)) return false;
    if (h->key.entry) return true;
    if (!call_ok(c, hash_create(&c->eng->arena, &h->value))) return false;
    status st = key_add(c->eng, &h->key, &h->value);
    if (st != ST_OK) value_free(c->eng, h->value, false);
    return call_ok(c, st);
}

void hash_close(struct call *c, struct hash *h) {
    key_store(c->eng, &h->key, &h->value);
    bool empty = hash_length(&c->eng->arena, &h->value) == 0;
    if (!empty && (h->value.enc != ENC_LISTPACK || entry_flags(h->key.entry)))
        key_set_field_ttl(c->eng, &h->key, hash_next_expiry(&c->eng->arena, &h->value) != 0);
    call_delete_if(c, &h->key, empty);
}

void hash_changed(struct call *c, const struct hash *h, const char *event, uint64_t n,
                  struct field_list fields) {
    call_changed(c, &h->key, NOTIFY_HASH, NULL, n);
    engine_notify_fields(c->eng, event, h->key.name, h->key.db, &fields);
}

bool hash_field_at(struct call *c, struct hash *h, struct str name, struct hash_field *f) {
    if (!h->key.entry || !hash_find(&c->eng->arena, &h->value, name, f)) return false;
    if (LIKELY(!f->expiry || f->expiry > c->eng->now_ms)) return true;
    expire_field(c->eng, &h->key, &h->value, name);
    return false;
}

void changed_open(const struct call *c, struct changed *x, int max) {
    *x = (struct changed){ 0 };
    if (LIKELY(!engine_tells_fields(c->eng))) return;
    x->at = malloc(((size_t)max + 1) * sizeof *x->at);
    ASSERT(x->at);
}

/* --- setting --- */

static size_t longest_argument(const struct call *c, int from) {
    size_t n = 0;
    for (int i = from; i < c->argc; i++)
        if (c->argv[i].n > n) n = c->argv[i].n;
    return n;
}

/* Sets the pairs from argv[2] on; the number of new fields, or -1: error replied (pairs that went
 * in before the arena was full stay, and are logged by what they were). */
static int64_t set_pairs(struct call *c) {
    struct hash h;
    if (c->argc % 2) {
        call_arity_error(c);
        return -1;
    }
    if (!hash_open_create(c, 1, &h)) return -1;
    size_t length = (size_t)hash_length(&c->eng->arena, &h.value);
    status st = hash_reserve(c->eng, &h.value, length, longest_argument(c, 2));
    int64_t created = 0;
    int i = 2;
    for (; i < c->argc && st == ST_OK; i += 2) {
        bool fresh;
        st = hash_set(c->eng, &h.value, c->argv[i], c->argv[i + 1], 0, &fresh);
        created += st == ST_OK && fresh;
    }
    if (st != ST_OK && i > 4) call_propagate(c, i - 2, c->argv);
    int pairs = (i - (st == ST_OK ? 2 : 4)) / 2;
    if (pairs > 0)
        hash_changed(c, &h, "hset", (uint64_t)(c->argc - 2) / 2,
                     (struct field_list){ c->argv + 2, (size_t)pairs, 2 });
    hash_close(c, &h);
    return call_ok(c, st) ? created : -1;
}

static void cmd_hset(struct call *c) {
    int64_t created = set_pairs(c);
    if (created >= 0) reply_int(c->out, created);
}

static void cmd_hmset(struct call *c) {
    if (set_pairs(c) >= 0) reply_ok(c->out);
}

static void cmd_hsetnx(struct call *c) {
    struct hash h;
    struct hash_field f;
    if (!hash_open_write(c, 1, &h)) return;
    if (hash_field_at(c, &h, c->argv[2], &f)) {
        reply_int(c->out, 0);
        return;
    }
    if (!hash_open_create(c, 1, &h)) return;
    bool fresh;
    status st = hash_set(c->eng, &h.value, c->argv[2], c->argv[3], 0, &fresh);
    if (st == ST_OK) hash_changed(c, &h, "hset", 1, (struct field_list){ c->argv + 2, 1, 1 });
    hash_close(c, &h);
    if (call_ok(c, st)) reply_int(c->out, 1);
}

/* --- getting --- */

static void cmd_hget(struct call *c) {
    struct hash h;
    struct hash_field f;
    if (!hash_open_read(c, 1, &h)) return;
    if (hash_field_at(c, &h, c->argv[2], &f))
        reply_bulk(c->out, f.value);
    else
        reply_null(c->out);
}

static void cmd_hmget(struct call *c) {
    struct hash h;
    struct hash_field f;
    if (!hash_open_read(c, 1, &h)) return;
    reply_array(c->out, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        if (hash_field_at(c, &h, c->argv[i], &f))
            reply_bulk(c->out, f.value);
        else
            reply_null(c->out);
    }
}

static void cmd_hexists(struct call *c) {
    struct hash h;
    struct hash_field f;
    if (hash_open_read(c, 1, &h)) reply_int(c->out, hash_field_at(c, &h, c->argv[2], &f));
}

static void cmd_hstrlen(struct call *c) {
    struct hash h;
    struct hash_field f;
    if (!hash_open_read(c, 1, &h)) return;
    reply_int(c->out, hash_field_at(c, &h, c->argv[2], &f) ? (int64_t)f.value.n : 0);
}

static void cmd_hlen(struct call *c) {
    struct hash h;
    if (!hash_open_read(c, 1, &h)) return;
    reply_int(c->out, h.key.entry ? (int64_t)hash_length(&c->eng->arena, &h.value) : 0);
}

struct listing {
    struct reply *out;
    bool names, values;
    size_t n;
};

static bool list_field(void *ctx, const struct hash_field *f) {
    struct listing *l = ctx;
    if (l->names) reply_bulk(l->out, f->name);
    if (l->values) reply_bulk(l->out, f->value);
    l->n++;
    return true;
}

static void list_fields(struct call *c, bool names, bool values) {
    struct hash h;
    struct listing l = { .out = c->out, .names = names, .values = values };
    if (!hash_open_read(c, 1, &h)) return;
    size_t mark = reply_defer(c->out);
    if (h.key.entry) hash_each(&c->eng->arena, &h.value, c->eng->now_ms, list_field, &l);
    if (names && values)
        reply_set_deferred_map(c->out, mark, l.n);
    else
        reply_set_deferred_array(c->out, mark, l.n);
}

static void cmd_hgetall(struct call *c) {
    list_fields(c, true, true);
}
static void cmd_hkeys(struct call *c) {
    list_fields(c, true, false);
}
static void cmd_hvals(struct call *c) {
    list_fields(c, false, true);
}

/* --- deleting --- */

static void cmd_hdel(struct call *c) {
    struct hash h;
    if (!hash_open_write(c, 1, &h)) return;
    struct changed gone;
    changed_open(c, &gone, c->argc);
    int64_t n = 0;
    for (int i = 2; h.key.entry && i < c->argc; i++) {
        bool deleted = hash_delete(&c->eng->arena, &h.value, c->argv[i]);
        n += deleted;
        if (deleted) changed_add(&gone, c->argv[i]);
        if (hash_length(&c->eng->arena, &h.value) == 0) break;
    }
    if (n) hash_changed(c, &h, "hdel", (uint64_t)n, changed_fields(&gone));
    free(gone.at);
    if (h.key.entry) hash_close(c, &h);
    reply_int(c->out, n);
}

/* --- numbers --- */

static void store_number(struct call *c, struct hash *h, struct str text, const char *event,
                         status *st) {
    bool fresh;
    *st = hash_set(c->eng, &h->value, c->argv[2], text, HASH_KEEP_EXPIRY, &fresh);
    if (*st == ST_OK) hash_changed(c, h, event, 1, (struct field_list){ c->argv + 2, 1, 1 });
    hash_close(c, h);
}

static void cmd_hincrby(struct call *c) {
    struct hash h;
    struct hash_field f;
    int64_t by, v = 0;
    char text[24];
    if (!arg_i64(c, 3, &by) || !hash_open_write(c, 1, &h)) return;
    if (hash_field_at(c, &h, c->argv[2], &f) && !str_to_i64(f.value, &v)) {
        reply_error(c->out, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(v, by, &v)) {
        reply_status(c->out, ST_OVERFLOW);
        return;
    }
    if (!hash_open_create(c, 1, &h)) return;
    status st;
    store_number(c, &h, (struct str){ text, i64_to_text(text, v) }, "hincrby", &st);
    if (call_ok(c, st)) reply_int(c->out, v);
}

static void cmd_hincrbyfloat(struct call *c) {
    struct hash h;
    struct hash_field f;
    long double by, v = 0;
    char text[NUMBER_TEXT_MAX];
    if (!str_to_long_double(c->argv[3], &by)) {
        reply_status(c->out, ST_NOT_FLOAT);
        return;
    }
    if (by - by != 0) {
        reply_error(c->out, "ERR value is NaN or Infinity");
        return;
    }
    if (!hash_open_write(c, 1, &h)) return;
    if (hash_field_at(c, &h, c->argv[2], &f) && !str_to_long_double(f.value, &v)) {
        reply_error(c->out, "ERR hash value is not a float");
        return;
    }
    v += by;
    if (v - v != 0) {
        reply_status(c->out, ST_NAN_RESULT);
        return;
    }
    if (!hash_open_create(c, 1, &h)) return;
    struct str s = { text, long_double_to_text(text, v) };
    status st;
    store_number(c, &h, s, "hincrbyfloat", &st);
    if (!call_ok(c, st)) return;
    call_propagatef(c, "HSETEX %b KEEPTTL FIELDS 1 %b %b", &c->argv[1], &c->argv[2], &s);
    reply_bulk(c->out, s);
}

/* --- random fields --- */

static bool random_pair(void *ctx, const struct hash_field *f) {
    struct listing *l = ctx;
    if (l->values && l->out->resp >= 3) reply_array(l->out, 2);
    return list_field(ctx, f);
}

static bool parse_count(struct call *c, int64_t *count, bool *with_values) {
    *with_values = c->argc == 4;
    if (!arg_i64(c, 2, count)) return false;
    if (!arg_in(c, 2, -INT64_MAX, INT64_MAX, count)) return false;
    if (c->argc > 4 || (*with_values && !arg_is(c, 3, "WITHVALUES"))) {
        call_syntax_error(c);
        return false;
    }
    if (*with_values && (*count > INT64_MAX / 2 || *count < -(INT64_MAX / 2))) {
        reply_error(c->out, "ERR value is out of range");
        return false;
    }
    return true;
}

/* All fields whose time has come, since any may be drawn. */
static void expire_due(struct call *c, struct hash *h) {
    uint64_t next = h->key.entry ? hash_next_expiry(&c->eng->arena, &h->value) : 0;
    if (!next || next > c->eng->now_ms) return;
    expire_fields(c->eng, &h->key, SIZE_MAX);
    if (h->key.entry) h->value = entry_value(h->key.entry);
}

static void cmd_hrandfield(struct call *c) {
    struct hash h;
    int64_t count = 1;
    bool with_values = false;
    if (c->argc > 2 && !parse_count(c, &count, &with_values)) return;
    if (!hash_open_read(c, 1, &h)) return;
    expire_due(c, &h);
    struct listing l = { .out = c->out, .names = true, .values = with_values };
    if (c->argc == 2) {
        if (h.key.entry) hash_random(c->eng, &h.value, 1, false, list_field, &l);
        if (!l.n) reply_null(c->out);
        return;
    }
    size_t mark = reply_defer(c->out);
    bool repeat = count < 0;
    if (h.key.entry && count)
        hash_random(c->eng, &h.value, (size_t)(repeat ? -count : count), repeat, random_pair, &l);
    bool pairs = with_values && c->out->resp < 3;
    reply_set_deferred_array(c->out, mark, pairs ? 2 * l.n : l.n);
}

/* --- HSCAN --- */

struct scan {
    struct listing l;
    struct scan_options o;
};

static bool scan_field(void *ctx, const struct hash_field *f) {
    struct scan *s = ctx;
    return !scan_matches(&s->o, f->name) || list_field(&s->l, f);
}

static void cmd_hscan(struct call *c) {
    struct hash h;
    uint64_t cursor;
    struct scan s = { .l = { .out = c->out, .names = true } };
    if (!arg_cursor(c, 2, &cursor) || !hash_open_read(c, 1, &h)) return;
    if (!h.key.entry) {
        reply_empty_scan(c);
        return;
    }
    if (!arg_scan_options(c, 3, SCAN_NOVALUES, &s.o)) return;
    s.l.values = !s.o.no_values;
    reply_array(c->out, 2);
    size_t cursor_mark = c->out->n, mark = reply_defer(c->out);
    cursor = hash_scan(&c->eng->arena, &h.value, cursor & UINT32_MAX, (size_t)s.o.count,
                       c->eng->now_ms, scan_field, &s);
    reply_set_deferred_array(c->out, mark, s.l.values ? 2 * s.l.n : s.l.n);
    reply_insert_cursor(c->out, cursor_mark, cursor);
}

#define H "hash"
#define READS KEY(1, KF_RO | KF_ACCESS)
#define COUNTS KEY(1, KF_RO)
#define UPDATES KEY(1, KF_RW | KF_UPDATE)
#define COUNTERS KEY(1, KF_RW | KF_ACCESS | KF_UPDATE)
#define WRITE_FAST CMD_WRITE | CMD_DENYOOM | CMD_FAST
static const struct command hash_rows[] = {
    { "HSET", -4, WRITE_FAST, H, cmd_hset, { UPDATES } },
    { "HMSET", -4, WRITE_FAST, H, cmd_hmset, { UPDATES } },
    { "HSETNX", 4, WRITE_FAST, H, cmd_hsetnx, { KEY(1, KF_RW | KF_INSERT) } },
    { "HGET", 3, CMD_READ | CMD_FAST, H, cmd_hget, { READS } },
    { "HMGET", -3, CMD_READ | CMD_FAST, H, cmd_hmget, { READS } },
    { "HEXISTS", 3, CMD_READ | CMD_FAST, H, cmd_hexists, { COUNTS } },
    { "HSTRLEN", 3, CMD_READ | CMD_FAST, H, cmd_hstrlen, { COUNTS } },
    { "HLEN", 2, CMD_READ | CMD_FAST, H, cmd_hlen, { COUNTS } },
    { "HGETALL", 2, CMD_READ, H, cmd_hgetall, { READS } },
    { "HKEYS", 2, CMD_READ, H, cmd_hkeys, { READS } },
    { "HVALS", 2, CMD_READ, H, cmd_hvals, { READS } },
    { "HDEL", -3, CMD_WRITE | CMD_FAST, H, cmd_hdel, { KEY(1, KF_RW | KF_DELETE) } },
    { "HINCRBY", 4, WRITE_FAST, H, cmd_hincrby, { COUNTERS } },
    { "HINCRBYFLOAT", 4, WRITE_FAST, H, cmd_hincrbyfloat, { COUNTERS } },
    { "HRANDFIELD", -2, CMD_READ, H, cmd_hrandfield, { READS } },
    { "HSCAN", -3, CMD_READ, H, cmd_hscan, { READS } },
};
COMMAND_GROUP(hash_commands, "hash", hash_rows);
