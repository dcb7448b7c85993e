/* peek.h - reads without a hop: a command that only reads one key runs here, on a copy of the key.
 *
 * The key is copied out of its owner's arena as it was at one instant (db/peek.h, mem/share.h), and
 * the command's own function runs on the copy. That instant is between the call and the reply, so
 * the read happened then. What must hold besides:
 *
 *  1. Own writes. A write that was answered had been done before; it is seen. A session that still
 *     waits for an answer of that owner does not peek: its commands there keep their order.
 *  2. Staged commands (net/stage.h) happen when they are committed, and their owners do them before
 *     anything else. An owner shuts its arena (SHARE_PARTS) before it says that it keeps a part,
 *     and opens it when it has none left. So whoever has seen any effect of the command finds each
 *     part done, or the arena shut.
 *  3. Holds (net/cross.h): an owner shuts its arena (SHARE_HELD) before it says that it is held,
 *     and opens it when it is released. Nobody peeks at half an operation.
 *  4. Lives. The word is opened by a new life of a worker after its epoch has changed. The epoch is
 *     looked at after the word, so a word of the new life is never believed with an arena of the
 *     old one.
 *  5. Time. A key that has expired by this worker's clock is left to its owner, which deletes it.
 *  6. Access times are the owner's to write. A read that should set one hops when the time is older
 *     than TOUCH_S (TOUCH_LIMITED_S when keys are evicted), so idle times are too long by that much
 *     at most; with an LFU policy, where each access counts, it always hops. So do misses that are
 *     to be notified of.
 *
 * Hits, misses and the command's statistics are counted here, where it runs.
 */
#ifndef SHMREDIS_PEEK_NET_H
#define SHMREDIS_PEEK_NET_H

#include "net/remote.h"

struct peeks; /* what peeking keeps: the memory of the copy */
struct peeks *peeks_new(void);
void peeks_delete(struct peeks *p);
/* Keys of this owner are about to be read: begins to load them. */
void peek_load_ahead(struct remote *r, int owner, int db, const struct str *keys, int n);
/* Copies the one key of a client's command, which `owner` owns. False: it has to hop. */
bool peek_take(struct remote *r, const struct session *s, const struct command_row *row, int owner,
               int argc, const struct str *argv);
/* Between these the engine's arena is the copy; its database 0 has the key. */
void peek_begin(struct remote *r);
void peek_end(struct remote *r);

#endif
