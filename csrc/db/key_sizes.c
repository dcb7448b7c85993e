/* key_sizes.c - how long values are, for INFO Keysizes.
 *
 * Nothing is counted when values change: what is asked once in a while is looked up then, in a
 * sample where there are many keys.
 */
#include "core.h"
#include "db/engine.h"
#include "db/entry.h"

#define BUCKETS_A_STEP 64

struct counting {
    const struct arena *a;
    struct key_sizes *out;
};

/* 0 is by itself; each other class begins with a power of two. */
static unsigned class_of(uint64_t n) {
    return n ? 64u - (unsigned)__builtin_clzll(n) : 0;
}

static void count(void *ctx, ref_t *place) {
    const struct counting *x = ctx;
    const struct entry *e = arena_ptr(x->a, *place);
    enum value_type type = entry_type(e);
    x->out->seen++;
    if ((int)type >= KEY_SIZES_TYPES) return;
    uint64_t n;
    if (type == TYPE_STRING) {
        char text[24];
        n = entry_string(x->a, e, text).n;
    } else {
        struct value v = entry_value(e);
        n = type_of(type)->length(x->a, &v);
    }
    x->out->counts[type][class_of(n)]++;
}

void engine_key_sizes(struct engine *eng, int db, size_t budget, struct key_sizes *out) {
    const struct dict *d = &engine_db(eng, db)->keys;
    struct counting x = { &eng->arena, out };
    *out = (struct key_sizes){ 0 };
    bool all = d->count <= budget;
    uint64_t cursor = all ? 0 : engine_random_below(eng, UINT32_MAX);
    bool over = false;
    while (!over && (all || out->seen < budget)) {
        cursor = dict_scan(&eng->arena, d, cursor, BUCKETS_A_STEP, count, &x);
        over = all && !cursor;
    }
}
