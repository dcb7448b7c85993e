/* carry.h - keys that travel between workers as words of a message.
 *
 *   database (int32) | name | record      … for each key, then perhaps a last word
 *
 * Foreign keys are read in their owner's arena (net/cross.h), and then the names are enough. But
 * that shows an earlier instant while its owner is frozen (mem/freeze.h): then the owner sends
 * records, a record being what persist/dump.h makes of an entry; an empty one is of a key that does
 * not exist.
 */
#ifndef SHMREDIS_CARRY_H
#define SHMREDIS_CARRY_H

#include "net/remote.h"

/* A key of some database. */
struct carried {
    int db;
    bool written; /* it may be, by the command that it was fetched for */
    bool changed; /* that command has changed something: its owner is to take it back */
    bool shipped; /* it was when its owner was last told */
    struct str name;
    struct str record; /* .p NULL: not sent along */
};
/* Whether the object of this arena, own or a view of another's, is not the present state. */
bool carry_needed(const struct arena *a);
/* Sends the message with these keys as its body, and a last word behind them (.p NULL: none).
 * Flagged MSG_RECORDS: with the records of these keys of this worker. */
void carry_send(struct remote *r, int to, const struct message *m, int n,
                const struct carried *keys, struct str last);
/* Puts the message, flagged MSG_RECORDS, with these keys and the last word where `room_for` says,
 * given the bytes and `r`, as a struct kept. False: that has no room. */
bool carry_keep(struct remote *r, const struct message *m, int n, const struct carried *keys,
                struct str last, void *(*room_for)(void *r, size_t bytes));
/* The keys in a message's words, to be freed; their bytes stay there. Keys of databases that do not
 * exist are left out. */
struct carried *carry_read(const struct remote *r, const struct message *m, int argc,
                           const struct str *argv, int *n);
/* Makes a key here what its record says. */
status carry_take(struct remote *r, const struct carried *key);

#endif
