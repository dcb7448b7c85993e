/* stream_idmp.h - entries that producers named, so that adding one twice adds it once.
 *
 *   struct stream_idmp -> roster of producers
 *   producer           -> block of records, oldest first: ms | seq | u32 hash | u32 bytes | iid
 *
 * A producer keeps its latest `idmp_maxsize` records; those older than `idmp_duration` seconds, by
 * the time in the entry's id, count as forgotten. They go when their producer, or a few times any
 * producer, is next written to. A now_ms of 0 is before all of them.
 *
 * Owns      all of these blocks. Fails: ST_ARENA_FULL, having changed nothing.
 */
#ifndef SHMREDIS_STREAM_IDMP_H
#define SHMREDIS_STREAM_IDMP_H

#include "db/type_stream.h"

struct stream_idmp {
    uint64_t added, duplicates; /* ever */
    struct roster producers;
    uint32_t sweep; /* rank of the producer that is looked at next */
};
struct stream_producer {
    uint32_t name_bytes;
    uint32_t count;
    ref_t records;
    uint32_t bytes; /* of records that are used */
    char name[];
};
extern const struct roster_kind stream_producers_kind;

struct stream_record {
    struct stream_id id;
    struct str iid;
};

/* NULL: no producer has come yet. */
struct stream_idmp *stream_idmp_of(const struct arena *a, const struct stream *s);
/* Whether this producer has added that already; then with which id. */
bool stream_idmp_find(const struct arena *a, const struct stream *s, struct str pid, struct str iid,
                      uint64_t now_ms, struct stream_id *id);
/* Makes sure that the next stream_idmp_add of the same will find memory. */
status stream_idmp_reserve(struct arena *a, struct stream *s, struct str pid, struct str iid,
                           uint64_t now_ms);
status stream_idmp_add(struct arena *a, struct stream *s, struct str pid, struct str iid,
                       struct stream_id id, uint64_t now_ms);
/* Makes sure that there is a struct stream_idmp. */
status stream_idmp_make(struct arena *a, struct stream *s);
/* Forgets all producers, not the two counts. */
void stream_idmp_clear(struct arena *a, struct stream *s);

/* How many producers and records there are that are not forgotten. */
void stream_idmp_count(const struct arena *a, const struct stream *s, uint64_t now_ms,
                       uint64_t *producers, uint64_t *records);
struct stream_producer *stream_producer_at(const struct arena *a, const struct stream_idmp *m,
                                           uint32_t rank);
/* The record at an offset, which moves on to the next; false: no more. */
bool stream_record_next(const struct arena *a, const struct stream_producer *p, size_t *offset,
                        struct stream_record *r);

/* --- for type_stream.c --- */
void stream_idmp_free(struct arena *a, struct stream *s);
status stream_idmp_copy(struct arena *to, const struct arena *from, const struct stream *s,
                        struct stream *dst);
size_t stream_idmp_memory(const struct arena *a, const struct stream *s);
void stream_idmp_relocate(struct arena *a, struct stream *s);
void stream_idmp_check(const struct arena *a, const struct stream *s);

#endif
