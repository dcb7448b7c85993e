/* status.h - how a function of the core says that it could not.
 *
 * One list gives the C enum, the RESP error line of each status and the Python exceptions. A
 * function that can fail returns `status`; its result comes by a last out-parameter. ST_OK is 0.
 */
#ifndef SHMREDIS_STATUS_H
#define SHMREDIS_STATUS_H

/*        name          RESP prefix   text of the error reply */
#define STATUS_LIST(X)                                                                             \
    X(OK, "", "")                                                                                  \
    X(NOT_FOUND, "ERR", "no such key")                                                             \
    X(EXISTS, "BUSYKEY", "Target key name already exists.")                                        \
    X(WRONG_TYPE, "WRONGTYPE", "Operation against a key holding the wrong kind of value")          \
    X(ARENA_FULL, "OOM", "shared memory exhausted: the arena cannot grow")                         \
    X(MAXMEMORY, "OOM", "command not allowed when used memory > 'maxmemory'.")                     \
    X(SYNTAX, "ERR", "syntax error")                                                               \
    X(NOT_INTEGER, "ERR", "value is not an integer or out of range")                               \
    X(NOT_POSITIVE, "ERR", "value is out of range, must be positive")                              \
    X(NOT_FLOAT, "ERR", "value is not a valid float")                                              \
    X(OVERFLOW, "ERR", "increment or decrement would overflow")                                    \
    X(NAN_RESULT, "ERR", "increment would produce NaN or Infinity")                                \
    X(NAN_SCORE, "ERR", "resulting score is not a number (NaN)")                                   \
    X(OUT_OF_RANGE, "ERR", "index out of range")                                                   \
    X(TOO_LARGE, "ERR", "string exceeds maximum allowed size (proto-max-bulk-len)")                \
    X(DB_INDEX, "ERR", "DB index is out of range")                                                 \
    X(SAME_OBJECT, "ERR", "source and destination objects are the same")                           \
    X(CURSOR, "ERR", "invalid cursor")                                                             \
    X(SAVE_FAILED, "MISCONF",                                                                      \
      "Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. "  \
      "Commands that may modify the data set are disabled, because this instance is configured "   \
      "to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error "     \
      "option). Please check the Redis logs for details about the RDB error.")                     \
    X(NOT_HERE, "ERR", "The key is at another worker")                                             \
    X(AWAY_KEY, "ERR", "timed out waiting for the worker of a key")                                \
    X(SHM_OPEN, "ERR", "the shared-memory object cannot be opened")                                \
    X(SHM_SPACE, "ERR", "the shared-memory file system is too small")                              \
    X(SHM_MAP, "ERR", "the address range of the arena cannot be mapped")                           \
    X(SHM_FORMAT, "ERR", "the shared-memory object is not an arena of this layout")

#define STATUS_ENUM(name, prefix, text) ST_##name,
typedef enum status { STATUS_LIST(STATUS_ENUM) ST_COUNT } status;
#undef STATUS_ENUM

/* The whole RESP error line without the leading dash, "ERR syntax error". Static storage. */
const char *status_text(status st);
/* The enum's name without ST_, for exceptions and logs. Static storage. */
const char *status_name(status st);

#endif
