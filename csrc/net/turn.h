/* turn.h - the end of a turn of the event loop: what the turn brought is logged, then sent.
 *
 * Sessions whose output must not leave at once are touched: while effects of this turn are not in
 * the append-only file (eng->unlogged), or when replies of other workers are still to come. At the
 * end of the turn the log is written once for all, messages to other workers are published, and
 * each touched session gets one send.
 *
 * Owns      the list of touched sessions; part of the hub.
 * Callers   sessions touch themselves; engine_poll, engine_drain and the cron end turns.
 */
#ifndef SHMREDIS_TURN_H
#define SHMREDIS_TURN_H

#include <stdbool.h>
#include <stddef.h>

struct engine;
struct session;

struct turn {
    struct session **touched; /* NULL in place of one that has gone */
    size_t n, cap;
    bool flushing; /* the touched ones are being sent to */
    bool due;      /* its end is announced: engine_drain will be called */
};

/* The session has output; it is sent at the end of the turn, or soon after if more replies are
 * awaited before it. */
void turn_touch(struct engine *eng, struct session *s);
void turn_forget(struct engine *eng, const struct session *s);
/* After a feed; true: engine_drain is to be called at the end of this turn of the event loop. */
bool turn_announce(struct engine *eng);
/* Logs what is not logged and lets messages go, but sends to no session. */
void turn_log(struct engine *eng);
/* Logs, lets messages go, sends; sessions that need the event loop are noted in the hub. */
void turn_end(struct engine *eng);

#endif
