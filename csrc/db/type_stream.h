/* type_stream.h - streams: entries in nodes ordered by id, consumer groups, idempotent producers.
 *
 *   struct stream -> idtree of nodes (stream_node.h)
 *                 -> roster of groups (stream_group.h): pending entries, consumers
 *                 -> producers (stream_idmp.h), when there have been any
 *
 * Owns      the blocks behind value.root. Never sees entries of the keyspace.
 * Promises  a struct stream * is valid until the command ends; nothing here moves it. Appending is
 *           O(log nodes), a range too, and then O(1) an entry.
 * Fails     ST_ARENA_FULL, having changed nothing.
 */
#ifndef SHMREDIS_TYPE_STREAM_H
#define SHMREDIS_TYPE_STREAM_H

#include "db/engine.h"
#include "db/stream_node.h"
#include "ds/idtree.h"
#include "ds/roster.h"

/* In the arena. */
struct stream {
    uint64_t length;
    struct stream_id last;        /* the greatest there ever was */
    struct stream_id first;       /* of the first entry; zero when there is none */
    struct stream_id max_deleted; /* the greatest deleted by its id */
    uint64_t added;               /* entries, ever */
    struct idtree nodes;          /* first possible id -> ref_t of a stream_node */
    struct roster groups;
    ref_t idmp;             /* struct stream_idmp; REF_NULL: no producer yet */
    uint32_t idmp_duration; /* seconds */
    uint32_t idmp_maxsize;
};
static_assert(sizeof(struct stream) == 104, "layout of arenas");

extern const struct idtree_kind stream_nodes_kind;

static inline struct stream *stream_of(const struct arena *a, const struct value *v) {
    return (struct stream *)arena_ptr(a, v->root);
}

/* An empty stream with the producers' limits of the configuration. */
status stream_create(struct engine *eng, struct value *v);

/* --- entries: stream_entries.c --- */

/* The id that the clock gives to the next entry; false: there is none left. */
bool stream_next_id(const struct engine *eng, const struct stream *s, struct stream_id *id);
/* An id above s->last. */
status stream_append(struct engine *eng, struct stream *s, struct stream_id id,
                     const struct str *pairs, uint32_t n);
/* False: there is no such entry. */
bool stream_delete(struct arena *a, struct stream *s, struct stream_id id);
bool stream_has(const struct arena *a, const struct stream *s, struct stream_id id);
/* Finds s->first again after entries went. */
void stream_settle(const struct arena *a, struct stream *s);

/* A walk over entries that are not deleted, up to and including an id. */
struct stream_cursor {
    const struct arena *a;
    struct stream_id end;
    bool backwards;
    struct idtree_iter it;
    struct stream_node *node; /* NULL: nothing is left */
    struct stream_id base;
    uint8_t *p;        /* forwards: the next entry */
    uint32_t *offsets; /* backwards: of the node's entries */
    uint32_t n, room;
};
/* From `start` upwards to `end`, or, backwards, from `start` downwards. */
void stream_seek(const struct arena *a, const struct stream *s, struct stream_id start,
                 struct stream_id end, bool backwards, struct stream_cursor *c);
bool stream_next(struct stream_cursor *c, struct stream_entry *e);
void stream_cursor_close(struct stream_cursor *c);

/* --- removing many: stream_trim.c --- */

enum stream_refs {
    REFS_KEEP,  /* groups' references to removed entries stay */
    REFS_DROP,  /* they go too */
    REFS_ACKED, /* only entries go that every group has read and acknowledged */
};
struct stream_trim {
    enum { TRIM_NONE, TRIM_LENGTH, TRIM_ID } how;
    bool approximate;    /* whole nodes only */
    uint64_t length;     /* keep so many */
    struct stream_id id; /* keep this one and those above */
    uint64_t limit;      /* look at so many at most, 0: no limit */
    enum stream_refs refs;
    struct stream_id
        stopped_at; /* out: the node to which the limit did not reach, or the last id */
};
/* How many went. */
uint64_t stream_trim(struct arena *a, struct stream *s, struct stream_trim *t);
/* Takes out a node that the walk is at; its entries' references are the caller's business. */
void stream_drop_node(struct arena *a, struct stream *s, struct stream_id base);

/* Nodes that Redis's radix tree of the same ids would have: XINFO says it. */
uint64_t stream_radix_nodes(const struct arena *a, const struct stream *s);

#endif
