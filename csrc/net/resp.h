/* resp.h - the request parser: RESP arrays of bulk strings, and inline commands.
 *
 * Incremental: a command may come in any number of pieces; nothing is scanned twice. Arguments are
 * not copied, they point into the caller's buffer. Limits and error texts are Redis's.
 *
 * Owns      the argument vector. The buffer belongs to the caller, who tells when it moves.
 */
#ifndef SHMREDIS_RESP_H
#define SHMREDIS_RESP_H

#include "mem/bytes.h"

#define RESP_INLINE_MAX ((size_t)64 * 1024)

struct resp_limits {
    int64_t bulk_max; /* proto-max-bulk-len */
    bool authenticated;
};

struct resp_parser {
    size_t pos;   /* bytes of the buffer that are parsed, from the command's start on */
    int64_t left; /* arguments still to come; -1: the command has not begun */
    int64_t bulk; /* length of the bulk string being read; -1: its header is next */
    int argc, capacity;
    struct str *argv;
};

enum resp_result {
    RESP_COMMAND, /* argc (may be 0: ignore) and argv are a command of `pos` bytes */
    RESP_MORE,    /* the command is not complete */
    RESP_BAD      /* protocol error, *error says which; the connection is to be closed */
};

void resp_init(struct resp_parser *p);
void resp_free(struct resp_parser *p);
/* Begins the next command. */
static inline void resp_reset(struct resp_parser *p) {
    p->pos = 0;
    p->left = -1;
    p->bulk = -1;
    p->argc = 0;
}
/* buf[0] is the command's first byte; n bytes are there. Inline commands are unescaped in place.
 * `error` gets the reply line without its dash. */
enum resp_result resp_parse(struct resp_parser *p, const struct resp_limits *limits, char *buf,
                            size_t n, char error[128]);
/* The buffer with the command's start moved from `from` to `to`. */
void resp_rebase(struct resp_parser *p, const char *from, char *to);
/* Total bytes that the argument being read needs in the buffer (its two last bytes included); 0:
 * not known yet. */
size_t resp_wants(const struct resp_parser *p);
/* Whether nothing follows that argument. */
bool resp_at_last(const struct resp_parser *p);

#endif
