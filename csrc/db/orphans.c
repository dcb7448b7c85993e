/* orphans.c - marking every block that has an owner. */
#include "db/orphans.h"

#include "db/lazyfree.h"
#include "mem/walk.h"

#define BUDGET ((size_t)1 << 20)

static void mark_block(void *ctx, ref_t r) {
    heap_walk_see(&((struct engine *)ctx)->arena, r);
}

static void mark_value(void *ctx, struct value *v) {
    struct engine *eng = ctx;
    uint64_t cursor = 0;
    do {
        if (v->root) type_of(v->type)->relocate(&eng->arena, v, &cursor, BUDGET);
    } while (cursor);
}

static void mark_entry(void *ctx, ref_t *place) {
    struct engine *eng = ctx;
    mark_block(eng, *place);
    struct value v = entry_value(arena_ptr(&eng->arena, *place));
    mark_value(eng, &v);
}

static void mark_table(void *ctx, struct dict *d) {
    struct engine *eng = ctx;
    uint64_t cursor = 0;
    do cursor = dict_scan(&eng->arena, d, cursor, BUDGET, mark_entry, eng);
    while (cursor);
    do dict_relocate(&eng->arena, d, &cursor, BUDGET);
    while (cursor);
}

uint64_t orphans_count(struct engine *eng) {
    static const struct lazy_visitor marking = { mark_block, mark_value, mark_table };
    heap_walk_begin(&eng->arena);
    mark_block(eng, arena_super(&eng->arena)->roots[ROOT_DATABASES]);
    for (int i = 0; i < eng->databases; i++) mark_table(eng, &engine_db(eng, i)->keys);
    lazyfree_each(eng, &marking, eng);
    return heap_walk_end(&eng->arena);
}
