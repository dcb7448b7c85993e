/* set.h - what the files of set commands share: opening and closing the set at a key. */
#ifndef SHMREDIS_CMD_SET_H
#define SHMREDIS_CMD_SET_H

#include "cmd/call.h"
#include "db/type_set.h"

struct set {
    struct key key;
    struct value value; /* only when there is one */
};

/* The set at argv[i]; false: wrong type, replied. s->key.entry is NULL when there is none. */
bool set_open_read(struct call *c, int i, struct set *s);
bool set_open_write(struct call *c, int i, struct set *s);
/* Makes an empty one, for `members` members like `first`, when there is none; false: replied. It
 * must be closed then. */
bool set_open_create(struct call *c, int i, struct str first, size_t members, struct set *s);
/* Stores what was done to the value; deletes the key when no member is left. */
void set_close(struct call *c, struct set *s);
/* A visitor that replies each member; ctx is struct member_reply. */
struct member_reply {
    struct reply *out;
    size_t n;
};
bool reply_member(void *ctx, struct str member);

#endif
