/* aof_sync.c - the syncing thread. */
#include "persist/aof_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

struct aof_sync {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a request, its end, or the word to stop */
    pthread_t thread;
    bool started, busy, stop;
    int old, fd, error;
    uint64_t mark, done;
};

struct aof_sync *aof_sync_new(void) {
    struct aof_sync *s = calloc(1, sizeof *s);
    ASSERT(s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    return s;
}

int aof_sync_file(int fd) {
    while (fdatasync(fd) < 0) {
        if (errno == EINTR) continue;
        /* What cannot be synced, a pipe for one, needs none. */
        return errno == EINVAL || errno == EROFS ? 0 : errno;
    }
    return 0;
}

static int sync_and_close(int fd) {
    int error = aof_sync_file(fd);
    close(fd);
    return error;
}

static void *serve(void *arg) {
    struct aof_sync *s = arg;
    pthread_mutex_lock(&s->lock);
    while (true) {
        while (!s->busy && !s->stop) pthread_cond_wait(&s->changed, &s->lock);
        if (!s->busy) break;
        int old = s->old, fd = s->fd;
        uint64_t mark = s->mark;
        pthread_mutex_unlock(&s->lock);
        int error = old < 0 ? 0 : sync_and_close(old);
        int second = sync_and_close(fd);
        if (!error) error = second;
        pthread_mutex_lock(&s->lock);
        s->error = error;
        if (!error) s->done = mark;
        s->busy = false;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Signals are for the main thread. */
static bool start(struct aof_sync *s) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    s->started = pthread_create(&s->thread, NULL, serve, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return s->started;
}

bool aof_sync_begin(struct aof_sync *s, int old, int fd, uint64_t mark) {
    if (!s->started && !start(s)) return false;
    pthread_mutex_lock(&s->lock);
    bool mine = !s->busy;
    if (mine) {
        s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        s->old = old < 0 ? -1 : fcntl(old, F_DUPFD_CLOEXEC, 0);
        s->mark = mark;
        s->busy = mine = s->fd >= 0;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return mine;
}

bool aof_sync_busy(struct aof_sync *s) {
    pthread_mutex_lock(&s->lock);
    bool busy = s->busy;
    pthread_mutex_unlock(&s->lock);
    return busy;
}

void aof_sync_wait(struct aof_sync *s) {
    pthread_mutex_lock(&s->lock);
    while (s->busy) pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

uint64_t aof_sync_done(struct aof_sync *s) {
    pthread_mutex_lock(&s->lock);
    uint64_t done = s->done;
    pthread_mutex_unlock(&s->lock);
    return done;
}

int aof_sync_errno(struct aof_sync *s) {
    pthread_mutex_lock(&s->lock);
    int error = s->error;
    pthread_mutex_unlock(&s->lock);
    return error;
}

void aof_sync_delete(struct aof_sync *s) {
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (s->started) pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
