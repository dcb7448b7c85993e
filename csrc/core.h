/* core.h - all that Python sees of the C core; cffi reads this very text.
 *
 * Plain declarations only: no macros, no inline functions. Ownership is said at each function.
 * Functions that can fail return an int that is 0 or a status (status.h); status_text gives its
 * error line.
 */
#ifndef SHMREDIS_CORE_H
#define SHMREDIS_CORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct engine;
struct session;
struct control;
struct acl_user;

/* --- statuses ------------------------------------------------------------------------------------
 */

const char *core_status_text(int st); /* "ERR syntax error"; static */
const char *core_status_name(int st); /* "SYNTAX"; static */
/* A double as Redis writes it into replies and arguments; its length. */
size_t core_double_text(char out64[64], double v);
/* Whether a command that this test of Redis's glob rules is for would match; see cmd/glob.c. */
bool core_glob_match(const char *pattern, size_t pattern_n, const char *s, size_t n, bool nocase);
/* Faults on purpose, for tests; see mem/fault.h. The plan: 0 or a status. A point that Python
 * passes: true if it is to fail there. */
int core_fault_plan(const char *plan, size_t n);
bool core_fault_reached(const char *point);

/* --- engine: one worker's data -------------------------------------------------------------------
 */

/* Limits and policies that the data path reads. One option of engine_set_option each, by field
 * name. */
struct engine_config {
    int64_t hash_max_listpack_entries, hash_max_listpack_value;
    int64_t hll_sparse_max_bytes;
    int64_t set_max_intset_entries, set_max_listpack_entries, set_max_listpack_value;
    int64_t zset_max_listpack_entries, zset_max_listpack_value;
    int64_t list_max_listpack_size, list_compress_depth;
    int64_t stream_node_max_bytes, stream_node_max_entries;
    int64_t stream_idmp_duration, stream_idmp_maxsize; /* seconds; records a producer */
    int64_t proto_max_bulk_len, client_query_buffer_limit;
    int64_t maxmemory, maxmemory_policy, maxmemory_samples; /* policy: enum maxmemory_policy */
    int64_t lfu_log_factor, lfu_decay_time;
    int64_t lazyfree_lazy_eviction, lazyfree_lazy_expire, lazyfree_lazy_server_del;
    int64_t lazyfree_lazy_user_del, lazyfree_lazy_user_flush;
    int64_t active_expire, active_expire_effort; /* active_expire: DEBUG SET-ACTIVE-EXPIRE */
    int64_t activedefrag, active_defrag_ignore_bytes, active_defrag_threshold_lower;
    int64_t active_defrag_threshold_upper, active_defrag_cycle_min, active_defrag_cycle_max;
    int64_t active_defrag_max_scan_fields;
    int64_t notify_events;           /* mask of enum notify_class; 0: the notify hook is silent */
    int64_t slowlog_log_slower_than; /* us; negative: off */
    int64_t slowlog_max_len, slowlog_entry_max_argc, slowlog_entry_max_string_len;
    int64_t latency_monitor_threshold; /* ms; 0: off */
    int64_t latency_tracking;
    int64_t auth_required;                         /* new sessions start unauthenticated */
    int64_t rdbcompression, sanitize_dump_payload; /* the latter: no, yes, clients */
    int64_t save_failed; /* writes are refused: no snapshot can be written */
    int64_t hz;
    int64_t appendfsync; /* enum aof_fsync */
    int64_t aof_timestamp_enabled;
    int64_t aof_no_fsync;            /* no-appendfsync-on-rewrite is on and a child is writing */
    int64_t aof_flush_sleep_us;      /* DEBUG AOF-FLUSH-SLEEP: before each write */
    int64_t loading;                 /* enum loading_state */
    int64_t maxmemory_clients;       /* bytes; negative: a percentage of maxmemory; 0: no limit */
    int64_t tracking_table_max_keys; /* 0: no limit */
    int64_t skip_checksum;           /* DEBUG SET-SKIP-CHECKSUM-VALIDATION */
};

/* Which commands are refused with LOADING, but for those that may run then. */
enum loading_state {
    LOADING_NOT = 0,
    LOADING_OTHERS = 1, /* other workers are not ready yet: clients' commands */
    LOADING_SELF = 2    /* the data of this one is not whole: other workers' commands, too */
};
enum aof_fsync { AOF_FSYNC_EVERYSEC = 0, AOF_FSYNC_ALWAYS = 1, AOF_FSYNC_NO = 2 };

struct engine_stats {
    uint64_t commands, connections, hits, misses;
    uint64_t expired_keys, expired_fields, evicted_keys;
    uint64_t expired_keys_active, expired_fields_active; /* of them, by the cron */
    uint64_t loop_cycles, loop_busy_cycles, loop_ns;     /* rounds of sockets; with some ready */
    uint64_t loop_max_ns, loop_max_commands;             /* the worst turn, the fullest round */
    uint64_t cron_ns, log_ns;                            /* background work; writing the log */
    uint64_t expired_stale_ppm; /* INFO expired_stale_perc in parts per million */
    uint64_t expire_time_capped, expire_cycle_us, evict_us;
    uint64_t lazyfree_pending, lazyfreed_objects;
    uint64_t net_in, net_out, reads, writes, error_replies;
    uint64_t sanitized; /* blobs of RESTORE that were checked for elements twice */
    uint64_t defrag_hits, defrag_misses, defrag_key_hits, defrag_key_misses, defrag_us;
    uint64_t defrag_running; /* 0, or the CPU percentage it may use now */
    uint64_t dirty;          /* changes since start: INFO rdb_changes_since_last_save */
};

struct engine_memory {
    uint64_t used, peak; /* bytes of live blocks in the arena */
    uint64_t committed;  /* bytes of pages that hold a block */
    uint64_t object;     /* bytes the kernel backs */
    uint64_t blocks;
    uint64_t by_owner[16]; /* enum mem_owner in mem/heap.h */
    uint64_t tables;       /* bytes of the databases' hash tables */
    uint64_t arena_max;
};

struct db_info {
    uint64_t keys, volatile_keys, field_ttl_keys, avg_ttl_ms;
    uint64_t table_bytes, table_buckets, table_overflow;
};

/* Lays out an engine in the open, empty shared-memory object `fd` (kept, closed by engine_delete).
 * The name is for messages; the caller links and unlinks it. NULL with *st set on failure. */
struct engine *engine_new(int fd, const char *name, uint64_t max_size, const uint8_t *seed16,
                          int databases, int *st);
void engine_delete(struct engine *eng);

/* A file as it was when it and the arena's content said the same; all zero: there was none. */
struct file_mark {
    uint64_t inode, size, mtime_ns;
};
/* What engine_attach found. */
struct attach_report {
    char why[160];   /* not empty: the arena is refused, for this reason */
    bool sealed;     /* its last worker ended in order */
    bool frozen;     /* or while a snapshot was written: what came after its instant is missing.
                      * The arena counts as changing until engine_load_end */
    bool has_guests; /* and if not: it was executing a command over keys of several workers */
    uint64_t print;  /* what the last engine_note_files said */
    struct file_mark rdb, aof;
    uint64_t aof_seq, aof_position; /* the log goes on there with what the arena lacks */
    uint64_t aof_ahead;             /* bytes that the log lacks of what the arena has */
    uint64_t keys;
    uint32_t generation;
};
/* What an arena must be like to be taken over. */
struct attach_terms {
    int databases; /* it may have fewer */
    uint16_t slot_first, slot_last;
    uint64_t (*xxh3)(const char *p, size_t n);
};
/* The engine of an arena that an earlier worker has left in the object `fd`, with everything that
 * was in it; engine_new says what becomes of `fd` and the name. NULL with out->why set when it
 * cannot be trusted; the object is then as it was, and `fd` closed. */
struct engine *engine_attach(int fd, const char *name, const struct attach_terms *terms,
                             struct attach_report *out);
/* Which hash slots this worker keeps; before the first key comes. */
void engine_set_slots(struct engine *eng, uint16_t first, uint16_t last);
/* Notes whose data this is (`print`, any number that tells servers apart) and which files say the
 * same as the arena: when files were loaded or written. */
void engine_note_files(struct engine *eng, uint64_t print, const struct file_mark *rdb,
                       const struct file_mark *aof);
/* Before an orderly end: lets the next worker check that nothing was damaged meanwhile. Any command
 * breaks the seal. */
void engine_seal(struct engine *eng);
/* The exit status of a worker that ends so that the server ends: going on would break a promise. */
enum { EXIT_GAVE_UP = 3 };
/* Around the loading of files, which takes many turns: whoever dies meanwhile leaves an arena that
 * is not trusted. */
void engine_load_begin(struct engine *eng);
void engine_load_end(struct engine *eng);
/* Empties all databases, without telling anybody: the data are about to be loaded again. */
void engine_empty(struct engine *eng);
/* Blocks of the arena that nothing refers to; for tests, takes seconds for a large arena. */
uint64_t engine_orphans(struct engine *eng);

/* False: no such option. Names are the fields of struct engine_config. */
bool engine_set_option(struct engine *eng, const char *field, int64_t value);
bool engine_get_option(const struct engine *eng, const char *field, int64_t *value);
struct engine_stats *engine_stats(struct engine *eng); /* lives as long as the engine */
void engine_memory(struct engine *eng, struct engine_memory *out);
void engine_reset_stats(
    struct engine *eng); /* CONFIG RESETSTAT: stats, command stats, histograms */
bool engine_db_info(struct engine *eng, int db, struct db_info *out); /* false: no such database */
int engine_databases(const struct engine *eng);
void engine_reset_peak(struct engine *eng);

/* Background work within `budget_us`: active expiry, lazy free, eviction, defragmentation, clock.
 * Returns ms until it wants to run again (at most 1000 / hz; 0: at once, there is more to do). */
int engine_cron(struct engine *eng, uint64_t budget_us);
/* After engine_cron: sessions have output, engine_drain is due at the end of this turn. */
bool engine_turn_due(const struct engine *eng);
/* Sessions that wait in a blocking command, and the keys that are waited for. */
void engine_blocked(const struct engine *eng, uint64_t *sessions, uint64_t *keys);
/* Sessions that came or sent something within the last second. */
uint64_t engine_active_sessions(struct engine *eng);
/* MEMORY PURGE: defragments everything now and gives empty pages back; bytes released. */
uint64_t engine_purge(struct engine *eng);
/* Walks every invariant of arena, tables and values; aborts on a breach. DEBUG and tests. */
void engine_check(struct engine *eng);

/* Lines for the server's log. */
enum say_level { SAY_NOTICE = 0, SAY_WARNING = 1 };
void engine_set_say(struct engine *eng, void (*say)(int level, const char *text));

/* The function behind DIGEST, SET IFDEQ and DELEX IFDEQ: XXH3, 64 bit, seed 0. */
void engine_set_digest(struct engine *eng, uint64_t (*xxh3)(const char *p, size_t n));

/* Records what the propagate and notify hooks say, as RESP commands one after the other, until
 * taken. For tests; a record that nobody takes grows without bound. */
void engine_record(struct engine *eng, bool on);
const char *engine_recorded(struct engine *eng, size_t *n); /* valid until the next command */
void engine_recorded_clear(struct engine *eng);

/* --- sessions: the protocol side of one connection
 * ------------------------------------------------ */

/* Outcome of session_feed, a set of bits; 0: everything done and sent. */
enum feed_outcome {
    FEED_OUTPUT = 1, /* bytes are left in session_output: write them, then session_output_done */
    FEED_CALL = 2,   /* a command of Python is next: session_argv …, session_reply, feed(s, 0) */
    FEED_BUFFER = 4, /* where to read into has changed: ask session_input again */
    FEED_CLOSE = 8,  /* close the connection when the output is out */
    FEED_WAITING = 16, /* a barrier: replies of others are outstanding, or clients are paused */
    FEED_BLOCKED = 32, /* blocked in a command */
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

/* Reply slots: a place in the reply order whose bytes come later (commands of other workers).
 * Opened while handling a command; later replies queue behind it. Returns an id. */
uint64_t session_open_slot(struct session *s);
/* Fills a slot; false if the session has no such slot. Returns with output ready if it was the
 * first. */
bool session_fill_slot(struct session *s, uint64_t slot, const char *resp, size_t n);

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
    int watches;            /* keys watched */
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
void session_drop_fieldsets(struct session *s);      /* RESET */
bool session_is_subscribed(const struct session *s); /* and speaks RESP2: it can do little else */
void session_unsubscribe(struct session *s);         /* RESET: from everything */
void session_discard(struct session *s);             /* RESET: ends a transaction and all watches */
/* CLIENT PAUSE: until then (wall ms; 0: not), for all commands or for writes only. Sessions that
 * hit it return FEED_WAITING; feed(s, 0) after the end resumes them. A pause that lasts longer, or
 * is for all, stays so; returns when it ends. */
uint64_t engine_pause(struct engine *eng, uint64_t until_ms, bool writes_only);

/* --- users: what clients may do (csrc/net/acl.h)
 * ---------------------------------------------------- */

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

/* --- commands
 * ------------------------------------------------------------------------------------- */

struct key_spec_info {
    uint16_t flags;      /* enum key_flag in cmd/command.h */
    char begin, find;    /* 'i' 'k' '?', 'r' 'n' '?'; 0: no such spec */
    int at, a, b, c;     /* cmd/command.h */
    const char *keyword; /* or NULL; static */
};
struct command_info {
    const char *name;  /* upper case, "OBJECT|ENCODING" for a subcommand */
    const char *group; /* "string", "hash" … */
    int arity;
    uint32_t flags; /* enum command_flag in cmd/command.h */
    const char *acl;
    struct key_spec_info keys[3];
    bool python;
    uint64_t calls, usec, rejected, failed;
};
/* Registers a command implemented in Python; its row index or -1 (duplicate, bad arguments).
 * Strings are copied. `keys` may be NULL. A subcommand's container must be registered before it. */
int engine_register_command(struct engine *eng, const char *name, const char *group, int arity,
                            uint32_t flags, const char *acl, const struct key_spec_info *keys);
/* rename-command: clients know the command as `to`, or not at all if that is empty; false: no such
 * command, or there is one of that name already. */
bool engine_rename_command(struct engine *eng, const char *from, const char *to);
/* Whether that was done to the command of this row with an empty name. */
bool engine_command_taken(const struct engine *eng, int row);
/* The row that a client means by a name; -1: none. */
int engine_typed_command(const struct engine *eng, const char *name, size_t n);
/* Takes a row that was registered with COMMAND_INSIDE away; who has queued it may still execute it.
 * False: there is no such row. */
bool engine_unregister_command(struct engine *eng, int row);
/* Rows there have ever been; indexes are below it. */
int engine_command_count(const struct engine *eng);
/* Changes with every row that comes or goes. */
uint64_t engine_command_version(const struct engine *eng);
/* False: no row, or it was taken away. */
bool engine_command_info(const struct engine *eng, int row, struct command_info *out);
/* Row of a command by name, any case ("get", "object|encoding"); -1: none. */
int engine_find_command(const struct engine *eng, const char *name, size_t n);
/* Latency histogram of a command: counts per bucket of powers of two of us ([2^i, 2^(i+1)));
 * copies 40. */
bool engine_command_histogram(const struct engine *eng, int row, uint64_t *buckets40);
/* Error statistics, INFO errorstats: the i-th prefix and its count; false: no more. */
bool engine_error_stat(const struct engine *eng, int i, const char **prefix, uint64_t *count);
void engine_count_error(struct engine *eng, const char *prefix, size_t n);

/* --- slow commands and the latency monitor
 * ----------------------------------------------------- */

struct slowlog_entry {
    uint64_t id, time_s, usec;
    int argc_total; /* arguments the command had */
    int argc;       /* arguments kept, the last one may be a note about the rest */
};
struct slowlog_totals {
    uint64_t count, sum_us, max_us;
};
enum slowlog_text { SLOWLOG_ADDR = -1, SLOWLOG_NAME = -2 };
size_t engine_slowlog_length(const struct engine *eng);
/* The i-th, newest first; false: no such entry. */
bool engine_slowlog_entry(const struct engine *eng, size_t i, struct slowlog_entry *out);
/* An argument (which >= 0) or enum slowlog_text; valid until the next command; NULL: none. */
const char *engine_slowlog_text(const struct engine *eng, size_t i, int which, size_t *n);
void engine_slowlog_reset(struct engine *eng);
void engine_slowlog_totals(const struct engine *eng, struct slowlog_totals *out);
void engine_slowlog_reset_totals(struct engine *eng); /* CONFIG RESETSTAT */
/* Who a session is, for the slow log: "ip:port" and the name of CLIENT SETNAME. Copied. */
void session_set_peer(struct session *s, const char *addr, size_t n);
void session_set_name(struct session *s, const char *name, size_t n);

struct latency_sample {
    uint64_t time_s, ms;
};
struct latency_event {
    char name[32];
    struct latency_sample latest;
    uint64_t max_ms, sum_ms, total; /* since the series began */
    uint32_t samples;               /* how many it holds now */
};
/* Records an event that took this long, if the monitor is on and it was slow. */
void engine_latency_note(struct engine *eng, const char *event, uint64_t usec);
bool engine_latency_event(const struct engine *eng, int i, struct latency_event *out);
/* Oldest first; returns how many, at most 160. */
int engine_latency_samples(const struct engine *eng, const char *event,
                           struct latency_sample *out160);
bool engine_latency_reset(struct engine *eng, const char *event); /* false: no such series */

/* --- commands of Python inside the core
 * -------------------------------------------------------------------- */

/* A row registered with this flag is executed as those of C are: by the owner of its keys, in its
 * place of a transaction, under holds if its keys have several owners; atomically in any case, and
 * what it changes is propagated as one. */
enum { COMMAND_INSIDE = 1 << 27 };
/* Who executes such rows: called with the call, which is valid until it returns. It has to reply
 * once, must not wait, and must not raise. */
struct call;
/* `words` are all arguments one after the other, `ends` where each ends; valid until the next call
 * of a handler. Of long commands there is nothing: `ends` is NULL. `resp`: the RESP version of the
 * reply. */
void engine_set_inside(struct engine *eng,
                       void (*run)(struct call *c, int row, const char *words, size_t n,
                                   const uint32_t *ends, int argc, int resp));
/* Bytes somewhere; not NUL-terminated. */
struct text {
    const char *p;
    size_t n;
};
struct call_facts {
    const struct text *argv; /* valid until the call ends */
    int argc;
    int db, resp;            /* `db`: where the next command will run */
    struct session *session; /* of its client, or NULL: a client of another worker, or none */
    bool no_memory;          /* more than maxmemory is used, and nothing can be evicted */
};
void call_facts(const struct call *c, struct call_facts *out);
/* RESP bytes of the reply, written as they are; in pieces, if you like. */
void call_reply(struct call *c, const char *resp, size_t n);
/* Runs a command, given as a RESP array of bulk strings, inside of the call. *reply is valid until
 * the next one. Checks all that is checked for clients, and what the limits say. */
enum call_limit {
    CALL_SCRIPT = 1,    /* noscript commands are refused, errors are worded for scripts */
    CALL_READ_ONLY = 2, /* so are writes */
    CALL_ANY_MEMORY = 4 /* commands that need memory run although there is none */
};
enum call_outcome {
    CALL_DONE = 0,     /* *reply is its reply */
    CALL_REACHED = -1, /* it needs keys that are not here: reply with anything and return, the whole
                        * command is going to be run again; *reply is an error line */
    CALL_PYTHON = 1    /* or more: the command of Python of this row, plus 1; it may run here */
};
int call_run(struct call *c, const char *request, size_t n, struct text *reply);
void call_set_limits(struct call *c, unsigned limits);
void call_set_resp(struct call *c, int resp);      /* of replies of call_run: 2 (at first) or 3 */
void call_set_silent(struct call *c, bool silent); /* what comes now is not propagated */
/* Whether its user may run that command here: 1 or 0; -1: there is no such command, -2: it takes
 * another number of arguments. */
int call_may(struct call *c, const char *request, size_t n);
bool call_has_written(const struct call *c);  /* something has changed */
void engine_forget_reach(struct engine *eng); /* scripts mean something else now, net/reach.h */
/* A script that runs for long: between begin and end the engine may be asked to serve sockets
 * (engine_busy_poll, then engine_next_ready), most of whose commands are refused with BUSY. May be
 * done again and again until the script is over. */
void engine_busy_begin(struct engine *eng, bool function, bool wrote);
int engine_busy_poll(struct engine *eng); /* drain_outcome bits */
void engine_busy_end(struct engine *eng);
void engine_busy_over(struct engine *eng);
/* Several workers: whether another one wants the script of this one ended; asking takes the wish.
 */
bool engine_busy_wanted(struct engine *eng);
/* Has other workers' scripts that run for long ended. */
enum busy_kill { BUSY_NONE, BUSY_KILLED, BUSY_UNKILLABLE, BUSY_OTHER /* of the other kind */ };
int engine_busy_kill(struct engine *eng, bool function);
/* Propagates a command as if one of C had changed something: for commands of Python that change
 * what the server keeps. */
void engine_propagate_command(struct engine *eng, int db, const char *request, size_t n);

/* Executes one command as if a client had sent it, on database `db`; the RESP reply is valid until
 * the next call. Only commands of C. For loading, scripts, tests. */
const char *engine_execute(struct engine *eng, int db, int resp, int argc, const char *const *argv,
                           const size_t *argn, size_t *n);

/* A subcommand of DEBUG that needs the data, on database `db`: its RESP reply, valid until the next
 * command. NULL: no such subcommand of C, or another number of arguments. */
const char *engine_debug(struct engine *eng, int db, int resp, int argc, const char *const *argv,
                         const size_t *argn, size_t *n);

/* --- the append-only file
 * ------------------------------------------------------------------------ */

/* Everything propagated from now on goes to the open file `fd` (duplicated), number `seq`, which
 * has `size` bytes and is appended to. What was logged into a file before is written and synced
 * there first. 0 or an errno. */
int engine_aof_open(struct engine *eng, int fd, uint64_t seq, uint64_t size);
/* The same for the instant of the next fork, when the new file begins: its first line is the claim
 * of engine_aof_claim. fd -1: no more. engine_aof_instant: without a fork. */
int engine_aof_prepare(struct engine *eng, int fd, uint64_t seq, uint64_t size);
int engine_aof_instant(struct engine *eng);
/* Writes and syncs what is left, logs no more. 0 or an errno. */
int engine_aof_close(struct engine *eng);
/* Writes what is buffered, whatever is going on. 0 or an errno. */
int engine_aof_flush(struct engine *eng);
struct aof_info {
    uint64_t seq, size;       /* of the file written to, bytes */
    uint64_t written, synced; /* bytes since the log was opened, over all files */
    uint64_t buffered;
    uint64_t delayed_fsyncs;
    int write_errno, fsync_errno; /* of the last try; 0: fine */
    bool open, fsync_pending;
    /* of the superblock: which file the arena goes with, how much of it the arena has, and bytes
     * that the arena has beyond it */
    uint64_t arena_seq, arena_position, arena_ahead;
};
void engine_aof_info(const struct engine *eng, struct aof_info *out);
/* Several workers: says that this worker's parts of all commands of several workers until now are
 * in the log, or in what the file continues. Not while `engine_aof_busy`: it is held by one. */
void engine_aof_claim(struct engine *eng);
/* Which life of this worker it is, since the server began: the first is 1. */
uint32_t engine_life(const struct engine *eng);
bool engine_aof_busy(const struct engine *eng);
/* A line into the log that its readers skip: "TXN-DROP <id>". Not beginning with '#'. */
void engine_aof_note(struct engine *eng, const char *line);
/* --- RDB files -----------------------------------------------------------------------------------
 */

enum rdb_pieces { RDB_PIECE_HEAD = 1, RDB_PIECE_BODY = 2, RDB_PIECE_TAIL = 4, RDB_PIECE_ALL = 7 };
struct rdb_plan {
    int pieces;  /* of workers that write side by side: one writes the head, each its body */
    int version; /* 0: what the data need */
    bool compress, checksum, aof_base;
    const char *extra; /* after the AUX fields of the head: more of them, libraries, as they are */
    size_t extra_n;
    int64_t key_delay_us; /* rdb-key-save-delay */
    uint64_t sync_every;  /* bytes; rdb-save-incremental-fsync */
    uint64_t *keys_done;  /* counts on; may be shared memory; NULL: nobody looks */
    const bool *cancelled;
};
struct rdb_written {
    uint64_t bytes, crc; /* crc64_combine joins the CRCs of pieces */
    int error;           /* errno, 0: none */
    bool cancelled;
};
/* Writes the engine's data to a descriptor, where it stands; nothing in the engine changes, so a
 * forked child may do it. False: failed or cancelled. The caller syncs. */
bool engine_rdb_write(const struct engine *eng, int fd, const struct rdb_plan *plan,
                      struct rdb_written *out);
int engine_rdb_version(const struct engine *eng); /* that its data need */
uint64_t core_crc64(uint64_t crc, const char *p, size_t n);
uint64_t core_crc64_combine(uint64_t first, uint64_t second, uint64_t second_bytes);

/* A load under way. */
struct rdb_loading;
struct rdb_loading_plan {
    bool drop_expired; /* a master's start; not for an AOF's base */
    bool unique;       /* refuse packed values with an element twice */
    bool no_checksum;
    bool merge;           /* keys that are there already are replaced, not an error */
    bool check;           /* build each value and drop it: nothing is kept */
    int64_t key_delay_us; /* key-load-delay */
};
enum rdb_loading_outcome { RDB_LOADING_MORE, RDB_LOADING_DONE, RDB_LOADING_FAILED };
enum rdb_note { RDB_NOTE_AUX, RDB_NOTE_AUX_VALUE, RDB_NOTE_FUNCTION, RDB_NOTE_DB };
enum rdb_checksum { RDB_CHECKSUM_NONE, RDB_CHECKSUM_OFF, RDB_CHECKSUM_FINE };
struct rdb_loading_facts {
    int version;
    bool valkey;
    uint64_t offset; /* bytes read; when done: where an old AOF goes on with commands */
    uint64_t keys, volatile_keys, expired, empty, foreign, functions, notes;
    int error; /* enum source_error, 0: none */
    int error_number;
    uint64_t error_offset;
    char error_text[160];
    /* when checking: of the record that is being read, or was last */
    const char *key;
    size_t key_n;
    int type_byte;        /* -1: none yet */
    uint64_t by_type[32]; /* records of each type byte */
    uint64_t expires, already_expired;
    const char *doing; /* in redis-check-rdb's words; static */
    int checksum;      /* enum rdb_checksum, of a file read to its end */
};
/* Loads from a descriptor, where it stands, of which `bytes` are left (UINT64_MAX: not known). With
 * several workers only the keys of this worker's slots are kept. */
struct rdb_loading *rdb_loading_new(struct engine *eng, int fd, uint64_t bytes,
                                    const struct rdb_loading_plan *plan);
/* Goes on for about so many bytes. */
int rdb_loading_step(struct rdb_loading *l, uint64_t bytes);
/* Pointers are valid until the next step. */
void rdb_loading_facts(struct rdb_loading *l, struct rdb_loading_facts *out);
/* The i-th AUX field, library or (when checking) database, in the order of the file; NULL: another
 * kind, or no more. `offset`: behind it; may be NULL. */
const char *rdb_loading_note(const struct rdb_loading *l, uint64_t i, int which, size_t *n,
                             uint64_t *offset);
void rdb_loading_delete(struct rdb_loading *l);
/* "hash-listpack". Static. */
const char *core_rdb_type_name(int type_byte);

/* --- children that write the state of an instant
 * ------------------------------------------------------------------ */

/* What such a child writes: the records of all databases in the form of an RDB file (SELECTDB,
 * RESIZEDB, keys; no magic, no end), or as commands. A further kind is a further row in
 * persist/fork.c. */
enum fork_kind { FORK_RDB, FORK_COMMANDS };
struct fork_options {
    bool compress;       /* rdbcompression */
    bool checksum;       /* rdbchecksum: the report has a CRC */
    uint64_t sync_every; /* bytes after which the kernel is told to write them out; 0: at the end */
    int64_t key_delay_us; /* rdb-key-save-delay */
    bool expendable;      /* FLUSHALL ends it, by SIGUSR1 */
};
/* How far it is, or got; it writes and others read. */
struct fork_report {
    uint64_t keys_done, keys_total;
    uint64_t bytes, crc; /* when done: of what was written */
    int error;           /* when done: errno, 0: all is on disk */
    bool done;
    bool field_ttls; /* fields that expire were written: needs RDB version 12 */
};
struct fork_state {
    int pid;          /* 0: no child */
    uint64_t id;      /* of the last instant */
    int error;        /* errno of an instant that made no child */
    uint64_t fork_us; /* how long the last fork took */
    uint64_t dirty;   /* engine_stats.dirty at the last instant */
    uint64_t copied;  /* bytes of pages copied because of writes: now, or of the last freeze */
    int phase;        /* 0 live, 1 frozen, 2 thawing: no instant is possible unless 0 */
    unsigned lacks;   /* 1: no pagemap, 2: no MADV_POPULATE_READ; slower ways are taken */
    unsigned guests;  /* commands that have copies of other workers' keys here: no instant either */
};
/* The next instant with this id makes a child that writes to `fd` (duplicated) from its present
 * offset on. Replaces what was prepared before. */
void engine_fork_prepare(struct engine *eng, uint64_t id, int kind, int fd,
                         const struct fork_options *options);
void engine_fork_cancel(struct engine *eng);
/* This worker's own instant, now: forks, and freezes the arena. 0 or an errno; EBUSY: it is frozen
 * or thawing already, or has guests. */
int engine_fork(struct engine *eng, uint64_t id);
/* One instant for all workers that have prepared this id, in the order of all commands. Every
 * worker gets mail of kind MAIL_INSTANT from itself when it has passed; when it could not be this
 * worker alone gets MAIL_NO_INSTANT, and may try again. */
enum { MAIL_INSTANT = 100, MAIL_NO_INSTANT = 101 };
void engine_instant(struct engine *eng, uint64_t id);
void engine_fork_state(const struct engine *eng, struct fork_state *out);
/* Of the present or the last child; false: there was none. */
bool engine_fork_report(const struct engine *eng, struct fork_report *out);
/* The child was reaped: thaws for about `budget_us`. False: call again soon, it is not done. */
bool engine_fork_ended(struct engine *eng, uint64_t budget_us);
/* The same bytes as a child's, written by this process before it returns. */
void engine_write(struct engine *eng, int kind, int fd, const struct fork_options *options,
                  struct fork_report *report);
/* Executing the commands of a file, from `offset` on (behind an RDB), which the caller has open.
 * The engine logs nothing and serves nobody meanwhile. NULL with *error, an errno. */
struct replay;
struct replay *replay_new(struct engine *eng, int fd, uint64_t offset, int *error);
void replay_delete(struct replay *l);
/* The database that the file goes on in, when another file came before: 0 at first. */
void replay_set_db(struct replay *l, int db);
/* A command of several workers whose parts are not all there: its part is left out. */
void replay_drop(struct replay *l, const char *id);
enum replay_outcome {
    REPLAY_MORE,   /* the budget is used up */
    REPLAY_DONE,   /* all is executed */
    REPLAY_CALL,   /* a command of Python is next: replay_argv; go on with another step */
    REPLAY_TORN,   /* the file ends inside of something: it may be cut at `valid` */
    REPLAY_BAD,    /* it is not a stream of commands from `valid` on */
    REPLAY_UNKNOWN /* there is no such command; `text` is its name */
};
int replay_step(struct replay *l, uint64_t budget_us);
int replay_argc(const struct replay *l);
const char *replay_argv(const struct replay *l, int i, size_t *n);
struct replay_info {
    uint64_t at, size, valid;           /* bytes */
    uint64_t commands, errors, skipped; /* skipped: parts that were left out */
    int db;
    char text[256]; /* what is wrong */
};
void replay_info(const struct replay *l, struct replay_info *out);

/* Copies the keys that belong to this engine's worker out of another engine, with their expiry; all
 * of them for a single worker. 0 or a status. */
int engine_take_keys(struct engine *eng, struct engine *from);

/* Looking through such a file for what is no ordinary command. NULL: it cannot be mapped. */
struct aof_scan;
struct aof_scan *aof_scan_new(int fd, uint64_t offset, uint64_t lines);
void aof_scan_delete(struct aof_scan *s);
enum scan_item {
    SCAN_COMMAND, /* never returned */
    SCAN_LINE,    /* text: without '#' and end */
    SCAN_END,
    SCAN_TORN, /* text: why; end: where */
    SCAN_BAD,  /* the same */
    SCAN_MULTI,
    SCAN_EXEC
};
struct scan_info {
    uint64_t start, end; /* of the item */
    uint64_t lines;      /* headers and strings so far, counted on from `lines` */
    uint64_t string_at;  /* where the last string begins */
    char text[1032];
};
int aof_scan_next(struct aof_scan *s, struct scan_info *out);

/* --- several workers behind one port
 * -------------------------------------------------------------- */

/* What the workers share beside their arenas: rings, wake-up flags, figures. The front makes it. */
size_t control_bytes(int workers);
/* Lays it out in an open, empty shared-memory object and gives it its memory; 0 or a status. */
int control_format(int fd, int workers);
/* For the front's own use: maps a formatted object; NULL: it is none. The fd stays the caller's. */
struct control *control_open(int fd);
void control_close(struct control *c);
/* Before a worker is spawned, first or again: what its predecessor held is seen as given up. */
void control_new_epoch(struct control *c, int worker);

/* Makes the engine worker `self` of those that share the control memory `fd` (duplicated). wake_fds
 * are the eventfds of all workers, also duplicated; arenas are found as "<arena_base>.<n>". Before
 * any session is made. 0 or a status. */
int engine_join(struct engine *eng, int fd, int self, const int *wake_fds, const char *arena_base);
/* After that, in an arena that was taken over: deletes copies of other workers' keys. */
void engine_drop_guests(struct engine *eng);
/* Handles what others have sent, a batch at most, and sends what is ready: when this worker's
 * eventfd is readable (`rung`: reads it), and at the end of a turn of the event loop in which a
 * feed returned FEED_TURN. A set of bits. */
enum drain_outcome {
    DRAIN_READY = 1,  /* sessions want attention: engine_next_ready */
    DRAIN_MAIL = 2,   /* there is mail: engine_next_mail */
    DRAIN_MORE = 4,   /* call again soon */
    DRAIN_RESUME = 8, /* sessions that returned FEED_WAITING may go on: feed(s, 0) */
    DRAIN_LATER = 16  /* call again within some milliseconds: replies wait for those after them */
};
int engine_drain(struct engine *eng, bool rung);

/* One descriptor for all watched sessions, and for what other workers ring (the eventfd need not be
 * looked at then): when it is readable, engine_poll serves all that is ready and returns
 * drain_outcome bits (DRAIN_READY: some need attention). -1: the kernel refuses. */
int engine_poll_fd(struct engine *eng);
int engine_poll(struct engine *eng);
/* A session that has output to be written or input to be executed, and its feed_outcome bits
 * (FEED_AGAIN: feed(s, 0)). False: no more. */
bool engine_next_ready(struct engine *eng, uint64_t *session_id, int *outcome);
/* Bytes between the Python sides of workers: `id` and `kind` mean what they agree on. */
void engine_post(struct engine *eng, int worker, uint64_t id, int kind, const char *p, size_t n);
/* The oldest mail, valid until the next call. NULL: none. */
const char *engine_next_mail(struct engine *eng, int *worker, uint64_t *id, int *kind, size_t *n);
/* Hops and the like since start, for INFO. */
struct link_stats {
    uint64_t requests_sent, requests_done; /* commands for others, and of others here */
    uint64_t wakeups_sent, wakeups;        /* eventfd writes, and drains that found something */
    uint64_t stages, stages_busy, holds, hold_us;
    uint64_t redone; /* done again for a predecessor that died */
    uint64_t peeks, peeks_again,
        peeks_hopped;       /* reads without a hop, tries, and those that hopped */
    uint64_t backlog_bytes; /* now: waiting for room in rings */
};
bool engine_link_stats(const struct engine *eng, struct link_stats *out); /* false: single */

/* The front's knowledge of where a first command belongs. */
struct router;
struct router *router_new(int workers);
void router_delete(struct router *r);
/* The bytes a client has sent first: the owner of the first command's first key, ROUTE_ANY when it
 * has none or is not a command, ROUTE_MORE when more bytes are needed to say. */
enum { ROUTE_ANY = -1, ROUTE_MORE = -2 };
int router_peek(struct router *r, const char *p, size_t n);

#endif
