/* listpack.h - Redis's listpack: many small strings and integers in one run of bytes.
 *
 * The byte layout is Redis's (an interchange format: RDB, DUMP), see specs of the format in
 * listpack.c. Functions work on plain bytes and never allocate: the caller makes room first.
 *
 * Owns      nothing; `lp` points to a listpack of lp_bytes(lp) bytes.
 * Promises  element pointers `p` are valid until the listpack changes; NULL is past the last
 * element. lp_length is O(1) below 65,535 elements.
 */
#ifndef SHMREDIS_LISTPACK_H
#define SHMREDIS_LISTPACK_H

#include "mem/bytes.h"

#define LP_EMPTY_BYTES 7
#define LP_MAX_BYTES ((size_t)1 << 30)

/* An element's value: the string s, or, when s.p is NULL, the integer. */
struct lp_value {
    struct str s;
    int64_t integer;
};

void lp_init(uint8_t *lp); /* writes LP_EMPTY_BYTES bytes */
size_t lp_bytes(const uint8_t *lp);
size_t lp_length(const uint8_t *lp);

uint8_t *lp_first(uint8_t *lp);
uint8_t *lp_last(uint8_t *lp);
uint8_t *lp_next(uint8_t *lp, uint8_t *p);
uint8_t *lp_prev(uint8_t *lp, uint8_t *p);
/* Negative indexes count from the end; NULL when out of range. */
uint8_t *lp_seek(uint8_t *lp, int64_t index);

struct lp_value lp_get(const uint8_t *p);
/* The element as text; integers are written into buf. */
struct str lp_text(const uint8_t *p, char buf[24]);
/* Compares an element with a string as Redis does: by text. */
bool lp_equal(const uint8_t *p, struct str s);
/* First element equal to s at or after p, stepping `skip` elements over between tries; or NULL. */
uint8_t *lp_find(uint8_t *lp, uint8_t *p, struct str s, unsigned skip);

/* Bytes one element takes, in the smallest form that Redis would choose. */
size_t lp_entry_bytes(struct str s);
/* Whole size of the element at p, backlen included. */
size_t lp_size_at(const uint8_t *p);

/* The caller has made sure that lp_bytes + lp_entry_bytes(s) bytes are there.
 * Inserts before p (NULL: at the end); returns the new element. */
uint8_t *lp_insert(uint8_t *lp, uint8_t *p, struct str s);
static inline uint8_t *lp_append(uint8_t *lp, struct str s) {
    return lp_insert(lp, NULL, s);
}
/* Replaces the element at p (room for lp_bytes - old + new bytes is there); returns the new
 * element. */
uint8_t *lp_replace(uint8_t *lp, uint8_t *p, struct str s);
/* Deletes `count` elements from p on (fewer at the end); returns the element after them, or NULL.
 */
uint8_t *lp_delete(uint8_t *lp, uint8_t *p, size_t count);

/* Bodies: elements without their backlens, as stream nodes keep them (db/stream_node.h). lp_get and
 * lp_text read them too. Writes one and returns its bytes; a string takes at most LP_BODY_HEAD more
 * than its own. */
#define LP_BODY_HEAD 5
#define LP_BODY_INTEGER_MAX 9
size_t lp_body_put(uint8_t *p, struct str s);
size_t lp_body_put_integer(uint8_t *p, int64_t v);
size_t lp_body_bytes(const uint8_t *p);
size_t lp_body_integer_bytes(int64_t v);
/* Bytes of the element that has this body. */
size_t lp_body_whole(size_t body);
/* Appends the element of a body to a listpack; the caller has made room. */
void lp_append_body(uint8_t *lp, const uint8_t *body);

/* Hostile bytes: the whole of `bytes` is one well-formed listpack. */
bool lp_valid(const uint8_t *lp, size_t bytes);
void lp_check(const uint8_t *lp);

#endif
