/* rdb_get.h - reading the primitives of the RDB format from a source.
 *
 * All bytes are hostile: lengths are checked against what the source can still give before anything
 * is allocated. A function that returns false has noted why in the source, for good.
 */
#ifndef SHMREDIS_RDB_GET_H
#define SHMREDIS_RDB_GET_H

#include "persist/source.h"

/* Strings that are needed at the same time have a place each. */
enum rdb_place {
    RDB_PLACE_VALUE, /* may point into the source: valid until the next read of anything */
    RDB_PLACE_FIELD,
    RDB_PLACE_LATER,
    RDB_PLACE_KEY,
    RDB_PLACES
};

/* The names of the fields of a template hash, as a listpack of malloc. */
struct rdb_template {
    uint64_t id;
    uint8_t *names;
    struct rdb_template *next;
};

struct rdb_reader {
    struct source *src;
    int version;        /* of the file or the payload */
    uint64_t sanitized; /* packed values that `unique` was asked of */
    bool unique;        /* refuse packed values with an element twice (sanitize-dump-payload) */
    struct {
        char *p;
        size_t room;
    } place[RDB_PLACES];
    struct rdb_template *templates;
};

void rdb_reader_init(struct rdb_reader *r, struct source *src, int version);
void rdb_reader_free(struct rdb_reader *r);

bool rdb_get_byte(struct rdb_reader *r, uint8_t *b);
bool rdb_get_length(struct rdb_reader *r, uint64_t *n);
/* 8 bytes, little endian. */
bool rdb_get_u64(struct rdb_reader *r, uint64_t *v);
bool rdb_get_double(struct rdb_reader *r, double *v);
/* The text form of type 3. */
bool rdb_get_text_double(struct rdb_reader *r, double *v);
/* A string in any form; valid until the next one into the same place. */
bool rdb_get_string(struct rdb_reader *r, enum rdb_place place, struct str *s);

/* The same in two steps, for those who have a place of their own for the bytes. */
struct rdb_string {
    enum { RDB_RAW, RDB_INTEGER, RDB_LZF } form;
    int64_t integer;
    uint64_t bytes;  /* of the string; RDB_INTEGER: 0 */
    uint64_t packed; /* RDB_LZF: compressed bytes */
};
bool rdb_get_string_head(struct rdb_reader *r, struct rdb_string *head);
/* Not for RDB_INTEGER; writes head->bytes bytes. */
bool rdb_get_string_bytes(struct rdb_reader *r, const struct rdb_string *head, char *to);

/* The same for a string of at most SOURCE_TAKE_MAX bytes, in RDB_PLACE_VALUE. */
bool rdb_get_string_short(struct rdb_reader *r, const struct rdb_string *head, const char **p);

bool rdb_skip_string(struct rdb_reader *r);
/* How many of n elements of so many bytes at least there may be yet: what else was said is a lie,
 * which an error will show in time. Below INT64_MAX. */
static inline uint64_t rdb_possible(const struct rdb_reader *r, uint64_t n, unsigned bytes) {
    uint64_t most = source_left(r->src) / bytes;
    if (most > INT64_MAX) most = INT64_MAX;
    return n < most ? n : most;
}
/* Notes that the value is broken; false. */
#define rdb_bad(r, ...) source_fail((r)->src, SOURCE_CORRUPT, __VA_ARGS__)

#endif
