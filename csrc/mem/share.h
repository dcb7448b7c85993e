/* share.h - an arena that other processes read while its owner changes it: a sequence lock.
 *
 *   word:  changes so far << 8 | why it is shut          one of each arena, in memory of all
 *
 * Owner     begins a change by a store of the word with SHARE_CHANGING in it, then a release fence,
 *           so that whoever sees any byte of the change sees that word as well; ends it by a
 *           release store of a word without it. Other reasons (another worker's operation is half
 *           done, the object does not show the present …) shut it for as long as they last.
 * Reader    loads an open word (acquire), copies, then, after an acquire fence, looks whether the
 *           word is still the same (relaxed). If so the copy is what was there all the time since
 *           the first load: references and lengths in it are true, and it may follow them with the
 *           next copy. Nothing is believed, or even looked at, before that. So garbage is never
 *           followed, and all copies under one word are one instant of the owner's life.
 *
 * The bytes themselves are copied by relaxed loads of aligned words, which can tear neither
 * references nor lengths. The owner's stores are plain ones: formally a data race, if C knew of
 * other processes; what it could do is to give a reader any mixture of old and new bytes, and that
 * is what the second look at the word is for. The compiler may not move the owner's stores across
 * the fence and the release store, nor the reader's loads across his. Two fields change outside of
 * brackets: an entry's clock (readers use it as a hint) and the marks of buckets (readers mask
 * them). Blocks that nothing refers to any more may be written at any time.
 *
 * Holes     are the one thing that a late look at the word cannot undo: a read would fill a hole
 *           again, or kill the reader if there is no memory. A reader therefore says whom he reads
 *           before he loads the word, and the owner waits until nobody reads before it punches
 *           (share_alone). Both are sequentially consistent: either the reader sees the word of
 *           the change, or the owner sees the reader. Past the first mark every reference that is
 *           followed was good when it was, and what it led to has memory still.
 *
 * Dead      owner: the word stays as it was. The front shuts it and moves it on before there is a
 *           new life, which opens it; an arena of an earlier life is known by its epoch.
 *           Reader: his mark is taken away by the front in the same way.
 */
#ifndef SHMREDIS_SHARE_H
#define SHMREDIS_SHARE_H

#include <stdalign.h>
#include <stdatomic.h>

#include "mem/arena.h"

#define SHARE_WORKERS_MAX 64

enum share_reason {
    SHARE_CHANGING = 1, /* inside share_begin … share_end */
    SHARE_HELD = 2,     /* another worker's operation is in progress */
    SHARE_PARTS = 4,    /* has parts of commands that may have happened already */
    SHARE_FROZEN = 8,   /* the object shows an earlier instant */
    SHARE_LOADING = 16, /* not everything is there yet */
    SHARE_LOGGING = 32, /* what is there is not as durable as was promised */
    SHARE_AWAY = 64,    /* there is no such worker now */
    SHARE_SHUT = 255    /* any of them */
};
#define SHARE_STEP UINT64_C(256)

/* In memory of all workers, one for each. */
struct arena_share {
    alignas(64) _Atomic uint64_t word;    /* by the owner; by the front while there is none */
    alignas(64) _Atomic uint32_t reading; /* by the worker: whose arena it reads, plus one; or 0 */
};

/* Process-local: the owner's side. */
struct sharing {
    struct arena_share *all[SHARE_WORKERS_MAX];
    int self, n;
    unsigned depth; /* of share_begin */
};

/* --- the owner; nothing when a->sharing is NULL --- */

void share_first_begin(struct sharing *s);
void share_last_end(struct sharing *s);
/* Brackets around whatever changes what others may read. They nest. */
static inline void share_begin(struct arena *a) {
    if (a->sharing && a->sharing->depth++ == 0) share_first_begin(a->sharing);
}
static inline void share_end(struct arena *a) {
    if (a->sharing && --a->sharing->depth == 0) share_last_end(a->sharing);
}
/* Nobody reads from here on until it is opened again; each reason by itself, once or more. */
void share_shut(struct arena *a, enum share_reason reason);
void share_open(struct arena *a, enum share_reason reason);
/* Inside of brackets: waits until no reader is at it any more. False: one of them does not move. */
bool share_alone(const struct arena *a);
/* Whether the arena may be changed now, for assertions. */
bool share_may_change(const struct arena *a);
/* For the front: the worker of this share has ended and may come back. */
void share_reset(struct arena_share *s);

/* --- a reader --- */

struct share_reader {
    const struct arena *arena; /* a view */
    const struct arena_share *owner;
    struct arena_share *self;
    uint64_t word;
};
enum share_state { SHARE_OPEN, SHARE_BUSY /* changing just now */, SHARE_CLOSED };
/* Begins to read the arena of worker `owner`; the caller sets r->arena, which must be that of the
 * life that the worker has after this call. Unless SHARE_OPEN nothing has begun. */
enum share_state share_enter(struct share_reader *r, const struct sharing *s, int owner);
/* Gives a change the time to end, for so many pauses of the processor at most. */
void share_wait(const struct sharing *s, int owner, int pauses);
void share_leave(const struct share_reader *r);
/* Copies n bytes (rounded up to words of 8, which `to` has room for) that begin at byte `from` of
 * the arena, a multiple of 8. False: the arena has changed since share_enter, or that is outside
 * of it; what was copied means nothing then. */
bool share_copy(const struct share_reader *r, uint64_t from, void *to, size_t n);

#endif
