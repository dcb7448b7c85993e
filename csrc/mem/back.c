/* back.c - posix_fallocate in steps; mapped parts, growing parts. */
#define _GNU_SOURCE
#include "mem/back.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BACK_STEP ((uint64_t)8 << 20)
#define GROWTH ((uint64_t)1 << 20)

/* Gives memory to a part small enough that the kernel gets through with it between two signals: it
 * starts all over after each. Returns an errno. */
static int back_step(int fd, uint64_t from, uint64_t to) {
    int error;
    do error = posix_fallocate(fd, (off_t)from, (off_t)(to - from));
    while (error == EINTR);
    return error;
}

bool back_range(int fd, uint64_t from, uint64_t to) {
    for (uint64_t at = from, end; at < to; at = end) {
        end = to - at < BACK_STEP ? to : at + BACK_STEP;
        if (!back_step(fd, at, end)) continue;
        if (at > from) back_release(fd, from, at);
        return false;
    }
    return true;
}

void back_release(int fd, uint64_t from, uint64_t to) {
    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from));
}

bool mapped_open(struct mapped *m, int fd, uint64_t offset, size_t n) {
    void *at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    if (at == MAP_FAILED) return false;
    *m = (struct mapped){ fcntl(fd, F_DUPFD_CLOEXEC, 0), at, n };
    if (m->fd >= 0) return true;
    munmap(at, n);
    return false;
}

void mapped_close(const struct mapped *m) {
    munmap(m->at, m->n);
    close(m->fd);
}

bool growing_back(const struct growing *g, uint64_t *backed, uint64_t n) {
    if (*backed < g->least) *backed = g->least;
    if (n <= *backed) return true;
    if (n > g->most) return false;
    uint64_t to = (n + GROWTH - 1) / GROWTH * GROWTH;
    if (to > g->most) to = g->most;
    if (!back_range(g->fd, g->offset + *backed, g->offset + to)) return false;
    *backed = to;
    return true;
}

void growing_shrink(const struct growing *g, uint64_t *backed) {
    if (*backed > g->least) back_release(g->fd, g->offset + g->least, g->offset + *backed);
    *backed = g->least;
}
