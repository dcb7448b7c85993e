/* park.c - a chain of notes, the newest first. */
#include "mem/park.h"

#include "mem/heap_impl.h"
#include "mem/poison.h"

#define AHEAD 8u /* blocks on their way into the cache */
#define NOTE_BYTES 2048u
#define NOTE_REFS ((NOTE_BYTES - 8) / sizeof(ref_t))

struct note {
    ref_t next;
    uint32_t n;
    ref_t refs[NOTE_REFS];
};
static_assert(sizeof(struct note) == NOTE_BYTES, "as long as the largest block that is parked");

static struct note *note_at(const struct arena *a, ref_t r) {
    return arena_ptr(a, r);
}

/* The note that has room for one more; NULL: there is no memory. */
static struct note *open_note(struct arena *a) {
    struct heap_root *root = root_of(a);
    if (root->parked && note_at(a, root->parked)->n < NOTE_REFS) return note_at(a, root->parked);
    ref_t r = heap_alloc_inner(a, OWN_SYSTEM, sizeof(struct note));
    if (!r) return NULL;
    struct note *note = note_at(a, r);
    note->next = root->parked;
    note->n = 0;
    root->parked = r;
    return note;
}

bool park_block(struct arena *a, ref_t r) {
    struct note *note = open_note(a);
    if (!note) return false;
    note->refs[note->n++] = r;
    size_t bytes = heap_usable(a, r);
    root_of(a)->parked_bytes += bytes;
    root_of(a)->parked_blocks++;
    POISON(arena_ptr(a, r), bytes);
    return true;
}

bool park_has_room(const struct arena *a) {
    const struct heap_root *root = root_of(a);
    return root->slab_pages << PAGE_SHIFT < root->used + root->used / 2;
}

bool park_is_urgent(const struct arena *a) {
    const struct heap_root *root = root_of(a);
    return root->slab_pages << PAGE_SHIFT > root->used + root->used / 4;
}

/* The blocks lie all over the arena: loads one that is freed some steps later. */
static void look_ahead(const struct arena *a, const struct note *note) {
    if (note->n <= AHEAD) return;
    ref_t r = note->refs[note->n - 1 - AHEAD];
    heap_prefetch_page(a, r);
    __builtin_prefetch(arena_ptr(a, r), 1);
}

/* Takes the newest off the note. */
static void free_newest(struct arena *a, struct note *note) {
    look_ahead(a, note);
    ref_t r = note->refs[--note->n];
    size_t bytes = heap_usable(a, r);
    root_of(a)->parked_bytes -= bytes;
    root_of(a)->parked_blocks--;
    UNPOISON(arena_ptr(a, r), bytes);
    heap_give_back(a, r);
}

bool park_drain(struct arena *a, uint32_t n) {
    struct heap_root *root = root_of(a);
    DASSERT(arena_is_live(a));
    while (root->parked) {
        struct note *note = note_at(a, root->parked);
        for (; note->n && n; n--) free_newest(a, note);
        if (note->n) return false;
        ref_t empty = root->parked;
        root->parked = note->next;
        heap_free(a, empty);
    }
    return true;
}

bool park_any(const struct arena *a) {
    return root_of(a)->parked;
}

void park_each(const struct arena *a, void (*see)(const struct arena *a, ref_t r)) {
    for (ref_t r = root_of(a)->parked; r; r = note_at(a, r)->next) {
        see(a, r);
        for (uint32_t i = 0; i < note_at(a, r)->n; i++) see(a, note_at(a, r)->refs[i]);
    }
}
