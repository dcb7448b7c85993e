/* hub.h - what all sessions of a worker share: the input buffer, the reply buffer, pauses.
 *
 * One read event is handled at a time, so one input buffer and one reply buffer serve every
 * connection; idle connections own no buffers at all.
 */
#ifndef SHMREDIS_HUB_H
#define SHMREDIS_HUB_H

#include "cmd/reply.h"
#include "net/activity.h"
#include "net/inside.h"
#include "net/pace.h"
#include "net/resp.h"
#include "net/turn.h"

#define HUB_INPUT_BYTES ((size_t)128 * 1024)

/* A session that needs the event loop's attention: feed_outcome bits. */
struct ready {
    uint64_t session;
    int outcome;
};

/* Who watches by MONITOR, net/monitor.h. */
struct monitors {
    bool watched; /* somebody does, here or elsewhere */
    struct session **sessions;
    size_t n, cap;
    uint64_t workers;  /* bits: others that have monitors */
    struct reply line; /* being composed */
};

/* The part of a hub that is exchanged while a script runs for long. */
struct busy_buffers {
    char *input;
    struct resp_parser parser;
    struct reply reply, pushes;
    struct session *current;
    struct ready *ready;
    size_t ready_n, ready_cap, ready_at;
};

struct epoll_event;
struct hub {
    char *input; /* HUB_INPUT_BYTES */
    struct resp_parser parser;
    struct reply reply;
    struct session *current; /* the one that is fed now */
    struct reply pushes;     /* for it, after the reply of its command */
    uint64_t
        acting;     /* the client whose command is being executed, here or elsewhere; 0: nobody's */
    bool uncounted; /* what is executed now is part of something that is counted as a whole */
    uint64_t pause_until_ms;
    bool pause_writes_only;
    uint64_t sessions;
    struct session *crowd; /* all sessions, net/crowd.h */
    struct activity activity;
    struct monitors monitors;
    int poll_fd; /* epoll set of net/poll.c; -1: not made yet */
    struct pace pace;
    struct ready *ready;
    size_t ready_n, ready_cap, ready_at;
    struct turn turn;
    void (*inside_run)(void *owner, struct call *c, int row, const char *words, size_t n,
                       const uint32_t *ends, int argc, int resp); /* Python's; net/inside.h */
    void *inside_owner;
    struct inside_frame inside[INSIDE_DEPTH];
    struct call *inside_call[INSIDE_DEPTH]; /* what is being executed, outermost first */
    int inside_depth;
    char inside_error[INSIDE_ERROR]; /* how the last error of a command inside began; no text: none
                                      */
    uint64_t inside_serial;          /* of the outermost one: how many there were */
    struct script *script;           /* net/script.h */
    struct reply inside_words;       /* arguments as Python reads them */
    bool busy;                       /* sockets are served in the middle of a script: net/busy.h */
    unsigned busy_state;             /* enum script_state */
    struct busy_buffers *aside;      /* what is used then; or, meanwhile, what was before */
    uint64_t busy_now_ms, busy_now_us;
    struct epoll_event *polled; /* the round of net/poll.c that is being served */
    int polled_n;
};

struct hub *hub_new(void);
void hub_delete(struct hub *hub);
void busy_delete(struct hub *hub); /* net/busy.c */
/* For engine_next_ready. */
void hub_note_ready(struct hub *hub, uint64_t session, int outcome);
/* For engine_delete: what engine_record made. */
void engine_recorder_free(struct engine *eng);

#endif
