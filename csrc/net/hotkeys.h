/* hotkeys.h - which keys take most of the processor's time and of the network: HOTKEYS.
 *
 * While a session is on, each command that has keys and was executed for a client is counted here:
 * its time, its bytes as request and reply, in equal shares for its keys. Each worker counts what
 * it executes; Python adds.
 *
 * Owns      what hangs at engine.hotkeys: made by the start of a session, kept until the reset.
 * Callers   whoever measures commands; Python by the functions of core.h.
 * Promises  without a session a command costs one comparison.
 */
#ifndef SHMREDIS_HOTKEYS_H
#define SHMREDIS_HOTKEYS_H

#include "cmd/call.h"

/* A command that has been executed. */
struct hot_command {
    const struct command *cmd;
    int argc;
    const struct str *argv;
    uint64_t ns;
    uint64_t bytes; /* of request and reply */
};

/* Bytes of a request with these arguments. */
size_t hotkeys_request_bytes(int argc, const struct str *argv);
void hotkeys_add(struct engine *eng, const struct hot_command *hot);
/* A command has run: its reply is in c->out behind `mark`. */
void hotkeys_add_call(const struct call *c, size_t mark, uint64_t ns);
static inline void hotkeys_note(const struct call *c, size_t mark, uint64_t ns) {
    if (UNLIKELY(c->eng->hotkeys != NULL)) hotkeys_add_call(c, mark, ns);
}

#endif
