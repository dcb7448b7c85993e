/* arena.h - one POSIX shared-memory object that holds all data of one worker.
 *
 *   object:  | superblock (64 KiB) | page table (reserved, 32 B a page) | 64 KiB pages ... |
 *   process: base -> mapping A (MAP_SHARED)       the one in use, unless frozen
 *                    mapping B (MAP_PRIVATE)      the same object, for mem/freeze.h
 *
 * The object is as long as `max_size` from the start, but sparse: memory is given to what is in
 * use.
 *
 * Owns      the object, its two mappings and the process-local handle `struct arena`.
 * Callers   the worker creates, grows and writes; snapshotters and tools attach read-only.
 * Promises  refs stay valid when the arena grows, when it is frozen and in a later process. Growth
 *           uses posix_fallocate: a full /dev/shm is ST_ARENA_FULL, never SIGBUS.
 * Fails     by status, having changed nothing.
 * Crash     the superblock's `busy` mark tells the next worker whether a command was cut short, its
 *           `frozen` mark whether the object is of an earlier instant.
 */
#ifndef SHMREDIS_ARENA_H
#define SHMREDIS_ARENA_H

#include "mem/bytes.h"
#include "status.h"

/* A reference inside an arena in units of 8 bytes, so 32 GiB are reachable. 0 is null. */
typedef uint32_t ref_t;
#define REF_NULL 0u
#define REF_UNIT 8u

#define PAGE_SHIFT 16
#define PAGE_SIZE_BYTES ((size_t)1 << PAGE_SHIFT)
#define ARENA_MAGIC 0x52444d485352414eULL
#define ARENA_LAYOUT 5u
#define ARENA_ROOTS 32
#define ARENA_MAX_BYTES ((uint64_t)32 << 30)

/* A file as it was when it and the arena's content said the same; all zero: there was none. */
struct arena_file {
    uint64_t inode, size, mtime_ns;
};

/* At offset 0 of the object. Written by the owning worker only; tools read it. */
struct arena_super {
    uint64_t magic;
    uint32_t layout;     /* ARENA_LAYOUT: changes with any structure that lives in arenas */
    uint32_t busy;       /* how many arena_enter have not left: something is being changed */
    uint16_t slot_first; /* hash slots whose keys live here, inclusive */
    uint16_t slot_last;
    uint32_t generation;      /* one more each time that a worker takes it over, db/attach.h */
    uint64_t size;            /* bytes of the object that are allocated now */
    uint64_t max_size;        /* bytes of address space the owner reserves */
    uint8_t hash_seed[16];    /* SipHash key of every table in here */
    uint64_t aof_position;    /* bytes of the AOF's incremental file aof_seq that the content has */
    ref_t roots[ARENA_ROOTS]; /* entry points of the upper layers, see db/keyspace.h */
    uint32_t frozen;          /* enum arena_phase; in the object itself, also while frozen */
    uint32_t databases;
    uint64_t checksum;     /* XXH3-64, mem/seal.h; 0 while a worker serves from the arena */
    uint64_t print;        /* XXH3-64 of what says whose data this is, see core.h */
    struct arena_file rdb; /* dump.rdb … */
    struct arena_file aof; /* … and the manifest of this worker's AOF, as last written or read */
    uint32_t guests;       /* keys of other workers that are copied here, net/cross.h */
    uint64_t aof_seq;      /* number of the AOF's file; 0: there is none */
    uint64_t aof_ahead;    /* bytes that the content has and that are not written yet */
    uint64_t stamp;        /* of the fields that a command never changes, mem/seal.h */
};

/* What the object shows; mem/freeze.h. */
enum arena_phase {
    ARENA_LIVE = 0,
    ARENA_FROZEN = 1, /* the state of an instant, whole */
    ARENA_THAWING = 2 /* a mixture of that and the present one */
};

/* Process-local; for mem/freeze.c. */
struct freeze {
    enum arena_phase phase;
    bool looked;        /* `lacks` and `pagemap` are known */
    unsigned lacks;     /* enum freeze_lack */
    int pagemap;        /* descriptor + 1; 0: none */
    uint64_t filled;    /* the private mapping's page table is filled up to here */
    uint64_t end;       /* what the object gets behind this is no part of the instant */
    uint64_t thawed;    /* up to here, and from `end` on, the roles are exchanged already */
    uint64_t copied;    /* bytes, by the last thaw */
    uint64_t anonymous; /* bytes that the process had of its own at the freeze */
    char *aside;        /* address space for a chunk whose roles are exchanged; NULL: none */
};

/* Process-local. `base` is public because every ref is resolved through it. */
struct arena {
    char *base;
    struct heap *heap;       /* the allocator's process-local side, mem/heap.h */
    struct sharing *sharing; /* mem/share.h; NULL: nobody else reads in it. Not owned */
    int fd;
    uint64_t reserved; /* bytes of address space behind each mapping */
    char *shared;      /* mapping A */
    char *private_;    /* mapping B */
    struct freeze freeze;
    char name[256];
};

static inline void *arena_ptr(const struct arena *a, ref_t r) {
    return a->base + (uint64_t)r * REF_UNIT;
}
static inline ref_t arena_ref(const struct arena *a, const void *p) {
    return (ref_t)((uint64_t)((const char *)p - a->base) / REF_UNIT);
}
static inline struct arena_super *arena_super(const struct arena *a) {
    return (struct arena_super *)(void *)a->base;
}

/* Whether it keeps no instant: then a write costs no copy of its page. */
static inline bool arena_is_live(const struct arena *a) {
    return a->freeze.phase == ARENA_LIVE;
}

/* Around every change of what lies in the arena; they nest. A worker that dies in between leaves an
 * arena that nobody trusts. */
static inline void arena_enter(const struct arena *a) {
    arena_super(a)->busy++;
}
static inline void arena_leave(const struct arena *a) {
    arena_super(a)->busy--;
}

/* Takes over `fd`, an open and empty shared-memory object called `name`; reserves `max_size` bytes
 * of address space twice and lays out an empty heap. ST_SHM_SPACE, ST_SHM_MAP; `fd` is closed then,
 * as arena_close does. */
status arena_create(struct arena *a, int fd, const char *name, uint64_t max_size,
                    const uint8_t seed[16]);
/* Maps an existing object that arena_create laid out. ST_SHM_FORMAT when magic or layout differ,
 * when it is too short, or when its page table does not hold together. Takes a few ms for 32 GiB.
 * `fd` is closed when it fails; nothing is written. */
status arena_attach(struct arena *a, int fd, const char *name);
/* Maps an existing object for reading only: refs can be followed, nothing can be allocated. Takes
 * over `fd`, also when it fails. ST_SHM_FORMAT, ST_SHM_MAP. */
status arena_view(struct arena *a, int fd, const char *name);
/* Unmaps and closes; the object itself stays until someone unlinks it. Harmless when done already.
 */
void arena_close(struct arena *a);
/* Makes the object at least `size` bytes. For the heap only. */
status arena_grow(struct arena *a, uint64_t size);
/* `bytes` of the object (of none: -1) at an address that page tables can be moved to and from as
 * wholes. NULL: there is no address space. For freeze.c. */
char *map_aligned(int fd, uint64_t bytes, int flags);
/* Gives memory to the hole [from, to) of the object, all or nothing. For the heap only. */
status arena_back(struct arena *a, uint64_t from, uint64_t to);

#endif
