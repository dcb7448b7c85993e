/* access.c - refusing commands. */
#include "net/access.h"

#include "net/acl.h"
#include "net/multi.h"
#include "net/pubsub.h"

/* --- what is said of a refusal --- */

/* The name as clients write it. */
static void lower_name(const struct command_row *row, char out[64]) {
    size_t i = 0;
    for (; row->cmd.name[i] && i < 63; i++) {
        char c = row->cmd.name[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    out[i] = '\0';
}

static const char *const sort_lines[] = {
    [ACL_NO_SORT_BY] = "ERR BY option of SORT denied due to insufficient ACL permissions.",
    [ACL_NO_SORT_GET] = "ERR GET option of SORT denied due to insufficient ACL permissions.",
};

/* The error line; malloc. */
static char *line_of(const struct session *s, const struct command_row *row,
                     enum acl_verdict verdict) {
    size_t size = s->user->name.n + 192;
    char *line = malloc(size), name[64];
    ASSERT(line);
    lower_name(row, name);
    if (verdict >= ACL_NO_SORT_BY)
        snprintf(line, size, "%s", sort_lines[verdict]);
    else if (verdict == ACL_NO_COMMAND)
        snprintf(line, size, "NOPERM User %s has no permissions to run the '%s' command",
                 s->user->name.p, name);
    else
        snprintf(line, size, "NOPERM No permissions to access a %s",
                 verdict == ACL_NO_KEY ? "key" : "channel");
    return line;
}

static const char *const queued_reasons[] = {
    [ACL_NO_COMMAND] = "no permission to execute the command or subcommand",
    [ACL_NO_KEY] = "no permission to touch the specified keys",
    [ACL_NO_CHANNEL] = "no permission to access one of the channels used as arguments",
};

static char *line_of_queued(const struct session *s, const struct command_row *row,
                            enum acl_verdict verdict) {
    if (verdict >= ACL_NO_SORT_BY) return line_of(s, row, verdict);
    char *line = malloc(320);
    ASSERT(line);
    snprintf(line, 320,
             "NOPERM ACLs rules changed between the moment the transaction was accumulated and the "
             "EXEC call. This command is no longer allowed for the following reason: %s",
             queued_reasons[verdict]);
    return line;
}

static void tell(struct session *s, const struct acl_request *q, struct acl_finding f) {
    char name[64];
    struct str object = q->argv[f.at];
    if (!s->eng->hooks.denied || f.verdict >= ACL_NO_SORT_BY) return;
    if (f.verdict == ACL_NO_COMMAND) {
        lower_name(q->row, name);
        object = (struct str){ name, strlen(name) };
    }
    bool multi = multi_is_open(s) || multi_is_running(s);
    s->eng->hooks.denied(s->id, (int)f.verdict, multi ? ACL_MULTI : ACL_TOPLEVEL, object.p,
                         object.n);
}

/* --- refusing --- */

/* EXEC that is refused ends the transaction. */
static void refuse_exec(struct session *s, struct command_row *row, struct reply *out,
                        const char *line) {
    size_t size = strlen(line) + 64;
    char *whole = malloc(size);
    ASSERT(whole);
    snprintf(whole, size, "EXECABORT Transaction discarded because of: %s", line);
    dispatch_refuse(s->eng, row, out, whole);
    free(whole);
    if (multi_is_open(s)) multi_end(s);
}

static bool refuse(struct session *s, struct command_row *row, struct reply *out,
                   const char *line) {
    if (multi_is_exec(row))
        refuse_exec(s, row, out, line);
    else
        dispatch_refuse(s->eng, row, out, line);
    return false;
}

bool access_judge(struct session *s, struct command_row *row, int argc, const struct str *argv,
                  struct reply *out) {
    if (row->cmd.flags & CMD_NO_AUTH) return true;
    if (!(s->flags & SESSION_AUTHENTICATED) && s->eng->config.auth_required)
        return refuse(s, row, out, "NOAUTH Authentication required.");
    if (access_is_free(s)) return true;
    struct acl_request q = { row, argc, argv };
    struct acl_finding f = acl_check(s->user, &q);
    if (!f.verdict || (f.verdict >= ACL_NO_SORT_BY && multi_is_open(s))) return true;
    tell(s, &q, f);
    char *line = line_of(s, row, f.verdict);
    refuse(s, row, out, line);
    free(line);
    return false;
}

typedef char *(*line_fn)(const struct session *s, const struct command_row *row,
                         enum acl_verdict verdict);

static bool check_again(struct session *s, const struct acl_request *q, struct command_row *row,
                        struct reply *out, line_fn say) {
    struct acl_finding f = acl_check(s->user, q);
    if (!f.verdict) return true;
    tell(s, q, f);
    char *line = say(s, row, f.verdict);
    dispatch_refuse(s->eng, row, out, line);
    free(line);
    return false;
}

bool access_queued(struct session *s, struct command_row *row, int argc, const struct str *argv,
                   struct reply *out) {
    struct acl_request q = { row, argc, argv };
    return access_is_free(s) || check_again(s, &q, row, out, line_of_queued);
}

bool access_waited(struct session *s, struct command_row *row, int argc, const struct str *argv,
                   struct reply *out) {
    struct acl_request q = { row, argc, argv };
    return access_is_free(s) || check_again(s, &q, row, out, line_of);
}

/* --- core.h --- */

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
                       void (*denied)(uint64_t session_id, int verdict, int context,
                                      const char *object, size_t n)) {
    eng->hooks.denied = denied;
}

static bool may_receive(const void *user, enum channel_kind kind, struct str name) {
    return acl_may_receive(user, name, kind == PATTERN);
}

bool session_may_listen(const struct session *s) {
    return access_is_free(s) || pubsub_all(s, may_receive, s->user);
}

void engine_count_rejected(struct engine *eng, int row) {
    registry_row(eng->registry, row)->rejected++;
}

/* The row, or NULL with a code of acl_user_check. */
static struct command_row *resolve(struct engine *eng, int argc, const struct str *argv,
                                   int *code) {
    struct command_row *row = argc ? registry_find(eng->registry, argv[0]) : NULL;
    if (row && row->cmd.flags & CMD_CONTAINER && argc > 1)
        row = registry_find_sub(eng->registry, row, argv[1]);
    *code = -1;
    if (!row || (strchr(row->cmd.name, '|') && registry_find(eng->registry, argv[0]) == row))
        return NULL;
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

int session_check(struct session *s, int argc, const char *const *argv, const size_t *argn,
                  int *row, int *at) {
    return acl_user_check(s->eng, s->user, argc, argv, argn, row, at);
}
