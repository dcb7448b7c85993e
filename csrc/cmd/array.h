/* array.h - what the files of array commands share: the array at a key, indexes, replies. */
#ifndef SHMREDIS_CMD_ARRAY_H
#define SHMREDIS_CMD_ARRAY_H

#include "cmd/call.h"
#include "db/type_array.h"

struct array_key {
    struct key key;
    struct value value;
    struct array *r; /* NULL: there is none */
};

/* The array at argv[1]; false: another type, replied. */
bool array_open_read(struct call *c, struct array_key *k);
bool array_open_write(struct call *c, struct array_key *k);
/* Makes an empty one if there is none; it must be closed then. */
bool array_open_create(struct call *c, struct array_key *k);
/* Deletes the key when no element is left. */
void array_close(struct call *c, struct array_key *k);
/* Sets one element of an open array. */
status array_put(struct call *c, struct array_key *k, uint64_t index, struct str s, bool *added);

/* An index of argv[i], at most `max`; false: replied. */
bool arg_index(struct call *c, int i, uint64_t max, uint64_t *index);
/* Both ends of a range at argv[i] and argv[i + 1]. */
bool arg_range_ends(struct call *c, int i, uint64_t *from, uint64_t *to);
/* A positive number behind LIMIT. */
bool arg_limit(struct call *c, int i, uint64_t *limit);

/* An integer; above 2^63 - 1 a bulk string, or a big number in RESP3. */
void reply_index(struct reply *r, uint64_t v);
/* The element, or null. */
void reply_element(struct call *c, const struct array_key *k, uint64_t index);

#endif
