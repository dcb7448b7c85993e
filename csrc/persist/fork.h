/* fork.h - a child process that writes what the data are at one instant (core_files.h).
 *
 *   prepared ──instant──► at work, arena frozen ──child reaped──► thawing ──► arena live
 *
 * The child was forked ahead and stands by (spare.h). It reads the arena by mapping A, which nobody
 * writes any more, through an engine that is a copy of its parent's; what of it may have changed
 * since comes on a sheet that both share, and there the child reports.
 *
 * Owns      what was prepared, the sheet, the spare. Callers: core_engine.c; hooks.instant.
 * Promises  one child at a time; its mappings keep the lock on the object until it is gone.
 */
#ifndef SHMREDIS_FORK_H
#define SHMREDIS_FORK_H

#include "core_files.h"
#include "db/engine.h"

/* What a child, or engine_write, works with. A writer puts its bytes into `fd`, counts keys in the
 * report, and fills in its `bytes`, `crc`, `field_ttls` and `error`. */
struct fork_task {
    struct engine *eng;
    int fd;
    struct fork_options options;
    struct fork_report *report;
};

struct forks *forks_new(struct engine *eng);
void forks_delete(struct forks *f);
/* Within engine_cron: prepares the next freeze and sees to the children; when it wants to be called
 * again, in ms; 0: it has more to do. */
uint64_t forks_cron(struct engine *eng, uint64_t budget_us);

#endif
