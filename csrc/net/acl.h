/* acl.h - users: which commands, keys and channels each may use.
 *
 * A user has selectors; a command is allowed when one of them allows all of it: the command itself,
 * its keys for what it does to them, its channels. Python has the rules as they are written and
 * hands down here what follows from them (core_session.h, acl_user_…). A user who may do everything
 * is `free`: nothing of him is ever looked at.
 *
 * Owns      users (malloc, counted references: sessions, the engine, Python's table).
 * Promises  a check costs the keys of the command times the patterns of the user, and each match at
 *           most pattern times key (cmd/glob.c). It allocates only for more than 16 keys.
 */
#ifndef SHMREDIS_ACL_H
#define SHMREDIS_ACL_H

#include "cmd/registry.h"
#include "core_session.h"
#include "db/engine.h"

#define ACL_WORDS 16 /* of 64 bits: one for each row that a registry can have */

struct acl_pattern {
    struct str text;      /* malloc */
    unsigned permissions; /* of keys: enum acl_permission */
};
struct acl_patterns {
    struct acl_pattern *at;
    int n;
};
/* A command that is allowed when argv[1] is this word. */
struct acl_first_arg {
    int row;
    struct str word; /* malloc */
};

struct acl_selector {
    uint64_t commands[ACL_WORDS]; /* by row index */
    bool all_keys, all_channels;
    struct acl_patterns keys, channels;
    struct acl_first_arg *first_args;
    int n_first_args;
};

struct acl_user {
    uint32_t references;
    bool free;
    bool skips_sanitizing; /* of RESTORE's payloads, sanitize-dump-payload clients */
    uint64_t number;       /* by which other workers know him */
    struct str name;       /* malloc */
    struct acl_selector *selectors;
    int n_selectors;
};

/* One command as it is to be checked. */
struct acl_request {
    const struct command_row *row;
    int argc;
    const struct str *argv;
};
/* What stands in the way; `at` is the argument that it is about. */
struct acl_finding {
    enum acl_verdict verdict;
    int at;
};

struct acl_finding acl_check(const struct acl_user *u, const struct acl_request *q);
/* Whether he may receive from a channel, or be subscribed to a pattern. */
bool acl_may_receive(const struct acl_user *u, struct str name, bool pattern);

struct acl_user *acl_user_keep(struct acl_user *u);
/* The user of this number; one who may do nothing if there is none, or not yet. */
const struct acl_user *acl_find(const struct engine *eng, uint64_t number);
void acl_delete(struct engine *eng);

#endif
