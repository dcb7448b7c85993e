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
/* Replies and pops one element, fires the event, and closes the list, which has some. */
void list_pop_one(struct call *c, struct list *l, enum list_end end);

/* LMPOP's arguments from the number of keys on: keys … LEFT|RIGHT [COUNT n]. */
struct list_pops {
    int keys;
    enum list_end end;
    int64_t count;
};
bool arg_list_pops(struct call *c, int at, struct list_pops *out);
/* Pops from the list at argv[i], if there is one: replies and logs it; false: there is none. */
bool list_pop_many(struct call *c, int i, const struct list_pops *pops);

/* From the list at argv[1] to the one at argv[2]. */
struct list_moves {
    enum list_end from, to;
    int64_t count;
    bool exactly; /* all of count or nothing */
    bool bulk;    /* keep the order; else one by one */
    bool many;    /* of LMOVEM, if only one */
};
/* The ends at argv[3] and argv[4], and from argv[at] on: [COUNT|EXACTLY n OBO|BULK]. */
bool arg_list_moves(struct call *c, int at, struct list_moves *out);
/* Moves and replies; null when there is nothing (or not enough) to move. */
void list_move_one(struct call *c, enum list_end from, enum list_end to);
void list_move_many(struct call *c, const struct list_moves *m);
static inline const char *list_pop_event(enum list_end end) {
    return end == LIST_HEAD ? "lpop" : "rpop";
}
static inline const char *list_push_event(enum list_end end) {
    return end == LIST_HEAD ? "lpush" : "rpush";
}

#endif
