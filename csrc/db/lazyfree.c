/* lazyfree.c - a list of unreachable values and tables, freed a slice at a time.
 *
 * Tables hold entries, and an entry of a table may hold a big value: freeing one moves that value
 * to the list, so a slice is bounded whatever the shape of the data.
 */
#include "db/lazyfree.h"

#include "db/clock.h"
#include "mem/park.h"
#include "mem/share.h"

#define SLICE 256u /* elements or buckets between two looks at the clock */

/* In the arena, a block of its own: the list outlives the process as what it holds does. */
struct lazy_item {
    ref_t next;
    uint32_t is_table;
    struct value value;
    struct dict table;
};

static struct lazy_item *item_at(const struct engine *eng, ref_t r) {
    return arena_ptr(&eng->arena, r);
}

static ref_t *first_of(const struct engine *eng) {
    return &arena_super(&eng->arena)->roots[ROOT_LAZY];
}

/* A change of the root is written to its copy, too. */
static void note_first(const struct engine *eng) {
    arena_super(&eng->arena)->roots[ROOT_LAZY_AGAIN] = *first_of(eng);
}

/* Frees what item says, a slice of it; true when nothing is left. Items never move, so the pointer
 * stays good whatever is pushed meanwhile. */
static bool free_slice(struct engine *eng, struct lazy_item *item);

/* Without memory for an item, it is freed at once: better late than never. */
static void push_item(struct engine *eng, struct lazy_item item) {
    ref_t r = heap_alloc(&eng->arena, OWN_SYSTEM, sizeof item);
    if (!r) {
        while (!free_slice(eng, &item)) {
        }
        return;
    }
    item.next = *first_of(eng);
    *item_at(eng, r) = item;
    *first_of(eng) = r;
    note_first(eng);
}

void lazyfree_value(struct engine *eng, struct value v) {
    eng->stats.lazyfree_pending++;
    push_item(eng, (struct lazy_item){ .value = v });
}

void lazyfree_table(struct engine *eng, const struct dict *d) {
    eng->stats.lazyfree_pending += d->count;
    push_item(eng, (struct lazy_item){ .is_table = true, .table = *d });
}

/* Frees one entry of a dropped table; a big value goes to the list. */
static void drop_entry(void *ctx, ref_t ref) {
    struct engine *eng = ctx;
    struct value v = entry_value(arena_ptr(&eng->arena, ref));
    heap_free(&eng->arena, ref);
    if (v.root && type_of(v.type)->effort(&eng->arena, &v) > LAZYFREE_THRESHOLD) {
        lazyfree_value(eng, v);
    } else if (v.root) {
        while (!type_of(v.type)->free_some(&eng->arena, &v, SLICE)) {
        }
    }
    eng->stats.lazyfree_pending--;
    eng->stats.lazyfreed_objects++;
}

static bool free_slice(struct engine *eng, struct lazy_item *item) {
    if (item->is_table)
        return dict_free_some(&eng->arena, &item->table, SLICE / 8, drop_entry, eng);
    if (!type_of(item->value.type)->free_some(&eng->arena, &item->value, SLICE)) return false;
    eng->stats.lazyfree_pending--;
    eng->stats.lazyfreed_objects++;
    return true;
}

/* Takes the item out of the list; others may have been pushed before it meanwhile. */
static void unlink_item(struct engine *eng, ref_t r) {
    ref_t *at = first_of(eng);
    while (*at != r) at = &item_at(eng, *at)->next;
    *at = item_at(eng, r)->next;
    note_first(eng);
    heap_free(&eng->arena, r);
}

bool lazyfree_run(struct engine *eng, uint64_t budget_us) {
    uint64_t end = clock_monotonic_us() + budget_us;
    for (ref_t r; (r = *first_of(eng));) {
        share_begin(&eng->arena);
        if (free_slice(eng, item_at(eng, r))) unlink_item(eng, r);
        share_end(&eng->arena);
        if (clock_monotonic_us() >= end) break;
    }
    return !lazyfree_pending(eng);
}

bool lazyfree_parked(struct engine *eng, uint64_t budget_us) {
    struct arena *a = &eng->arena;
    if (LIKELY(!park_any(a)) || !arena_is_live(a)) return true;
    uint64_t end = clock_monotonic_us() + budget_us;
    bool all = false;
    while (!all && clock_monotonic_us() < end) {
        share_begin(a);
        all = park_drain(a, 4 * SLICE);
        share_end(a);
    }
    return all;
}

bool lazyfree_pending(const struct engine *eng) {
    return *first_of(eng);
}

status lazyfree_reserve(struct engine *eng) {
    ref_t r = heap_alloc(&eng->arena, OWN_SYSTEM, sizeof(struct lazy_item));
    if (!r) return ST_ARENA_FULL;
    heap_free(&eng->arena, r);
    return ST_OK;
}

void lazyfree_attach(struct engine *eng) {
    for (ref_t r = *first_of(eng); r; r = item_at(eng, r)->next)
        eng->stats.lazyfree_pending += item_at(eng, r)->is_table ? item_at(eng, r)->table.count : 1;
}

void lazyfree_each(struct engine *eng, const struct lazy_visitor *see, void *ctx) {
    for (ref_t r = *first_of(eng); r; r = item_at(eng, r)->next) {
        see->block(ctx, r);
        if (item_at(eng, r)->is_table)
            see->table(ctx, &item_at(eng, r)->table);
        else
            see->value(ctx, &item_at(eng, r)->value);
    }
}
