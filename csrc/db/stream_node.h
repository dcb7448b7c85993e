/* stream_node.h - a run of stream entries in one block.
 *
 *   block    struct stream_node | names of the fields | entry …
 *   entry    flags | ms - node's ms | seq - node's seq | [fields] | values, or names and values
 *
 * All of it is bodies of listpack elements (ds/listpack.h): what Redis's node has, in its order,
 * but without the lengths that let a listpack be read backwards and without its counts. An entry of
 * short values is a third smaller for it. How many bytes Redis's node would have is kept, because
 * it decides when a node is full; stream_pack.h converts both ways.
 *
 * Owns      its block. The node's id is the key under which the stream has it.
 * Promises  pointers into a node are valid until it is appended to, fitted or moved.
 */
#ifndef SHMREDIS_STREAM_NODE_H
#define SHMREDIS_STREAM_NODE_H

#include "db/stream_id.h"
#include "mem/heap.h"

struct stream_node {
    uint32_t bytes;       /* of data that are used */
    uint32_t pack_bytes;  /* of Redis's listpack but for its two counts */
    uint32_t live;        /* entries */
    uint32_t deleted;     /* entries that are marked */
    uint32_t fields;      /* of the first entry */
    uint32_t names_bytes; /* of their names, at the start of data */
    uint8_t data[];
};
static_assert(sizeof(struct stream_node) == 24, "layout of arenas");

enum { STREAM_ENTRY_DELETED = 1, STREAM_ENTRY_SAME = 2 };

/* One entry as it lies in its node. */
struct stream_entry {
    struct stream_id id;
    uint8_t *flags;
    uint32_t fields;
    const uint8_t *names; /* NULL: each name lies before its value */
    const uint8_t *values;
};

/* The fields of an entry, one after the other: begin with stream_fields, then call
 * stream_field_next until it is false. */
struct stream_field {
    const uint8_t *name, *value;           /* bodies of this field */
    const uint8_t *next_name, *next_value; /* next_name NULL: names lie among the values */
    uint32_t left;
};
static inline struct stream_field stream_fields(const struct stream_entry *e) {
    return (
        struct stream_field){ .next_name = e->names, .next_value = e->values, .left = e->fields };
}
bool stream_field_next(struct stream_field *f);

/* An empty node for entries with the field names of these n pairs, with room for the first of them;
 * REF_NULL: no memory. */
ref_t stream_node_new(struct arena *a, const struct str *pairs, uint32_t n);
/* Appends an entry; *node may change. */
status stream_node_append(struct arena *a, ref_t *node, struct stream_id base, struct stream_id id,
                          const struct str *pairs, uint32_t n);
/* Gives back room that is not used. */
ref_t stream_node_fit(struct arena *a, ref_t node);
/* What Redis's listpack of it takes. */
size_t stream_node_pack_bytes(const struct stream_node *n);

static inline struct stream_node *stream_node_at(const struct arena *a, ref_t r) {
    return (struct stream_node *)arena_ptr(a, r);
}
static inline uint8_t *stream_node_begin(struct stream_node *n) {
    return n->data + n->names_bytes;
}
static inline uint8_t *stream_node_end(struct stream_node *n) {
    return n->data + n->bytes;
}
/* Reads the entry at p (deleted or not), which is before the end; returns where the next begins. */
uint8_t *stream_node_read(struct stream_node *n, struct stream_id base, uint8_t *p,
                          struct stream_entry *e);
void stream_node_mark_deleted(struct stream_node *n, struct stream_entry *e);
/* *last becomes the id of its last entry. */
void stream_node_check(const struct arena *a, ref_t r, struct stream_id base,
                       struct stream_id *last);

#endif
