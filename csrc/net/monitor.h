/* monitor.h - MONITOR: every command that is executed, as a line, to those who watch.
 *
 * A command is told where its client is, after it was executed or sent to its owner; a script
 * before, and then the commands inside of it where it runs. Workers that have monitors say so to
 * all others, which send them the lines.
 *
 * Owns      the list of this worker's monitors; part of the hub. Costs: one branch for each command
 *           while nobody watches.
 */
#ifndef SHMREDIS_MONITOR_H
#define SHMREDIS_MONITOR_H

#include "cmd/registry.h"
#include "net/hub.h"
#include "net/message.h"
#include "net/session.h"

enum monitor_state { MONITOR_OFF, MONITOR_DEAF, MONITOR_ON };

/* Now that a client's command is about to be executed, or was. Each command is told at one of the
 * two times. */
enum monitor_time { MONITOR_BEFORE, MONITOR_AFTER };
void monitor_tell(const struct session *s, const struct command_row *row, int argc,
                  const struct str *argv, enum monitor_time time);
static inline void monitor_note(const struct session *s, const struct command_row *row, int argc,
                                const struct str *argv, enum monitor_time time) {
    if (UNLIKELY(s->eng->hub->monitors.watched)) monitor_tell(s, row, argc, argv, time);
}
/* A command inside of a script. */
void monitor_tell_inside(struct engine *eng, const struct command_row *row, int db, int argc,
                         const struct str *argv);
static inline void monitor_note_inside(struct engine *eng, const struct command_row *row, int db,
                                       int argc, const struct str *argv) {
    if (UNLIKELY(eng->hub->monitors.watched)) monitor_tell_inside(eng, row, db, argc, argv);
}
/* A monitor may not use keys. False: the error is replied. */
bool monitor_allows(const struct session *s, struct command_row *row, struct reply *out);
void monitor_forget_session(struct session *s);

/* MSG_MONITORS, MSG_MONITORED. */
void monitor_receive(struct engine *eng, int from, const struct message *m);
void monitor_receive_line(struct engine *eng, struct str line);
/* A worker was brought back. */
void monitor_reborn(struct engine *eng, int worker);

#endif
