/* message.h - what workers say to each other over their rings. */
#ifndef SHMREDIS_MESSAGE_H
#define SHMREDIS_MESSAGE_H

#include "mem/bytes.h"

enum message_kind {
    /*                  id                       value            body */
    MSG_REQUEST = 1, /* of the asker's pending   number of user   command */
    MSG_REPLY,       /* of the receiver's        ns it has taken  RESP */
    MSG_PART,        /* of the asker's pending   -                command, of which others have
                        parts: net/scan.h */
    MSG_MAIL,        /* Python's                 Python's kind    bytes */
    MSG_REBORN,      /* -                        messages taken   -          by the predecessor */
    MSG_STAGE,       /* of the asker's pending   stage number     command */
    MSG_STAGED,      /* -                        stage number     -; db: enum stage_answer */
    MSG_DROP,        /* -                        stage number     - */
    MSG_REDONE,      /* -                        -                - */
    MSG_CROSS,       /* of the asker's pending   number of user   command */
    MSG_HOLD,        /* operation                -                - */
    MSG_HELD,        /* operation                -                - */
    MSG_RELEASE,     /* operation                -                - */
    MSG_SHIP,    /* operation                position + 1     database and name of each key, then
                    u64: bits of all owners */
    MSG_SHIPPED, /* operation                status           - */
    MSG_WATCH,   /* of the asker's pending   session          keys, as a command's arguments */
    MSG_UNWATCH, /* -                        session          keys, likewise */
    MSG_TOUCHED, /* -                        -                a watched key, likewise */
    MSG_EVENT,   /* -                        kind of channel  channel and message */
    MSG_AWAIT,   /* ticket                   the asker        net/block_retry.h */
    MSG_NUDGED,  /* ticket                   -                - */
    MSG_SERVED,  /* ticket                   -                RESP */
    MSG_UNBLOCK, /* of the asker's pending,  enum unblock_how - */
                 /* or a ticket */
    MSG_EVICT,   /* -                        -                - */
    MSG_RUN,     /* operation                position + 1     command, for all who are held */
    MSG_RAN,     /* operation                ns it has taken  RESP */
    MSG_FETCH,   /* operation                -                keys, net/carry.h */
    MSG_FETCHED, /* operation                -                keys and records */
    /* net/tracking.h; `client` is the reader's code, the reader, the target */
    MSG_TRACK,      /* -                        -                a key that it has read */
    MSG_INVALIDATE, /* -                        who changed it   a key; none: all keys */
    MSG_REDIRECTED, /* -                        the reader       keys; none: all keys */
    MSG_BROKEN,     /* -                        the target       -          it is gone */
    MSG_PREFIX,     /* -                        1: wanted        a prefix */
    MSG_PREFIXES,   /* -                        1: the answer    -          those were all */
    MSG_MONITORS,   /* -                        whether any       -          net/monitor.h */
    MSG_MONITORED,  /* -                        -                a line */
    MSG_SLOW,       /* of the receiver's        -                an entry, net/behind.h */
    MSG_BROADCAST,  /* -                        -                u64 who changed it, key; ... */
};

/* At the beginning of each (all workers have the same commands at the same registry indices); the
 * body follows. A command is u32 argc, then u32 length and bytes of each argument. */
struct message {
    uint8_t kind : 6, resp : 2;
    uint8_t flags;
    uint16_t row; /* MSG_REQUEST: registry index of the command + 1; 0: to be found by name */
    int32_t db;
    uint64_t id, value;
    uint64_t client; /* that tracks, whose command this is: tracker_code; 0: no such */
};
enum message_flags {
    MSG_NO_TOUCH = 1,
    MSG_QUIET = 2,    /* not propagated; MSG_SHIP: nobody needs to hear of the change */
    MSG_RECORDS = 8,  /* MSG_SHIP: keys and records, net/carry.h */
    MSG_TRACKED = 16, /* what the command reads is to be remembered for `client` */
    MSG_AGAIN = 32,   /* MSG_STAGE, MSG_RUN, MSG_SHIP: a predecessor may have lost it, net/redo.h;
                         MSG_STAGE has its position as value then. MSG_HOLD: of one whose
                         predecessor was held, before all others */
    MSG_INSTANT = 4,  /* MSG_STAGE: no command, but the instant whose id is the one argument */
    MSG_TICKET = 64,  /* a blocking command: the value is its client's ticket, net/claims.h;
                         MSG_SHIP: by such a command */
    MSG_SERVE = 128   /* MSG_CROSS, such a command: whoever owns keys of it may execute it */
};

/* A command kept for later: with its arguments in one block. */
struct kept {
    struct kept *next;
    struct message head;
    int from;
    int argc;
    uint64_t owners; /* a staged part: bits of the workers that have parts of its command */
    struct str argv[];
};
/* In a block of malloc; or at a place that has room for kept_bytes. */
struct kept *kept_new(int from, const struct message *head, int argc, const struct str *argv);
size_t kept_bytes(int argc, const struct str *argv);
struct kept *kept_put(void *place, int from, const struct message *head, int argc,
                      const struct str *argv);
struct kept_list {
    struct kept *first, *last;
};
void kept_append(struct kept_list *l, struct kept *k);
/* The first one, or NULL. */
struct kept *kept_take(struct kept_list *l);
/* A copy (malloc) of what another process has put somewhere. */
struct kept *kept_copy(const struct kept *other);

#endif
