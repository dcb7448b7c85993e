/* carry.c - packing and unpacking keys. */
#include "net/carry.h"

#include "db/keyspace.h"
#include "persist/dump.h"

bool carry_needed(const struct arena *a) {
    return __atomic_load_n(&arena_super(a)->frozen, __ATOMIC_ACQUIRE) != ARENA_LIVE;
}

static void pack(struct remote *r, const struct carried *c, struct sink *out) {
    struct key k;
    if (key_find(r->eng, c->db, c->name, KEY_PEEK, &k) && !key_expired(r->eng, k.entry))
        dump_record(r->eng, k.entry, out);
}

static int words_of(const struct message *m) {
    return m->flags & MSG_RECORDS ? 3 : 2;
}

/* A message's words (malloc), of which the records are in the sink. */
static struct str *words_for(struct remote *r, int step, int n, const struct carried *keys,
                             struct str last, struct sink *records) {
    struct str *words = malloc(((size_t)step * (size_t)n + 1) * sizeof *words);
    ASSERT(words);
    for (int i = 0; i < n; i++) {
        struct str *word = words + step * i;
        size_t before = records->n;
        word[0] = (struct str){ (const char *)&keys[i].db, sizeof keys[i].db };
        word[1] = keys[i].name;
        if (step < 3) continue;
        pack(r, &keys[i], records);
        word[2] = (struct str){ NULL, records->n - before };
    }
    const char *at = records->buf;
    for (int i = 0; step == 3 && i < n; i++) {
        words[step * i + 2].p = at;
        at += words[step * i + 2].n;
    }
    words[step * n] = last;
    return words;
}

void carry_send(struct remote *r, int to, const struct message *m, int n,
                const struct carried *keys, struct str last) {
    const int step = words_of(m);
    struct sink records;
    sink_init_memory(&records);
    struct str *words = words_for(r, step, n, keys, last, &records);
    remote_send_command(r, to, m, step * n + (last.p != NULL), words);
    sink_free(&records);
    free(words);
}

bool carry_keep(struct remote *r, const struct message *m, int n, const struct carried *keys,
                struct str last, void *(*room_for)(void *r, size_t bytes)) {
    const int step = words_of(m);
    struct sink records;
    sink_init_memory(&records);
    struct str *words = words_for(r, step, n, keys, last, &records);
    void *place = room_for(r, kept_bytes(step * n + 1, words));
    if (place) kept_put(place, r->self, m, step * n + 1, words);
    sink_free(&records);
    free(words);
    return place;
}

struct carried *carry_read(const struct remote *r, const struct message *m, int argc,
                           const struct str *argv, int *n) {
    const int step = words_of(m);
    struct carried *keys = malloc(((size_t)(argc / step) + 1) * sizeof *keys);
    ASSERT(keys);
    *n = 0;
    for (int i = 0; i + step <= argc; i += step) {
        struct carried k = { .db = (int)load_u32(argv[i].p), .written = true, .name = argv[i + 1] };
        if (step == 3) k.record = argv[i + 2];
        if (k.db >= 0 && k.db < r->eng->databases) keys[(*n)++] = k;
    }
    return keys;
}

status carry_take(struct remote *r, const struct carried *key) {
    struct key own;
    status st = ST_OK;
    arena_enter(&r->eng->arena);
    key_find(r->eng, key->db, key->name, KEY_PEEK, &own);
    r->eng->copying = true;
    if (key->record.n)
        st = dump_restore_record(r->eng, &own, key->record);
    else if (own.entry)
        key_delete(r->eng, &own, true);
    r->eng->copying = false;
    arena_leave(&r->eng->arena);
    return st;
}
