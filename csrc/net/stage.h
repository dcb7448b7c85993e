/* stage.h - parts of one command that take effect at several workers at one instant.
 *
 * The asker sends each owner its part, which the owner keeps without executing it (MSG_STAGE,
 * MSG_STAGED). When all have theirs, one entry in the log of commits (net/commits.h) makes the
 * command happen: from then on each owner executes its part before anything else, in the order of
 * the log. It looks at the log before every command and before it sleeps while it keeps parts, so
 * no client can see one part done and another not; nobody waits for anybody, reads least of all.
 *
 * Staged commands of one session form a chain: they are on their way at the same time, and are
 * committed in their order. What else the session sends waits until the chain is committed, not for
 * its replies: whoever executes it looks at the log first.
 *
 * A worker that is held, or about to be, refuses parts; the asker then drops what it has staged
 * and the command goes the slow way (net/cross.h). Those behind it in its chain are dropped, too,
 * since their parts would keep that hold from being granted, and are staged anew when it is done.
 */
#ifndef SHMREDIS_STAGE_H
#define SHMREDIS_STAGE_H

#include "net/remote.h"

/* With a vault of its own. */
struct stages *stages_new(struct vault *vault);
void stages_delete(struct stages *st);

/* --- for who asks, net/stage_ask.c --- */
/* Whether a staged command of the session may be begun behind those that are on their way. */
bool stage_may_follow(const struct remote *r, const struct session *s);
/* Begins a command of the session: opens its reply slot, stages its parts. */
void stage_begin(struct remote *r, struct session *s, const struct command_row *row, int argc,
                 const struct str *argv);
/* Its commands go on without it. */
void stage_forget_session(struct session *s);
/* A position of its own in the log of commits, for a command that is no staged one; false: it is
 * full. */
bool stage_position(struct remote *r, uint64_t *position);
/* Messages. */
void stage_staged(struct remote *r, int from, const struct message *m, struct str error);
/* Now and then: a command that a stuck worker keeps from happening goes the slow way, so that its
 * parts here and there hold up nobody else. */
void stage_tick(struct remote *r);
/* Whether the command with this number has not happened yet. 0: no such command. */
bool stage_undecided(struct remote *r, uint64_t number);
/* Sends a worker that was brought back its part of a committed command, whose reply is awaited as
 * `id`; false: it is no such command. */
bool stage_send_again(struct remote *r, int to, uint64_t id, const struct gather *g);
/* All replies of a command are in that was committed, or went the slow way. */
void stage_end(struct remote *r, const struct gather *g);

/* --- for who keeps parts, net/stage.c --- */
/* Whether there are parts here. */
bool stage_any(const struct remote *r);
/* Whether some of them may be committed. */
bool stage_due(const struct remote *r);
/* Executes the parts that are committed. */
void stage_apply(struct remote *r);
/* Executes a part that was sent again, or was adopted. */
void stage_redo(struct remote *r, struct kept *k);
/* Hands over to redo_adopt the parts that a predecessor has left and that are committed; at the end
 * they are given up. */
void stage_adopt(struct remote *r);
void stage_adopted(struct remote *r);
/* What was logged is written: parts that were executed until now need not outlive anybody. */
void stage_logged(struct remote *r);
/* The instant of a snapshot, whose id are the bytes of `arg` (core_workers.h: engine_instant). */
void stage_pass_instant(struct remote *r, struct str arg);
/* Messages. */
void stage_receive(struct remote *r, int from, const struct message *m, int argc, struct str *argv);
void stage_drop(struct remote *r, int from, uint64_t number);
/* Worker `from` has died, having taken so many messages: parts of its uncommitted commands go,
 * commands that wait for it fail. */
void stage_reborn(struct remote *r, int from, uint64_t taken);

#endif
