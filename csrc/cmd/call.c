/* call.c - keys of a call, and what follows a change. */
#include "cmd/call.h"

#include <math.h>

struct entry *call_find(struct call *c, int i, enum key_access access, struct key *k) {
    if (UNLIKELY(c->no_touch) && access == KEY_READ) access = KEY_LOOK;
    return key_find(c->eng, c->db, c->argv[i], access, k);
}

static bool find_typed(struct call *c, int i, enum key_access access, enum value_type type,
                       struct key *k) {
    if (!call_find(c, i, access, k)) return true;
    if (UNLIKELY(entry_type(k->entry) != type)) {
        reply_status(c->out, ST_WRONG_TYPE);
        return false;
    }
    return true;
}

bool call_read(struct call *c, int i, enum value_type type, struct key *k) {
    return find_typed(c, i, KEY_READ, type, k);
}

bool call_update(struct call *c, int i, enum value_type type, struct key *k) {
    return find_typed(c, i, KEY_UPDATE, type, k);
}

bool call_write(struct call *c, int i, enum value_type type, struct key *k) {
    return find_typed(c, i, KEY_WRITE, type, k);
}

void call_changed(struct call *c, const struct key *k, enum notify_class cls, const char *event,
                  uint64_t n) {
    c->dirty += n;
    engine_modified(c->eng, k->name, k->db);
    if (event) engine_notify(c->eng, cls, event, k->name, k->db);
}

void call_regrouped(struct call *c, const struct key *k, const char *event, uint64_t n) {
    c->dirty += n;
    engine_regrouped(c->eng, k->name, k->db);
    if (event) engine_notify(c->eng, NOTIFY_STREAM, event, k->name, k->db);
}

void call_delete_if(struct call *c, struct key *k, bool empty) {
    if (!empty) return;
    key_delete(c->eng, k, c->eng->config.lazyfree_lazy_server_del);
    engine_notify(c->eng, NOTIFY_GENERIC, "del", k->name, k->db);
}

bool call_ok(struct call *c, status st) {
    if (LIKELY(st == ST_OK)) return true;
    reply_status(c->out, st);
    return false;
}

bool call_serves(struct call *c, int i, enum value_type type) {
    struct key k;
    return call_find(c, i, KEY_PEEK, &k) && !(c->resumed && entry_type(k.entry) != type);
}

void call_block(struct call *c, const struct block_wish *wish) {
    if (c->may_block) {
        c->wish = *wish;
        c->wish.wanted = true;
        return;
    }
    free(wish->texts);
    if (wish->bulk)
        reply_null(c->out);
    else
        reply_null_array(c->out);
}

bool arg_timeout(struct call *c, int i, uint64_t *until_ms) {
    long double seconds;
    if (!str_to_long_double(c->argv[i], &seconds)) {
        reply_error(c->out, "ERR timeout is not a float or out of range");
        return false;
    }
    long double ms = ceill(seconds * 1000);
    if (ms < 0) {
        reply_error(c->out, "ERR timeout is negative");
        return false;
    }
    if (ms >= (long double)(INT64_MAX - (int64_t)c->eng->now_ms)) {
        reply_error(c->out, "ERR timeout is out of range");
        return false;
    }
    *until_ms = ms > 0 ? c->eng->now_ms + (uint64_t)ms : 0;
    return true;
}
