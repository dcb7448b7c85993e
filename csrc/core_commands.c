/* core_commands.c - commands as Python sees them (core.h): rows, statistics, execution, recording.
 */
#include "cmd/call.h"
#include "cmd/debug.h"
#include "cmd/registry.h"
#include "core.h"
#include "db/clock.h"
#include "mem/share.h"
#include "net/dispatch.h"
#include "net/hub.h"
#include "net/inside.h"

/* --- rows --- */

static struct key_spec spec_from_info(const struct key_spec_info *info) {
    return (struct key_spec){ .flags = info->flags,
                              .begin = (uint8_t)info->begin,
                              .find = (uint8_t)info->find,
                              .at = (int16_t)info->at,
                              .a = (int16_t)info->a,
                              .b = (int16_t)info->b,
                              .c = (int16_t)info->c,
                              .keyword = info->keyword ? strdup(info->keyword) : NULL };
}

static struct key_spec_info info_from_spec(const struct key_spec *spec) {
    return (struct key_spec_info){ .flags = spec->flags,
                                   .begin = (char)spec->begin,
                                   .find = (char)spec->find,
                                   .at = spec->at,
                                   .a = spec->a,
                                   .b = spec->b,
                                   .c = spec->c,
                                   .keyword = spec->keyword };
}

int engine_register_command(struct engine *eng, const char *name, const char *group, int arity,
                            uint32_t flags, const char *acl, const struct key_spec_info *keys) {
    struct command cmd = { .name = name, .arity = arity, .flags = flags, .acl = acl };
    if (flags & CMD_INSIDE) cmd.fn = cmd_inside;
    for (int i = 0; keys && i < COMMAND_KEY_SPECS; i++) cmd.keys[i] = spec_from_info(&keys[i]);
    struct command_row *row = arity ? registry_add(eng->registry, &cmd, group) : NULL;
    return row ? row->index : -1;
}

bool engine_rename_command(struct engine *eng, const char *from, const char *to) {
    return registry_rename(eng->registry, from, to);
}

bool engine_command_taken(const struct engine *eng, int row) {
    return registry_is_taken(eng->registry, row);
}

int engine_typed_command(const struct engine *eng, const char *name, size_t n) {
    struct str typed = { name, n };
    bool known = registry_is_known(eng->registry, typed);
    const struct command_row *row = known ? registry_find(eng->registry, typed) : NULL;
    return row ? row->index : -1;
}

bool engine_unregister_command(struct engine *eng, int index) {
    struct command_row *row = registry_row(eng->registry, index);
    if (!row || row->gone || !(row->cmd.flags & CMD_INSIDE)) return false;
    registry_remove(eng->registry, row);
    return true;
}

uint64_t engine_command_version(const struct engine *eng) {
    return registry_version(eng->registry);
}

int engine_command_count(const struct engine *eng) {
    return registry_count(eng->registry);
}

bool engine_command_info(const struct engine *eng, int index, struct command_info *out) {
    const struct command_row *row = registry_row(eng->registry, index);
    if (!row || row->gone) return false;
    *out = (struct command_info){ .name = row->cmd.name,
                                  .group = row->group,
                                  .arity = row->cmd.arity,
                                  .flags = row->cmd.flags,
                                  .acl = row->cmd.acl,
                                  .python = !row->cmd.fn && !(row->cmd.flags & CMD_CONTAINER),
                                  .calls = row->calls,
                                  .usec = row->usec,
                                  .rejected = row->rejected,
                                  .failed = row->failed };
    for (int i = 0; i < COMMAND_KEY_SPECS; i++) out->keys[i] = info_from_spec(&row->cmd.keys[i]);
    return true;
}

int engine_find_command(const struct engine *eng, const char *name, size_t n) {
    const struct command_row *row = registry_find(eng->registry, (struct str){ name, n });
    return row ? row->index : -1;
}

bool engine_command_histogram(const struct engine *eng, int index, uint64_t *buckets40) {
    const struct command_row *row = registry_row(eng->registry, index);
    if (!row || !row->histogram) return false;
    memcpy(buckets40, row->histogram, HISTOGRAM_BUCKETS * sizeof *buckets40);
    return true;
}

bool engine_error_stat(const struct engine *eng, int i, const char **prefix, uint64_t *count) {
    return registry_error_stat(eng->registry, i, prefix, count);
}

/* --- what commands of Python change --- */

size_t core_double_text(char out64[64], double v) {
    return double_to_text(out64, v);
}

void engine_propagate_command(struct engine *eng, int db, const char *request, size_t n) {
    struct resp_parser parser;
    struct resp_limits limits = { .bulk_max = INT64_MAX, .authenticated = true };
    char error[128];
    resp_init(&parser);
    char *p = (char *)(uintptr_t)request; /* no inline command: nothing is written to it */
    if (n && *p == '*' && resp_parse(&parser, &limits, p, n, error) == RESP_COMMAND) {
        eng->stats.dirty++;
        engine_propagate(eng, db, parser.argc, parser.argv);
    }
    resp_free(&parser);
}

/* --- execution without a client --- */

/* Its reply begins empty; its arguments are freed by end_call. */
static struct call begin_call(struct engine *eng, int db, int resp, int argc,
                              const char *const *argv, const size_t *argn) {
    struct str *args = malloc(sizeof *args * (size_t)(argc + 1));
    ASSERT(args);
    for (int i = 0; i < argc; i++) args[i] = (struct str){ argv[i], argn[i] };
    eng->hub->reply.n = 0;
    eng->hub->reply.resp = resp;
    engine_tick_clock(eng);
    struct call c = { .eng = eng,
                      .out = &eng->hub->reply,
                      .argc = argc,
                      .argv = args,
                      .db = db,
                      .request = REQUEST_HIDDEN };
    return c;
}

/* Its reply. */
static const char *end_call(struct call *c, struct str *args, size_t *n) {
    reply_settle(c->out);
    free(args);
    *n = c->out->n;
    c->out->n = 0;
    return c->out->p;
}

const char *engine_execute(struct engine *eng, int db, int resp, int argc, const char *const *argv,
                           const size_t *argn, size_t *n) {
    struct call c = begin_call(eng, db, resp, argc, argv, argn);
    struct str *args = c.argv;
    struct command_row *row = argc ? dispatch_resolve(eng, argc, args, c.out) : NULL;
    if (row && dispatch_admit(eng, row, c.out)) {
        c.cmd = &row->cmd;
        if (row->cmd.fn)
            dispatch_run(&c, row, clock_duration_ns());
        else
            reply_error(c.out, "ERR this command needs a connection");
    }
    return end_call(&c, args, n);
}

const char *engine_debug(struct engine *eng, int db, int resp, int argc, const char *const *argv,
                         const size_t *argn, size_t *n) {
    struct call c = begin_call(eng, db, resp, argc, argv, argn);
    struct str *args = c.argv;
    arena_enter(&eng->arena);
    share_begin(&eng->arena);
    bool known = debug_execute(&c);
    share_end(&eng->arena);
    arena_leave(&eng->arena);
    const char *reply = end_call(&c, args, n);
    return known ? reply : NULL;
}

/* --- recording what is propagated and notified --- */

struct recorder {
    struct reply log;
};

static void record_command(void *ctx, int db, int argc, const struct str *argv) {
    struct recorder *rec = ctx;
    char text[24];
    reply_array(&rec->log, (size_t)argc + 1);
    reply_bulk(&rec->log, (struct str){ text, i64_to_text(text, db) });
    for (int i = 0; i < argc; i++) reply_bulk(&rec->log, argv[i]);
}

static void record_event(void *ctx, enum notify_class cls, const char *event, struct str key,
                         int db) {
    (void)cls;
    struct str argv[3] = { STR("event"), { event, strlen(event) }, key };
    record_command(ctx, db, 3, argv);
}

void engine_record(struct engine *eng, bool on) {
    if (on && !eng->recorder) {
        eng->recorder = calloc(1, sizeof *eng->recorder);
        ASSERT(eng->recorder);
    }
    eng->hooks.ctx = eng->recorder;
    eng->hooks.propagate = on ? record_command : NULL;
    eng->hooks.notify = on ? record_event : NULL;
}

const char *engine_recorded(struct engine *eng, size_t *n) {
    *n = eng->recorder ? eng->recorder->log.n : 0;
    return eng->recorder ? eng->recorder->log.p : NULL;
}

void engine_recorded_clear(struct engine *eng) {
    if (eng->recorder) eng->recorder->log.n = 0;
}

void engine_recorder_free(struct engine *eng) {
    if (eng->recorder) free(eng->recorder->log.p);
    free(eng->recorder);
}
