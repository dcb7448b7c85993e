/* keytable.h - a table of keys of databases that somebody has an interest in (process-local).
 *
 * Nodes are made by keytable_node with room for what the user keeps of a key behind the common
 * head.
 *
 * Owns      its buckets and nodes (malloc).
 */
#ifndef SHMREDIS_KEYTABLE_H
#define SHMREDIS_KEYTABLE_H

#include "db/engine.h"

struct key_node {
    struct key_node *next; /* in its bucket */
    uint64_t hash;
    int db;
    struct str name; /* in the node's own block */
};

struct keytable {
    struct key_node **bucket;
    size_t buckets, n; /* buckets: a power of two */
};

void keytable_create(struct keytable *t);
/* Frees nodes and buckets; what users keep in nodes must be gone. */
void keytable_delete(struct keytable *t);
/* The node of a key, or NULL. */
struct key_node *keytable_find(const struct keytable *t, const struct engine *eng, int db,
                               struct str name);
/* The same; a new one of `size` bytes, zero behind its head, if there is none. */
struct key_node *keytable_node(struct keytable *t, const struct engine *eng, int db,
                               struct str name, size_t size);
void keytable_remove(struct keytable *t, struct key_node *node);

#endif
