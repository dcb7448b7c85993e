/* lookahead.c - scanning requests for keys, and loading these. */
#include "net/lookahead.h"

#include "net/remote.h"

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

/* One request: its first argument after the name goes to *key (.p NULL: it has none). */
static bool take_request(const char **p, const char *end, struct str *key) {
    size_t argc;
    struct str argument;
    *key = (struct str){ NULL, 0 };
    if (!take_count(p, end, '*', &argc) || argc > ARGUMENTS_MAX) return false;
    for (size_t i = 0; i < argc; i++) {
        if (!take_argument(p, end, &argument)) return false;
        if (i == 1) *key = argument;
    }
    return true;
}

size_t lookahead_requests(struct engine *eng, int db, const char *p, size_t n) {
    const char *at = p, *end = p + n, *seen = p;
    struct lookahead l = { 0 };
    struct str key;
    while (l.n < LOOKAHEAD_MAX && take_request(&at, end, &key)) {
        seen = at;
        if (key.p && (!eng->remote || remote_owns(eng->remote, key))) l.key[l.n++] = key;
    }
    keyspace_load(eng, db, l.key, l.n, 1);
    return (size_t)(seen - p);
}
