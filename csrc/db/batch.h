/* batch.h - what several commands change together, propagated as one.
 *
 * Between batch_begin and batch_end everything that is propagated is kept; at the end it goes out
 * in the order in which it came, inside MULTI and EXEC if there is more than one command. Batches
 * nest: only the outermost has an effect. A transaction, a script and a command that logs several
 * commands each are a batch.
 *
 * Until then the arena counts as changing (arena_enter): a worker that dies is not trusted to have
 * half of them.
 *
 * Owns      copies of the arguments (malloc), until the end.
 */
#ifndef SHMREDIS_BATCH_H
#define SHMREDIS_BATCH_H

#include "db/engine.h"

/* A copy of a command that is propagated later: one block of malloc with all its bytes. */
struct kept_command {
    struct kept_command *next;
    int db, argc;
    struct str argv[];
};
struct kept_command *kept_command_new(int db, int argc, const struct str *argv);

void batch_begin(struct engine *eng);
void batch_end(struct engine *eng);
/* In the midst of one: what was kept goes out, and nothing more is kept until batch_resume, which
 * takes what this returns. The arena counts as changing all the while. */
int batch_suspend(struct engine *eng);
void batch_resume(struct engine *eng, int depth);
/* For engine_propagate: true when the command was kept. */
bool batch_keep(struct engine *eng, int db, int argc, const struct str *argv);
/* For engine_delete. */
void batch_delete(struct batch *batch);

#endif
