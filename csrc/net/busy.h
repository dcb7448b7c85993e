/* busy.h - a script that runs for long: others are told so, meanwhile.
 *
 * The script stands in the middle of a turn, with the hub's buffers in use. Between busy_begin and
 * busy_end the hub has others, so sockets can be served: by an error, unless the command is one of
 * the few that may run then (CMD_ALLOW_BUSY). Nothing else of a turn goes on: rings are not read,
 * the log is not written, time stands still. Other workers see a mark in the control memory, say
 * the same of this worker's keys, and have the script ended by another mark.
 *
 * Callers   Python, from the hook of a script (core.h).
 */
#ifndef SHMREDIS_BUSY_H
#define SHMREDIS_BUSY_H

#include "net/remote.h"

#define BUSY_ERROR                                                                                 \
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
#define BUSY_FUNCTION_ERROR                                                                        \
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."

/* control_worker.script: bits. */
enum script_state {
    SCRIPT_BUSY = 1,
    SCRIPT_IS_FUNCTION = 2,
    SCRIPT_WROTE = 4, /* it cannot be ended any more */
    SCRIPT_KILL = 8   /* somebody wants it to end */
};

/* Between busy_begin and busy_end: false, if the command may not run then, replied and counted. */
bool busy_allows(struct engine *eng, struct command_row *row, struct reply *out);
/* Of another worker, or of this one. */
static inline unsigned busy_state(const struct remote *r, int worker) {
    return atomic_load_explicit(&r->links->control->worker[worker].script, memory_order_relaxed);
}

#endif
