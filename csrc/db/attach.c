/* attach.c - the checks before an arena is taken over, and what is noted for those after. */
#include "db/attach.h"

#include <stdarg.h>
#include <unistd.h>

#include "db/keyspace.h"
#include "mem/seal.h"
#include "mem/share.h"

__attribute__((format(printf, 2, 3))) static bool refuse(struct attach_report *out,
                                                         const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(out->why, sizeof out->why, format, args);
    va_end(args);
    return false;
}

/* Reasons that a look at the superblock gives, before anything is mapped. */
static bool head_allows(int fd, const struct attach_terms *terms, struct attach_report *out) {
    struct arena_super head;
    if (pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head || head.magic != ARENA_MAGIC)
        return refuse(out, "it is no arena");
    if (head.layout != ARENA_LAYOUT)
        return refuse(out, "its layout is version %u and not %u", head.layout, ARENA_LAYOUT);
    if (!arena_stamp_is_good(&head)) return refuse(out, "its superblock is damaged");
    if (head.frozen == ARENA_THAWING)
        return refuse(out,
                      "its worker ended while what had changed since a snapshot returned to it");
    if (head.busy) return refuse(out, "its worker ended inside a command");
    if (head.slot_first != terms->slot_first || head.slot_last != terms->slot_last)
        return refuse(out, "its slots are %d-%d and not %d-%d", head.slot_first, head.slot_last,
                      terms->slot_first, terms->slot_last);
    if ((int64_t)head.databases > terms->databases)
        return refuse(out, "it has %u databases and not %d", head.databases, terms->databases);
    return true;
}

static struct file_mark file_mark(const struct arena_file *f) {
    return (struct file_mark){ f->inode, f->size, f->mtime_ns };
}

static void describe(const struct engine *eng, struct attach_report *out) {
    const struct arena_super *super = arena_super(&eng->arena);
    out->has_guests = super->guests;
    out->print = super->print;
    out->rdb = file_mark(&super->rdb);
    out->aof = file_mark(&super->aof);
    out->aof_seq = super->aof_seq;
    out->aof_position = super->aof_position;
    out->aof_ahead = super->aof_ahead;
    out->generation = super->generation;
    out->keys = keyspace_total(eng);
}

/* The seal is looked at before anything is written: attaching counts the generation. */
static bool seal_allows(const struct arena *a, seal_hash_fn hash, struct attach_report *out) {
    enum seal seal = arena_seal_state(a, hash);
    if (seal == SEAL_BAD) return refuse(out, "its checksum is wrong");
    out->sealed = seal == SEAL_GOOD;
    return true;
}

bool attach_arena(struct engine *eng, int fd, const char *name, const struct attach_terms *terms,
                  struct attach_report *out) {
    struct arena *a = &eng->arena;
    a->fd = fd; /* whatever happens, arena_close closes it */
    if (!head_allows(fd, terms, out)) return false;
    status st = arena_attach(a, fd, name);
    if (st != ST_OK) return refuse(out, "its page table is damaged");
    if (!seal_allows(a, terms->xxh3, out)) return false;
    out->frozen = arena_super(a)->frozen == ARENA_FROZEN;
    if (out->frozen) engine_load_begin(eng);
    arena_super(a)->frozen = ARENA_LIVE;
    arena_break_seal(a);
    arena_super(a)->generation++;
    st = keyspace_attach(eng, terms->databases);
    if (st == ST_ARENA_FULL) return refuse(out, "it has no room for more databases");
    if (st != ST_OK) return refuse(out, "its roots are damaged");
    describe(eng, out);
    return true;
}

void engine_set_slots(struct engine *eng, uint16_t first, uint16_t last) {
    arena_super(&eng->arena)->slot_first = first;
    arena_super(&eng->arena)->slot_last = last;
    arena_stamp(&eng->arena);
}

static struct arena_file arena_file(const struct file_mark *f) {
    return (struct arena_file){ f->inode, f->size, f->mtime_ns };
}

void engine_note_files(struct engine *eng, uint64_t print, const struct file_mark *rdb,
                       const struct file_mark *aof) {
    struct arena_super *super = arena_super(&eng->arena);
    super->print = print;
    super->rdb = arena_file(rdb);
    super->aof = arena_file(aof);
}

void engine_load_begin(struct engine *eng) {
    share_shut(&eng->arena, SHARE_LOADING);
    arena_enter(&eng->arena);
}

void engine_load_end(struct engine *eng) {
    share_open(&eng->arena, SHARE_LOADING);
    arena_leave(&eng->arena);
}

void engine_seal(struct engine *eng) {
    arena_seal(&eng->arena, eng->hooks.xxh3);
}
