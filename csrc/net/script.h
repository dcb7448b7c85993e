/* script.h - scripts that run without Python: redis.call in C, EVAL of scripts that are known.
 *
 * Python compiles scripts and makes their environment (shmredis/scripting). What happens at every
 * call does not need it: the core knows the interpreter's C interface (net/lua.h) and
 *   - gives scripts redis.call and redis.pcall as functions of C. Arguments that are no strings or
 *     numbers, and commands of Python, are left to functions of Lua, which know all errors;
 *   - runs EVAL and EVALSHA of scripts that have no header by one call into Lua.
 *
 * An error of Lua jumps over the functions of C here, so they own nothing while they call Lua.
 *
 * Owns      struct script of the hub (malloc).
 * Callers   net/inside.c; Python once, by engine_set_lua (core.h).
 */
#ifndef SHMREDIS_SCRIPT_H
#define SHMREDIS_SCRIPT_H

#include "net/inside.h"
#include "net/lua.h"

/* Of the hub; NULL until Python has an interpreter, and if its library hides its interface. */
struct script {
    lua_State *thread; /* where EVAL runs; its stack begins with what enum slot says */
    const struct command_row *eval, *evalsha;
};

/* EVAL or EVALSHA of a script that is known. False: it is left to Python. */
bool script_run(struct call *c);

#endif
