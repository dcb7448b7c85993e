/* replay.c - executing the commands of an append-only file (core_files.h).
 *
 * The file is mapped, and commands are executed in slices, so that the event loop runs between
 * them. Nothing expires meanwhile, since the clock of the engine stands at zero: what expired while
 * the file was written has its DEL in it. MULTI ... EXEC is executed only when all of it is there.
 * Commands of Python are left to the caller. `valid` is always a place at which the file may be
 * cut.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cmd/fieldset.h"
#include "cmd/propagate.h"
#include "cmd/registry.h"
#include "core_files.h"
#include "db/clock.h"
#include "mem/fault.h"
#include "mem/share.h"
#include "net/redo.h"
#include "net/replay.h"
#include "persist/aof_read.h"

#define CLOCK_EVERY 64u /* commands between two looks at the clock */
#define SAY_ERRORS 16u  /* errors of commands that are said one by one */
#define SHOWN 64        /* bytes of a name in a message */

struct replay {
    struct engine *eng;
    struct aof_reader reader;
    int db;
    size_t valid;
    size_t exec_at;  /* where the EXEC of the present block begins; 0: outside of one */
    bool skip_block; /* the present or next block does not count */
    struct str part; /* that #TXN line, until its block is executed; .p NULL: none */
    size_t note_at;  /* a #TXN line right before this item begins here; SIZE_MAX: there is none */
    struct reply out;
    struct fieldset *fieldsets;
    uint64_t commands, errors, skipped;
    char **dropped; /* ids of commands of several workers that do not count, sorted */
    size_t dropped_n;
    char text[256];
};

/* --- life --- */

struct replay *replay_new(struct engine *eng, int fd, uint64_t offset, int *error) {
    struct stat file;
    *error = EINVAL;
    if (fstat(fd, &file)) {
        *error = errno;
        return NULL;
    }
    size_t n = (size_t)file.st_size;
    if (offset > n) return NULL;
    char *p = n ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (p == MAP_FAILED) {
        *error = errno;
        return NULL;
    }
    if (n) madvise(p, n, MADV_SEQUENTIAL);
    struct replay *l = calloc(1, sizeof *l);
    ASSERT(l);
    l->eng = eng;
    l->valid = (size_t)offset;
    l->note_at = SIZE_MAX;
    aof_reader_init(&l->reader, p, n, (size_t)offset);
    *error = 0;
    return l;
}

void replay_delete(struct replay *l) {
    if (!l) return;
    if (l->reader.n) munmap((void *)(uintptr_t)l->reader.p, l->reader.n);
    aof_reader_free(&l->reader);
    fieldset_drop_all(&l->fieldsets);
    for (size_t i = 0; i < l->dropped_n; i++) free(l->dropped[i]);
    free(l->dropped);
    free(l->out.p);
    free(l);
}

static int compare_ids(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void replay_drop(struct replay *l, const char *id) {
    l->dropped = realloc(l->dropped, (l->dropped_n + 1) * sizeof *l->dropped);
    ASSERT(l->dropped);
    l->dropped[l->dropped_n] = strdup(id);
    ASSERT(l->dropped[l->dropped_n]);
    l->dropped_n++;
    qsort(l->dropped, l->dropped_n, sizeof *l->dropped, compare_ids);
}

/* --- parts of commands of several workers --- */

/* The id of a line "TXN <id> <part>/<parts>[ empty]"; false: it is another line. */
static bool part_id(struct str line, char id[64]) {
    if (line.n < 5 || memcmp(line.p, "TXN ", 4)) return false;
    const char *p = line.p + 4, *end = memchr(p, ' ', line.n - 4);
    size_t n = end ? (size_t)(end - p) : 0;
    if (!n || n >= 64) return false;
    memcpy(id, p, n);
    id[n] = '\0';
    return true;
}

static bool part_is_empty(struct str line) {
    return line.n > 6 && !memcmp(line.p + line.n - 6, " empty", 6);
}

static void note_line(struct replay *l) {
    struct str line = l->reader.argv[0];
    char id[64], *key = id;
    l->note_at = SIZE_MAX;
    l->part = (struct str){ NULL, 0 };
    if (l->exec_at) return;
    if (part_is_empty(line) || (line.n > 9 && !memcmp(line.p, "TXN-SEEN ", 9)))
        redo_note_logged(l->eng, line);
    if (!part_id(line, id) || part_is_empty(line)) return;
    l->part = line;
    l->note_at = l->reader.start;
    l->skip_block =
        l->dropped_n && bsearch(&key, l->dropped, l->dropped_n, sizeof *l->dropped, compare_ids);
    l->skipped += l->skip_block;
}

/* --- executing --- */

static int shown(struct str s) {
    return (int)(s.n < SHOWN ? s.n : SHOWN);
}

static void note_error(struct replay *l) {
    struct str name = l->reader.argv[0];
    if (!l->out.n || l->out.p[0] != '-' || l->errors++ >= SAY_ERRORS) return;
    size_t skip = l->out.n > 5 && !memcmp(l->out.p, "-ERR ", 5) ? 5 : 0;
    size_t n = l->out.n - 2 - skip;
    engine_say(
        l->eng, SAY_WARNING,
        "== CRITICAL == This server is sending an error to its AOF-loading-client: '%.*s' after "
        "processing the command '%.*s' (at offset %zu)",
        (int)(n < 200 ? n : 200), l->out.p + skip, shown(name), name.p, l->reader.start);
}

static bool needs_clock(int argc, const struct str *argv) {
    struct str name = argv[0];
    if (str_is(name, "EXPIRE") || str_is(name, "PEXPIRE") || str_is(name, "SETEX") ||
        str_is(name, "PSETEX") || str_is(name, "HEXPIRE") || str_is(name, "HPEXPIRE"))
        return true;
    if (!str_is(name, "SET") && !str_is(name, "GETEX") && !str_is(name, "HSETEX") &&
        !str_is(name, "HGETEX") && !str_is(name, "MSETEX"))
        return false;
    for (int i = 2; i < argc; i++)
        if (str_is(argv[i], "EX") || str_is(argv[i], "PX")) return true;
    return false;
}

void replay_set_clock(struct engine *eng, int argc, const struct str *argv) {
    eng->now_ms = needs_clock(argc, argv) ? eng->now_us / 1000 : 0;
}

static void run(struct replay *l, const struct command_row *row) {
    struct engine *eng = l->eng;
    l->out.n = 0;
    l->out.errored = false;
    l->out.resp = 2;
    struct call c = { .eng = eng,
                      .out = &l->out,
                      .cmd = &row->cmd,
                      .fieldsets = &l->fieldsets,
                      .argc = l->reader.argc,
                      .argv = l->reader.argv,
                      .db = l->db,
                      .quiet = true,
                      .replayed = true };
    replay_set_clock(eng, c.argc, c.argv);
    share_begin(&eng->arena);
    arena_enter(&eng->arena);
    row->cmd.fn(&c);
    arena_leave(&eng->arena);
    share_end(&eng->arena);
    replay_stop_clock(eng);
    call_flush_propagation(&c);
    reply_settle(&l->out);
    if (UNLIKELY(l->out.errored)) note_error(l);
}

static void refuse(struct replay *l, const char *line) {
    l->out.n = 0;
    reply_error(&l->out, line);
    note_error(l);
}

static void select_db(struct replay *l) {
    int64_t db;
    if (l->reader.argc != 2 || !str_to_i64(l->reader.argv[1], &db))
        refuse(l, "ERR invalid DB index");
    else if (db < 0 || db >= l->eng->databases)
        refuse(l, "ERR DB index is out of range");
    else
        l->db = (int)db;
}

/* Looks for the EXEC of the MULTI just read; false: the file ends before, or goes bad. */
static enum aof_item find_exec(struct replay *l) {
    size_t begin = l->reader.start, body = l->reader.at;
    enum aof_item item;
    while ((item = aof_next(&l->reader)) == AOF_COMMAND || item == AOF_LINE)
        if (item == AOF_COMMAND && l->reader.argc == 1 && str_is(l->reader.argv[0], "EXEC")) break;
    if (item == AOF_END || (item == AOF_LINE && l->reader.unfinished)) {
        snprintf(l->reader.why, sizeof l->reader.why, "Reached EOF before reading EXEC for MULTI");
        l->reader.why_at = l->reader.n;
        item = AOF_TORN;
    }
    if (item == AOF_COMMAND) l->exec_at = l->reader.start;
    if (item != AOF_BAD) aof_seek(&l->reader, item == AOF_COMMAND ? body : begin);
    return item;
}

static int unknown(struct replay *l) {
    struct str name = l->reader.argv[0];
    snprintf(l->text, sizeof l->text, "%.*s", shown(name), name.p);
    return REPLAY_UNKNOWN;
}

static const struct command_row *find_row(struct replay *l) {
    const struct command_row *row = registry_find(l->eng->registry, l->reader.argv[0]);
    if (row && row->cmd.flags & CMD_CONTAINER && l->reader.argc > 1)
        row = registry_find_sub(l->eng->registry, row, l->reader.argv[1]);
    return row && strchr(row->cmd.name, '|') && l->reader.argc < 2 ? NULL : row;
}

static bool right_arity(const struct command_row *row, int argc) {
    return row->cmd.arity >= 0 ? argc == row->cmd.arity : argc >= -row->cmd.arity;
}

/* A command that was read; REPLAY_MORE when it is done with. */
static int carry_out(struct replay *l) {
    struct aof_reader *r = &l->reader;
    struct str name = r->argv[0];
    if (l->exec_at && r->start == l->exec_at) {
        if (l->part.p && !l->skip_block) redo_note_logged(l->eng, l->part);
        l->part = (struct str){ NULL, 0 };
        l->exec_at = 0;
        l->skip_block = false;
        return REPLAY_MORE;
    }
    if (str_is(name, "SELECT")) {
        select_db(l);
        return REPLAY_MORE;
    }
    if (str_is(name, "MULTI")) {
        enum aof_item item = l->exec_at ? AOF_COMMAND : find_exec(l);
        return item == AOF_COMMAND ? REPLAY_MORE : item == AOF_TORN ? REPLAY_TORN : REPLAY_BAD;
    }
    if (l->exec_at && l->skip_block) return REPLAY_MORE;
    if (str_is(name, "EXEC")) {
        refuse(l, "ERR EXEC without MULTI");
        return REPLAY_MORE;
    }
    const struct command_row *row = find_row(l);
    if (!row) return unknown(l);
    l->commands++;
    FAULT("replay.command");
    if (!right_arity(row, r->argc))
        refuse(l, "ERR wrong number of arguments");
    else if (row->cmd.fn)
        run(l, row);
    else if (!(row->cmd.flags & CMD_CONTAINER))
        return REPLAY_CALL;
    return REPLAY_MORE;
}

/* The item is done with: outside of a block, the file may be cut behind it. */
static void settle(struct replay *l, enum aof_item item) {
    if (item == AOF_LINE) {
        note_line(l);
        if (l->note_at == SIZE_MAX && !l->exec_at) l->valid = l->reader.at;
        return;
    }
    l->note_at = SIZE_MAX;
    if (!l->exec_at) l->valid = l->reader.at;
}

static int one(struct replay *l) {
    enum aof_item item = aof_next(&l->reader);
    int outcome = REPLAY_MORE;
    if (item == AOF_END) return l->note_at == SIZE_MAX ? REPLAY_DONE : REPLAY_TORN;
    if (item == AOF_TORN || (item == AOF_LINE && l->reader.unfinished)) return REPLAY_TORN;
    if (item == AOF_BAD || (item == AOF_COMMAND && !l->reader.argc)) return REPLAY_BAD;
    if (item == AOF_COMMAND) outcome = carry_out(l);
    if (outcome == REPLAY_MORE || outcome == REPLAY_CALL) settle(l, item);
    return outcome;
}

int replay_step(struct replay *l, uint64_t budget_us) {
    struct engine *eng = l->eng;
    uint64_t until_us = clock_monotonic_us() + budget_us;
    int outcome = REPLAY_MORE;
    engine_tick_clock(eng);
    eng->now_ms = 0;
    for (unsigned n = 0; outcome == REPLAY_MORE; n++) {
        if (n % CLOCK_EVERY == CLOCK_EVERY - 1 && clock_monotonic_us() > until_us) break;
        outcome = one(l);
    }
    engine_tick_clock(eng);
    return outcome;
}

/* --- for the caller --- */

int replay_argc(const struct replay *l) {
    return l->reader.argc;
}

const char *replay_argv(const struct replay *l, int i, size_t *n) {
    *n = l->reader.argv[i].n;
    return l->reader.argv[i].p;
}

void replay_info(const struct replay *l, struct replay_info *out) {
    *out = (struct replay_info){ .at = l->reader.at,
                                 .size = l->reader.n,
                                 .valid = l->valid,
                                 .commands = l->commands,
                                 .errors = l->errors,
                                 .skipped = l->skipped,
                                 .db = l->db };
    snprintf(out->text, sizeof out->text, "%s", l->text[0] ? l->text : l->reader.why);
}
