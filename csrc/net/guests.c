/* guests.c - copies of other workers' keys that a command was using when its worker died.
 *
 * They lie among the worker's own keys while the command runs (cross_keys.c). The next worker,
 * which takes over the arena, deletes them before it serves anybody: for it they are keys that
 * nobody owns, and it could not be frozen.
 */
#include "cmd/keys.h"
#include "db/engine.h"
#include "db/keyspace.h"
#include "mem/share.h"
#include "net/redo.h"

struct guest {
    struct guest *next;
    size_t n;
    char name[];
};

static struct guest *add_guest(struct guest *list, struct str name) {
    struct guest *g = malloc(sizeof *g + name.n);
    ASSERT(g);
    *g = (struct guest){ .next = list, .n = name.n };
    memcpy(g->name, name.p, name.n);
    return g;
}

/* Names first: what is deleted may move what is walked over. */
static struct guest *guests_of(const struct engine *eng, int index) {
    const struct db *dbs = arena_ptr(&eng->arena, arena_super(&eng->arena)->roots[ROOT_DATABASES]);
    struct dict_iter it = { 0 };
    struct guest *list = NULL;
    for (ref_t r; (r = dict_next(&eng->arena, &dbs[index].keys, &it));) {
        struct str name = entry_key(arena_ptr(&eng->arena, r));
        if (key_owner(name, eng->workers) != eng->worker) list = add_guest(list, name);
    }
    return list;
}

static void delete_guest(struct engine *eng, int index, const struct guest *g) {
    struct key key;
    if (key_find(eng, index, (struct str){ g->name, g->n }, KEY_PEEK, &key))
        key_delete(eng, &key, true);
}

void guests_drop(struct engine *eng) {
    struct arena_super *super = arena_super(&eng->arena);
    uint64_t now_ms = eng->now_ms;
    if (!super->guests || eng->workers < 2) return;
    eng->now_ms = 0; /* nothing expires on the way */
    share_begin(&eng->arena);
    arena_enter(&eng->arena);
    for (int i = 0; i < eng->databases; i++)
        for (struct guest *g = guests_of(eng, i), *next; g; g = next) {
            next = g->next;
            delete_guest(eng, i, g);
            free(g);
        }
    super->guests = 0;
    arena_leave(&eng->arena);
    share_end(&eng->arena);
    eng->now_ms = now_ms;
}
