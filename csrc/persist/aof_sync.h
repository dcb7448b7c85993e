/* aof_sync.h - a thread that syncs the log's file, so that the event loop need not.
 *
 * Owns      the thread, started at the first request, and duplicates of the descriptors.
 * Callers   persist/aof.c, one per engine.
 */
#ifndef SHMREDIS_AOF_SYNC_H
#define SHMREDIS_AOF_SYNC_H

#include "mem/bytes.h"

struct aof_sync;
struct aof_sync *aof_sync_new(void);
/* Waits for what is running. */
void aof_sync_delete(struct aof_sync *s);
bool aof_sync_busy(struct aof_sync *s);
/* Begins to sync `old` (-1: none) and `fd` (both duplicated), whose bytes up to `mark` are written.
 * False: a sync is running. */
bool aof_sync_begin(struct aof_sync *s, int old, int fd, uint64_t mark);
/* The same here and now, on the caller's thread. 0 or an errno. */
int aof_sync_file(int fd);
/* Waits until nothing is running. */
void aof_sync_wait(struct aof_sync *s);
/* The greatest mark that is on the disk. */
uint64_t aof_sync_done(struct aof_sync *s);
/* The errno of the last sync; 0: it was fine. */
int aof_sync_errno(struct aof_sync *s);

#endif
