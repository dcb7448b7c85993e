/* hash_table.c - the hashtable encoding of hashes. */
#include "db/hash_item.h"

static struct str item_key(const void *item) {
    return hash_item_read(item).name;
}
const struct dict_kind hash_kind = { .key = item_key, .marked = hash_item_volatile };

bool hash_table_find(const struct arena *a, const struct hash_table *t, struct str name,
                     struct hash_item *out) {
    ref_t *place = dict_find(a, &hash_kind, &t->fields, name, dict_hash(a, name));
    if (place) *out = hash_item_read(arena_ptr(a, *place));
    return place;
}

static void note_expiry(struct hash_table *t, uint64_t expiry) {
    if (!expiry) return;
    t->volatile_fields++;
    if (!t->earliest || expiry < t->earliest) t->earliest = expiry;
}

static void forget_expiry(struct hash_table *t, uint64_t expiry) {
    if (expiry && --t->volatile_fields == 0) t->earliest = 0;
}

/* Puts the item in the place of an old one, in its block if it has the same size. */
static status replace(struct arena *a, struct hash_table *t, ref_t *place, uint64_t hash,
                      const struct hash_item *item) {
    struct hash_item old = hash_item_read(arena_ptr(a, *place));
    size_t need = hash_item_bytes(item), usable = heap_usable(a, *place);
    uint64_t old_expiry = old.expiry;
    /* The new item may borrow the old one's bytes: then it needs a block of its own. */
    bool borrows = item->name.p == old.name.p || item->value.p == old.value.p;
    if (borrows || need > usable || need + 16 < usable) {
        ref_t fresh = heap_alloc(a, OWN_HASH, need);
        if (!fresh) return ST_ARENA_FULL;
        hash_item_write(arena_ptr(a, fresh), item);
        heap_free(a, *place);
        *place = fresh;
    } else {
        hash_item_write(arena_ptr(a, *place), item);
    }
    forget_expiry(t, old_expiry);
    note_expiry(t, item->expiry);
    if (item->expiry) dict_mark(a, &t->fields, hash);
    return ST_OK;
}

status hash_table_put(struct arena *a, struct hash_table *t, const struct hash_item *item,
                      bool *created) {
    uint64_t hash = dict_hash(a, item->name);
    ref_t *place = dict_find(a, &hash_kind, &t->fields, item->name, hash);
    *created = !place;
    if (place) return replace(a, t, place, hash, item);
    ref_t fresh = heap_alloc(a, OWN_HASH, hash_item_bytes(item));
    if (!fresh) return ST_ARENA_FULL;
    hash_item_write(arena_ptr(a, fresh), item);
    status st = dict_insert(a, &hash_kind, &t->fields, fresh, hash);
    if (st != ST_OK) {
        heap_free(a, fresh);
        return st;
    }
    note_expiry(t, item->expiry);
    return ST_OK;
}

bool hash_table_delete(struct arena *a, struct hash_table *t, struct str name) {
    uint64_t hash = dict_hash(a, name);
    ref_t *place = dict_find(a, &hash_kind, &t->fields, name, hash);
    if (!place) return false;
    ref_t item = *place;
    forget_expiry(t, hash_item_read(arena_ptr(a, item)).expiry);
    dict_remove(a, &hash_kind, &t->fields, place, hash);
    heap_free(a, item);
    return true;
}
