/* core_session.h - what Python sees of sessions, the protocol side of one connection each, and of
 * the users behind them; how such headers are written: core.h.
 */
#ifndef SHMREDIS_CORE_SESSION_H
#define SHMREDIS_CORE_SESSION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct session;
struct acl_user;

/* --- sessions: the protocol side of one connection --- */

/* Outcome of session_feed, a set of bits; 0: everything done and sent. */
enum feed_outcome {
    FEED_OUTPUT = 1, /* bytes are left in session_output: write them, then session_output_done */
    FEED_CALL = 2,   /* a command of Python is next: session_argv …, session_reply, feed(s, 0) */
    FEED_BUFFER = 4, /* where to read into has changed: ask session_input again */
    FEED_CLOSE = 8,  /* close the connection when the output is out */
    FEED_WAITING = 16, /* a barrier: replies of others are outstanding, or clients are paused */
    FEED_AGAIN = 64,   /* stopped for too much unsent output: feed(s, 0) when it is gone */
    FEED_MOVE =
        512, /* the connection should move to the worker session_home, which owns its keys */
    FEED_EVICT = 1024, /* the client takes too much memory: drop the connection */
    FEED_GONE = 256,   /* the peer has closed the connection */
    FEED_TURN = 128    /* engine_drain is due at the end of this turn of the event loop */
};

/* `fd` is a connected plain socket to which replies are sent directly, or -1 (TLS, tests): all
 * output then goes by session_output. The session never closes it. */
struct session *session_new(struct engine *eng, int fd, uint64_t id);
/* From now on engine_poll reads, executes and sends for this session of a non-blocking socket.
 * False: the kernel refuses. Unwatch before the socket is closed. */
bool session_watch(struct session *s);
void session_unwatch(struct session *s);
/* The worker that a watched session is to move to, now that nothing is under way in it; -1: it
 * stays.
 */
int session_home(const struct session *s);
void session_delete(struct session *s);
/* Where to read into and how many bytes fit. Usually the engine's one shared buffer, the same for
 * all sessions; while a big argument is arriving, its own place. Valid until the next session_feed.
 */
char *session_input(struct session *s, size_t *size);
/* Parses and executes what has arrived (n bytes just read into session_input). */
int session_feed(struct session *s, size_t n);
/* Bytes to be written that could not be sent directly; valid until output_done. */
const char *session_output(struct session *s, size_t *n);
/* They were handed to the transport (never for watched sessions, which send by themselves);
 * `drained`: nothing is queued there, direct sends may go on. */
void session_output_done(struct session *s, bool drained);

/* FEED_CALL: the command to be executed in Python. Bytes are valid until session_reply. */
int session_argc(const struct session *s);
const char *session_argv(const struct session *s, int i, size_t *n);
/* Index of the row in the registry (command_row). */
int session_command(const struct session *s);
/* Gives the RESP reply of the pending Python command (n may be 0: no reply) and ends it; `usec` is
 * how long it took, for statistics. */
void session_reply(struct session *s, const char *resp, size_t n, uint64_t usec);

/* --- subscriptions, tracking, monitors, waiting --- */

/* Channels of a kind (0 channels, 1 shard channels, 2 patterns) that sessions of this worker are
 * subscribed to, one after the other; begins with a zeroed *at. False: no more. */
struct channel_info {
    const void *place; /* the core's */
    size_t bucket;
    const char *name; /* valid until the next command */
    size_t n;
    uint64_t subscribers;
};
bool engine_channel(const struct engine *eng, int kind, struct channel_info *at);
struct pubsub_info {
    uint64_t channels, shard_channels, patterns;
    uint64_t sessions; /* that are subscribed to any */
};
void engine_pubsub(const struct engine *eng, struct pubsub_info *out);
/* Client-side caching: CLIENT TRACKING of a session. The other workers know of prefixes when they
 * have taken what was sent to them before they answer any later question. */
enum tracking_flag {
    TRACKING_ON = 1,
    TRACKING_BCAST = 2,
    TRACKING_OPTIN = 4,
    TRACKING_OPTOUT = 8,
    TRACKING_NOLOOP = 16,
    TRACKING_CACHING = 32, /* CLIENT CACHING, for the next command */
    TRACKING_BROKEN = 64   /* the client that messages go to is gone */
};
struct tracking_info {
    uint64_t sessions;    /* that track */
    uint64_t keys, items; /* that were read; with the clients counted for each */
    uint64_t prefixes;    /* of BCAST, of all workers */
};
/* Messages go to the client `redirect` (0: to the session itself), which must be pinned, of that
 * worker. */
void session_track(struct session *s, uint32_t flags, uint64_t redirect, int redirect_worker);
void session_track_prefix(struct session *s, const char *p, size_t n);
void session_untrack(struct session *s);
void session_set_caching(struct session *s);
uint32_t session_tracking(const struct session *s, uint64_t *redirect); /* flags; 0: off */
/* The i-th prefix, by name; valid until they change; NULL: no more. */
const char *session_prefix(const struct session *s, size_t i, size_t *n);
/* Others send messages to it: it stays with this worker. */
void session_pin(struct session *s);
void engine_tracking(const struct engine *eng, struct tracking_info *out);
/* All sessions of this worker together: bytes, of input and output those of the longest. */
struct crowd_info {
    uint64_t sessions, memory, longest_input, longest_output;
};
void engine_crowd(const struct engine *eng, struct crowd_info *out);
/* The session begins or ceases to be blocked in a command of Python. */
void session_wait(struct session *s, bool on);
/* Bits of the workers that may have logged changes of this client that WAITAOF does not know to be
 * on disk; now it does. */
uint64_t session_unsynced(const struct session *s);
void session_synced(struct session *s, uint64_t workers);
/* MONITOR: other workers are told; lines come from session_monitor_start on. */
void session_monitor(struct session *s);
void session_monitor_start(struct session *s);
void session_unmonitor(struct session *s);
/* CLIENT UNBLOCK: as if its time were up, or with an error; false: it does not wait. */
bool session_unblock(struct session *s, bool error);
/* The reply of the pending Python command will come later than this turn of the event loop. */
void session_suspend(struct session *s);
/* Keys of this worker that are watched by WATCH, and sessions that watch some. */
void engine_watches(const struct engine *eng, uint64_t *keys, uint64_t *sessions);
/* Bytes sent out of turn (push messages, MONITOR). Kept in order with replies. */
void session_push(struct session *s, const char *resp, size_t n);

/* --- the state of a session --- */

/* What Python keeps in a session. */
enum session_flag {
    SESSION_AUTHENTICATED = 1,
    SESSION_NO_TOUCH = 2,
    SESSION_NO_EVICT = 4,
    SESSION_REPLY_OFF = 8,
    SESSION_REPLY_SKIP = 16,  /* the next command's reply is dropped */
    SESSION_CLOSING = 32,     /* close after the output */
    SESSION_HTTP = 64,        /* sent lines of HTTP and is closed for it */
    SESSION_INPUT_FULL = 128, /* passed client-query-buffer-limit and is closed for it */
    SESSION_MONITOR = 512,    /* MONITOR; the core keeps it */
    SESSION_RESTRICTED = 256  /* its user may not do everything; session_set_user keeps it */
};
struct session_info {
    uint64_t id;
    int fd, db, resp;
    uint32_t flags;
    uint64_t created_ms, last_ms; /* wall clock of creation and of the last command */
    uint64_t net_in, net_out, commands, reads;
    uint64_t query_buffer; /* bytes of its own input waiting for their rest */
    uint64_t query_buffer_free, argv_bytes;
    uint64_t output_bytes;  /* reply bytes not yet sent */
    uint64_t memory;        /* all in */
    uint64_t output_memory; /* of the queue of replies */
    int last_command;       /* row index, -1: none yet */
    int multi;              /* commands queued by MULTI, -1: not in a transaction */
    int watches;            /* keys watched, as long as none has changed */
    bool dirty;             /* one has: EXEC will do nothing */
    uint64_t multi_memory;  /* bytes of the queue */
    bool blocked;           /* it waits in a command */
    uint64_t channels, patterns, shard_channels; /* subscriptions */
    bool pending_call;
};
void session_info(const struct session *s, struct session_info *out);
/* A session that was another one, in another worker: takes over its state and counters. */
void session_restore(struct session *s, const struct session_info *was);
void session_set_flag(struct session *s, uint32_t flag, bool on);
void session_set_db(struct session *s, int db);
void session_set_resp(struct session *s, int resp);
/* Who a session is, for the slow log: "ip:port" and the name of CLIENT SETNAME. Copied. */
void session_set_peer(struct session *s, const char *addr, size_t n);
void session_set_name(struct session *s, const char *name, size_t n);
void session_drop_fieldsets(struct session *s);      /* RESET */
bool session_is_subscribed(const struct session *s); /* and speaks RESP2: it can do little else */
void session_unsubscribe(struct session *s);         /* RESET: from everything */
void session_discard(struct session *s);             /* RESET: ends a transaction and all watches */
/* CLIENT PAUSE: until then (wall ms; 0: not), for all commands or for writes only. Sessions that
 * hit it return FEED_WAITING; feed(s, 0) after the end resumes them. A pause that lasts longer, or
 * is for all, stays so; returns when it ends. */
uint64_t engine_pause(struct engine *eng, uint64_t until_ms, bool writes_only);

/* --- users: what clients may do (csrc/net/acl.h) --- */

enum acl_permission { ACL_READ = 1, ACL_WRITE = 2 }; /* of keys that match a pattern */
enum acl_verdict {
    ACL_ALLOWED = 0,
    ACL_NO_COMMAND = 1,
    ACL_NO_KEY = 2,
    ACL_NO_CHANNEL = 3,
    ACL_NO_SORT_BY = 4, /* all is allowed but this option of SORT, which reads any keys */
    ACL_NO_SORT_GET = 5
};
enum acl_context { ACL_TOPLEVEL = 0, ACL_MULTI = 1, ACL_SCRIPT = 2 };
/* A refusal. `object` is the command, key or channel; strings are valid during the call. */
struct acl_event {
    enum acl_verdict verdict;
    enum acl_context context;
    const char *object, *user;
    size_t object_n, user_n;
};
/* A user who may do nothing yet. The caller's, until acl_user_release; sessions keep those they
 * have. */
struct acl_user *acl_user_new(const char *name, size_t n);
void acl_user_release(struct acl_user *u);
/* Begins new rules: so many selectors that allow nothing. `is_free`: he may do everything, and is
 * never looked at. The other functions add to a selector; strings are copied. No command runs
 * between them. Sessions of the user need session_set_user again. */
void acl_user_define(struct acl_user *u, bool is_free, bool skips_sanitizing, int selectors);
void acl_user_commands(struct acl_user *u, int selector, const uint64_t *bits, int words);
void acl_user_open(struct acl_user *u, int selector, bool all_keys, bool all_channels);
/* The command of this row, if its first argument is this word. */
void acl_user_first_arg(struct acl_user *u, int selector, int row, const char *word, size_t n);
void acl_user_key(struct acl_user *u, int selector, unsigned permissions, const char *pattern,
                  size_t n);
void acl_user_channel(struct acl_user *u, int selector, const char *pattern, size_t n);
/* Commands that go to other workers name him by this number, the same in all workers, never 0 and
 * never used again. */
void engine_know_user(struct engine *eng, struct acl_user *u, uint64_t number);
void engine_forget_user(struct engine *eng, struct acl_user *u);
/* New sessions are his; kept. */
void engine_set_default_user(struct engine *eng, struct acl_user *u);
void session_set_user(struct session *s, struct acl_user *u);
/* Whether he may execute a command: enum acl_verdict with the argument that it is about; -1: there
 * is no such command, -2: it has another number of arguments. *row: of the command. */
int acl_user_check(struct engine *eng, const struct acl_user *u, int argc, const char *const *argv,
                   const size_t *argn, int *row, int *at);
/* Whether its user may have all of the session's subscriptions. */
bool session_may_listen(const struct session *s);
/* Is called with each refusal, and the session's id; 0: it is one of another worker. Nothing of the
 * core but session_info may be called. */
void engine_set_denied(struct engine *eng,
                       void (*denied)(uint64_t session_id, const struct acl_event *event));

#endif
