/* hub.c - the shared buffers of a worker's sessions. */
#include "net/hub.h"

struct hub *hub_new(void) {
    struct hub *hub = calloc(1, sizeof *hub);
    ASSERT(hub);
    hub->input = malloc(HUB_INPUT_BYTES);
    ASSERT(hub->input);
    resp_init(&hub->parser);
    return hub;
}

void hub_delete(struct hub *hub) {
    if (!hub) return;
    resp_free(&hub->parser);
    free(hub->reply.p);
    free(hub->input);
    free(hub);
}
