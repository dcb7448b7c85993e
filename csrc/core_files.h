/* core_files.h - what Python sees of files: the append-only file, RDB files, the children that
 * write the state of an instant, and replaying; how such headers are written: core.h.
 */
#ifndef SHMREDIS_CORE_FILES_H
#define SHMREDIS_CORE_FILES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;

/* --- the append-only file --- */

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
/* The same, and the worker goes on without it: the log says so, and fits the arena no more. */
int engine_aof_off(struct engine *eng);
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
bool engine_aof_busy(const struct engine *eng);
/* A line into the log that its readers skip: "TXN-DROP <id>". Not beginning with '#'. */
void engine_aof_note(struct engine *eng, const char *line);

/* --- RDB files --- */

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

/* --- children that write the state of an instant --- */

/* What such a child writes: the records of all databases in the form of an RDB file (SELECTDB,
 * RESIZEDB, keys; no magic, no end), or as commands. A further kind is a further row in
 * persist/fork.c. FORK_NOTHING: there is no child, only the log goes on in its next file. */
enum fork_kind { FORK_RDB, FORK_COMMANDS, FORK_NOTHING };
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
    uint64_t fork_us; /* how long the last instant took */
    uint64_t dirty;   /* engine_stats.dirty at the last instant */
    uint64_t copied;  /* bytes of pages copied because of writes: now, or of the last freeze */
    int phase;        /* 0 live, 1 frozen, 2 thawing: no instant is possible unless 0 */
    unsigned lacks;   /* 1: no pagemap, 2: no MADV_POPULATE_READ; slower ways are taken */
    unsigned guests;  /* commands that have copies of other workers' keys here: no instant either */
    uint64_t emptied; /* FLUSHALLs since the start */
    uint64_t emptied_dirty; /* engine_stats.dirty behind the last of them */
    bool inside;            /* a command is being executed, EXEC for one: no instant either */
};
/* Has a process stand by that becomes the child, so that no instant waits for a fork; later ones
 * are made ahead by themselves. 0 or an errno: the next instant tries again. */
int engine_fork_ahead(struct engine *eng);
/* The next instant with this id makes a child that writes to `fd` (duplicated) from its present
 * offset on. Replaces what was prepared before. */
void engine_fork_prepare(struct engine *eng, uint64_t id, int kind, int fd,
                         const struct fork_options *options);
void engine_fork_cancel(struct engine *eng);
/* This worker's own instant, now: the child begins, and the arena is frozen. 0 or an errno; EBUSY:
 * it is frozen or thawing already, or has guests. */
int engine_fork(struct engine *eng, uint64_t id);
void engine_fork_state(const struct engine *eng, struct fork_state *out);
/* Of the present or the last child; all 0: there was none. */
void engine_fork_report(const struct engine *eng, struct fork_report *out);
/* The child was reaped: thaws for about `budget_us`. False: call again soon, it is not done. */
bool engine_fork_ended(struct engine *eng, uint64_t budget_us);
/* The same bytes as a child's, written by this process before it returns. */
void engine_write(struct engine *eng, int kind, int fd, const struct fork_options *options,
                  struct fork_report *report);

/* --- replaying and looking through append-only files --- */

/* Executing the commands of a file, from `offset` on (behind an RDB), which the caller has open.
 * The engine logs nothing and serves nobody meanwhile. NULL with *error, an errno. */
struct replay;
struct replay *replay_new(struct engine *eng, int fd, uint64_t offset, int *error);
void replay_delete(struct replay *l);
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

#endif
