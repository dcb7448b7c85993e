/* rdb_stream.h - the parts of the codec of streams, a file each. */
#ifndef SHMREDIS_RDB_STREAM_H
#define SHMREDIS_RDB_STREAM_H

#include "persist/rdb_codec.h"

/* Limits of producers that a file need not mention. */
#define RDB_IDMP_DURATION 100u
#define RDB_IDMP_MAXSIZE 100u

bool rdb_stream_load(struct rdb_reader *r, struct engine *eng, uint8_t type_byte,
                     struct entry_spec *spec);
void rdb_stream_rewrite(const struct arena *a, const struct entry *e, struct rewriter *out);

#endif
