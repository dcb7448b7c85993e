/* inside.c - calling Python for a command, and the commands that it runs meanwhile. */
#include "net/inside.h"

#include "core.h"
#include "db/batch.h"
#include "db/clock.h"
#include "net/access.h"
#include "net/acl.h"
#include "net/cross.h"
#include "net/dispatch.h"
#include "net/hub.h"
#include "net/monitor.h"
#include "net/pubsub.h"
#include "net/reach.h"
#include "net/replay.h"
#include "net/script.h"

static_assert(sizeof(struct text) == sizeof(struct str), "Python reads argument vectors");
static_assert(offsetof(struct text, n) == offsetof(struct str, n), "as struct text");

#define PACKED_MAX ((size_t)64 * 1024) /* bytes of arguments that are packed */
#define PACKED_WORDS 32

void engine_set_inside(struct engine *eng,
                       void (*run)(void *owner, struct call *c, int row, const char *words,
                                   size_t n, const uint32_t *ends, int argc, int resp),
                       void *owner) {
    eng->hub->inside_run = run;
    eng->hub->inside_owner = owner;
}

static struct command_row *row_of(const struct call *c) {
    return (struct command_row *)(uintptr_t)c->cmd; /* its first field */
}

/* Python reads many words faster in one piece. Their number; 0: they are too many, or too long. */
static int pack_words(const struct call *c, struct reply *words, uint32_t *ends) {
    words->n = 0;
    if (c->argc > PACKED_WORDS) return 0;
    for (int i = 0; i < c->argc; i++) {
        if (c->argv[i].n > PACKED_MAX - words->n) return 0;
        reply_raw(words, c->argv[i].p, c->argv[i].n);
        ends[i] = (uint32_t)words->n;
    }
    return c->argc;
}

/* Calls Python. */
static void run_handler(struct call *c) {
    struct hub *hub = c->eng->hub;
    struct reply *words = &hub->inside_words;
    uint32_t ends[PACKED_WORDS];
    int packed = pack_words(c, words, ends);
    hub->inside_run(hub->inside_owner, c, row_of(c)->index, words->p, words->n,
                    packed ? ends : NULL, c->argc, c->out->resp);
}

void cmd_inside(struct call *c) {
    struct hub *hub = c->eng->hub;
    size_t mark = c->out->n;
    struct inside in = { .db = c->db,
                         .resp = 2,
                         .limits = c->cmd->flags & CMD_SCRIPT_RUNNER ? CALL_SCRIPT : 0,
                         .no_memory = !dispatch_has_memory(c->eng),
                         .silent = c->quiet,
                         .dirty = c->eng->stats.dirty };
    if (!hub->inside_run || hub->inside_depth == INSIDE_DEPTH) {
        reply_error(c->out, "ERR commands are nested too deeply");
        return;
    }
    c->inside = &in;
    hub->inside_call[hub->inside_depth++] = c;
    hub->inside_serial += hub->inside_depth == 1;
    batch_begin(c->eng);
    if (!script_run(c)) run_handler(c);
    batch_end(c->eng);
    hub->inside_depth--;
    c->inside = NULL;
    if (c->out->n == mark) reply_error(c->out, "ERR internal error");
    if (c->out->n > mark && c->out->p[mark] == '-') c->out->errored = true;
    reach_note(c, &in);
}

/* --- what Python asks while it is called --- */

void call_facts(const struct call *c, struct call_facts *out) {
    *out = (struct call_facts){ .argv = (const struct text *)c->argv,
                                .argc = c->argc,
                                .db = c->inside->db,
                                .resp = c->out->resp,
                                .session = c->session,
                                .no_memory = c->inside->no_memory };
}

void call_set_limits(struct call *c, unsigned limits) {
    c->inside->limits = limits;
}

void call_set_resp(struct call *c, int resp) {
    c->inside->resp = resp;
}

void call_set_silent(struct call *c, bool silent) {
    c->inside->silent = silent || c->quiet;
}

bool call_has_written(const struct call *c) {
    return c->eng->stats.dirty != c->inside->dirty;
}

void call_reply(struct call *c, const char *resp, size_t n) {
    reply_raw(c->out, resp, n);
}

/* --- commands inside --- */

/* NULL: there is no such command. */
static struct command_row *find_row(struct engine *eng, int argc, const struct str *argv) {
    struct command_row *row = registry_find(eng->registry, argv[0]);
    if (!registry_is_known(eng->registry, argv[0])) row = NULL;
    if (row && row->cmd.flags & CMD_CONTAINER && argc > 1)
        row = registry_find_sub(eng->registry, row, argv[1]);
    else if (row && strchr(row->cmd.name, '|'))
        row = NULL;
    return row;
}

static bool takes(const struct command_row *row, int argc) {
    int arity = row->cmd.arity;
    return arity >= 0 ? argc == arity : argc >= -arity;
}

/* Of scripts, whose errors are worded differently. */
static struct command_row *resolve_for_script(struct engine *eng, int argc, const struct str *argv,
                                              struct reply *out) {
    struct command_row *row = find_row(eng, argc, argv);
    if (!row) {
        reply_error(out, "ERR Unknown Redis command called from script");
        return NULL;
    }
    if (takes(row, argc)) return row;
    row->rejected++;
    reply_error(out, "ERR Wrong number of args calling Redis command from script");
    return NULL;
}

/* False: it may not be run here, replied. */
static bool may_run(const struct call *c, struct command_row *row, int argc, const struct str *argv,
                    struct reply *out) {
    const struct inside *in = c->inside;
    uint32_t flags = row->cmd.flags;
    if (flags & CMD_NOSCRIPT && in->limits & CALL_SCRIPT)
        return dispatch_refuse(c->eng, row, out,
                               "ERR This Redis command is not allowed from script");
    if (in->limits & CALL_SCRIPT && !access_inside(c, row, argc, argv, out)) return false;
    bool writes = dispatch_effects(row) & (CMD_WRITE | CMD_MAY_REPLICATE);
    if (in->limits & CALL_READ_ONLY && writes)
        return dispatch_refuse(c->eng, row, out,
                               "ERR Write commands are not allowed from read-only scripts.");
    if (!c->replayed && !dispatch_loaded(c->eng, row, LOADING_SELF, out)) return false;
    if (flags & CMD_WRITE && !dispatch_is_kept(c->eng, row, out)) return false;
    bool needs_memory = flags & CMD_DENYOOM && !(in->limits & CALL_ANY_MEMORY);
    if (needs_memory && in->no_memory &&
        !call_has_written(c)) /* begun, it is not stopped half-way */
        return dispatch_refuse(c->eng, row, out, status_text(ST_MAXMEMORY));
    return true;
}

/* A command about all keys or all subscribers. */
static void run_spread(struct call *c, struct call *inner, struct command_row *row,
                       struct reply *out) {
    struct remote *r = c->eng->remote;
    if (cross_holds_all(r)) {
        cross_amid(r, row, inner->db, inner->argc, inner->argv, out);
        return;
    }
    dispatch_run(inner, row, clock_duration_ns());
    if (!out->errored) pubsub_ran_inside(c->eng, row, inner->argv);
}

static void run_here(struct call *c, struct call *inner, struct command_row *row) {
    if (UNLIKELY(c->replayed)) replay_set_clock(c->eng, inner->argc, inner->argv);
    dispatch_run(inner, row, clock_duration_ns());
    if (UNLIKELY(c->replayed)) replay_stop_clock(c->eng);
}

/* HOTKEYS counts what a script runs as the script, but in a transaction by its reply besides. */
static size_t request_inside(const struct call *c) {
    bool counted = c->request != REQUEST_AS_IT_IS && c->request != REQUEST_HIDDEN;
    return counted ? REQUEST_NOTHING : REQUEST_HIDDEN;
}

static void run(struct call *c, struct command_row *row, struct inside_frame *f) {
    struct inside *in = c->inside;
    const struct resp_parser *p = &f->parser;
    struct call inner = { .eng = c->eng,
                          .out = &f->reply,
                          .cmd = &row->cmd,
                          .session = c->session,
                          .fieldsets = c->fieldsets,
                          .argc = p->argc,
                          .argv = p->argv,
                          .db = in->db,
                          .quiet = in->silent,
                          .reader = c->reader,
                          .client = c->client,
                          .request = request_inside(c),
                          .no_touch = c->no_touch };
    bool selects = !strcmp(row->cmd.name, "SELECT");
    if (selects) inner.session = NULL; /* its own database stays what it is */
    uint64_t before = c->eng->stats.dirty;
    c->eng->hub->uncounted = in->limits & CALL_UNCOUNTED;
    if (reach_is_spread(c->eng->remote, row))
        run_spread(c, &inner, row, &f->reply);
    else
        run_here(c, &inner, row);
    c->eng->hub->uncounted = false;
    if (c->eng->stats.dirty != before) reach_changed(c, row, p->argc, p->argv);
    if (in->limits & CALL_SCRIPT) monitor_note_inside(c->eng, row, in->db, p->argc, p->argv);
    reply_settle(&f->reply);
    int64_t db;
    if (selects && !f->reply.errored && str_to_i64(p->argv[1], &db)) in->db = (int)db;
}

/* The request, parsed; it is Python's, and no inline command, so nothing writes to it. */
static bool parse(struct inside_frame *f, const char *request, size_t n) {
    char error[128];
    struct resp_limits limits = { .bulk_max = INT64_MAX, .authenticated = true };
    char *p = (char *)(uintptr_t)request;
    resp_reset(&f->parser);
    return n && *p == '*' && resp_parse(&f->parser, &limits, p, n, error) == RESP_COMMAND &&
           f->parser.argc;
}

int call_may(struct call *c, const char *request, size_t n) {
    struct engine *eng = c->eng;
    struct inside_frame *f = &eng->hub->inside[eng->hub->inside_depth - 1];
    if (!parse(f, request, n)) return -1;
    const struct resp_parser *p = &f->parser;
    const struct command_row *row = find_row(eng, p->argc, p->argv);
    if (!row) return -1;
    if (!takes(row, p->argc)) return -2;
    const struct acl_user *user = access_user(c);
    struct acl_request q = { row, p->argc, p->argv };
    return !user || !acl_check(user, &q).verdict;
}

int call_run(struct call *c, const char *request, size_t n, struct text *reply) {
    struct inside_frame *f = &c->eng->hub->inside[c->eng->hub->inside_depth - 1];
    int outcome = CALL_DONE;
    if (parse(f, request, n)) {
        outcome = inside_run(c, f);
    } else {
        f->reply.n = 0;
        reply_error(&f->reply, "ERR Protocol error");
    }
    *reply = (struct text){ f->reply.p, f->reply.n };
    return outcome;
}

void inside_make_room(struct inside_frame *f, int words) {
    struct resp_parser *p = &f->parser;
    if (LIKELY(words <= p->capacity)) return;
    p->argv = realloc(p->argv, (size_t)words * sizeof *p->argv);
    ASSERT(p->argv);
    p->capacity = words;
}

int inside_run(struct call *c, struct inside_frame *f) {
    struct engine *eng = c->eng;
    struct command_row *row = NULL;
    int outcome = CALL_DONE;
    f->reply.n = 0;
    f->reply.errored = false;
    f->reply.resp = c->inside->resp;
    if (c->inside->limits & CALL_SCRIPT)
        row = resolve_for_script(eng, f->parser.argc, f->parser.argv, &f->reply);
    else
        row = dispatch_resolve(eng, f->parser.argc, f->parser.argv, &f->reply);
    if (row && may_run(c, row, f->parser.argc, f->parser.argv, &f->reply)) {
        /* Every worker replays a script, as Redis logged them before 5.0, on all keys of the log,
         * and keeps its own. */
        if (!row->cmd.fn)
            outcome = CALL_PYTHON + row->index;
        else if (c->replayed || reach_keys(c, row, f->parser.argc, f->parser.argv, &f->reply))
            run(c, row, f);
        else if (c->inside->reached)
            outcome = CALL_REACHED;
    }
    return outcome;
}

struct call *engine_inside_first(const struct engine *eng) {
    return eng->hub->inside_depth ? eng->hub->inside_call[0] : NULL;
}

struct call *engine_inside_last(const struct engine *eng) {
    int depth = eng->hub->inside_depth;
    return depth ? eng->hub->inside_call[depth - 1] : NULL;
}

uint64_t engine_inside_serial(const struct engine *eng) {
    return eng->hub->inside_serial;
}
