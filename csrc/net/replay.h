/* replay.h - what executing a log asks of commands that run others (net/inside.h).
 *
 * The clock of the engine stands at zero while a log is replayed, so that nothing expires; it goes
 * for commands whose times are relative to now. Servers do not log those, but files made by hand
 * and scripts in logs of old servers have them.
 */
#ifndef SHMREDIS_REPLAY_H
#define SHMREDIS_REPLAY_H

#include "db/engine.h"

/* Sets the clock as the command needs it. */
void replay_set_clock(struct engine *eng, int argc, const struct str *argv);
static inline void replay_stop_clock(struct engine *eng) {
    eng->now_ms = 0;
}

#endif
