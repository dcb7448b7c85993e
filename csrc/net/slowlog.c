/* slowlog.c - a ring of entries, each one malloc'ed block.
 *
 * The ring grows by doubling up to slowlog_max_len, so a limit of billions costs nothing until it
 * is used. An entry is one block: the struct, then the lengths of its arguments, then all bytes.
 * Arguments that are secrets (passwords in AUTH, HELLO, ACL, MIGRATE and CONFIG SET) never enter.
 */
#include "net/slowlog.h"

#include "core.h"

struct entry_block {
    struct slowlog_entry info;
    size_t addr_n, name_n;
    size_t lengths[]; /* info.argc of them; behind them the bytes of addr, name and arguments */
};

struct slowlog {
    struct entry_block **ring;
    size_t cap, first, count; /* first: the oldest */
    uint64_t next_id;
    struct slowlog_totals totals;
};

static struct slowlog *the_log(struct engine *eng) {
    if (!eng->slowlog) eng->slowlog = calloc(1, sizeof *eng->slowlog);
    ASSERT(eng->slowlog);
    return eng->slowlog;
}

static struct entry_block **place_of(const struct slowlog *log, size_t i) {
    return &log->ring[(log->first + i) % log->cap];
}

static void drop_oldest(struct slowlog *log) {
    free(*place_of(log, 0));
    log->first = (log->first + 1) % log->cap;
    log->count--;
}

static void grow_ring(struct slowlog *log) {
    size_t cap = log->cap ? log->cap * 2 : 16;
    struct entry_block **ring = malloc(cap * sizeof *ring);
    ASSERT(ring);
    for (size_t i = 0; i < log->count; i++) ring[i] = *place_of(log, i);
    free(log->ring);
    *log = (struct slowlog){ ring, cap, 0, log->count, log->next_id, log->totals };
}

/* --- secrets --- */

static bool any_of(struct str s, const char *const *words) {
    for (; *words; words++)
        if (str_is(s, *words)) return true;
    return false;
}

/* Whether argv[i] follows one of the option words within `reach` places. */
static bool follows(const struct slow_command *c, int i, int from, const char *word, int reach) {
    for (int back = 1; back <= reach && i - back >= from; back++)
        if (str_is(c->argv[i - back], word)) return true;
    return false;
}

bool slowlog_is_secret(const struct slow_command *c, int i) {
    static const char *const configs[] = { "requirepass",
                                           "masterauth",
                                           "primaryauth",
                                           "masteruser",
                                           "primaryuser",
                                           "tls-key-file-pass",
                                           "tls-client-key-file-pass",
                                           NULL };
    static const char *const acl[] = { "SETUSER", "GETUSER", "DELUSER", NULL };
    struct str name = c->argv[0];
    if (str_is(name, "AUTH")) return i >= 1;
    if (str_is(name, "HELLO")) return follows(c, i, 2, "AUTH", 2);
    if (str_is(name, "MIGRATE")) return follows(c, i, 6, "AUTH", 1) || follows(c, i, 6, "AUTH2", 2);
    if (c->argc < 3 || i < 2) return false;
    if (str_is(name, "ACL")) return any_of(c->argv[1], acl);
    bool value = str_is(name, "CONFIG") && str_is(c->argv[1], "SET") && i >= 3 && i % 2;
    return value && any_of(c->argv[i - 1], configs);
}

/* --- writing an entry --- */

/* How argument i is shown: its first bytes and a note that says what is left out. */
struct shown {
    struct str head;
    char note[48];
};

static void show_argument(const struct engine_config *config, const struct slow_command *c, int i,
                          int kept, struct shown *out) {
    size_t limit = (size_t)config->slowlog_entry_max_string_len;
    *out = (struct shown){ .head = c->argv[i] };
    if (i == kept - 1 && c->argc > kept) {
        out->head.n = 0;
        snprintf(out->note, sizeof out->note, "... (%d more arguments)", c->argc - kept + 1);
    } else if (slowlog_is_secret(c, i)) {
        out->head = STR("(redacted)");
    } else if (out->head.n > limit) {
        snprintf(out->note, sizeof out->note, "... (%zu more bytes)", out->head.n - limit);
        out->head.n = limit;
    }
}

static char *put(char *to, struct str s) {
    if (s.n) memcpy(to, s.p, s.n);
    return to + s.n;
}

static struct entry_block *new_entry(const struct engine *eng, const struct slow_command *c) {
    const struct engine_config *config = &eng->config;
    int kept =
        c->argc > config->slowlog_entry_max_argc ? (int)config->slowlog_entry_max_argc : c->argc;
    size_t bytes = sizeof(struct entry_block) + (size_t)kept * sizeof(size_t);
    size_t total = bytes + c->addr.n + c->name.n;
    struct shown shown;
    for (int i = 0; i < kept; i++) {
        show_argument(config, c, i, kept, &shown);
        total += shown.head.n + strlen(shown.note);
    }
    struct entry_block *e = malloc(total);
    ASSERT(e);
    e->addr_n = c->addr.n;
    e->name_n = c->name.n;
    e->info = (struct slowlog_entry){
        .time_s = eng->now_ms / 1000, .usec = c->usec, .argc_total = c->argc, .argc = kept
    };
    char *to = put(put((char *)e + bytes, c->addr), c->name);
    for (int i = 0; i < kept; i++) {
        show_argument(config, c, i, kept, &shown);
        struct str note = { shown.note, strlen(shown.note) };
        to = put(put(to, shown.head), note);
        e->lengths[i] = shown.head.n + note.n;
    }
    return e;
}

/* The bytes of its arguments, which come last. */
static size_t argument_bytes(const struct entry_block *e) {
    size_t n = 0;
    for (int i = 0; i < e->info.argc; i++) n += e->lengths[i];
    return n;
}

static void note_total(struct engine *eng, uint64_t usec) {
    struct slowlog_totals *totals = &the_log(eng)->totals;
    totals->count++;
    totals->sum_us += usec;
    if (usec > totals->max_us) totals->max_us = usec;
}

/* Makes room; false: there is none at all. */
static bool make_room(struct engine *eng) {
    struct slowlog *log = the_log(eng);
    while (log->count && log->count >= (size_t)eng->config.slowlog_max_len) drop_oldest(log);
    if (eng->config.slowlog_max_len <= 0) return false;
    if (log->count == log->cap) grow_ring(log);
    return true;
}

static void append(struct slowlog *log, struct entry_block *e) {
    e->info.id = log->next_id++;
    log->count++;
    *place_of(log, log->count - 1) = e;
}

void slowlog_add(struct engine *eng, const struct slow_command *c) {
    note_total(eng, c->usec);
    if (make_room(eng)) append(eng->slowlog, new_entry(eng, c));
}

/* --- entries of other workers --- */

struct str slowlog_pack(const struct engine *eng, const struct slow_command *c) {
    struct slow_command nameless = *c;
    nameless.addr = nameless.name = (struct str){ NULL, 0 };
    struct entry_block *e = new_entry(eng, &nameless);
    size_t head = sizeof *e + (size_t)e->info.argc * sizeof(size_t);
    return (struct str){ (const char *)e, head + argument_bytes(e) };
}

void slowlog_add_packed(struct engine *eng, struct str packed, struct str addr, struct str name) {
    struct entry_block *e = malloc(packed.n + addr.n + name.n);
    ASSERT(e && packed.n >= sizeof *e);
    memcpy(e, packed.p, sizeof *e);
    size_t head = sizeof *e + (size_t)e->info.argc * sizeof(size_t);
    memcpy(e, packed.p, head);
    e->addr_n = addr.n;
    e->name_n = name.n;
    char *to = put(put((char *)e + head, addr), name);
    put(to, (struct str){ packed.p + head, packed.n - head });
    note_total(eng, e->info.usec);
    if (make_room(eng))
        append(eng->slowlog, e);
    else
        free(e);
}

void slowlog_delete(struct engine *eng) {
    engine_slowlog_reset(eng);
    if (!eng->slowlog) return;
    free(eng->slowlog->ring);
    free(eng->slowlog);
    eng->slowlog = NULL;
}

/* --- core.h --- */

size_t engine_slowlog_length(const struct engine *eng) {
    return eng->slowlog ? eng->slowlog->count : 0;
}

static const struct entry_block *newest(const struct engine *eng, size_t i) {
    const struct slowlog *log = eng->slowlog;
    return log && i < log->count ? *place_of(log, log->count - 1 - i) : NULL;
}

bool engine_slowlog_entry(const struct engine *eng, size_t i, struct slowlog_entry *out) {
    const struct entry_block *e = newest(eng, i);
    if (e) *out = e->info;
    return e != NULL;
}

const char *engine_slowlog_text(const struct engine *eng, size_t i, int which, size_t *n) {
    const struct entry_block *e = newest(eng, i);
    if (!e || which < SLOWLOG_NAME || which >= e->info.argc) return NULL;
    const char *p = (const char *)&e->lengths[e->info.argc];
    *n = e->addr_n;
    if (which == SLOWLOG_ADDR) return p;
    p += e->addr_n;
    *n = e->name_n;
    if (which == SLOWLOG_NAME) return p;
    p += e->name_n;
    for (int k = 0; k < which; k++) p += e->lengths[k];
    *n = e->lengths[which];
    return p;
}

void engine_slowlog_reset(struct engine *eng) {
    while (engine_slowlog_length(eng)) drop_oldest(eng->slowlog);
}

void engine_slowlog_totals(const struct engine *eng, struct slowlog_totals *out) {
    *out = eng->slowlog ? eng->slowlog->totals : (struct slowlog_totals){ 0 };
}

void engine_slowlog_reset_totals(struct engine *eng) {
    if (eng->slowlog) eng->slowlog->totals = (struct slowlog_totals){ 0 };
}
