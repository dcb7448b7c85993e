/* core_acl.c - users as Python sees them (core_session.h): who sessions are, checking, hearing of
 * refusals.
 */
#include "core_session.h"

#include "net/access.h"
#include "net/acl.h"
#include "net/pubsub.h"
#include "net/session.h"

void engine_set_default_user(struct engine *eng, struct acl_user *u) {
    acl_user_keep(u);
    acl_user_release(eng->user);
    eng->user = u;
}

void session_set_user(struct session *s, struct acl_user *u) {
    acl_user_keep(u);
    acl_user_release(s->user);
    s->user = u;
    s->flags &= ~(uint32_t)SESSION_RESTRICTED;
    if (u && !u->free) s->flags |= SESSION_RESTRICTED;
}

void engine_set_denied(struct engine *eng,
                       void (*denied)(uint64_t session_id, const struct acl_event *event)) {
    eng->hooks.denied = denied;
}

static bool may_receive(const void *user, enum channel_kind kind, struct str name) {
    return acl_may_receive(user, name, kind == PATTERN);
}

bool session_may_listen(const struct session *s) {
    return access_is_free(s) || pubsub_all(s, may_receive, s->user);
}

/* The row, or NULL with a code of acl_user_check. */
static struct command_row *resolve(struct engine *eng, int argc, const struct str *argv,
                                   int *code) {
    bool known = argc && registry_is_known(eng->registry, argv[0]);
    struct command_row *row = known ? registry_find(eng->registry, argv[0]) : NULL;
    bool whole = row && strchr(row->cmd.name, '|'); /* "CONFIG|GET" is no name of a command */
    if (row && row->cmd.flags & CMD_CONTAINER && argc > 1)
        row = registry_find_sub(eng->registry, row, argv[1]);
    *code = -1;
    if (!row || whole) return NULL;
    *code = -2;
    int arity = row->cmd.arity;
    return (arity >= 0 ? argc == arity : argc >= -arity) ? row : NULL;
}

int acl_user_check(struct engine *eng, const struct acl_user *u, int argc, const char *const *argv,
                   const size_t *argn, int *row, int *at) {
    int code;
    struct str *args = malloc(((size_t)argc + 1) * sizeof *args);
    ASSERT(args);
    for (int i = 0; i < argc; i++) args[i] = (struct str){ argv[i], argn[i] };
    struct command_row *found = resolve(eng, argc, args, &code);
    if (found) {
        struct acl_request q = { found, argc, args };
        struct acl_finding f = u ? acl_check(u, &q) : (struct acl_finding){ ACL_ALLOWED, 0 };
        code = (int)f.verdict;
        *row = found->index;
        *at = f.at;
    }
    free(args);
    return code;
}
