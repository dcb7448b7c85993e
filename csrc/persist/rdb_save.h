/* rdb_save.h - databases into RDB files.
 *
 * A file is head, parts, tail. One worker writes them one after the other; several workers write a
 * part each, into files of their own, and whoever joins them needs only their bytes, lengths and
 * CRCs (crc64_combine).
 *
 * Callers   a snapshotter: a forked child over a frozen arena. Nothing here changes or allocates in
 *           the arena, and no key is deleted because its time has come.
 * Fails     in the sink, which keeps the first failure.
 */
#ifndef SHMREDIS_RDB_SAVE_H
#define SHMREDIS_RDB_SAVE_H

#include "persist/rdb_codec.h"

struct rdb_save_options {
    bool compress;         /* rdbcompression */
    bool checksum;         /* rdbchecksum; else the file's CRC is 0 */
    int64_t key_delay_us;  /* rdb-key-save-delay: so long after each key; negative: 1 us after
                              so many keys */
    uint64_t *keys_done;   /* counts on, for who watches from another process; NULL: nobody */
    const bool *cancelled; /* looked at between keys; NULL: nobody cancels */
};

/* The version that these databases need. Of several workers: the largest of theirs. */
int rdb_save_version(const struct engine *eng);
/* Magic, and the AUX fields that every file has; more may be put after them by rdb_put_aux. */
void rdb_save_head(struct rdb_writer *w, int version, uint64_t used_memory, bool aof_base);
/* All databases of this engine. False: failed or cancelled. */
bool rdb_save_part(const struct engine *eng, struct rdb_writer *w,
                   const struct rdb_save_options *options);
/* RDB_EOF and the CRC of all that the sink was given. */
void rdb_save_tail(struct rdb_writer *w, bool checksum);

/* Waits as key_delay_us says; *n counts the keys. */
void rdb_delay(int64_t delay_us, uint64_t *n);

#endif
