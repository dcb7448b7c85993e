/* type_array.h - arrays: sparse maps from indexes to strings (ds/array.h).
 *
 * Owns      the blocks behind value.root, which is a struct array. Never sees entries or keys.
 * Promises  a struct array * is valid until the command ends; nothing here moves it.
 */
#ifndef SHMREDIS_TYPE_ARRAY_H
#define SHMREDIS_TYPE_ARRAY_H

#include "db/engine.h"
#include "ds/array.h"

static inline struct array *array_of(const struct arena *a, const struct value *v) {
    return (struct array *)arena_ptr(a, v->root);
}

/* An empty array with slices as large as the configuration says. */
status array_create(struct engine *eng, struct value *v);
/* The configuration's limits. */
struct array_limits array_limits(const struct engine *eng);

#endif
