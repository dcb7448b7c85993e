/* stream_group.h - consumer groups: what was delivered to whom and not yet acknowledged.
 *
 *   group     last id | pending: id -> when, count, consumer     by_time: (when, id)
 *             roster of consumers
 *   consumer  pending: id
 *
 * `when` orders deliveries: 1 | ms:43 | ticket:20, the ticket counting them, so that those of one
 * millisecond keep their order. Entries that XNACK gave back have no consumer and a number instead,
 * from a clock that counts: they come first, in the order in which they were given back.
 *
 * Every pending id is once in the group's two trees and, unless nobody has it, in one consumer's.
 *
 * Owns      groups, consumers and their trees.
 * Promises  pointers to groups and consumers are valid until the command ends.
 * Fails     ST_ARENA_FULL, having changed nothing; forgetting needs no memory.
 */
#ifndef SHMREDIS_STREAM_GROUP_H
#define SHMREDIS_STREAM_GROUP_H

#include "db/type_stream.h"

#define ENTRIES_READ_UNKNOWN UINT64_MAX
#define NEVER_MS UINT64_MAX

struct stream_group {
    uint32_t name_bytes;
    uint32_t nacked; /* pending entries of nobody; at most 2^32 - 1 */
    struct stream_id last;
    uint64_t entries_read; /* ENTRIES_READ_UNKNOWN */
    uint64_t nack_clock;   /* the last number given to a nacked entry */
    struct idtree pending, by_time;
    struct roster consumers;
    uint32_t ticket;
    char name[];
};
struct stream_consumer {
    uint32_t name_bytes;
    uint32_t unused;
    uint64_t seen_ms, active_ms; /* NEVER_MS: was given nothing yet */
    struct idtree pending;
    char name[];
};

extern const struct roster_kind stream_groups_kind, stream_consumers_kind;
extern const struct idtree_kind stream_pending_kind, stream_times_kind, stream_ids_kind;

/* One pending entry. */
struct stream_pending {
    struct stream_id id;
    uint64_t when; /* as stored */
    uint64_t count;
    uint32_t consumer; /* ROSTER_NONE: given back */
};
#define WHEN_DELIVERED (UINT64_C(1) << 63)
#define WHEN_TICKET_BITS 20
#define WHEN_MS_MAX ((UINT64_C(1) << 43) - 1) /* the year 2248 */
/* The time of delivery in ms; 0 if it was given back. */
static inline uint64_t when_ms(uint64_t when) {
    return when & WHEN_DELIVERED ? when >> WHEN_TICKET_BITS & WHEN_MS_MAX : 0;
}
static inline uint64_t pending_time(const struct stream_pending *p) {
    return when_ms(p->when);
}

/* --- groups --- */
struct stream_group *stream_group_find(const struct arena *a, const struct stream *s,
                                       struct str name);
struct stream_group *stream_group_at(const struct arena *a, const struct stream *s, uint32_t rank);
/* A name that is not there yet; *g may be NULL. */
status stream_group_create(struct arena *a, struct stream *s, struct str name,
                           struct stream_id last, uint64_t entries_read, struct stream_group **g);
/* Empties it a slice at a time (about `budget` elements); true: it is gone. */
bool stream_group_destroy_some(struct arena *a, struct stream *s, uint32_t rank, size_t budget);
void stream_group_destroy(struct arena *a, struct stream *s, struct str name);
static inline struct str stream_group_name(const struct stream_group *g) {
    return (struct str){ g->name, g->name_bytes };
}

/* --- consumers --- */
/* Its number, or ROSTER_NONE. */
uint32_t stream_consumer_find(const struct arena *a, const struct stream_group *g, struct str name);
uint32_t stream_consumer_number(const struct arena *a, const struct stream_group *g, uint32_t rank);
struct stream_consumer *stream_consumer_at(const struct arena *a, const struct stream_group *g,
                                           uint32_t number);
status stream_consumer_create(struct arena *a, struct stream_group *g, struct str name,
                              uint64_t now_ms, uint32_t *number);
/* Its pending entries go from the group too; returns how many. */
uint64_t stream_consumer_destroy(struct arena *a, struct stream_group *g, struct str name);
static inline struct str stream_consumer_name(const struct stream_consumer *c) {
    return (struct str){ c->name, c->name_bytes };
}

/* --- pending entries --- */
bool stream_pending_find(const struct arena *a, const struct stream_group *g, struct stream_id id,
                         struct stream_pending *out);
void stream_pending_read(const uint8_t *record, struct stream_pending *out);
/* The entry is now the consumer's, whoever had it before. */
status stream_deliver(struct arena *a, struct stream_group *g, uint32_t consumer,
                      struct stream_id id, uint64_t time_ms, uint64_t count);
/* The entry is now nobody's, whoever had it before. */
status stream_give_back(struct arena *a, struct stream_group *g, struct stream_id id,
                        uint64_t count);
/* False: it was not pending. */
bool stream_acknowledge(struct arena *a, struct stream_group *g, struct stream_id id);

/* --- entries and all groups --- */
/* Whether a group has yet to read the entry, or has it pending. */
bool stream_wanted(const struct arena *a, const struct stream *s, struct stream_id id);
/* Takes it out of all groups' pending entries. */
void stream_forget(struct arena *a, struct stream *s, struct stream_id id);

/* --- how far a group has read --- */
/* How many entries there ever were up to this one, or ENTRIES_READ_UNKNOWN. */
uint64_t stream_position(const struct stream *s, struct stream_id id);
/* The entry, behind the group's last one, was delivered: it is the last one now. */
void stream_group_advance(const struct stream *s, struct stream_group *g, struct stream_id id);
/* Entries it has yet to read; false: nobody can know. */
bool stream_group_lag(const struct stream *s, const struct stream_group *g, uint64_t *lag);

/* --- for type_stream.c --- */
status stream_groups_copy(struct arena *to, const struct arena *from, const struct stream *s,
                          struct stream *dst);
size_t stream_group_memory(const struct arena *a, const struct stream_group *g);
/* False: the budget is spent. */
bool stream_groups_relocate(struct arena *a, struct stream *s, struct idtree_walk *w);
void stream_groups_check(const struct arena *a, const struct stream *s);

#endif
