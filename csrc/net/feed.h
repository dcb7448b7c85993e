/* feed.h - one feed of a session: where its input is, and what is kept of it for the next. */
#ifndef SHMREDIS_FEED_H
#define SHMREDIS_FEED_H

#include "net/session.h"

struct feed {
    char *p;
    size_t start, n; /* executed up to start, of n bytes */
    size_t ahead;    /* up to here keys are being loaded */
    struct resp_parser *parser;
    uint64_t clock_ns;
    int outcome; /* enum feed_outcome bits */
};

/* Keeps what is left of the feed in the session's own buffer. */
void stash_keep(struct session *s, struct feed *f);
void stash_drop(struct session *s);

#endif
