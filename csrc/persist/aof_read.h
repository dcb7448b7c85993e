/* aof_read.h - the stream of an append-only file, item by item, out of memory.
 *
 *   item     command: *<n> CR LF, then n times $<bytes> CR LF <bytes> CR LF
 *            line:    #<text> CR LF, skipped by all readers
 *
 * All bytes may be hostile: nothing is believed beyond what is there. A stream that ends inside of
 * an item is torn, which a crash explains; anything else that is no item is bad.
 *
 * Owns      the argument vector. Arguments point into the caller's bytes.
 */
#ifndef SHMREDIS_AOF_READ_H
#define SHMREDIS_AOF_READ_H

#include "mem/bytes.h"

#define AOF_LINE_MAX 1024u /* a longer line is bad */

enum aof_item {
    AOF_COMMAND, /* argc and argv; argc 0: an empty array */
    AOF_LINE,    /* argv[0] is the text without '#' and end */
    AOF_END,     /* nothing is left */
    AOF_TORN,    /* ends inside of this item; `why` says where */
    AOF_BAD      /* is no item; `why` */
};

struct aof_reader {
    const char *p;
    size_t n;
    size_t start, at; /* of the item returned last: its first byte, and the byte after it */
    uint64_t lines;   /* headers and strings so far, from 1 on */
    int argc, cap;
    struct str *argv;
    bool unfinished; /* AOF_LINE: it has no end */
    size_t why_at;
    char why[96];     /* as redis-check-aof says it; empty: it says "format error" */
    size_t string_at; /* of the last string read */
    size_t header, last_header;
};

/* Reads p[at..n). */
void aof_reader_init(struct aof_reader *r, const char *p, size_t n, size_t at);
void aof_reader_free(struct aof_reader *r);
enum aof_item aof_next(struct aof_reader *r);
/* Goes back, or on, to the item that begins there. */
void aof_seek(struct aof_reader *r, size_t at);

#endif
