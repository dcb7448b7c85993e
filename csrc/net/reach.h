/* reach.h - scripts and the keys of other workers: which of them name keys they have not declared.
 *
 * A script whose declared keys have one owner runs there, alone. One that makes up names of keys
 * as it runs needs all workers. Which kind a script is shows when it runs: until it is known, and
 * when it has shown to be of the second kind, it runs under holds on all workers, where any key
 * can be brought. What is known is in the control memory, for all workers, by a hash of the text,
 * SHA1 or name that the command gives; an entry that is lost is learned again.
 *
 * A script taken to be of the first kind may still come upon such a key. If it has changed
 * nothing it begins anew under holds; otherwise it ends with an error, as in a cluster, and from
 * then on is of the second kind.
 */
#ifndef SHMREDIS_REACH_H
#define SHMREDIS_REACH_H

#include "net/inside.h"
#include "net/remote.h"

#define REACH_ERROR "ERR Script attempted to access a non local key in a cluster node"

/* Whether the keys of a command inside are here, or were brought. False: replied;
 * c->inside->reached if the whole is to begin anew. */
bool reach_keys(struct call *c, const struct command_row *row, int argc, const struct str *argv,
                struct reply *out);
/* Whether a command inside is run by several workers, by cross_amid, when its keys were reached. */
bool reach_is_spread(const struct remote *r, const struct command_row *row);
/* A command inside has changed something: under holds, the keys that it writes go back to their
 * owners, and no others, so that nobody's watch takes notice. */
void reach_changed(const struct call *c, const struct command_row *row, int argc,
                   const struct str *argv);
/* Whether a client's command is to be run under holds on all workers: such a script, or SORT with
 * patterns that lead anywhere. */
bool reach_is_wide(const struct remote *r, const struct command *cmd, int argc,
                   const struct str *argv);
/* The outer command has ended: remembers of which kind it is. */
void reach_note(struct call *c, const struct inside *in);

#endif
