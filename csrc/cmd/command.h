/* command.h - the row that describes a command. Dispatch, COMMAND, ACL, routing and propagation all
 * read the same rows.
 *
 * Each csrc/cmd file ends with its own array of rows and exports it as one struct command_group,
 * which has its line in registry.c. Commands of Python register a row with the same fields.
 */
#ifndef SHMREDIS_COMMAND_H
#define SHMREDIS_COMMAND_H

#include "mem/bytes.h"

struct call;
typedef void (*command_fn)(struct call *c);

enum command_flag {
    CMD_WRITE = 1 << 0,
    CMD_READ = 1 << 1,
    CMD_DENYOOM = 1 << 2,
    CMD_ADMIN = 1 << 3,
    CMD_PUBSUB = 1 << 4,
    CMD_NOSCRIPT = 1 << 5,
    CMD_BLOCKING = 1 << 6,
    CMD_LOADING = 1 << 7,
    CMD_STALE = 1 << 8,
    CMD_SKIP_MONITOR = 1 << 9,
    CMD_SKIP_SLOWLOG = 1 << 10,
    CMD_ASKING = 1 << 11,
    CMD_FAST = 1 << 12,
    CMD_NO_AUTH = 1 << 13,
    CMD_MAY_REPLICATE = 1 << 14,
    CMD_NO_ASYNC_LOADING = 1 << 15,
    CMD_NO_MULTI = 1 << 16,
    CMD_MOVABLE_KEYS = 1 << 17,
    CMD_ALLOW_BUSY = 1 << 18,
    CMD_DANGEROUS = 1 << 24,         /* ACL only: @dangerous without being admin */
    CMD_CONTAINER = 1 << 25,         /* has subcommands: rows named "CONTAINER|SUB" */
    CMD_INSIDE = 1 << 27,            /* of Python, but runs in the core: net/inside.h */
    CMD_NO_MANDATORY_KEYS = 1 << 28, /* Python's, for COMMAND */
    CMD_SCRIPT_RUNNER = 1 << 29,     /* likewise */
    CMD_BUILDS = 1 << 26,            /* reads keys, but builds a value in the arena for its reply */
    CMD_LAST = 1 << 30, /* waits for all workers: after a transaction that holds some of them */
};

enum key_flag {
    KF_RO = 1 << 0,
    KF_RW = 1 << 1,
    KF_OW = 1 << 2,
    KF_RM = 1 << 3,
    KF_ACCESS = 1 << 4,
    KF_UPDATE = 1 << 5,
    KF_INSERT = 1 << 6,
    KF_DELETE = 1 << 7,
    KF_NOT_KEY = 1 << 8,
    KF_INCOMPLETE = 1 << 9,
    KF_VARIABLE = 1 << 10,
    KF_CHANGED = 1 << 11 /* COMMAND says that it is read, and it is changed: XREADGROUP */
};
#define KF_WRITTEN (KF_RW | KF_OW | KF_RM | KF_CHANGED)
/* Where keys are: an index or a keyword to begin at, then a range or a count of keys. */
struct key_spec {
    uint16_t flags;
    uint8_t begin;       /* 0: no spec, 'i' index, 'k' keyword, '?' unknown */
    uint8_t find;        /* 'r' range, 'n' keynum, '?' unknown */
    int16_t at;          /* index, or where the search for the keyword starts */
    int16_t a, b, c;     /* range: last key (relative), step, limit;
                            keynum: index of the count, first key (both relative), step */
    const char *keyword; /* 'k'; '?': SORT's STORE, which is looked for but told to nobody */
};
/* Keys from argument `first` to `first + last` (negative: counted from the end), every `step`. */
#define KEYS(first, last, step, flags_)                                                            \
    { .flags = (flags_), .begin = 'i', .find = 'r', .at = (first), .a = (last), .b = (step) }
#define KEY(first, flags_) KEYS(first, 0, 1, flags_)
/* A count at argument `at_` and the keys right after it. */
#define KEYNUM(at_, flags_)                                                                        \
    { .flags = (flags_), .begin = 'i', .find = 'n', .at = (at_), .a = 0, .b = 1, .c = 1 }

#define COMMAND_KEY_SPECS 3
struct command {
    const char *name; /* upper case; "OBJECT|ENCODING" for a subcommand */
    int arity;        /* counts the name (both words of a subcommand); negative: at least */
    uint32_t flags;   /* enum command_flag */
    const char *acl;  /* ACL categories beside those that flags imply, space separated: "string" */
    command_fn fn;    /* NULL: implemented in Python, or a container */
    struct key_spec keys[COMMAND_KEY_SPECS];
};

struct command_group {
    const char *name; /* as COMMAND DOCS says: "string", "hash", "sorted-set", "generic" … */
    const struct command *rows;
    size_t count;
};
#define COMMAND_GROUP(var, group_name, rows_)                                                      \
    const struct command_group var = { (group_name), (rows_), sizeof(rows_) / sizeof((rows_)[0]) }

#endif
