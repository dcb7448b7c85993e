/* lua.h - the part of Lua 5.1's C interface that scripts need, of the interpreter that Python has
 * loaded.
 *
 * The interpreter is lupa's: its library exports the interface, and is looked through by name.
 * Source: the reference manual of Lua 5.1, chapter 3 and 4.
 */
#ifndef SHMREDIS_LUA_H
#define SHMREDIS_LUA_H

#include "mem/bytes.h"

typedef struct lua_State lua_State;
typedef int (*lua_function)(lua_State *L);

enum lua_type { LUA_NIL = 0, LUA_BOOLEAN = 1, LUA_NUMBER = 3, LUA_STRING = 4, LUA_TABLE = 5 };
enum { LUA_GLOBALS = -10002 };             /* the index of the table of globals */
#define LUA_UPVALUE(i) (LUA_GLOBALS - (i)) /* of the function that runs, from 1 on */

#define LUA_FUNCTIONS(X)                                                                           \
    X(int, gettop, (lua_State *))                                                                  \
    X(void, settop, (lua_State *, int))                                                            \
    X(void, insert, (lua_State *, int))                                                            \
    X(void, pushvalue, (lua_State *, int))                                                         \
    X(int, checkstack, (lua_State *, int))                                                         \
    X(int, type, (lua_State *, int))                                                               \
    X(int, toboolean, (lua_State *, int))                                                          \
    X(double, tonumber, (lua_State *, int))                                                        \
    X(const char *, tolstring, (lua_State *, int, size_t *))                                       \
    X(void *, touserdata, (lua_State *, int))                                                      \
    X(void, pushnil, (lua_State *))                                                                \
    X(void, pushboolean, (lua_State *, int))                                                       \
    X(void, pushnumber, (lua_State *, double))                                                     \
    X(void, pushlstring, (lua_State *, const char *, size_t))                                      \
    X(void, pushlightuserdata, (lua_State *, void *))                                              \
    X(void, pushcclosure, (lua_State *, lua_function, int))                                        \
    X(void, createtable, (lua_State *, int, int))                                                  \
    X(void, rawget, (lua_State *, int))                                                            \
    X(void, rawseti, (lua_State *, int, int))                                                      \
    X(void, getfield, (lua_State *, int, const char *))                                            \
    X(void, setfield, (lua_State *, int, const char *))                                            \
    X(void, call, (lua_State *, int, int))                                                         \
    X(int, pcall, (lua_State *, int, int, int))                                                    \
    X(int, error, (lua_State *))

struct lua {
#define X(result, name, arguments) result(*name) arguments;
    LUA_FUNCTIONS(X)
#undef X
};
/* Of this process, which has one interpreter's library; all zero before lua_find. */
extern struct lua lua;

/* Finds them in a library that is loaded already. False: it is not, or lacks one. */
bool lua_find(const char *library);

#endif
