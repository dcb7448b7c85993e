/* script.c - redis.call for scripts, and the running of scripts that are known. */
#include "net/script.h"

#include "core.h"
#include "cmd/registry.h"
#include "net/hub.h"

#define ARRAY_HINT 65536 /* elements for which a table has room from the beginning */

/* The bottom of the thread's stack. */
enum slot {
    SLOT_RUN = 1, /* run_known */
    SLOT_FAILED,  /* failed(what Lua said) -> the line of an error */
    SLOTS = SLOT_FAILED
};
/* Upvalues of run_known. */
enum known {
    KNOWN_RUN = 1, /* run(sha, resp, keys, arguments) -> a string, what it is */
    KNOWN_TEXTS,   /* SHA1s by the text of scripts */
    KNOWN_SHAS     /* the same by SHA1, in lower case */
};
/* Upvalues of redis.call and redis.pcall. */
enum upvalue {
    UP_ENGINE = 1,
    UP_SLOW,   /* the same function, written in Lua */
    UP_DECODE, /* makes a value of any reply */
    UP_CATCHES /* whether errors are returned */
};

/* --- replies as values --- */

/* What is read: replies of our own making. */
struct reading {
    lua_State *L;
    const char *p, *end;
};

static const char *line_end(const struct reading *in) {
    return memchr(in->p, '\r', (size_t)(in->end - in->p));
}

/* The number in a header line, which is left behind. */
static int64_t header(struct reading *in) {
    const char *stop = line_end(in);
    int64_t n = 0;
    str_to_i64((struct str){ in->p + 1, (size_t)(stop - in->p - 1) }, &n);
    in->p = stop + 2;
    return n;
}

static void push_bulk(struct reading *in) {
    int64_t n = header(in);
    if (n < 0) {
        lua.pushboolean(in->L, false);
        return;
    }
    lua.pushlstring(in->L, in->p, (size_t)n);
    in->p += n + 2;
}

/* A table with the line as its one field. */
static void push_line(struct reading *in, const char *field) {
    const char *stop = line_end(in);
    lua.createtable(in->L, 0, 2);
    lua.pushlstring(in->L, in->p + 1, (size_t)(stop - in->p - 1));
    lua.setfield(in->L, -2, field);
    in->p = stop + 2;
}

static void push_error(struct reading *in) {
    push_line(in, "err");
    lua.pushboolean(in->L, true);
    lua.setfield(in->L, -2, "ignore_error_stats_update");
}

static bool push_value(struct reading *in);

static bool push_array(struct reading *in) {
    int64_t n = header(in);
    if (n < 0) {
        lua.pushboolean(in->L, false);
        return true;
    }
    if (!lua.checkstack(in->L, 4)) return false;
    lua.createtable(in->L, (int)(n < ARRAY_HINT ? n : ARRAY_HINT), 0);
    for (int i = 1; i <= n; i++) {
        if (!push_value(in)) return false;
        lua.rawseti(in->L, -2, i);
    }
    return true;
}

/* Pushes the value of a reply. False: it is of RESP3, or too deep, and something may be pushed. */
static bool push_value(struct reading *in) {
    switch (*in->p) {
    case '$': push_bulk(in); return true;
    case ':': lua.pushnumber(in->L, (double)header(in)); return true;
    case '*': return push_array(in);
    case '+': push_line(in, "ok"); return true;
    case '-': push_error(in); return true;
    default: return false;
    }
}

static void push_reply(lua_State *L, const struct reply *reply) {
    struct reading in = { L, reply->p, reply->p + reply->n };
    int top = lua.gettop(L);
    if (in.p == in.end) {
        lua.pushnil(L); /* it says nothing */
        return;
    }
    if (push_value(&in)) return;
    lua.settop(L, top);
    lua.pushvalue(L, LUA_UPVALUE(UP_DECODE));
    lua.pushlstring(L, reply->p, reply->n);
    lua.pushnumber(L, 1);
    lua.call(L, 2, 1);
}

/* --- redis.call --- */

/* By the same function in Lua. */
static int run_slowly(lua_State *L) {
    int n = lua.gettop(L);
    lua.pushvalue(L, LUA_UPVALUE(UP_SLOW));
    lua.insert(L, 1);
    lua.call(L, n, 1);
    return 1;
}

static size_t number_text(char text[64], double v) {
    bool whole = v > -4611686018427387904.0 && v < 4611686018427387904.0 && v == (double)(int64_t)v;
    return whole ? i64_to_text(text, (int64_t)v) : core_double_text(text, v);
}

/* The arguments as words of a command; they stay while they are on the stack. False: there are
 * none, or others than are usual. */
static bool take_words(lua_State *L, struct inside_frame *f) {
    int n = lua.gettop(L), numbers = 0;
    if (!n) return false;
    inside_make_room(f, n);
    for (int i = 0; i < n; i++) {
        struct str *word = &f->parser.argv[i];
        int type = lua.type(L, i + 1);
        if (type == LUA_STRING) {
            word->p = lua.tolstring(L, i + 1, &word->n);
        } else if (type == LUA_NUMBER && numbers < INSIDE_NUMBERS) {
            double v = lua.tonumber(L, i + 1);
            if (v != v) return false;
            word->p = f->number[numbers];
            word->n = number_text(f->number[numbers++], v);
        } else {
            return false;
        }
    }
    f->parser.argc = n;
    return true;
}

static int redis_call(lua_State *L) {
    const struct engine *eng = lua.touserdata(L, LUA_UPVALUE(UP_ENGINE));
    struct hub *hub = eng->hub;
    int depth = hub->inside_depth;
    if (!depth) return run_slowly(L);
    struct inside_frame *f = &hub->inside[depth - 1];
    if (!take_words(L, f)) return run_slowly(L);
    if (inside_run(hub->inside_call[depth - 1], f) != CALL_DONE) return run_slowly(L);
    push_reply(L, &f->reply);
    bool failed = f->reply.n && f->reply.p[0] == '-';
    if (failed && !lua.toboolean(L, LUA_UPVALUE(UP_CATCHES))) return lua.error(L);
    return 1;
}

/* --- EVAL --- */

/* Fields of the globals, where Lua has put what is wanted here. */
static void push_fields(lua_State *L, int n, const char *const *names) {
    for (int i = 0; i < n; i++) lua.getfield(L, LUA_GLOBALS, names[i]);
}

static void set_function(lua_State *L, struct engine *eng, const char *slow, bool catches,
                         const char *name) {
    const char *const fields[] = { slow, "core_decode" };
    lua.pushlightuserdata(L, eng);
    push_fields(L, 2, fields);
    lua.pushboolean(L, catches);
    lua.pushcclosure(L, redis_call, UP_CATCHES);
    lua.setfield(L, LUA_GLOBALS, name);
}

static int run_known(lua_State *L);

bool engine_set_lua(struct engine *eng, const char *library, uint64_t thread) {
    static const char *const known[] = { "core_run", "core_texts", "core_shas" };
    static const char *const failed[] = { "core_failed" };
    lua_State *L = (lua_State *)(uintptr_t)thread;
    if (!lua_find(library)) return false;
    lua.settop(L, 0);
    lua.pushlightuserdata(L, NULL);
    lua.setfield(L, LUA_GLOBALS, "core_null"); /* what stands for null in JSON */
    set_function(L, eng, "core_slow_call", false, "core_call");
    set_function(L, eng, "core_slow_pcall", true, "core_pcall");
    push_fields(L, KNOWN_SHAS, known);
    lua.pushcclosure(L, run_known, KNOWN_SHAS);
    push_fields(L, 1, failed);
    if (!eng->hub->script) eng->hub->script = calloc(1, sizeof *eng->hub->script);
    ASSERT(eng->hub->script);
    *eng->hub->script = (struct script){
        .thread = L,
        .eval = registry_find(eng->registry, STR("EVAL")),
        .evalsha = registry_find(eng->registry, STR("EVALSHA")),
    };
    return true;
}

static void push_words(lua_State *L, int n, const struct str *words) {
    lua.createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua.pushlstring(L, words[i].p, words[i].n);
        lua.rawseti(L, -2, i + 1);
    }
}

struct running {
    const struct call *call;
    int keys;
    bool by_sha, unknown;
};

/* A function of Lua, so that it may run out of memory. */
static int run_known(lua_State *L) {
    struct running *r = lua.touserdata(L, 1);
    const struct call *c = r->call;
    lua.pushvalue(L, LUA_UPVALUE(KNOWN_RUN));
    lua.pushlstring(L, c->argv[1].p, c->argv[1].n);
    lua.rawget(L, LUA_UPVALUE(r->by_sha ? KNOWN_SHAS : KNOWN_TEXTS));
    r->unknown = lua.type(L, -1) == LUA_NIL;
    if (r->unknown) return 0;
    lua.pushnumber(L, c->out->resp);
    push_words(L, r->keys, c->argv + 3);
    push_words(L, c->argc - 3 - r->keys, c->argv + 3 + r->keys);
    lua.call(L, 4, 2);
    return 2;
}

/* The usual number of keys: one digit. -1: it is another, or more than there are. */
static int count_keys(const struct call *c) {
    struct str word = c->argv[2];
    int n = word.n == 1 ? word.p[0] - '0' : -1;
    return n >= 0 && n <= 9 && n <= c->argc - 3 ? n : -1;
}

/* The one line of an error. */
static void reply_failure(struct reply *out, const char *text, size_t n) {
    char *p = reply_room(out, n + 3);
    *p++ = '-';
    for (size_t i = 0; i < n; i++) *p++ = text[i] == '\r' || text[i] == '\n' ? ' ' : text[i];
    *p++ = '\r';
    *p = '\n';
    out->n += n + 3;
}

/* What run() has returned: a string, and nil: it is the value of the script; true: it is a reply;
 * false: an error. */
static void write_result(lua_State *L, struct reply *out) {
    size_t n;
    const char *p = lua.tolstring(L, -2, &n);
    if (lua.type(L, -1) == LUA_NIL)
        reply_bulk(out, (struct str){ p, n });
    else if (lua.toboolean(L, -1))
        reply_raw(out, p, n);
    else
        reply_failure(out, p, n);
}

/* Memory was short, most likely. */
static void write_failure(lua_State *L, struct reply *out) {
    lua.pushvalue(L, SLOT_FAILED);
    lua.insert(L, -2);
    size_t n = 0;
    const char *p = lua.pcall(L, 1, 1, 0) ? NULL : lua.tolstring(L, -1, &n);
    if (p)
        reply_failure(out, p, n);
    else
        reply_error(out, "ERR not enough memory");
}

bool script_run(struct call *c) {
    const struct script *script = c->eng->hub->script;
    if (UNLIKELY(!script) || c->eng->hub->inside_depth != 1) return false;
    const struct command_row *row = (const struct command_row *)(uintptr_t)c->cmd;
    struct running r = { .call = c, .by_sha = row == script->evalsha };
    r.keys = r.by_sha || row == script->eval ? count_keys(c) : -1;
    lua_State *L = script->thread;
    if (r.keys < 0) return false;
    lua.pushvalue(L, SLOT_RUN);
    lua.pushlightuserdata(L, &r);
    if (lua.pcall(L, 1, 2, 0))
        write_failure(L, c->out);
    else if (!r.unknown)
        write_result(L, c->out);
    lua.settop(L, SLOTS);
    return !r.unknown;
}
