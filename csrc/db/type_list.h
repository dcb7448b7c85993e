/* type_list.h - lists: a chain of nodes, each a listpack.
 *
 *   node block   ref_t prev | ref_t next | listpack
 *   listpack     root is the only node
 *   quicklist    root is struct quicklist, which has the ends of the chain
 *
 * A node is reached from its neighbours, or from the root, and from nowhere else: whoever moves one
 * fixes exactly these. An element larger than a node may be has a node of its own.
 *
 * Owns      the blocks behind value.root. Never sees entries or keys.
 * Promises  both ends O(1); an index O(nodes); strings of elements are valid until the list
 *           changes.
 * Fails     ST_ARENA_FULL; what the command had done before stays consistent.
 */
#ifndef SHMREDIS_TYPE_LIST_H
#define SHMREDIS_TYPE_LIST_H

#include "db/engine.h"

enum list_end { LIST_HEAD, LIST_TAIL };

/* Where an element is. Zero p: past the end. */
struct list_place {
    ref_t node;
    uint8_t *p;
};

status list_create(struct arena *a, struct value *v);
uint64_t list_length(const struct arena *a, const struct value *v);
/* To be called before elements of `bytes` in all are added: a listpack that would be too long
 * becomes a quicklist. */
status list_reserve(struct engine *eng, struct value *v, size_t elements, size_t bytes);
/* After removals: a quicklist that has become small becomes a listpack. */
void list_settle(struct engine *eng, struct value *v);

status list_push(struct engine *eng, struct value *v, enum list_end end, struct str s);
/* The element at an end (there is one); its text may be in buf. */
struct str list_peek(const struct arena *a, const struct value *v, enum list_end end, char buf[24]);
void list_drop(struct arena *a, struct value *v, enum list_end end);

/* Index from 0, or from the end if negative; p NULL when out of range. */
struct list_place list_at(const struct arena *a, const struct value *v, int64_t index);
struct list_place list_next(const struct arena *a, const struct list_place *at);
struct list_place list_prev(const struct arena *a, const struct list_place *at);
struct str list_text(const struct list_place *at, char buf[24]);
bool list_equal(const struct list_place *at, struct str s);

status list_insert(struct engine *eng, struct value *v, struct list_place at, bool after,
                   struct str s);
status list_set(struct engine *eng, struct value *v, struct list_place at, struct str s);
/* Deletes the element; gives the one after it, or the one before when `backwards`. */
struct list_place list_delete(struct arena *a, struct value *v, struct list_place at,
                              bool backwards);
/* Deletes `count` elements from one end. */
void list_drop_many(struct arena *a, struct value *v, enum list_end end, uint64_t count);

/* --- whole nodes: saving and loading --- */
#define LIST_NODE_HEADER 8 /* bytes of a node's block before its listpack */
uint64_t list_nodes(const struct arena *a, const struct value *v);
/* The listpack of the node after *node (REF_NULL: the first), which becomes it; NULL: no more. */
uint8_t *list_next_node(const struct arena *a, const struct value *v, ref_t *node);
/* A quicklist without any node: not a value yet. */
status list_create_chain(struct arena *a, struct value *v);
/* Puts a block, whose listpack is not empty, at the end of a quicklist; never fails. */
void list_append_node(struct arena *a, struct value *v, ref_t block);
/* The same for a node of one element. */
status list_append_alone(struct engine *eng, struct value *v, struct str s);
/* A quicklist of one node that the limits allow as a listpack becomes one. */
void list_fit(struct engine *eng, struct value *v);

#endif
