/* access.c - refusing commands. */
#include "net/access.h"

#include "cmd/call.h"
#include "net/acl.h"
#include "net/multi.h"

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
static const char *const queued_reasons[] = {
    [ACL_NO_COMMAND] = "no permission to execute the command or subcommand",
    [ACL_NO_KEY] = "no permission to touch the specified keys",
    [ACL_NO_CHANNEL] = "no permission to access one of the channels used as arguments",
};

/* How a refusal is worded. */
enum wording { SAY_PLAIN, SAY_QUEUED, SAY_SCRIPT };
static const char *const prefixes[] = {
    [SAY_PLAIN] = "NOPERM ",
    [SAY_QUEUED] =
        "NOPERM ACLs rules changed between the moment the transaction was accumulated "
        "and the EXEC call. This command is no longer allowed for the following reason: ",
    [SAY_SCRIPT] = "ERR ACL failure in script: ",
};

/* The error line; malloc. */
static char *line_of(const struct acl_user *u, const struct command_row *row,
                     enum acl_verdict verdict, enum wording wording) {
    size_t size = u->name.n + 384;
    char *line = malloc(size), name[64];
    ASSERT(line);
    const char *prefix = prefixes[wording];
    lower_name(row, name);
    if (verdict >= ACL_NO_SORT_BY)
        snprintf(line, size, "%s", sort_lines[verdict]);
    else if (wording == SAY_QUEUED)
        snprintf(line, size, "%s%s", prefix, queued_reasons[verdict]);
    else if (verdict == ACL_NO_COMMAND)
        snprintf(line, size, "%sUser %s has no permissions to run the '%s' command", prefix,
                 u->name.p, name);
    else
        snprintf(line, size, "%sNo permissions to access a %s", prefix,
                 verdict == ACL_NO_KEY ? "key" : "channel");
    return line;
}

/* For ACL LOG. SORT's options are only refused. */
static void tell(const struct engine *eng, const struct session *s, const struct acl_user *u,
                 const struct acl_request *q, struct acl_finding f, enum acl_context context) {
    char name[64];
    struct str object = q->argv[f.at];
    if (!eng->hooks.denied || f.verdict >= ACL_NO_SORT_BY) return;
    if (f.verdict == ACL_NO_COMMAND) {
        lower_name(q->row, name);
        object = (struct str){ name, strlen(name) };
    }
    struct acl_event event = { .verdict = f.verdict,
                               .context = context,
                               .object = object.p,
                               .object_n = object.n,
                               .user = u->name.p,
                               .user_n = u->name.n };
    eng->hooks.denied(s ? s->id : 0, &event);
}

static enum acl_context context_of(const struct session *s) {
    return multi_is_open(s) || multi_is_running(s) ? ACL_MULTI : ACL_TOPLEVEL;
}

/* --- what has just come in --- */

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
    tell(s->eng, s, s->user, &q, f, context_of(s));
    char *line = line_of(s->user, row, f.verdict, SAY_PLAIN);
    refuse(s, row, out, line);
    free(line);
    return false;
}

/* --- what came in earlier --- */

static bool check_again(struct session *s, struct command_row *row, const struct acl_request *q,
                        struct reply *out, enum wording wording) {
    struct acl_finding f = acl_check(s->user, q);
    if (!f.verdict) return true;
    tell(s->eng, s, s->user, q, f, context_of(s));
    char *line = line_of(s->user, row, f.verdict, wording);
    dispatch_refuse(s->eng, row, out, line);
    free(line);
    return false;
}

bool access_queued(struct session *s, struct command_row *row, int argc, const struct str *argv,
                   struct reply *out) {
    struct acl_request q = { row, argc, argv };
    return access_is_free(s) || check_again(s, row, &q, out, SAY_QUEUED);
}

bool access_waited(struct session *s, struct command_row *row, int argc, const struct str *argv,
                   struct reply *out) {
    struct acl_request q = { row, argc, argv };
    return access_is_free(s) || check_again(s, row, &q, out, SAY_PLAIN);
}

/* --- what scripts run --- */

const struct acl_user *access_user(const struct call *c) {
    return c->session ? c->session->user : c->eng->acting_user;
}

bool access_inside(const struct call *c, struct command_row *row, int argc, const struct str *argv,
                   struct reply *out) {
    const struct acl_user *u = access_user(c);
    if (LIKELY(!u || u->free)) return true;
    struct acl_request q = { row, argc, argv };
    struct acl_finding f = acl_check(u, &q);
    if (!f.verdict) return true;
    tell(c->eng, c->session, u, &q, f, ACL_SCRIPT);
    char *line = line_of(u, row, f.verdict, SAY_SCRIPT);
    dispatch_refuse(c->eng, row, out, line);
    free(line);
    return false;
}

bool access_is_trusted(const struct session *s) {
    return s->user && s->user->skips_sanitizing;
}

uint64_t access_number(const struct session *s) {
    return s->user->number;
}
