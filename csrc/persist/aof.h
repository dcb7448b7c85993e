/* aof.h - the append-only file of one worker: a buffer of the present turn, written before the
 * turn's replies leave.
 *
 *   engine_propagate ─► buffer ─► one write() a turn ─► the incremental file ─► fdatasync
 *
 * The stream has RESP commands, with a SELECT where the database changes, and lines that begin with
 * '#', which every reader skips:
 *
 *   #TS:<unix seconds>                       aof-timestamp-enabled
 *   #TXN <life>-<position>-<owners> <part>/<parts>[ empty]
 *                                            before the MULTI … EXEC of one worker's part of a
 *                                            command of several workers; all parts or none count
 *   #TXN-SEEN <life> <position>              this worker's parts of what was committed before that
 *                                            position are in this file, or in what it continues,
 *                                            and what there is of other lives is settled
 *   #TXN-DROP <life>-<position>-<owners>     a part that does not count, said by a recovery
 *
 * `life` is the life of the server's control memory, `position` one in its log of commits, `owners`
 * a mask of workers in hexadecimal.
 *
 * Owns      the buffer, the file descriptor, the thread that syncs.
 * Callers   propagation appends; net/turn.c ends turns; Python opens, switches and closes.
 * Promises  after aof_end_turn a turn's effects are in the file: synced with `always`; with
 *           `everysec` at most two seconds later while the disk is busy.
 * Fails     a failed write is undone, writes are refused (eng->log_error) and it is tried again by
 *           aof_tick; with `always` the process ends.
 * Crash     the file ends anywhere; the loader cuts what is not whole. The superblock tells how
 *           far file and arena agree.
 */
#ifndef SHMREDIS_AOF_H
#define SHMREDIS_AOF_H

#include "core_files.h"
#include "db/engine.h"

#define AOF_NOTE_MAX 128 /* bytes of a line, with a NUL in place of its '#' and end */

/* Part `part` (from 1) of `parts` of a command of several workers. */
struct aof_part {
    uint64_t life, position, owners;
    int part, parts;
};

struct aof *aof_new(struct engine *eng);
void aof_delete(struct aof *aof);

/* See core_files.h. */
int aof_open(struct aof *aof, int fd, uint64_t seq, uint64_t size);
/* `note`: the first line of the new file, empty: none. */
int aof_prepare(struct aof *aof, int fd, uint64_t seq, uint64_t size, const char *note);
int aof_instant(struct aof *aof);
int aof_close(struct aof *aof);
/* After aof_close: from now on the arena has more than any file. */
void aof_forget(struct aof *aof);
bool aof_is_open(const struct aof *aof);
/* Nothing waits for being written; hooks.logged tells when that is so again. */
bool aof_is_written(const struct aof *aof);
/* A line of its own, without its '#' and end. */
void aof_note(struct aof *aof, const char *format, ...);

/* What is logged between the two is one part. Nothing happens when the log is not open. */
void aof_begin_part(struct aof *aof, const struct aof_part *part);
void aof_end_part(struct aof *aof);

/* Writes what is buffered and clears eng->unlogged. */
void aof_end_turn(struct aof *aof);
/* Now and then: tries again what failed, syncs what is a second old. */
void aof_tick(struct aof *aof);
/* Writes without waiting for a sync that is running. 0 or an errno. */
int aof_flush(struct aof *aof);
void aof_info(const struct aof *aof, struct aof_info *out);

#endif
