/* hash.h - what the files of hash commands share: opening and closing the hash at a key. */
#ifndef SHMREDIS_CMD_HASH_H
#define SHMREDIS_CMD_HASH_H

#include "cmd/call.h"
#include "db/type_hash.h"

struct hash {
    struct key key;
    struct value value; /* only when there is one */
};

/* The hash at argv[i]; false: wrong type, replied. h->key.entry is NULL when there is none. */
bool hash_open_read(struct call *c, int i, struct hash *h);
bool hash_open_write(struct call *c, int i, struct hash *h);
/* Makes an empty one when there is none; false: replied. It must be closed then. */
bool hash_open_create(struct call *c, int i, struct hash *h);
/* Stores what was done to the value; deletes the key when no field is left. */
void hash_close(struct call *c, struct hash *h);
/* call_changed for a hash: n changes, an event, and the fields that it is about. */
void hash_changed(struct call *c, const struct hash *h, const char *event, uint64_t n,
                  struct field_list fields);

/* Those of the named fields that a command has changed, kept only if anybody hears of them. */
struct changed {
    struct str *at; /* malloc; NULL: nobody hears */
    size_t n;
};
void changed_open(const struct call *c, struct changed *x, int max);
static inline void changed_add(struct changed *x, struct str name) {
    if (UNLIKELY(x->at != NULL)) x->at[x->n++] = name;
}
static inline struct field_list changed_fields(const struct changed *x) {
    return (struct field_list){ x->at, x->n, 1 };
}

/* A live field of an open hash (which may be missing). One whose time has come is deleted at that,
 * and the key with the last of them: h->key.entry is NULL then. */
bool hash_field_at(struct call *c, struct hash *h, struct str name, struct hash_field *f);
/* The same, which leaves it to others to delete it. */
static inline bool hash_field_seen(const struct call *c, const struct hash *h, struct str name,
                                   struct hash_field *f) {
    return h->key.entry && hash_get(&c->eng->arena, &h->value, name, c->eng->now_ms, f);
}

#endif
