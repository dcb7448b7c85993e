/* fault.c - the plan of faults, and acting on it. */
#include "mem/fault.h"

#include <signal.h>
#include <unistd.h>

#define PLAN_MAX 16
#define NAME_MAX_BYTES 64
#define TOKEN_MAX_BYTES 256

enum fault_action { FAULT_KILL, FAULT_STOP, FAULT_ABORT, FAULT_FAIL, FAULT_ACTIONS };

struct fault {
    char name[NAME_MAX_BYTES], token[TOKEN_MAX_BYTES];
    size_t name_n; /* bytes that count; less than the whole for "prefix*" */
    bool is_prefix;
    enum fault_action action;
    int64_t which, passed;
};

bool fault_armed;
static struct fault plan[PLAN_MAX];
static int planned;
static char planned_text[FAULT_TEXT_MAX];

/* --- reading a plan --- */

/* What stands before the next separator; moves *rest behind it. */
static struct str take_word(struct str *rest, char separator) {
    const char *end = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    struct str word = { rest->p, end ? (size_t)(end - rest->p) : rest->n };
    size_t taken = word.n + (end != NULL);
    rest->p += taken;
    rest->n -= taken;
    return word;
}

static bool read_text(struct str word, char *out, size_t room) {
    if (word.n >= room) return false;
    if (word.n) memcpy(out, word.p, word.n);
    out[word.n] = 0;
    return true;
}

static bool read_action(struct str word, enum fault_action *out) {
    static const char *const names[FAULT_ACTIONS] = { "kill", "stop", "abort", "fail" };
    for (int a = 0; a < FAULT_ACTIONS; a++) {
        if (!str_is(word, names[a])) continue;
        *out = (enum fault_action)a;
        return true;
    }
    return !word.n;
}

static bool read_which(struct str word, int64_t *out) {
    int64_t n = 0;
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] < '0' || word.p[i] > '9' || n > INT32_MAX) return false;
        n = n * 10 + (word.p[i] - '0');
    }
    if (word.n) *out = n;
    return *out > 0;
}

static bool read_fault(struct str text, struct fault *f) {
    struct str name = take_word(&text, ':'), action = take_word(&text, ':');
    struct str which = take_word(&text, ':');
    *f = (struct fault){ .action = FAULT_KILL, .which = 1 };
    f->is_prefix = name.n && name.p[name.n - 1] == '*';
    f->name_n = name.n - f->is_prefix;
    return name.n && read_text(name, f->name, sizeof f->name) && read_action(action, &f->action) &&
           read_which(which, &f->which) && read_text(text, f->token, sizeof f->token);
}

status fault_plan(struct str text) {
    struct fault read[PLAN_MAX];
    char kept[FAULT_TEXT_MAX];
    int n = 0;
    if (!read_text(text, kept, sizeof kept)) return ST_SYNTAX;
    while (text.n) {
        if (n == PLAN_MAX || !read_fault(take_word(&text, ','), &read[n])) return ST_SYNTAX;
        n++;
    }
    memcpy(plan, read, (size_t)n * sizeof *plan);
    planned = n;
    memcpy(planned_text, kept, sizeof kept);
    fault_armed = n > 0;
    return ST_OK;
}

const char *fault_text(void) {
    return planned_text;
}

/* --- acting --- */

static bool is_meant(const struct fault *f, const char *name) {
    if (strncmp(f->name, name, f->name_n) != 0) return false;
    return f->is_prefix || !name[f->name_n];
}

static bool is_due(struct fault *f) {
    f->passed++;
    if (f->action == FAULT_FAIL ? f->passed < f->which : f->passed != f->which) return false;
    if (!f->token[0]) return true;
    if (unlink(f->token) != 0) return false;
    f->token[0] = 0; /* ours: `fail` goes on */
    return true;
}

static bool act(const struct fault *f, const char *name) {
    static const int signals[] = { SIGKILL, SIGSTOP, SIGABRT };
    if (f->action == FAULT_FAIL) return true;
    fprintf(stderr, "fault: %s at %s\n", f->action == FAULT_STOP ? "stops" : "ends", name);
    raise(signals[f->action]); /* this thread takes not one step more */
    return false;
}

bool fault_reached(const char *name) {
    bool fails = false;
    for (int i = 0; i < planned; i++)
        if (is_meant(&plan[i], name) && is_due(&plan[i])) fails |= act(&plan[i], name);
    return fails;
}
