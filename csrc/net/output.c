/* output.c - ready bytes and reply slots of one client. */
#include "net/output.h"

/* A slot's own bytes come first, then what was appended behind it. */
struct output_slot {
    struct output_slot *next;
    uint64_t id;
    bool filled;
    char *own, *after;
    size_t own_n, own_cap, after_n, after_cap;
};

static void append_bytes(char **buf, size_t *n, size_t *cap, const char *p, size_t more) {
    if (!more) return;
    if (*cap - *n < more) {
        size_t want = *cap ? *cap : 1024;
        while (want - *n < more) want *= 2;
        *buf = realloc(*buf, want);
        ASSERT(*buf);
        *cap = want;
    }
    memcpy(*buf + *n, p, more);
    *n += more;
}

void output_append(struct output *o, const char *p, size_t n) {
    if (n == 0) return;
    if (o->last) {
        append_bytes(&o->last->after, &o->last->after_n, &o->last->after_cap, p, n);
        o->waiting += n;
    } else {
        append_bytes(&o->p, &o->n, &o->cap, p, n);
    }
}

void output_consume(struct output *o, size_t n) {
    o->head += n;
    if (o->head < o->n) return;
    free(o->p);
    o->p = NULL;
    o->head = o->n = o->cap = 0;
}

uint64_t output_first_slot(const struct output *o) {
    return o->first ? o->first->id : 0;
}

uint64_t output_open_slot(struct output *o) {
    struct output_slot *slot = calloc(1, sizeof *slot);
    ASSERT(slot);
    slot->id = ++o->next_slot;
    if (o->last)
        o->last->next = slot;
    else
        o->first = slot;
    o->last = slot;
    return slot->id;
}

/* Moves the filled slots at the front to the ready bytes. */
static void settle(struct output *o) {
    while (o->first && o->first->filled) {
        struct output_slot *slot = o->first;
        append_bytes(&o->p, &o->n, &o->cap, slot->own, slot->own_n);
        append_bytes(&o->p, &o->n, &o->cap, slot->after, slot->after_n);
        o->waiting -= slot->own_n + slot->after_n;
        o->first = slot->next;
        if (!o->first) o->last = NULL;
        free(slot->own);
        free(slot->after);
        free(slot);
    }
}

/* The reply that all others wait for goes straight to the ready bytes. */
static void fill_first(struct output *o, const char *p, size_t n) {
    struct output_slot *slot = o->first;
    append_bytes(&o->p, &o->n, &o->cap, p, n);
    slot->filled = true;
    settle(o);
}

bool output_fill_slot(struct output *o, uint64_t id, const char *p, size_t n) {
    struct output_slot *slot = o->first;
    while (slot && slot->id != id) slot = slot->next;
    if (!slot || slot->filled) return false;
    if (slot == o->first) {
        fill_first(o, p, n);
        return true;
    }
    append_bytes(&slot->own, &slot->own_n, &slot->own_cap, p, n);
    slot->filled = true;
    o->waiting += n;
    settle(o);
    return true;
}

void output_free(struct output *o) {
    while (o->first) {
        struct output_slot *slot = o->first;
        o->first = slot->next;
        free(slot->own);
        free(slot->after);
        free(slot);
    }
    free(o->p);
    *o = (struct output){ 0 };
}
