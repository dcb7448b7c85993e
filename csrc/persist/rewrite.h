/* rewrite.h - values as commands, for an AOF in command form: RPUSH key a b c …
 *
 * Elements are gathered and handed over as commands of at most REWRITE_ELEMENTS elements.
 */
#ifndef SHMREDIS_REWRITE_H
#define SHMREDIS_REWRITE_H

#include "mem/bytes.h"

#define REWRITE_ELEMENTS 64
#define REWRITE_ARGS (2 + 2 * REWRITE_ELEMENTS)

struct rewriter {
    /* Takes one command; arguments are valid during the call only. */
    void (*emit)(void *ctx, int argc, const struct str *argv);
    void *ctx;
    int argc, width; /* width: arguments an element has */
    struct str argv[REWRITE_ARGS];
    char text[REWRITE_ARGS][64]; /* of numbers */
};

/* Starts commands `name key element …`; the key must stay where it is. */
void rewrite_begin(struct rewriter *w, struct str name, struct str key, int width);
/* One argument; s may lie in `text` or stay where it is until the end. */
void rewrite_add(struct rewriter *w, struct str s);
/* The place for the text of the next argument. */
static inline char *rewrite_text(struct rewriter *w) {
    return w->text[w->argc];
}
void rewrite_end(struct rewriter *w);
/* A whole command at once. */
void rewrite_command(struct rewriter *w, int argc, const struct str *argv);

struct arena;
struct entry;
/* All commands that make this key: those of its type, and PEXPIREAT if it expires. */
void rewrite_key(struct rewriter *w, const struct arena *a, const struct entry *e);

#endif
