/* busy.c - serving sockets in the middle of a script. */
#include "net/busy.h"

#include <sys/epoll.h>

#include "core_workers.h"
#include "net/dispatch.h"
#include "net/hub.h"
#include "net/poll.h"
#include "net/session.h"

/* What a state is told by; NULL: nothing runs for long. */
static const char *busy_error(unsigned state) {
    if (!(state & SCRIPT_BUSY)) return NULL;
    return state & SCRIPT_IS_FUNCTION ? BUSY_FUNCTION_ERROR : BUSY_ERROR;
}

bool busy_allows(struct engine *eng, struct command_row *row, struct reply *out) {
    if (!eng->hub->busy || row->cmd.flags & CMD_ALLOW_BUSY) return true;
    return dispatch_refuse(eng, row, out, busy_error(eng->hub->busy_state));
}

static _Atomic uint32_t *mark_of(const struct engine *eng, int worker) {
    return &eng->remote->links->control->worker[worker].script;
}

/* What others see; a wish to end the script stays. */
static void show(struct engine *eng, unsigned state) {
    eng->hub->busy_state = state;
    if (!eng->remote) return;
    _Atomic uint32_t *mark = mark_of(eng, eng->worker);
    uint32_t old = atomic_load(mark);
    while (!atomic_compare_exchange_weak(mark, &old, state ? state | (old & SCRIPT_KILL) : 0)) {
    }
}

static struct busy_buffers fresh(void) {
    struct busy_buffers b = { .input = malloc(HUB_INPUT_BYTES) };
    ASSERT(b.input);
    resp_init(&b.parser);
    return b;
}

/* The hub's buffers against the others; the same again brings them back. */
static void exchange(struct hub *hub) {
    struct busy_buffers mine = { hub->input,   hub->parser,    hub->reply,
                                 hub->pushes,  hub->current,   hub->ready,
                                 hub->ready_n, hub->ready_cap, hub->ready_at };
    struct busy_buffers *b = hub->aside;
    hub->input = b->input;
    hub->parser = b->parser;
    hub->reply = b->reply;
    hub->pushes = b->pushes;
    hub->current = b->current;
    hub->ready = b->ready;
    hub->ready_n = b->ready_n;
    hub->ready_cap = b->ready_cap;
    hub->ready_at = b->ready_at;
    *b = mine;
}

void busy_delete(struct hub *hub) {
    if (!hub->aside) return;
    resp_free(&hub->aside->parser);
    free(hub->aside->input);
    free(hub->aside->reply.p);
    free(hub->aside->pushes.p);
    free(hub->aside->ready);
    free(hub->aside);
}

void engine_busy_begin(struct engine *eng, bool function, bool wrote) {
    struct hub *hub = eng->hub;
    show(eng, SCRIPT_BUSY | (function ? SCRIPT_IS_FUNCTION : 0u) | (wrote ? SCRIPT_WROTE : 0u));
    if (!hub->aside) {
        hub->aside = malloc(sizeof *hub->aside);
        ASSERT(hub->aside);
        *hub->aside = fresh();
    }
    if (eng->unlogged)
        turn_log(eng); /* of commands before it: their replies, and these, may leave */
    hub->busy = true;
    exchange(hub);
    hub->busy_now_ms = eng->now_ms;
    hub->busy_now_us = eng->now_us;
}

void engine_busy_end(struct engine *eng) {
    struct hub *hub = eng->hub;
    exchange(hub);
    hub->busy = false;
    eng->now_ms = hub->busy_now_ms;
    eng->now_us = hub->busy_now_us;
}

int engine_busy_poll(struct engine *eng) {
    poll_while_busy(eng);
    return eng->hub->ready_n ? DRAIN_READY : 0;
}

uint64_t engine_busy_client(const struct engine *eng) {
    const struct session *s = eng->hub->aside ? eng->hub->aside->current : NULL;
    return eng->hub->busy && s ? s->id : 0;
}

void engine_busy_over(struct engine *eng) {
    show(eng, 0);
}

/* --- ending scripts --- */

bool engine_busy_wanted(struct engine *eng) {
    if (!eng->remote) return false;
    return atomic_fetch_and(mark_of(eng, eng->worker), ~(uint32_t)SCRIPT_KILL) & SCRIPT_KILL;
}

int engine_busy_kill(struct engine *eng, bool function) {
    int found = BUSY_NONE;
    for (int w = 0; eng->remote && w < eng->workers; w++) {
        unsigned state = busy_state(eng->remote, w);
        if (w == eng->worker || !(state & SCRIPT_BUSY)) continue;
        if (!(state & SCRIPT_IS_FUNCTION) != !function) {
            if (found == BUSY_NONE) found = BUSY_OTHER;
        } else if (state & SCRIPT_WROTE) {
            if (found != BUSY_KILLED) found = BUSY_UNKILLABLE;
        } else {
            atomic_fetch_or(mark_of(eng, w), SCRIPT_KILL);
            found = BUSY_KILLED;
        }
    }
    return found;
}
