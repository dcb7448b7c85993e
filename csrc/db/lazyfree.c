/* lazyfree.c - a list of unreachable values and tables, freed a slice at a time.
 *
 * Tables hold entries, and an entry of a table may hold a big value: freeing one moves that value
 * to the list, so a slice is bounded whatever the shape of the data.
 */
#include "db/lazyfree.h"

#include "db/clock.h"

#define SLICE 256u /* elements or buckets between two looks at the clock */

struct lazy_item {
    struct lazy_item *next;
    bool is_table;
    struct value value;
    struct dict table;
};

struct lazy_queue {
    struct lazy_item *first;
};

struct lazy_queue *lazyfree_new(void) {
    return calloc(1, sizeof(struct lazy_queue));
}

void lazyfree_delete(struct lazy_queue *q) {
    while (q && q->first) {
        struct lazy_item *item = q->first;
        q->first = item->next;
        free(item);
    }
    free(q);
}

static struct lazy_item *push_item(struct engine *eng) {
    struct lazy_item *item = calloc(1, sizeof *item);
    ASSERT(item);
    item->next = eng->lazy->first;
    eng->lazy->first = item;
    return item;
}

void lazyfree_value(struct engine *eng, struct value v) {
    push_item(eng)->value = v;
    eng->stats.lazyfree_pending++;
}

void lazyfree_table(struct engine *eng, const struct dict *d) {
    struct lazy_item *item = push_item(eng);
    item->is_table = true;
    item->table = *d;
    eng->stats.lazyfree_pending += d->count;
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

/* Takes `item` out of the list; others may have been pushed before it meanwhile. */
static void unlink_item(struct lazy_queue *q, struct lazy_item *item) {
    struct lazy_item **at = &q->first;
    while (*at != item) at = &(*at)->next;
    *at = item->next;
    free(item);
}

bool lazyfree_run(struct engine *eng, uint64_t budget_us) {
    uint64_t end = clock_monotonic_us() + budget_us;
    while (eng->lazy->first) {
        struct lazy_item *item = eng->lazy->first;
        if (free_slice(eng, item)) unlink_item(eng->lazy, item);
        if (clock_monotonic_us() >= end) break;
    }
    return !eng->lazy->first;
}

bool lazyfree_pending(const struct engine *eng) {
    return eng->lazy->first;
}
