/* debug.h - the subcommands of DEBUG that need the data; the others are Python. */
#ifndef SHMREDIS_DEBUG_H
#define SHMREDIS_DEBUG_H

#include "cmd/call.h"

/* Executes argv ("DEBUG", subcommand, arguments …) and replies; false: no such subcommand here, or
 * another number of arguments, and nothing is replied. */
bool debug_execute(struct call *c);

#endif
