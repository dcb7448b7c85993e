/* type_set.h - sets of strings.
 *
 * intset       root: an intset; all members are integers
 * listpack     root: a listpack of members in the order in which they came
 * hashtable    root: struct dict; items {length: 1 byte, or 255 and a u32; bytes}
 *
 * Owns      the blocks behind value.root. Never sees entries or keys.
 * Promises  members given to visitors are valid until the set changes.
 * Fails     ST_ARENA_FULL, having changed nothing.
 */
#ifndef SHMREDIS_TYPE_SET_H
#define SHMREDIS_TYPE_SET_H

#include "db/engine.h"

/* An empty set in the encoding that suits its first member and the number of members to come. */
status set_create(struct engine *eng, struct value *v, struct str first, size_t members);
/* Before so many members are added to an empty set, none of them twice: loading. */
void set_expect(struct arena *a, const struct value *v, uint64_t members);
uint64_t set_length(const struct arena *a, const struct value *v);
bool set_contains(const struct arena *a, const struct value *v, struct str s);
status set_add(struct engine *eng, struct value *v, struct str s, bool *added);
/* To a table if there are more members than the limits allow. */
status set_fit(struct engine *eng, struct value *v);
bool set_remove(struct arena *a, struct value *v, struct str s);

/* Stops when visit returns false. */
typedef bool (*set_visit_fn)(void *ctx, struct str member);
void set_each(const struct arena *a, const struct value *v, set_visit_fn visit, void *ctx);
/* SCAN: small encodings at once. */
uint64_t set_scan(struct arena *a, const struct value *v, uint64_t cursor, size_t count,
                  set_visit_fn visit, void *ctx);
/* `want` distinct random members; with `repeat` the same may come again. */
void set_random(struct engine *eng, const struct value *v, size_t want, bool repeat,
                set_visit_fn visit, void *ctx);

#endif
