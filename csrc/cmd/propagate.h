/* propagate.h - what a call logs instead of its own argv: a list of commands, copied.
 *
 * Owns the copies. Callers: commands add by call_propagate; dispatch takes the list at the end.
 */
#ifndef SHMREDIS_PROPAGATE_H
#define SHMREDIS_PROPAGATE_H

#include "cmd/call.h"

/* Sends what the call has to log (its rewritten commands, else argv when dirty) to the hook, inside
 * MULTI and EXEC when there are several, and frees the rewritten ones. */
void call_flush_propagation(struct call *c);

#endif
