/* carry.c - packing and unpacking keys. */
#include "net/carry.h"

#include "db/keyspace.h"
#include "persist/dump.h"

bool carry_needed(const struct arena *a) {
    return __atomic_load_n(&arena_super(a)->frozen, __ATOMIC_ACQUIRE) != ARENA_LIVE;
}

static void pack(struct remote *r, int db, struct str name, struct sink *out) {
    struct key k;
    if (key_find(r->eng, db, name, KEY_PEEK, &k) && !key_expired(r->eng, k.entry))
        dump_record(r->eng, k.entry, out);
}

void carry_send(struct remote *r, int to, const struct message *m, int n, const struct str *names,
                struct str last) {
    struct str *args = malloc((2 * (size_t)n + 1) * sizeof *args);
    ASSERT(args);
    struct sink records;
    sink_init_memory(&records);
    for (int i = 0; i < n; i++) {
        size_t before = records.n;
        pack(r, m->db, names[i], &records);
        args[2 * i] = names[i];
        args[2 * i + 1] = (struct str){ NULL, records.n - before };
    }
    const char *at = records.buf;
    for (int i = 0; i < n; at += args[2 * i + 1].n, i++) args[2 * i + 1].p = at;
    args[2 * n] = last;
    remote_send_command(r, to, m, last.p ? 2 * n + 1 : 2 * n, args);
    sink_free(&records);
    free(args);
}

static status take(struct engine *eng, int db, struct str name, struct str record) {
    struct key own;
    status st = ST_OK;
    key_find(eng, db, name, KEY_PEEK, &own);
    if (record.n)
        st = dump_restore_record(eng, &own, record);
    else if (own.entry)
        key_delete(eng, &own, true);
    return st;
}

status carry_take(struct remote *r, int db, int argc, const struct str *argv) {
    status st = ST_OK;
    arena_enter(&r->eng->arena);
    for (int i = 0; i + 1 < argc && st == ST_OK; i += 2)
        st = take(r->eng, db, argv[i], argv[i + 1]);
    arena_leave(&r->eng->arena);
    return st;
}
