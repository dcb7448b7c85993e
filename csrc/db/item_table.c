/* item_table.c - memory and relocation of tables of items. */
#include "db/item_table.h"

size_t items_memory(const struct arena *a, const struct dict *d, size_t samples) {
    size_t seen = 0, items = 0, bytes = dict_memory(a, d);
    struct dict_iter it = { 0 };
    for (ref_t r; (!samples || seen < samples) && (r = dict_next(a, d, &it)); seen++)
        items += heap_usable(a, r);
    if (seen) bytes += (size_t)((double)items / (double)seen * (double)d->count);
    return bytes;
}

void items_move_ref(struct arena *a, ref_t *owner) {
    if (!heap_sparse(a, *owner)) return;
    ref_t moved = heap_move(a, *owner);
    if (moved) *owner = moved;
}

static void move_item(void *ctx, ref_t *place) {
    items_move_ref(ctx, place);
}

/* Cursors of items are below 2^32; those of the table's blocks follow. */
#define TABLE_PHASE ((uint64_t)1 << 40)

void items_relocate(struct arena *a, struct dict *d, uint64_t *cursor, size_t budget) {
    if (*cursor < TABLE_PHASE) {
        *cursor = dict_scan(a, d, *cursor, budget, move_item, a);
        if (*cursor == 0) *cursor = TABLE_PHASE;
        return;
    }
    uint64_t at = *cursor - TABLE_PHASE;
    dict_relocate(a, d, &at, budget);
    *cursor = at ? at + TABLE_PHASE : 0;
}
