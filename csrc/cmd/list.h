/* list.h - what the files of list commands share: opening and closing the list at a key. */
#ifndef SHMREDIS_CMD_LIST_H
#define SHMREDIS_CMD_LIST_H

#include "cmd/call.h"
#include "db/type_list.h"

struct list {
    struct key key;
    struct value value; /* only when there is one */
};

/* The list at argv[i]; false: wrong type, replied. l->key.entry is NULL when there is none. */
bool list_open_read(struct call *c, int i, struct list *l);
bool list_open_write(struct call *c, int i, struct list *l);
/* Makes an empty one when there is none; false: replied. It must be closed then. */
bool list_open_create(struct call *c, int i, struct list *l);
/* Stores what was done to the value; deletes the key when no element is left. */
void list_close(struct call *c, struct list *l);
/* LEFT or RIGHT at argv[i]; false: syntax error, replied. */
bool arg_list_end(struct call *c, int i, enum list_end *end);
/* Pops up to n elements into an array reply, fires the event, and closes the list. */
void list_pop_reply(struct call *c, struct list *l, enum list_end end, uint64_t n);
static inline const char *list_pop_event(enum list_end end) {
    return end == LIST_HEAD ? "lpop" : "rpop";
}
static inline const char *list_push_event(enum list_end end) {
    return end == LIST_HEAD ? "lpush" : "rpush";
}

#endif
