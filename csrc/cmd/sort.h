/* sort.h - what others have to know of SORT. */
#ifndef SHMREDIS_SORT_H
#define SHMREDIS_SORT_H

#include "cmd/command.h"

/* Whether it is a SORT with a pattern that may lead to keys of workers other than the one that owns
 * its own key. */
bool sort_reaches_out(const struct command *cmd, int argc, const struct str *argv, int workers);

#endif
