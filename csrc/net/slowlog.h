/* slowlog.h - the commands that took long: SLOWLOG.
 *
 * Owns      copies of what it logs (malloc), newest first, at most config.slowlog_max_len entries.
 *           The log hangs at engine.slowlog and is made by the first entry.
 * Callers   dispatch notes each slow command; Python reads by the functions of core.h.
 * Promises  noting a command that is fast enough costs one comparison.
 */
#ifndef SHMREDIS_SLOWLOG_H
#define SHMREDIS_SLOWLOG_H

#include "db/engine.h"

struct slow_command {
    int argc;
    const struct str *argv;
    struct str addr; /* "ip:port" of the client, empty when there is none */
    struct str name; /* its CLIENT SETNAME */
    uint64_t usec;
};

/* Copies the command into the log: arguments trimmed, secrets replaced by "(redacted)". */
void slowlog_add(struct engine *eng, const struct slow_command *c);

/* The entry as it would be in the log, but for the client, as bytes (malloc) for another worker. */
struct str slowlog_pack(const struct engine *eng, const struct slow_command *c);
/* Adds such an entry, of this client, to the log. */
void slowlog_add_packed(struct engine *eng, struct str packed, struct str addr, struct str name);

/* Argument i is a password or the like: nobody is shown it. */
bool slowlog_is_secret(const struct slow_command *c, int i);

static inline bool slowlog_is_slow(const struct engine *eng, uint64_t usec) {
    int64_t limit = eng->config.slowlog_log_slower_than;
    return limit >= 0 && usec >= (uint64_t)limit;
}
/* Frees everything; for engine_delete. */
void slowlog_delete(struct engine *eng);

#endif
