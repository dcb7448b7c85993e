/* dispatch.h - from an argument vector to an executed command.
 *
 * Find the row, check what is the same for all commands (arity, authentication, memory), execute,
 * count.
 */
#ifndef SHMREDIS_DISPATCH_H
#define SHMREDIS_DISPATCH_H

#include "cmd/call.h"
#include "cmd/registry.h"
#include "net/slowlog.h"

/* The row for argv; NULL: unknown command or subcommand or wrong number of arguments, replied. */
struct command_row *dispatch_resolve(struct engine *eng, int argc, const struct str *argv,
                                     struct reply *out);
/* The same for what a client has typed: names that rename-command has taken away are unknown. */
struct command_row *dispatch_resolve_typed(struct engine *eng, int argc, const struct str *argv,
                                           struct reply *out);
/* What it does to keys: CMD_READ, CMD_WRITE, CMD_MAY_REPLICATE. COMMAND does not tell the latter of
 * PUBLISH and of scripts. */
uint32_t dispatch_effects(const struct command_row *row);
/* Replies the error and counts it; false. */
bool dispatch_refuse(struct engine *eng, struct command_row *row, struct reply *out,
                     const char *line);
/* Evicts what there is to evict; false: memory is still short. */
bool dispatch_has_memory(struct engine *eng);
/* False: files are being loaded to at least this degree and it may not run then, replied and
 * counted. */
bool dispatch_loaded(struct engine *eng, struct command_row *row, enum loading_state limit,
                     struct reply *out);
/* False: it changes something, and that cannot be kept on disk now, replied and counted. */
bool dispatch_is_kept(struct engine *eng, struct command_row *row, struct reply *out);
/* False: there is no memory for it, replied and counted. */
bool dispatch_admit(struct engine *eng, struct command_row *row, struct reply *out);
/* Executes a command of C: function, propagation, statistics. `started_ns` is when its turn came;
 * returns when it ended (clock_duration_ns). */
uint64_t dispatch_run(struct call *c, struct command_row *row, uint64_t started_ns);
/* A command that was executed without dispatch_run, or by other workers in parts. */
struct executed {
    const struct session *session; /* or NULL */
    const struct command_row *row;
    int argc;
    const struct str *argv;
    uint64_t ns;
    struct str reply; /* RESP */
    uint64_t bytes;   /* of request and reply, for HOTKEYS; 0: not of its concern */
};
/* Counts it as dispatch_run would have: figures of the command, errors, SLOWLOG, LATENCY. */
void dispatch_count(struct engine *eng, const struct executed *e);
/* An error line (with dash) that did not come from a command function: counts it. */
void dispatch_count_error(struct engine *eng, const char *reply, size_t n);

#endif
