/* output.c - ready bytes and reply slots of one client. */
#include "net/output.h"

#define FIRST_BYTES 1024u
#define FIRST_ITEMS 32u
#define KEEP_MAX ((size_t)4 * 1024) /* a larger buffer is not kept when it is empty */

struct output_item {
    size_t at, n; /* of the store */
    bool open;
};

/* --- buffers --- */

static void append_bytes(char **buf, size_t *n, size_t *cap, const char *p, size_t more) {
    if (!more) return;
    if (*cap - *n < more) {
        size_t want = *cap ? *cap : FIRST_BYTES;
        while (want - *n < more) want *= 2;
        *buf = realloc(*buf, want);
        ASSERT(*buf);
        *cap = want;
    }
    memcpy(*buf + *n, p, more);
    *n += more;
}

static void empty_buffer(char **buf, size_t *n, size_t *cap) {
    *n = 0;
    if (*cap <= KEEP_MAX) return;
    free(*buf);
    *buf = NULL;
    *cap = 0;
}

static struct output_item *item_at(const struct output *o, uint32_t i) {
    return &o->items[(o->items_first + i) & (o->items_cap - 1)];
}

static struct output_item *add_item(struct output *o) {
    if (o->items_n == o->items_cap) {
        uint32_t cap = o->items_cap ? o->items_cap * 2 : FIRST_ITEMS;
        struct output_item *items = malloc(cap * sizeof *items);
        ASSERT(items);
        for (uint32_t i = 0; i < o->items_n; i++) items[i] = *item_at(o, i);
        free(o->items);
        o->items = items;
        o->items_first = 0;
        o->items_cap = cap;
    }
    return item_at(o, o->items_n++);
}

/* --- ready bytes --- */

void output_append(struct output *o, const char *p, size_t n) {
    if (n == 0) return;
    if (!o->items_n) {
        append_bytes(&o->p, &o->n, &o->cap, p, n);
        return;
    }
    struct output_item *last = item_at(o, o->items_n - 1);
    if (last->open || last->at + last->n != o->store_n) {
        last = add_item(o);
        *last = (struct output_item){ .at = o->store_n };
    }
    append_bytes(&o->store, &o->store_n, &o->store_cap, p, n);
    last->n += n;
    o->waiting += n;
}

void output_consume(struct output *o, size_t n) {
    o->head += n;
    if (o->head < o->n) return;
    o->head = 0;
    empty_buffer(&o->p, &o->n, &o->cap);
}

/* --- slots --- */

uint64_t output_first_slot(const struct output *o) {
    return o->items_n ? o->gone + 1 : 0;
}

uint64_t output_open_slot(struct output *o) {
    *add_item(o) = (struct output_item){ .open = true };
    return o->gone + o->items_n;
}

/* Bytes of items that are gone are squeezed out of the store when they are most of it. */
static void tidy_store(struct output *o) {
    if (!o->items_n) {
        empty_buffer(&o->store, &o->store_n, &o->store_cap);
        return;
    }
    if (o->store_n < KEEP_MAX || o->waiting > o->store_n / 2) return;
    char *store = NULL;
    size_t n = 0, cap = 0;
    for (uint32_t i = 0; i < o->items_n; i++) {
        struct output_item *item = item_at(o, i);
        size_t at = n;
        append_bytes(&store, &n, &cap, o->store + item->at, item->n);
        item->at = at;
    }
    free(o->store);
    o->store = store;
    o->store_n = n;
    o->store_cap = cap;
}

/* Moves what is complete at the front to the ready bytes. */
static void settle(struct output *o) {
    while (o->items_n && !item_at(o, 0)->open) {
        const struct output_item *item = item_at(o, 0);
        append_bytes(&o->p, &o->n, &o->cap, o->store + item->at, item->n);
        o->waiting -= item->n;
        o->items_first++;
        o->items_n--;
        o->gone++;
    }
    tidy_store(o);
}

bool output_fill_slot(struct output *o, uint64_t id, const char *p, size_t n) {
    if (id <= o->gone || id - o->gone > o->items_n) return false;
    struct output_item *slot = item_at(o, (uint32_t)(id - o->gone - 1));
    if (!slot->open) return false;
    slot->open = false;
    if (id == o->gone + 1) { /* all others wait for this one */
        append_bytes(&o->p, &o->n, &o->cap, p, n);
        settle(o);
        return true;
    }
    slot->at = o->store_n;
    slot->n = n;
    append_bytes(&o->store, &o->store_n, &o->store_cap, p, n);
    o->waiting += n;
    return true;
}

size_t output_memory(const struct output *o) {
    return o->cap + o->store_cap + o->items_cap * sizeof *o->items;
}

void output_free(struct output *o) {
    free(o->p);
    free(o->items);
    free(o->store);
    *o = (struct output){ 0 };
}
