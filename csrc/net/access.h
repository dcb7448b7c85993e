/* access.h - whether a session may have a command executed: authentication and its user's rights.
 *
 * A client of a user who may do everything costs one test of two flags. Refusals are replied,
 * counted, and told to Python for ACL LOG. What is executed later than it came in (queued by MULTI,
 * waiting for a key) is checked once more then.
 */
#ifndef SHMREDIS_ACCESS_H
#define SHMREDIS_ACCESS_H

#include "cmd/registry.h"
#include "cmd/reply.h"
#include "net/dispatch.h"
#include "net/session.h"

/* The slow way of access_allow. */
bool access_judge(struct session *s, struct command_row *row, int argc, const struct str *argv,
                  struct reply *out);

/* A command that has just come in. False: it is refused, replied. */
static inline bool access_allow(struct session *s, struct command_row *row, int argc,
                                const struct str *argv, struct reply *out) {
    uint32_t asks = s->flags & (SESSION_AUTHENTICATED | SESSION_RESTRICTED);
    if (UNLIKELY(asks != SESSION_AUTHENTICATED) && !access_judge(s, row, argc, argv, out))
        return false;
    return dispatch_loaded(s->eng, row, LOADING_OTHERS, out);
}

static inline bool access_is_free(const struct session *s) {
    return LIKELY(!(s->flags & SESSION_RESTRICTED));
}
/* A queued command that EXEC comes to; one that has waited and is tried again. */
bool access_queued(struct session *s, struct command_row *row, int argc, const struct str *argv,
                   struct reply *out);
bool access_waited(struct session *s, struct command_row *row, int argc, const struct str *argv,
                   struct reply *out);
/* A command that a script runs; the error is worded for it. */
bool access_inside(const struct call *c, struct command_row *row, int argc, const struct str *argv,
                   struct reply *out);
/* Whose command it is; NULL: somebody's who may do everything. */
const struct acl_user *access_user(const struct call *c);
/* hooks.trusts: payloads of RESTORE need not be looked through for it. */
bool access_is_trusted(const struct session *s);
/* By which other workers know the session's user, if he is not free. */
uint64_t access_number(const struct session *s);

#endif
