/* back.h - giving memory to ranges of a shared-memory object, and taking it away.
 *
 * An object may be longer than what it has memory for. Whoever writes to a page without any gets a
 * SIGBUS when the file system is full; so memory is asked for first, which fails as an error.
 */
#ifndef SHMREDIS_BACK_H
#define SHMREDIS_BACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory for [from, to) of the object, all of it or nothing more than it had before. */
bool back_range(int fd, uint64_t from, uint64_t to);
/* Its memory goes back to the system; it reads as zeros. */
void back_release(int fd, uint64_t from, uint64_t to);

/* A part of an object, mapped, with a descriptor of its own to give it memory by. */
struct mapped {
    int fd;
    char *at;
    size_t n;
};
/* False: there is no address space, or no descriptor. */
bool mapped_open(struct mapped *m, int fd, uint64_t offset, size_t n);
void mapped_close(const struct mapped *m);

/* A part of an object that begins with memory for `least` bytes, and has more when it is needed. */
struct growing {
    int fd;
    uint64_t offset; /* in the object */
    uint64_t least, most;
};
/* Memory for its first n bytes, when *backed have some; that is what has been reached then. */
bool growing_back(const struct growing *g, uint64_t *backed, uint64_t n);
/* Back to `least`. */
void growing_shrink(const struct growing *g, uint64_t *backed);

#endif
