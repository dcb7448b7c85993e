/* fault.h - named points at which a test has this process die, stop or fail.
 *
 *   FAULT("stage.committed");                       between two steps that a crash must not part
 *   if (FAULT_FAILS("aof.write")) return ST_...;    in place of a failure of the system
 *
 * Off, which is always outside tests, a point costs a load and a branch that is never taken. On, by
 * SHMREDIS_FAULTS in the environment of the server or `DEBUG FAULT plan` in one worker. A plan is a
 * list, separated by commas, of
 *
 *   point [ : action [ : which [ : token ] ] ]
 *
 *   point    its name, or the beginning of some names and a '*'
 *   action   kill (SIGKILL, the default), stop (SIGSTOP), abort, fail (FAULT_FAILS is true)
 *   which    the how manyth time the point is passed, from 1 on; `fail` stays so from then on
 *   token    path of a file: only the process that removes it acts, so that of several processes,
 *            and of several lives of one, a single one does
 *
 * Owns      the plan of this process, which children inherit. Not for threads that race to it.
 */
#ifndef SHMREDIS_FAULT_H
#define SHMREDIS_FAULT_H

#include "mem/bytes.h"
#include "status.h"

#define FAULT(name) ((void)FAULT_FAILS(name))
#define FAULT_FAILS(name) (UNLIKELY(fault_armed) && fault_reached(name))

extern bool fault_armed; /* there is a plan */

/* Replaces the plan; an empty one turns all off. ST_SYNTAX: it is none, and nothing has changed. */
status fault_plan(struct str plan);
/* The plan as it was given. */
#define FAULT_TEXT_MAX 1024
const char *fault_text(void);
/* The process passes the point; true: the caller is to fail. */
bool fault_reached(const char *name);

#endif
