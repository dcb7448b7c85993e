/* carry.h - keys that travel between workers as bytes.
 *
 * Foreign keys are read in their owner's arena (net/cross.h), but that shows an earlier instant
 * while its owner is frozen (mem/freeze.h). Then the owner sends them: names and records in turn, a
 * record being what persist/dump.h makes of an entry; none is of a key that does not exist.
 */
#ifndef SHMREDIS_CARRY_H
#define SHMREDIS_CARRY_H

#include "net/remote.h"

/* Whether the object of this arena, own or a view of another's, is not the present state. */
bool carry_needed(const struct arena *a);
/* Sends the message with these keys of this worker's database m->db as its body, and a last
 * argument behind them (.p NULL: none). */
void carry_send(struct remote *r, int to, const struct message *m, int n, const struct str *names,
                struct str last);
/* Makes keys here what the body says of them. */
status carry_take(struct remote *r, int db, int argc, const struct str *argv);

#endif
