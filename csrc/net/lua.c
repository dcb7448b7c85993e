/* lua.c - finding the functions of Lua by their names. */
#include "net/lua.h"

#include <dlfcn.h>

struct lua lua;

static bool find(void *library, const char *name, void *function) {
    void *address = library ? dlsym(library, name) : NULL;
    memcpy(function, &address, sizeof address); /* ISO C knows no conversion to a function */
    return address;
}

bool lua_find(const char *library) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
    bool all = true;
#define X(result, name, arguments) all = find(handle, "lua_" #name, &lua.name) && all;
    LUA_FUNCTIONS(X)
#undef X
    return all; /* the handle stays: the library must not go */
}
