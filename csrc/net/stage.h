/* stage.h - parts of one command that take effect at several workers at one instant.
 *
 * The asker sends each owner its part, which the owner keeps without executing it (MSG_STAGE,
 * MSG_STAGED). When all have theirs, one entry in the log of commits (net/commits.h) makes the
 * command happen: from then on each owner executes its part before anything else, in the order of
 * the log. It looks at the log before every command while it keeps parts, so no client can see one
 * part done and another not; nobody waits for anybody, reads least of all. MSG_COMMIT only tells
 * owners that have nothing else to do.
 *
 * A worker that is held, or about to be, refuses parts; the asker then drops what it has staged
 * and the command goes the slow way (net/cross.h).
 */
#ifndef SHMREDIS_STAGE_H
#define SHMREDIS_STAGE_H

#include "net/remote.h"

struct stages *stages_new(void);
void stages_delete(struct stages *st);
/* Begins a command of the parts in argc and argv by worker (argc 0: none; each argv has room for
 * one more). The whole command, and its message in a MSG_CROSS, is given for the slow way. */
struct stage_parts {
    int argc[WORKERS_MAX];
    struct str *argv[WORKERS_MAX];
};
void stage_begin(struct remote *r, struct session *s, struct gather *g, const struct message *m,
                 const struct stage_parts *parts, int argc, const struct str *argv);
/* A position of its own in the log of commits, for a command that is no staged one; false: it is
 * full. */
bool stage_position(struct remote *r, uint64_t *position);
/* The instant of a snapshot, whose id are the bytes of `arg` (core.h: engine_instant). */
void stage_pass_instant(struct remote *r, struct str arg);
/* Whether there are parts here. */
bool stage_any(const struct remote *r);
/* Executes the parts that are committed. */
void stage_apply(struct remote *r);
/* Messages. */
void stage_receive(struct remote *r, int from, const struct message *m, int argc, struct str *argv);
void stage_staged(struct remote *r, int from, const struct message *m, struct str error);
void stage_drop(struct remote *r, int from, uint64_t number);
/* Worker `from` has died, having taken so many messages: parts of its uncommitted commands go,
 * commands that wait for it fail. */
void stage_reborn(struct remote *r, int from, uint64_t taken);
/* Now and then: a command that a stuck worker keeps from happening goes the slow way, so that its
 * parts here and there hold up nobody else. */
void stage_tick(struct remote *r);
/* Whether the command with this number has not happened yet. 0: no such command. */
bool stage_undecided(struct remote *r, uint64_t number);
/* All replies of a committed command are in. */
void stage_end(struct remote *r, uint64_t position);

#endif
