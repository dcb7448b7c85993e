/* lookahead.c - scanning requests for keys, and loading these. */
#include "net/lookahead.h"

#include "net/peek.h"

#define ARGUMENTS_MAX 32 /* of one request; a longer one is not looked beyond */
#define DIGITS_MAX 6

/* A number after `sign`, with its CR LF; moves *p behind it. */
static bool take_count(const char **p, const char *end, char sign, size_t *out) {
    const char *at = *p;
    if (end - at < 4 || *at++ != sign) return false;
    size_t v = 0;
    const char *stop = end - at > DIGITS_MAX ? at + DIGITS_MAX : end;
    for (; at < stop && *at >= '0' && *at <= '9'; at++) v = v * 10 + (size_t)(*at - '0');
    if (end - at < 2 || *at != '\r') return false;
    *p = at + 2;
    *out = v;
    return true;
}

static bool take_argument(const char **p, const char *end, struct str *out) {
    size_t n;
    if (!take_count(p, end, '$', &n) || (size_t)(end - *p) < n + 2) return false;
    *out = (struct str){ *p, n };
    *p += n + 2;
    return true;
}

/* One request: its name, and its first argument after that in *key (.p NULL: it has none). */
static bool take_request(const char **p, const char *end, struct str *name, struct str *key) {
    size_t argc;
    struct str argument;
    *name = *key = (struct str){ NULL, 0 };
    if (!take_count(p, end, '*', &argc) || argc > ARGUMENTS_MAX) return false;
    for (size_t i = 0; i < argc; i++) {
        if (!take_argument(p, end, &argument)) return false;
        if (i == 0) *name = argument;
        if (i == 1) *key = argument;
    }
    return true;
}

/* Keys of other workers, in order of their owners. */
struct foreign {
    int n;
    struct str key[LOOKAHEAD_MAX];
    int owner[LOOKAHEAD_MAX];
};

static void add_foreign(struct foreign *f, struct str key, int owner) {
    int at = f->n++;
    for (; at > 0 && f->owner[at - 1] > owner; at--) {
        f->key[at] = f->key[at - 1];
        f->owner[at] = f->owner[at - 1];
    }
    f->key[at] = key;
    f->owner[at] = owner;
}

/* One key alone is found as fast without. */
static void load_foreign(struct remote *r, int db, const struct foreign *f) {
    for (int i = 0, end; i < f->n; i = end) {
        for (end = i + 1; end < f->n && f->owner[end] == f->owner[i];) end++;
        if (end - i > 1) peek_load_ahead(r, f->owner[i], db, f->key + i, end - i);
    }
}

static bool may_be_copied(struct engine *eng, struct str name) {
    const struct command_row *row = registry_find(eng->registry, name);
    return row && row->copied;
}

size_t lookahead_requests(struct engine *eng, int db, const char *p, size_t n) {
    const char *at = p, *end = p + n, *seen = p;
    struct remote *r = eng->remote;
    struct lookahead own = { 0 };
    struct foreign foreign = { 0 };
    struct str name, key;
    while (own.n + foreign.n < LOOKAHEAD_MAX && take_request(&at, end, &name, &key)) {
        seen = at;
        if (!key.p) continue;
        int owner = r ? key_owner(key, r->n) : 0;
        if (!r || owner == r->self)
            own.key[own.n++] = key;
        else if (may_be_copied(eng, name))
            add_foreign(&foreign, key, owner);
    }
    keyspace_load(eng, db, own.key, own.n, 1);
    if (foreign.n) load_foreign(r, db, &foreign);
    return (size_t)(seen - p);
}
