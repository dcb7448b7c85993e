/* rdb_put.h - writing the primitives of the RDB format into a sink.
 *
 * Nothing here fails: the sink keeps the first failure.
 */
#ifndef SHMREDIS_RDB_PUT_H
#define SHMREDIS_RDB_PUT_H

#include "persist/lzf.h"
#include "persist/sink.h"

struct rdb_writer {
    struct sink *sink;
    struct lzf *lzf;    /* NULL: strings are not compressed */
    size_t plain_bytes; /* a list's element above this is saved as a plain node */
    char *packed;       /* room for a compressed string */
    size_t packed_room;
};

/* `compress`: rdbcompression. */
void rdb_writer_init(struct rdb_writer *w, struct sink *sink, bool compress);
/* Frees what the writer owns; the sink is not its. */
void rdb_writer_free(struct rdb_writer *w);

void rdb_put_length(struct rdb_writer *w, uint64_t n);
/* As an integer, compressed or plain, whatever is shortest. */
void rdb_put_string(struct rdb_writer *w, struct str s);
void rdb_put_integer_string(struct rdb_writer *w, int64_t v);
void rdb_put_double(struct rdb_writer *w, double v);
/* 8 bytes, little endian: times in ms. */
void rdb_put_u64(struct rdb_writer *w, uint64_t v);
static inline void rdb_put_byte(struct rdb_writer *w, uint8_t b) {
    sink_put_byte(w->sink, b);
}
void rdb_put_aux(struct rdb_writer *w, struct str name, struct str value);

#endif
