/* whitebox_ids.c - the trees of ids for tests: whitebox.h's part about ds/idtree.h. */
#include "whitebox.h"

#include "ds/idtree.h"

static const struct idtree_kind idtree_test_kind = { OWN_STREAM, 2, 4 };
#define IDS (&idtree_test_kind)

struct idtree *wb_idtree_new(void) {
    return calloc(1, sizeof(struct idtree));
}

void wb_idtree_delete(struct idtree *t) {
    free(t);
}

int wb_idtree_insert(struct arena *a, struct idtree *t, uint64_t high, uint64_t low) {
    uint32_t payload = (uint32_t)low;
    return (int)idtree_insert(a, IDS, t, (uint64_t[]){ high, low }, &payload);
}

bool wb_idtree_remove(struct arena *a, struct idtree *t, uint64_t high, uint64_t low) {
    return idtree_remove(a, IDS, t, (uint64_t[]){ high, low });
}

bool wb_idtree_find(const struct arena *a, const struct idtree *t, uint64_t high, uint64_t low) {
    uint8_t *record = idtree_find(a, IDS, t, (uint64_t[]){ high, low });
    if (record) ASSERT(load_u32(idtree_payload(IDS, record)) == (uint32_t)low);
    return record;
}

size_t wb_idtree_keys(const struct arena *a, const struct idtree *t, uint64_t high, uint64_t low,
                      bool backwards, uint64_t *out, size_t max) {
    uint64_t key[2] = { high, low };
    struct idtree_iter it;
    size_t n = 0;
    uint8_t *r = (backwards ? idtree_seek_back : idtree_seek)(a, IDS, t, key, &it);
    for (; r && n < max; r = (backwards ? idtree_prev : idtree_next)(a, IDS, &it), n++) {
        out[2 * n] = idtree_word(r, 0);
        out[2 * n + 1] = idtree_word(r, 1);
    }
    return n;
}

bool wb_idtree_free_some(struct arena *a, struct idtree *t, size_t leaves) {
    return idtree_free_some(a, IDS, t, leaves);
}

uint64_t wb_idtree_relocate(struct arena *a, struct idtree *t, uint64_t skip, size_t budget) {
    struct idtree_walk w = { .skip = skip, .budget = budget };
    return idtree_relocate(a, IDS, t, &w) ? 0 : w.done;
}

void wb_idtree_check(const struct arena *a, const struct idtree *t) {
    idtree_check(a, IDS, t);
}
