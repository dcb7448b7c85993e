/* stream.h - what the files of stream commands share: opening, ids and options, entries in replies.
 */
#ifndef SHMREDIS_CMD_STREAM_H
#define SHMREDIS_CMD_STREAM_H

#include "cmd/call.h"
#include "db/stream_group.h"

/* --- opening --- */

struct stream_key {
    struct key key;
    struct value value; /* when there is one */
    struct stream *s;   /* NULL: no such key */
};
/* The stream at argv[i]; false: wrong type, replied. */
bool stream_open_read(struct call *c, int i, struct stream_key *k);
bool stream_open_write(struct call *c, int i, struct stream_key *k);
/* To change it, but a missing one counts as a miss of a read. */
bool stream_open_update(struct call *c, int i, struct stream_key *k);
/* The stream at argv[i] and its group at argv[i + 1], for writing; false: replied, NOGROUP if there
 * is none. */
bool stream_open_group(struct call *c, int i, struct stream_key *k, struct stream_group **g);
void stream_no_group(struct call *c, struct str key, struct str group);

/* --- ids --- */

/* "ms" or "ms-seq"; what is missing is `seq`. */
bool stream_parse_id(struct str s, uint64_t seq, struct stream_id *id);
/* argv[i] as an id; false: error replied. */
bool arg_stream_id(struct call *c, int i, uint64_t seq, struct stream_id *id);
/* The same, but - and + are the least and the greatest. */
bool arg_stream_id_or_end(struct call *c, int i, uint64_t seq, struct stream_id *id);
/* A start or an end of a range: - + or an id, which a ( before it excludes. */
bool arg_stream_start(struct call *c, int i, struct stream_id *id);
bool arg_stream_end(struct call *c, int i, struct stream_id *id);
/* n ids from argv[i] on; NULL: error replied. The caller frees them. */
struct stream_id *arg_stream_ids(struct call *c, int i, int n);
/* "IDS n id …" at argv[*i], which moves behind; the ids are not read. False: error replied. */
struct stream_ids_texts {
    const char *not_positive, *mismatch;
    int64_t most; /* a number above this is no positive one */
};
bool arg_stream_numids(struct call *c, int *i, const struct stream_ids_texts *texts, int *n);

/* --- trimming options of XADD and XTRIM --- */

struct stream_trim_args {
    struct stream_trim trim;
    bool has_refs;
    int approx_at, threshold_at, limit_at; /* indexes of arguments; 0: not there */
    int64_t limit;                         /* -1: not given */
};
/* The option at argv[*i], which moves to its last word. 0: it is none; 1: taken; -1: replied. */
int arg_trim_option(struct call *c, int *i, struct stream_trim_args *t);
/* KEEPREF, DELREF or ACKED at argv[i]. */
bool arg_stream_refs(const struct call *c, int i, enum stream_refs *refs);
/* After all options. */
bool arg_trim_finish(struct call *c, struct stream_trim_args *t);
/* argv with the trimming made exact, so that it does the same anywhere: ~ is =, the threshold is
 * what is left, and no LIMIT. `id_at`, unless 0, becomes `id`. */
void stream_propagate_trimmed(struct call *c, const struct stream *s,
                              const struct stream_trim_args *t, int id_at, struct stream_id id);

/* --- replies --- */

void reply_stream_id(struct reply *r, struct stream_id id);
/* [id, [field, value, …]] with room for more elements after it. */
void reply_stream_entry(struct reply *r, const struct stream_entry *e, size_t elements);
/* The entry of this id; false (and nothing written) when it is not there. */
bool reply_stream_entry_of(struct call *c, const struct stream *s, struct stream_id id,
                           size_t elements);
/* Entries in [start, end], at most `count` (negative: all), as an array. */
void reply_stream_range(struct call *c, const struct stream *s, struct stream_id start,
                        struct stream_id end, bool backwards, int64_t count);

/* --- groups --- */

/* The consumer of this name, made and announced if it is missing; it is seen now. */
status stream_consumer_open(struct call *c, const struct key *k, struct stream_group *g,
                            struct str name, uint32_t *number, bool *created);
/* Logs the state of a pending entry as an XCLAIM of its consumer. `last` is the group's. */
void stream_propagate_claim(struct call *c, struct str key, struct str group, struct str consumer,
                            const struct stream_pending *p, struct stream_id last);
/* XGROUP SETID of what the group has read. */
void stream_propagate_setid(struct call *c, struct str key, struct str group,
                            const struct stream_group *g);
/* Whether a pending entry was delivered so long ago, or given back. */
static inline bool stream_idle_enough(const struct call *c, const struct stream_pending *p,
                                      int64_t min_ms) {
    uint64_t now = c->eng->now_ms, time = pending_time(p);
    return min_ms <= 0 || (now > time && now - time >= (uint64_t)min_ms);
}
static inline uint64_t count_up(uint64_t count) {
    return count < INT64_MAX ? count + 1 : count;
}

#endif
