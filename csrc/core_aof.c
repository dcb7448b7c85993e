/* core_aof.c - the append-only file as Python sees it (core.h). */
#include "net/cross.h"
#include "net/stage.h"
#include "net/turn.h"
#include "persist/aof.h"

int engine_aof_open(struct engine *eng, int fd, uint64_t seq, uint64_t size) {
    return aof_open(eng->aof, fd, seq, size);
}

int engine_aof_prepare(struct engine *eng, int fd, uint64_t seq, uint64_t size) {
    return aof_prepare(eng->aof, fd, seq, size);
}

int engine_aof_close(struct engine *eng) {
    return aof_close(eng->aof);
}

int engine_aof_flush(struct engine *eng) {
    return aof_flush(eng->aof);
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

/* Whatever was committed before the returned position is executed here. */
static uint64_t catch_up(struct engine *eng) {
    if (!eng->remote) return 0;
    uint64_t position = commit_tail(eng->remote->links->control);
    stage_apply(eng->remote);
    return position;
}

static void claim(struct engine *eng, uint64_t position) {
    if (!eng->remote) return;
    aof_note(eng->aof, "TXN-SEEN %llx %llu", (unsigned long long)eng->remote->links->control->life,
             (unsigned long long)position);
}

void engine_aof_claim(struct engine *eng) {
    claim(eng, catch_up(eng));
    turn_log(eng);
}

/* The claim is the first line of the new file; what it claims is in the old one. */
int engine_aof_instant(struct engine *eng) {
    uint64_t position = catch_up(eng);
    int error = aof_instant(eng->aof);
    if (!error) claim(eng, position);
    return error;
}
