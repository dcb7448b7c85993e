/* cross_log.c - keys as commands: DEL, then what makes them anew. */
#include "net/cross_log.h"

#include "net/stage.h"
#include "persist/aof.h"
#include "persist/rewrite.h"

struct target {
    struct engine *eng;
    int db;
};

static void emit(void *ctx, int argc, const struct str *argv) {
    const struct target *t = ctx;
    engine_propagate(t->eng, t->db, argc, argv);
}

static void log_key(struct target *t, struct rewriter *w, struct str name) {
    struct str del[2] = { STR("DEL"), name };
    struct key k;
    emit(t, 2, del);
    if (key_find(t->eng, t->db, name, KEY_PEEK, &k)) rewrite_key(w, &t->eng->arena, k.entry);
}

bool cross_log_position(struct remote *r, uint64_t *position) {
    return engine_propagates(r->eng) && stage_position(r, position);
}

void cross_log_keys(struct remote *r, uint64_t place, uint64_t owners, int n,
                    const struct carried *keys) {
    if (!engine_propagates(r->eng)) return;
    struct target t = { r->eng, keys[0].db };
    struct rewriter *w = malloc(sizeof *w);
    ASSERT(w);
    *w = (struct rewriter){ .emit = emit, .ctx = &t };
    struct str multi = STR("MULTI"), exec = STR("EXEC");
    if (place) remote_begin_part(r, place - 1, owners);
    emit(&t, 1, &multi);
    for (int i = 0; i < n; i++) {
        t.db = keys[i].db;
        log_key(&t, w, keys[i].name);
    }
    emit(&t, 1, &exec);
    aof_end_part(r->eng->aof);
    free(w);
}
