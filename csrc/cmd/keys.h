/* keys.h - which keys a command has, and which worker owns them.
 *
 * A key's slot is CRC16 of it, or of what is between its first { and the next }, modulo 16,384, as
 * in Redis Cluster. Each worker owns a run of slots of equal length.
 */
#ifndef SHMREDIS_KEYS_H
#define SHMREDIS_KEYS_H

#include "cmd/command.h"

#define SLOTS_TOTAL 16384u

uint32_t key_slot(struct str key);
static inline int slot_owner(uint32_t slot, int workers) {
    return (int)(slot * (uint32_t)workers / SLOTS_TOTAL);
}
static inline int key_owner(struct str key, int workers) {
    return slot_owner(key_slot(key), workers);
}

/* How a command whose keys have several owners, or that is about all keys, is spread over them. */
enum spread {
    SPREAD_NOT,    /* it runs at one worker, under holds on the others: net/cross.h */
    SPREAD_SUM,    /* a part for each owner; integers are added */
    SPREAD_OK,     /* a part for each owner; the first error, or OK */
    SPREAD_VALUES, /* a part for each owner; elements in the order of the keys */
    SPREAD_ALL_SUM,
    SPREAD_ALL_OK, /* to all workers */
    SPREAD_ALL_CONCAT,
    SPREAD_ALL_RANDOM, /* to all workers; one of the elements that they give */
    SPREAD_SCAN,       /* one worker after the other */
    SPREAD_SESSION     /* it is about the connection: net/multi.h */
};
/* How far apart keys are among the arguments of a spread command: 2 for MSET. */
int spread_step(const struct command *cmd);
enum spread spread_of(const struct command *cmd);
/* Whether it is about the keys of all workers. */
bool spread_to_all(enum spread spread);

/* Commands that only read, one key in argv[*key] and nothing besides: they may run on a copy of the
 * key. A set of bits. */
enum copied {
    COPIED_ENTRY = 1,  /* they look at the key's entry only */
    COPIED_VALUE = 2,  /* at its value, too */
    COPIED_TOUCHES = 4 /* and are an access to it: OBJECT IDLETIME */
};
unsigned copied_of(const struct command *cmd, int *key);

/* The channels among a command's arguments that somebody must be allowed to use. */
enum channel_use {
    CHANNELS_NONE,
    CHANNELS_ONE,     /* argv[1] */
    CHANNELS_ALL,     /* all arguments */
    CHANNELS_PATTERNS /* likewise, as patterns */
};
enum channel_use channels_of(const struct command *cmd);

/* The argument that is the only key a command can have; 0: it has none, or may have several. */
int only_key_of(const struct command *cmd);

struct key_at {
    int index;      /* of argv */
    uint16_t flags; /* enum key_flag */
};
/* The keys of a command, at most `max`; returns how many there are, whether they fit or not. */
int command_keys(const struct command *cmd, int argc, const struct str *argv, struct key_at *out,
                 int max);

#endif
