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
/* A visitor that replies each member; ctx is struct member_reply. */
struct member_reply {
    struct reply *out;
    size_t n;
};
bool reply_member(void *ctx, struct str member);

#endif
