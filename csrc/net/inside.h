/* inside.h - commands of Python that run inside the core, on keys: EVAL, FCALL, those of modules.
 *
 * Their rows have a function as those of C do, so all that is true of a command of C is true of
 * them: they are routed to the owner of their keys, queued by MULTI, executed under holds when
 * their keys have several owners, and atomic. The function calls Python (core.h,
 * engine_set_inside), which runs commands inside of this one by call_run. What those change is
 * propagated as one (db/batch.h).
 *
 * With several workers a command may name keys that the outer one has not declared. One that is
 * not here is brought here if its owner is held; otherwise the outer command has to begin anew
 * under holds on all workers, or fails if it has changed something already (net/reach.h).
 *
 * Owns      nothing but what is on the stack; the hub has the buffers.
 * Callers   registry rows; Python, while it is called.
 */
#ifndef SHMREDIS_INSIDE_H
#define SHMREDIS_INSIDE_H

#include "cmd/call.h"
#include "net/resp.h"

#define INSIDE_DEPTH 4   /* a script that calls a command of a module that calls … */
#define INSIDE_ERROR 48  /* bytes of an error that tell it from others */
#define INSIDE_NUMBERS 8 /* arguments of a command that a script gives as numbers */

/* Buffers of one level. */
struct inside_frame {
    struct resp_parser parser; /* has the words of the command */
    struct reply reply;
    char number[INSIDE_NUMBERS][64];
};

/* One such command being executed: call.inside. */
struct inside {
    int db, resp;    /* of the commands it runs */
    unsigned limits; /* enum call_limit */
    bool no_memory;  /* was short when it began */
    bool silent;     /* what it runs now is not propagated */
    bool strayed;    /* a key was named that had not been declared */
    bool reached;    /* and was not here, nor could be brought */
    uint64_t dirty;  /* engine_stats.dirty when it began */
};

/* The function of their rows. */
void cmd_inside(struct call *c);
/* Room for so many words of a command. */
void inside_make_room(struct inside_frame *f, int words);
/* Runs the command whose words are in the frame, which is the call's; the reply is there, settled.
 * The outcome is that of call_run (core.h); if it is not CALL_DONE, nothing has happened. */
int inside_run(struct call *c, struct inside_frame *f);

#endif
