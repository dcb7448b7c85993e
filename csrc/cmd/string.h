/* string.h - what the string commands share: conditions on the present value, its digest. */
#ifndef SHMREDIS_CMD_STRING_H
#define SHMREDIS_CMD_STRING_H

#include "cmd/call.h"

/* When a write happens: SET and DELEX have these words. */
enum condition { COND_NONE, COND_NX, COND_XX, COND_IFEQ, COND_IFNE, COND_IFDEQ, COND_IFDNE };

#define DIGEST_DIGITS 16
/* 16 lower-case hex digits of the XXH3 of s. */
void string_digest_text(const struct engine *eng, struct str s, char out[DIGEST_DIGITS + 1]);
/* True if c is IFEQ … IFDNE: a condition on the value of a string. */
static inline bool condition_compares(enum condition c) {
    return c >= COND_IFEQ;
}
/* Reads IFEQ, IFNE, IFDEQ or IFDNE with its operand at argv[i]; COND_NONE if it is none of them. */
enum condition arg_comparison(struct call *c, int i);
/* Whether the string at k (which may be missing) fulfils the comparison. */
bool comparison_holds(const struct engine *eng, const struct key *k, enum condition cond,
                      struct str operand);
/* The digest operand is well-formed, else the error is replied. */
bool check_digest_operand(struct call *c, enum condition cond, struct str operand);

#endif
