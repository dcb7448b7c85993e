/* hub.c - the shared buffers of a worker's sessions. */
#include "net/hub.h"

#include <unistd.h>

#include "core_workers.h"
#include "db/engine.h"

struct hub *hub_new(void) {
    struct hub *hub = calloc(1, sizeof *hub);
    ASSERT(hub);
    hub->input = malloc(HUB_INPUT_BYTES);
    ASSERT(hub->input);
    resp_init(&hub->parser);
    hub->poll_fd = -1;
    for (int i = 0; i < INSIDE_DEPTH; i++) resp_init(&hub->inside[i].parser);
    return hub;
}

void hub_note_ready(struct hub *hub, uint64_t session, int outcome) {
    if (hub->ready_n == hub->ready_cap) {
        hub->ready_cap = hub->ready_cap ? 2 * hub->ready_cap : 64;
        hub->ready = realloc(hub->ready, hub->ready_cap * sizeof *hub->ready);
        ASSERT(hub->ready);
    }
    hub->ready[hub->ready_n++] = (struct ready){ session, outcome };
}

bool engine_next_ready(struct engine *eng, uint64_t *session_id, int *outcome) {
    struct hub *hub = eng->hub;
    if (hub->ready_at == hub->ready_n) {
        hub->ready_at = hub->ready_n = 0;
        return false;
    }
    *session_id = hub->ready[hub->ready_at].session;
    *outcome = hub->ready[hub->ready_at++].outcome;
    return true;
}

void hub_delete(struct hub *hub) {
    if (!hub) return;
    resp_free(&hub->parser);
    free(hub->reply.p);
    free(hub->pushes.p);
    free(hub->monitors.sessions);
    free(hub->monitors.line.p);
    free(hub->input);
    free(hub->ready);
    free(hub->turn.touched);
    busy_delete(hub);
    free(hub->inside_words.p);
    free(hub->script);
    for (int i = 0; i < INSIDE_DEPTH; i++) {
        resp_free(&hub->inside[i].parser);
        free(hub->inside[i].reply.p);
    }
    if (hub->poll_fd >= 0) close(hub->poll_fd);
    free(hub);
}
