/* cross.h - commands over keys of several workers that cannot be cut into parts.
 *
 * One worker, the owner of the key that is written first, executes them. It takes a hold on each
 * owner in ascending order, itself included; a held worker executes nothing but what the holder
 * asks. Then it copies the foreign keys out of the others' arenas, which it maps for reading, runs
 * the command on the copies as if all keys were its own, lets the owners copy back what it may have
 * changed (MSG_SHIP), and releases them. Whose arena is frozen sends its keys instead (MSG_FETCH).
 * Ascending order excludes deadlocks; each worker grants holds in the order in which they were
 * asked for.
 *
 * A command about all keys (FLUSHALL) comes here when it could not be staged: all workers are held,
 * each executes it (MSG_RUN), and their replies are joined.
 *
 * A task is what else is done under such holds, on copies of the keys that it names: a transaction.
 *
 * A worker that dies while it is held is held again when it is brought back, before it serves
 * anybody, if the operation has begun to change something and is not done: it happens whole.
 *
 * A hold is given up when its holder dies, and taken back from one that is stuck (net/hold.c). An
 * operation that needs a stuck worker waits without holding others; one that has waited longer than
 * HOLD_WAIT_MS ends with an error, having changed nothing.
 */
#ifndef SHMREDIS_CROSS_H
#define SHMREDIS_CROSS_H

#include "net/carry.h"

#define CROSS_LOST "ERR a worker was restarted while it was held for the command"

struct crossing *crossing_new(const char *arena_base);
void crossing_delete(struct crossing *x);
/* Executes a command here for worker `from`, whose reply goes to its pending `m->id`. */
void cross_begin(struct remote *r, int from, const struct message *m, int argc, struct str *argv);
/* The instant of a snapshot that could not be staged: everybody is held. */
void cross_instant(struct remote *r, const struct kept *instant);

/* A task is done in rounds: in each it runs on copies of its keys. What it has written is shipped
 * after each round. */
enum task_verdict {
    TASK_DONE,   /* r->out is the reply; an error: nothing was written */
    TASK_SPREAD, /* next, `spread` is run by the workers in `spread_to`; then comes another round */
    TASK_CALL,   /* next, `call` does something else; cross_called then has another round begin */
    TASK_LOST    /* a command in it has found that a held worker has died */
};
struct cross_task {
    /* All are held and the keys are here; after a spread command, with its joined reply. */
    enum task_verdict (*run)(struct remote *r, struct cross_task *t, struct str spread_reply);
    void (*call)(struct remote *r, struct cross_task *t);
    void (*delete)(struct cross_task *t);
    struct kept *spread; /* malloc, the task's: whoever has asked for it may go meanwhile */
    enum spread how;
    uint64_t spread_to; /* bits of workers */
};
/* Runs a task on these keys, of databases that exist; `workers`: bits of those that are to be held
 * besides; m->id is of a pending of this worker. Takes over the task. */
void cross_begin_task(struct remote *r, const struct message *m, int n, const struct carried *keys,
                      uint64_t workers, struct cross_task *task);
/* What a task has called is done. */
void cross_called(struct remote *r, const struct cross_task *task);
/* While an operation executes here: makes a key available that it has not named before, and has it
 * logged and brought back with the others. Without an operation, own keys are. False: its owner is
 * not held. *st: why it could not be brought. */
bool cross_bring(struct remote *r, int db, struct str name, bool written, status *st);
/* The same for a key that is only read: engine_hooks.bring. */
status cross_bring_copy(struct engine *eng, int db, struct str name);
/* The operation that executes here holds all workers. */
bool cross_holds_all(const struct remote *r);
/* Between two messages: executes the operation whose holds are there; false: there is none. */
bool cross_run_due(struct remote *r);
/* In the midst of the operation that executes here, and that holds all workers: has them run a
 * command about all keys, or about channels, and waits; the joined reply. False: the operation is
 * lost, and the error is written. */
bool cross_amid(struct remote *r, const struct command_row *row, int db, int argc,
                const struct str *argv, struct reply *out);
/* The operation that executes here can run no more commands: a worker has died. */
bool cross_is_lost(const struct remote *r);
bool cross_is_running(const struct remote *r);
/* A command of the operation that executes here has changed something: the owner of this key has to
 * hear of it, if it may be written. `name.p` NULL: of all that may. */
void cross_changed(struct remote *r, int db, struct str name);
/* Sends a client's command to the worker that is to execute it; the id of the pending, whose reply
 * goes to the slot, or to the gather. */
uint64_t cross_send(struct remote *r, struct session *s, uint64_t slot, struct gather *g,
                    const struct message *m, const struct command *cmd, int argc,
                    const struct str *argv);
/* The arena of another worker, mapped for reading, or NULL: it has none now. */
const struct arena *cross_view(struct remote *r, int worker);
/* --- being held, net/hold.c ---
 * Somebody holds this worker: clients' commands and requests wait. */
bool cross_held(const struct remote *r);
/* Who does; -1: no worker, or it is its own redo (net/redo.h). */
int cross_holder(const struct remote *r);
/* Somebody holds it, or waits to. */
bool cross_wanted(const struct remote *r);
/* Grants the next hold if nothing is in its way any more. */
void cross_grant(struct remote *r);
/* A turn of the event loop after a release: the next hold may come. */
void cross_rested(struct remote *r);
/* Messages. */
void cross_hold(struct remote *r, int from, const struct message *m);
void cross_holding(struct remote *r, int from, uint64_t operation);
void cross_release(struct remote *r, int from, uint64_t operation);
void cross_ship(struct remote *r, int from, const struct message *m, int argc, struct str *argv);
/* The answers to those: what became of it. */
void cross_answer_ship(struct remote *r, int to, const struct message *m, status st);
void cross_answer_run(struct remote *r, int to, const struct message *m, struct part_reply reply);
void cross_shipped(struct remote *r, int from, const struct message *m);
void cross_fetch(struct remote *r, int from, const struct message *m, int argc, struct str *argv);
void cross_fetched(struct remote *r, int from, const struct message *m, int argc, struct str *argv);
void cross_run(struct remote *r, int from, const struct message *m, int argc, struct str *argv);
void cross_ran(struct remote *r, int from, const struct message *m, struct str resp);
/* Worker `from` has died. */
void cross_reborn(struct remote *r, int from);
/* Now and then: who is stuck, who has waited too long. */
void cross_tick(struct remote *r);

#endif
