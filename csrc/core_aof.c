/* core_aof.c - the append-only file as Python sees it (core_files.h). */
#include "net/cross.h"
#include "net/redo.h"
#include "net/turn.h"
#include "persist/aof.h"

int engine_aof_open(struct engine *eng, int fd, uint64_t seq, uint64_t size) {
    return aof_open(eng->aof, fd, seq, size);
}

int engine_aof_close(struct engine *eng) {
    return aof_close(eng->aof);
}

int engine_aof_off(struct engine *eng) {
    if (eng->remote)
        aof_note(eng->aof, "TXN-OFF %llx", (unsigned long long)eng->remote->links->control->life);
    int error = aof_close(eng->aof);
    aof_forget(eng->aof);
    return error;
}

void engine_aof_info(const struct engine *eng, struct aof_info *out) {
    aof_info(eng->aof, out);
}

void engine_aof_note(struct engine *eng, const char *line) {
    aof_note(eng->aof, "%s", line);
    turn_log(eng);
}

bool engine_aof_busy(const struct engine *eng) {
    return eng->remote && cross_held(eng->remote);
}

static uint64_t catch_up(struct engine *eng) {
    return eng->remote ? redo_reached(eng->remote) : 0;
}

/* What claims all that was committed before; nothing for a single worker. */
static void claim_text(const struct engine *eng, uint64_t position, char *text, size_t size) {
    text[0] = '\0';
    if (!eng->remote) return;
    snprintf(text, size, "TXN-SEEN %llx %llu",
             (unsigned long long)eng->remote->links->control->life, (unsigned long long)position);
}

void engine_aof_claim(struct engine *eng) {
    char text[AOF_NOTE_MAX];
    claim_text(eng, catch_up(eng), text, sizeof text);
    if (text[0]) aof_note(eng->aof, "%s", text);
    turn_log(eng);
}

/* What is committed between here and the fork is not claimed, which is no harm. */
int engine_aof_prepare(struct engine *eng, int fd, uint64_t seq, uint64_t size) {
    char text[AOF_NOTE_MAX];
    claim_text(eng, catch_up(eng), text, sizeof text);
    return aof_prepare(eng->aof, fd, seq, size, text);
}

int engine_aof_instant(struct engine *eng) {
    return aof_instant(eng->aof);
}

static status take_database(struct engine *eng, const struct arena *from, int index) {
    const struct db *dbs = arena_ptr(from, arena_super(from)->roots[ROOT_DATABASES]);
    struct dict_iter it = { 0 };
    status st = ST_OK;
    for (ref_t r; st == ST_OK && (r = dict_next(from, &dbs[index].keys, &it));) {
        const struct entry *e = arena_ptr(from, r);
        struct key k;
        if (eng->workers > 1 && key_owner(entry_key(e), eng->workers) != eng->worker) continue;
        key_find(eng, index, entry_key(e), KEY_PEEK, &k);
        st = key_import(eng, from, e, &k);
    }
    return st;
}

int engine_take_keys(struct engine *eng, struct engine *from) {
    status st = ST_OK;
    uint64_t now_ms = eng->now_ms;
    eng->now_ms = 0; /* nothing expires on the way */
    share_begin(&eng->arena);
    arena_enter(&eng->arena);
    for (int i = 0; st == ST_OK && i < eng->databases && i < from->databases; i++)
        st = take_database(eng, &from->arena, i);
    arena_leave(&eng->arena);
    share_end(&eng->arena);
    eng->now_ms = now_ms;
    return (int)st;
}
