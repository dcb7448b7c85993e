/* spare.h - a child process that stands by, so that whoever needs a child does not wait for a fork.
 *
 *   parent ──fork──► spare ──descriptor──► at work        the same process
 *                      └──clone──► the next spare         a child of the parent, too
 *
 * A fork takes longer the more memory a process has, and Python has some. The first spare is made
 * before there are clients; each makes its successor when it goes to work itself. What the parent
 * changes in its own memory afterwards it does not see: shared mappings must carry what it needs.
 *
 * Owns      the socket to the spare, and the spare. Callers: fork.c, on the thread that serves.
 * Promises  a spare runs C only, has no descriptors but its own and standard error, holds all
 *           shared mappings of its parent, and dies with it.
 */
#ifndef SHMREDIS_SPARE_H
#define SHMREDIS_SPARE_H

#include <stdbool.h>
#include <sys/types.h>

/* `work` is called in the child with the descriptor that it was given; `prepare` before, when the
 * child is made from its parent. The exit status is what `work` returns. */
struct spare_job {
    void (*prepare)(void *ctx);
    int (*work)(void *ctx, int fd);
    void *ctx;
};
struct spare {
    int socket;   /* -1: there is none */
    pid_t *who;   /* shared: who stands by; 0: nobody */
    pid_t parent; /* of all spares */
    struct spare_job job;
};

void spare_init(struct spare *s, const struct spare_job *job);
/* Has one stand by, by a fork if there is none or it has died. 0 or an errno. Not while one is at
 * work that may not have made its successor yet. */
int spare_begin(struct spare *s);
/* Sends the spare to work on a duplicate of `fd`; its pid, which the caller reaps, or -errno. */
pid_t spare_send(struct spare *s, int fd);
/* None stands by afterwards, and none is left. */
void spare_end(struct spare *s);

#endif
