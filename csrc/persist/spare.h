/* spare.h - a child process that stands by, so that whoever needs a child does not wait for a fork.
 *
 *   parent ──fork──► spare ──descriptor──► at work        the same process
 *                      └──clone──► the next spare         a child of the parent, too
 *
 * A fork takes longer the more memory a process has, and Python has some. The first spare is made
 * before there are clients; each makes its successor when it goes to work itself. What the parent
 * changes in its own memory afterwards it does not see: shared mappings must carry what it needs.
 *
 * Owns      the socket to the spare, and the spares. Callers: fork.c, on the thread that serves.
 * Promises  a spare runs C only, has no descriptors but its own and standard error, holds all
 *           shared mappings of its parent, and dies with it.
 */
#ifndef SHMREDIS_SPARE_H
#define SHMREDIS_SPARE_H

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
    pid_t group;  /* the process group of all; 0: there is none */
    struct spare_job job;
};

/* `who` lies in memory that is shared with children. */
void spare_init(struct spare *s, pid_t *who, const struct spare_job *job);
/* Has one stand by, by a fork if there is none or it has died. 0 or an errno. Not while one is at
 * work: it would be taken for one that nobody knows of, and ended. */
int spare_begin(struct spare *s);
/* Sends who stands by to work on a duplicate of `fd`; its pid, which the caller reaps, or -errno.
 */
pid_t spare_send(struct spare *s, int fd);
/* None is left, at work or not. */
void spare_end(struct spare *s);

#endif
