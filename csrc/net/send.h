/* send.h - what a session has to say: sent at once where the socket takes it, else queued.
 *
 * Nothing may leave before the log has what it answers (db/turn of the append-only file), nor
 * before a reply of another worker that comes first; such output waits in the session's queue
 * (net/output.h) and goes at the end of the turn.
 */
#ifndef SHMREDIS_SEND_H
#define SHMREDIS_SEND_H

#include "net/session.h"

/* Sends the gathered replies; what is borrowed from the arena is out of it afterwards. */
void send_reply(struct session *s);
/* Ends a feed: its replies are sent or queued. FEED_OUTPUT if the socket does not take all. */
int send_out(struct session *s);
/* Moves what was pushed to the session by its own command behind the reply. */
void send_take_pushes(struct session *s);
/* So much is unsent that no further command is executed. */
bool send_is_behind(const struct session *s);

#endif
