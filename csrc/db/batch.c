/* batch.c - propagated commands kept until all of them are known. */
#include "db/batch.h"

struct batch {
    int depth;
    struct kept_command *first, **end;
};

struct kept_command *kept_command_new(int db, int argc, const struct str *argv) {
    struct kept_command *k =
        malloc(sizeof *k + (size_t)argc * sizeof *argv + words_bytes(argc, argv));
    ASSERT(k);
    *k = (struct kept_command){ .db = db, .argc = argc };
    words_copy(k->argv, (char *)(k->argv + argc), argc, argv);
    return k;
}

void batch_begin(struct engine *eng) {
    if (!eng->batch) {
        eng->batch = calloc(1, sizeof *eng->batch);
        ASSERT(eng->batch);
        eng->batch->end = &eng->batch->first;
    }
    if (!eng->batch->depth++) arena_enter(&eng->arena);
}

bool batch_keep(struct engine *eng, int db, int argc, const struct str *argv) {
    struct batch *b = eng->batch;
    if (LIKELY(!b || !b->depth)) return false;
    *b->end = kept_command_new(db, argc, argv);
    b->end = &(*b->end)->next;
    return true;
}

static struct kept_command *take_first(struct batch *b) {
    struct kept_command *k = b->first;
    b->first = k->next;
    if (!b->first) b->end = &b->first;
    return k;
}

static void send_all(struct engine *eng, struct batch *b) {
    const bool several = b->first->next != NULL;
    const struct str multi = STR("MULTI"), exec = STR("EXEC");
    int db = b->first->db;
    if (several) engine_propagate(eng, db, 1, &multi);
    while (b->first) {
        struct kept_command *k = take_first(b);
        db = k->db;
        engine_propagate(eng, db, k->argc, k->argv);
        free(k);
    }
    if (several) engine_propagate(eng, db, 1, &exec);
}

void batch_end(struct engine *eng) {
    struct batch *b = eng->batch;
    if (--b->depth) return;
    if (b->first) send_all(eng, b);
    arena_leave(&eng->arena);
}

int batch_suspend(struct engine *eng) {
    struct batch *b = eng->batch;
    if (!b) return 0;
    int depth = b->depth;
    b->depth = 0;
    if (b->first) send_all(eng, b);
    return depth;
}

void batch_resume(struct engine *eng, int depth) {
    if (eng->batch) eng->batch->depth = depth;
}

void batch_delete(struct batch *b) {
    if (!b) return;
    while (b->first) free(take_first(b));
    free(b);
}
