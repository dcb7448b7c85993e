/* core.h - all that Python sees of the C core: the engine and its commands here, sessions in
 * core_session.h, files in core_files.h, several workers in core_workers.h.
 *
 * cffi reads the very texts that the compiler reads. Plain declarations only: no macros, no inline
 * functions. Ownership is said at each function. Functions that can fail return an int that is 0 or
 * a status (status.h); core_status_text gives its error line.
 */
#ifndef SHMREDIS_CORE_H
#define SHMREDIS_CORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct session;

/* --- statuses --- */

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

/* --- engine: one worker's data --- */

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
    int64_t array_slice_size, array_sparse_kmin, array_sparse_kmax;
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
    int64_t gather_delay_us; /* net/pace.h; 0: no rests */
    int64_t appendfsync;     /* enum aof_fsync */
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
    uint64_t loop_rests;                                 /* between rounds, net/pace.h */
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
/* How many values of strings, lists, sets, sorted sets and hashes are how long (bytes, elements):
 * none at all, 1, 2 to 3, 4 to 7 … Of the whole database if it has at most `budget` keys, else of
 * about so many, which begin anywhere. */
enum { KEY_SIZES_TYPES = 5, KEY_SIZES_CLASSES = 65 };
struct key_sizes {
    uint64_t seen; /* keys, of any type */
    uint64_t counts[5][65];
};
void engine_key_sizes(struct engine *eng, int db, size_t budget, struct key_sizes *out);
bool engine_db_info(struct engine *eng, int db, struct db_info *out); /* false: no such database */
int engine_databases(const struct engine *eng);

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

/* --- commands --- */

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

/* --- slow commands and the latency monitor --- */

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

/* --- keys that take most time and traffic: HOTKEYS (csrc/net/hotkeys.h) --- */

enum { HOTKEYS_CPU = 0, HOTKEYS_NET = 1, HOTKEYS_METRICS = 2 };
struct hotkeys_plan {
    bool cpu, net;
    int count;            /* keys that are asked for, at least 1 */
    int64_t sample;       /* one share of so many is counted */
    uint64_t duration_ms; /* 0: until it is stopped */
};
struct hotkeys_report {
    bool active;
    uint64_t start_ms, duration_ms;
    uint64_t user_ms, system_ms;        /* of this process, meanwhile */
    uint64_t all_ns, all_bytes;         /* of all commands that have keys */
    uint64_t sampled_ns, sampled_bytes; /* of the shares that were counted */
    uint64_t own_ns;                    /* spent on counting */
};
/* Begins to count; what was found before is gone. */
void engine_hotkeys_start(struct engine *eng, const struct hotkeys_plan *plan);
/* What was found stays; false: it was not counting. */
bool engine_hotkeys_stop(struct engine *eng);
void engine_hotkeys_reset(struct engine *eng);
/* What was found so far; false: nothing was begun since the last reset. */
bool engine_hotkeys_report(struct engine *eng, struct hotkeys_plan *plan,
                           struct hotkeys_report *out);
/* The i-th key that is remembered, in no order, and its ns or bytes at least; valid until the next
 * command. There are more than were asked for: workers' lists are joined. NULL: no more. */
const char *engine_hotkeys_key(const struct engine *eng, int metric, size_t i, size_t *n,
                               uint64_t *weight);

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

/* --- commands of Python inside the core --- */

/* A row registered with this flag is executed as those of C are: by the owner of its keys, in its
 * place of a transaction, under holds if its keys have several owners; atomically in any case, and
 * what it changes is propagated as one. */
enum { COMMAND_INSIDE = 1 << 27 };
/* Who executes such rows: called with the call, which is valid until it returns. It has to reply
 * once, must not wait, and must not raise. */
struct call;
/* `owner` is what was given. `words` are all arguments one after the other, `ends` where each ends;
 * valid until the next call of a handler. Of long commands there is nothing: `ends` is NULL.
 * `resp`: the RESP version of the reply. */
void engine_set_inside(struct engine *eng,
                       void (*run)(void *owner, struct call *c, int row, const char *words,
                                   size_t n, const uint32_t *ends, int argc, int resp),
                       void *owner);
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
    CALL_SCRIPT = 1,     /* noscript commands are refused, errors are worded for scripts */
    CALL_READ_ONLY = 2,  /* so are writes */
    CALL_ANY_MEMORY = 4, /* commands that need memory run although there is none */
    CALL_UNCOUNTED = 8   /* in no figures: what is inside is the command's own business */
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
bool call_has_written(const struct call *c); /* something has changed */
/* What is being executed, NULL: nothing: the outermost call, and the innermost. */
struct call *engine_inside_first(const struct engine *eng);
struct call *engine_inside_last(const struct engine *eng);
/* Another number for each outermost one. */
uint64_t engine_inside_serial(const struct engine *eng);
/* Scripts are run by Lua's interface in C, net/script.h: of the library in that file, in the thread
 * whose address tostring() tells. False: it hides its interface. */
bool engine_set_lua(struct engine *eng, const char *library, uint64_t thread);
void engine_forget_reach(struct engine *eng); /* scripts mean something else now, net/reach.h */
/* A script that runs for long: between begin and end the engine may be asked to serve sockets
 * (engine_busy_poll, then engine_next_ready), most of whose commands are refused with BUSY. May be
 * done again and again until the script is over. */
void engine_busy_begin(struct engine *eng, bool function, bool wrote);
int engine_busy_poll(struct engine *eng); /* drain_outcome bits */
/* Between the two: the client whose command the script is; 0: it is of another worker. */
uint64_t engine_busy_client(const struct engine *eng);
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

#endif
