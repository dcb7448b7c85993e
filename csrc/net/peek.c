/* peek.c - which reads are served without a hop, and from what. */
#include "net/peek.h"

#include "db/evict.h"
#include "db/peek.h"
#include "net/cross.h"
#include "net/tracking.h"

#define TRIES 4
#define PAUSES 64      /* a command's change is seldom longer */
#define PENDINGS_MAX 8 /* looked at; more is a client that does not wait for its replies */
#define TOUCH_S 60u
#define TOUCH_LIMITED_S 5u
#define CLOCK_SIGN 0x800000u /* of a difference of two clocks of 24 bits */

struct peeks {
    char *memory; /* of db/peek.h */
    char *base;   /* the engine's own, meanwhile */
};

struct peeks *peeks_new(void) {
    struct peeks *p = calloc(1, sizeof *p);
    ASSERT(p);
    p->memory = peek_memory_new();
    return p;
}

void peeks_delete(struct peeks *p) {
    free(p->memory);
    free(p);
}

void peek_begin(struct remote *r) {
    r->peeks->base = r->eng->arena.base;
    r->eng->arena.base = r->peeks->memory;
}

void peek_end(struct remote *r) {
    r->eng->arena.base = r->peeks->base;
}

/* --- whether --- */

/* The session has something on the way to that worker, or so much that nobody wants to know. */
static bool awaits(const struct session *s, int owner) {
    int seen = 0;
    for (const struct pending *p = s->pendings; p; p = p->next)
        if (p->worker == owner || ++seen > PENDINGS_MAX) return true;
    return false;
}

static bool sets_clock(const struct session *s, const struct command_row *row) {
    return row->copied & COPIED_TOUCHES && !(s->flags & SESSION_NO_TOUCH);
}

static bool may_peek(const struct remote *r, const struct session *s, const struct command_row *row,
                     int owner) {
    if (policy_is_lfu(r->eng) && sets_clock(s, row)) return false;
    return !tracking_reads(s) && !awaits(s, owner);
}

/* The access is too late after the last one not to be noted. */
static bool is_stale(const struct engine *eng, const struct entry *e) {
    uint32_t age = (eng->lru_clock - entry_clock(e)) & (2 * CLOCK_SIGN - 1);
    uint32_t limit = eng->config.maxmemory ? TOUCH_LIMITED_S : TOUCH_S;
    return age > limit && age < CLOCK_SIGN && !policy_is_lrm(eng);
}

/* What was copied is all that the command needs to know. */
static bool is_enough(const struct remote *r, const struct session *s,
                      const struct command_row *row, enum peek_result result) {
    const struct engine *eng = r->eng;
    if (result == PEEK_MISSING) return !(eng->config.notify_events & NOTIFY_KEY_MISS);
    if (result != PEEK_FOUND) return false;
    const struct entry *e = peek_entry(r->peeks->memory);
    if (key_expired(eng, e) || entry_flags(e) & ENTRY_FIELD_TTL) return false;
    return !sets_clock(s, row) || !is_stale(eng, e);
}

/* --- copying --- */

/* One try; PEEK_MOVED: the arena was being changed. */
static enum peek_result copy_key(struct remote *r, int owner, int db, struct str name, bool value) {
    struct share_reader reader;
    enum peek_result result = PEEK_UNFIT;
    enum share_state state = share_enter(&reader, r->eng->arena.sharing, owner);
    if (state == SHARE_CLOSED) return PEEK_UNFIT;
    if (state == SHARE_BUSY) {
        share_wait(r->eng->arena.sharing, owner, PAUSES);
        return PEEK_MOVED;
    }
    reader.arena = cross_view(r, owner);
    if (reader.arena) result = peek_key(&reader, db, name, value, r->peeks->memory);
    share_leave(&reader);
    return result;
}

void peek_load_ahead(struct remote *r, int owner, int db, const struct str *keys, int n) {
    struct share_reader reader;
    if (share_enter(&reader, r->eng->arena.sharing, owner) != SHARE_OPEN) return;
    reader.arena = cross_view(r, owner);
    if (reader.arena) peek_load(&reader, db, keys, n);
    share_leave(&reader);
}

bool peek_take(struct remote *r, const struct session *s, const struct command_row *row, int owner,
               int argc, const struct str *argv) {
    bool value = row->copied & COPIED_VALUE, enough = false;
    if (!row->only_key && argc > row->copied_key + 1) return false; /* EXISTS of several */
    if (may_peek(r, s, row, owner)) {
        enum peek_result result = PEEK_MOVED;
        for (int tries = 0; tries < TRIES && result == PEEK_MOVED; tries++) {
            result = copy_key(r, owner, s->db, argv[row->copied_key], value);
            r->stats.peeks_again += result == PEEK_MOVED;
        }
        enough = is_enough(r, s, row, result);
    }
    if (enough)
        r->stats.peeks++;
    else
        r->stats.peeks_hopped++;
    return enough;
}
