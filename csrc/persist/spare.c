/* spare.c - making spares, passing descriptors to them. */
#define _GNU_SOURCE
#include "persist/spare.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem/fault.h"
#include "persist/background.h"

enum { ORDERS_FD = 3, WORK_FD = 4 };

void spare_init(struct spare *s, pid_t *who, const struct spare_job *job) {
    *s = (struct spare){ .socket = -1, .who = who, .job = *job };
}

static void set_who(const struct spare *s, pid_t pid) {
    __atomic_store_n(s->who, pid, __ATOMIC_RELEASE);
}

static pid_t get_who(const struct spare *s) {
    return __atomic_load_n(s->who, __ATOMIC_ACQUIRE);
}

/* --- passing a descriptor --- */

/* One byte that carries it. */
struct parcel {
    char byte;
    struct iovec part;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message;
};

static void wrap(struct parcel *p) {
    memset(p, 0, sizeof *p);
    p->part = (struct iovec){ &p->byte, 1 };
    p->message = (struct msghdr){ .msg_iov = &p->part,
                                  .msg_iovlen = 1,
                                  .msg_control = &p->control,
                                  .msg_controllen = sizeof p->control };
}

/* 0 or an errno. */
static int pass(int socket, int fd) {
    struct parcel p;
    wrap(&p);
    struct cmsghdr *c = CMSG_FIRSTHDR(&p.message);
    *c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd),
                           .cmsg_level = SOL_SOCKET,
                           .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(socket, &p.message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : errno;
}

/* Waits for one; -1: nobody will send any. */
static int receive(int socket) {
    struct parcel p;
    int fd = -1;
    ssize_t n;
    do {
        wrap(&p);
        n = recvmsg(socket, &p.message, 0);
    } while (n < 0 && errno == EINTR);
    struct cmsghdr *c = n == 1 ? CMSG_FIRSTHDR(&p.message) : NULL;
    if (c && c->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* --- the spare's life --- */

/* Keeps nothing of the parent's but the socket and standard error: clients must see their
 * connections end when the parent goes. */
static void cut_off(int socket) {
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    signal(SIGINT, SIG_IGN);  /* of a terminal, meant for the front */
    signal(SIGTERM, SIG_IGN); /* to all of a service, meant for the front */
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(socket, ORDERS_FD) < 0) _exit(1);
    close_range(ORDERS_FD + 1, ~0U, 0);
}

static void stand_by(const struct spare *s) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != s->parent) _exit(1); /* it died before it could take us along */
    prctl(PR_SET_NAME, "shmredis-spare");
    background_begin();
    set_who(s, getpid());
}

/* Another child of our parent, like this one; 0 in that child. */
static pid_t clone_sibling(void) {
    return (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_PARENT | SIGCHLD), NULL, NULL, NULL,
                          NULL);
}

static _Noreturn void live(const struct spare *s) {
    for (;;) {
        stand_by(s);
        int fd = receive(ORDERS_FD);
        if (fd < 0) _exit(0);
        set_who(s, 0);
        pid_t next = clone_sibling();
        if (next == 0) {
            FAULT("spare.begins");
            close(fd);
            continue;
        }
        FAULT("spare.cloned");
        if (next > 0) set_who(s, next);
        prctl(PR_SET_NAME, "shmredis-write");
        if (dup2(fd, WORK_FD) < 0) _exit(1);
        close(ORDERS_FD);
        close_range(WORK_FD + 1, ~0U, 0);
        _exit(s->job.work(s->job.ctx, WORK_FD));
    }
}

/* --- the parent --- */

/* Reaps one that was killed. */
static bool stands_by(const struct spare *s) {
    pid_t pid = get_who(s);
    return pid > 0 && waitpid(pid, NULL, WNOHANG) == 0;
}

/* Nobody may know of all that there are: who was killed in the midst of its clone leaves one that
 * has not told its pid yet. */
static void end_all(struct spare *s) {
    if (s->group) {
        kill(-s->group, SIGKILL);
        while (waitpid(-s->group, NULL, 0) > 0) continue;
    }
    if (s->socket >= 0) close(s->socket);
    s->socket = -1;
    s->group = 0;
    set_who(s, 0);
}

static int make_first(struct spare *s) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) return errno;
    s->parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        cut_off(pair[1]);
        s->job.prepare(s->job.ctx);
        live(s);
    }
    int error = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return error;
    }
    setpgid(pid, pid); /* here, so that nothing that it makes can miss it */
    s->group = pid;
    s->socket = pair[0];
    set_who(s, pid);
    return 0;
}

int spare_begin(struct spare *s) {
    if (stands_by(s)) return 0;
    end_all(s);
    return make_first(s);
}

pid_t spare_send(struct spare *s, int fd) {
    pid_t pid = get_who(s);
    int error = pid > 0 ? pass(s->socket, fd) : ESRCH;
    return error ? -error : pid;
}

void spare_end(struct spare *s) {
    end_all(s);
}
