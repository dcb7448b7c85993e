/* acl_check.c - whether a user may execute a command. */
#include "cmd/call.h"
#include "net/acl.h"

/* The keys of a command with what it does to each. */
struct key_use {
    int index; /* of argv */
    unsigned needs;
};
struct uses {
    struct key_use few[16], *at;
    int n;
};

/* --- what a command needs --- */

static bool has_word(const struct acl_request *q, int from, const char *word) {
    for (int i = from; i < q->argc; i++)
        if (str_is(q->argv[i], word)) return true;
    return false;
}

/* Whether BITFIELD does more than GET; what it does not know counts as more. */
static bool writes_bits(const struct acl_request *q) {
    for (int i = 2; i < q->argc; i += 2) {
        if (str_is(q->argv[i], "GET"))
            i++;
        else if (!str_is(q->argv[i], "OVERFLOW"))
            return true;
    }
    return false;
}

/* What SET and BITFIELD do to their key depends on their options. */
static unsigned needs_of_variable(const struct acl_request *q, unsigned needs) {
    const char *name = q->row->cmd.name;
    if (!strcmp(name, "SET")) return has_word(q, 3, "GET") ? needs : ACL_WRITE;
    return !strcmp(name, "BITFIELD") && !writes_bits(q) ? ACL_READ : needs;
}

static unsigned needs_of(const struct acl_request *q, uint16_t flags) {
    unsigned needs = flags & KF_ACCESS ? ACL_READ : 0;
    if (flags & (KF_INSERT | KF_DELETE | KF_UPDATE)) needs |= ACL_WRITE;
    return flags & KF_VARIABLE ? needs_of_variable(q, needs) : needs;
}

static void find_uses(const struct acl_request *q, struct uses *u) {
    struct key_at few[16], *keys = few;
    int n = command_keys(&q->row->cmd, q->argc, q->argv, few, 16);
    u->n = n;
    u->at = u->few;
    if (n > 16) {
        keys = malloc((size_t)n * sizeof *keys);
        u->at = malloc((size_t)n * sizeof *u->at);
        ASSERT(keys && u->at);
        command_keys(&q->row->cmd, q->argc, q->argv, keys, n);
    }
    bool listed = n > 1 && !strcmp(q->row->cmd.name, "MIGRATE") && !q->argv[keys[0].index].n;
    for (int i = 0; i < n; i++)
        u->at[i] = (struct key_use){ keys[i].index, needs_of(q, keys[i].flags) };
    if (listed) u->at[0] = u->at[1]; /* the empty string only says that keys follow */
    if (keys != few) free(keys);
}

/* --- one selector --- */

static bool allows_command(const struct acl_selector *sel, const struct acl_request *q) {
    unsigned row = (unsigned)q->row->index;
    if (sel->commands[row / 64] >> row % 64 & 1 || q->row->cmd.flags & CMD_NO_AUTH) return true;
    for (int i = 0; q->argc > 1 && i < sel->n_first_args; i++) {
        const struct acl_first_arg *f = &sel->first_args[i];
        if (f->row == q->row->index && str_is(q->argv[1], f->word.p)) return true;
    }
    return false;
}

static bool allows_key(const struct acl_selector *sel, struct str key, unsigned needs) {
    for (int i = 0; i < sel->keys.n; i++) {
        const struct acl_pattern *p = &sel->keys.at[i];
        if ((p->permissions & needs) == needs && glob_match(p->text, key, false)) return true;
    }
    return false;
}

/* A pattern to subscribe to must be one of the selector's own. */
static bool allows_channel(const struct acl_selector *sel, struct str name, bool literally) {
    if (sel->all_channels) return true;
    for (int i = 0; i < sel->channels.n; i++) {
        struct str pattern = sel->channels.at[i].text;
        if (literally ? str_eq(pattern, name) : glob_match(pattern, name, false)) return true;
    }
    return false;
}

static struct acl_finding check_channels(const struct acl_selector *sel,
                                         const struct acl_request *q) {
    enum channel_use use = q->row->channels;
    int end = use == CHANNELS_ONE ? 2 : q->argc;
    for (int i = 1; use != CHANNELS_NONE && i < end; i++)
        if (!allows_channel(sel, q->argv[i], use == CHANNELS_PATTERNS))
            return (struct acl_finding){ ACL_NO_CHANNEL, i };
    return (struct acl_finding){ ACL_ALLOWED, 0 };
}

static struct acl_finding check_selector(const struct acl_selector *sel,
                                         const struct acl_request *q, const struct uses *uses) {
    if (!allows_command(sel, q)) return (struct acl_finding){ ACL_NO_COMMAND, 0 };
    for (int i = 0; !sel->all_keys && i < uses->n; i++)
        if (!allows_key(sel, q->argv[uses->at[i].index], uses->at[i].needs))
            return (struct acl_finding){ ACL_NO_KEY, uses->at[i].index };
    return check_channels(sel, q);
}

/* --- SORT reads keys that its arguments do not name --- */

static bool reads_all_keys(const struct acl_selector *sel) {
    if (sel->all_keys) return true;
    for (int i = 0; i < sel->keys.n; i++)
        if (sel->keys.at[i].permissions & ACL_READ && str_eq(sel->keys.at[i].text, STR("*")))
            return true;
    return false;
}

/* The first BY or GET by which it would; ACL_ALLOWED: there is none. */
static enum acl_verdict sort_option(const struct acl_request *q) {
    for (int i = 2; i < q->argc; i++) {
        bool operand = i + 1 < q->argc;
        if (str_is(q->argv[i], "GET") && operand) return ACL_NO_SORT_GET;
        if (str_is(q->argv[i], "BY") && operand) {
            struct str pattern = q->argv[++i];
            if (memchr(pattern.p, '*', pattern.n)) return ACL_NO_SORT_BY;
        } else if (str_is(q->argv[i], "STORE")) {
            i++;
        } else if (str_is(q->argv[i], "LIMIT")) {
            i += 2;
        }
    }
    return ACL_ALLOWED;
}

static struct acl_finding check_sort(const struct acl_user *u, const struct acl_request *q) {
    enum acl_verdict verdict = sort_option(q);
    for (int i = 0; verdict && i < u->n_selectors; i++)
        if (allows_command(&u->selectors[i], q) && reads_all_keys(&u->selectors[i]))
            verdict = ACL_ALLOWED;
    return (struct acl_finding){ verdict, 0 };
}

/* --- all selectors --- */

static bool is_sort(const struct command_row *row) {
    return !strcmp(row->cmd.name, "SORT") || !strcmp(row->cmd.name, "SORT_RO");
}

/* Of what selectors find, the reason that comes last in the order of checks is given, and of equal
 * ones that of the last argument: it is from the selector that allows the most. */
static struct acl_finding check_selectors(const struct acl_user *u, const struct acl_request *q,
                                          const struct uses *uses) {
    struct acl_finding worst = { ACL_NO_COMMAND, 0 };
    for (int i = 0; i < u->n_selectors; i++) {
        struct acl_finding f = check_selector(&u->selectors[i], q, uses);
        if (!f.verdict) return f;
        if (f.verdict > worst.verdict || (f.verdict == worst.verdict && f.at > worst.at)) worst = f;
    }
    return worst;
}

struct acl_finding acl_check(const struct acl_user *u, const struct acl_request *q) {
    struct uses uses;
    if (u->free) return (struct acl_finding){ ACL_ALLOWED, 0 };
    find_uses(q, &uses);
    struct acl_finding found = check_selectors(u, q, &uses);
    if (uses.at != uses.few) free(uses.at);
    if (!found.verdict && is_sort(q->row)) return check_sort(u, q);
    return found;
}

bool acl_may_receive(const struct acl_user *u, struct str name, bool pattern) {
    for (int i = 0; i < u->n_selectors; i++)
        if (allows_channel(&u->selectors[i], name, pattern)) return true;
    return u->free;
}
