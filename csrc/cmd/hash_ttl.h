/* hash_ttl.h - what commands about the expiries of fields share: their words, what they do to one
 * field, and how it is told and logged.
 */
#ifndef SHMREDIS_CMD_HASH_TTL_H
#define SHMREDIS_CMD_HASH_TTL_H

#include "cmd/hash.h"

#define EXPIRY_LIMIT_MS (((int64_t)1 << 46) - 1)

/* Codes of the replies, one a field. */
enum { NO_FIELD = -2, NO_EXPIRY = -1, NOT_MET = 0, DONE = 1, DELETED = 2 };
#define ARENA_FULL (-10) /* is never replied */

enum { COND_NX = 1, COND_XX = 2, COND_GT = 4, COND_LT = 8 };
struct hexpire {
    int64_t when_ms;
    unsigned cond;
    int first, count; /* the fields among the arguments; 0: not from there */
};

/* --- words --- each replies its error and returns false */
/* "FIELDS numfields field …" of HTTL, HPERSIST, HGETDEL at argv[at], which ends the command: the
 * index of the first field and how many. */
bool arg_fields_at(struct call *c, int at, int *first, int *count);
/* "FIELDS n field …" at argv[*i], anywhere among options, with `width` words a field; *i moves to
 * its last word. *first is 0 before. */
bool take_fields(struct call *c, int *i, const char *bad_count, int width, int *first, int *count);
bool arg_unknown(struct call *c, int i);

/* --- what a command did, for the log and the events --- */
struct outcome {
    struct str *set, *deleted; /* one block of malloc: free `set` */
    int n_set, n_deleted;
};
void outcome_open(struct outcome *o, int fields);
/* The events: what befell the fields that stay, and those that are gone. */
void outcome_announce(struct call *c, const struct hash *h, const char *event,
                      const struct outcome *o);
/* Fields that were given the time. */
void outcome_log_set(struct call *c, const struct str *fields, int count, const struct hexpire *e);
void outcome_log_deleted(struct call *c, const struct outcome *o);

/* --- one field; the code of the reply --- */
/* Or ARENA_FULL. */
int field_expire(struct call *c, struct hash *h, struct str name, const struct hexpire *e,
                 struct outcome *o);
/* Takes its expiry away. */
int field_persist(struct call *c, struct hash *h, struct str name);

#endif
