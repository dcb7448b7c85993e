-- sandbox.lua - what scripts see: tables that cannot be changed, functions that reach nothing else.
--
-- The runtime's own globals are taken apart here; nobody has a way to them afterwards. Scripts get
-- proxies: an empty table whose metatable leads to the contents. The functions that could go around
-- a metatable (rawset, setmetatable, table.insert …) are replaced by ones that know the proxies.
local host, lib = ...

local getmetatable, setmetatable, rawset, rawget = getmetatable, setmetatable, rawset, rawget
local type, tostring, error, select, next, unpack = type, tostring, error, select, next, unpack
local pcall, xpcall, pairs, ipairs = pcall, xpcall, pairs, ipairs
local loadstring, setfenv, newproxy = loadstring, setfenv, newproxy
local sethook, getinfo = debug.sethook, debug.getinfo
local byte, concat, gsub = string.byte, table.concat, string.gsub
local floor, ceil, tonumber = math.floor, math.ceil, tonumber
local READONLY = "Attempt to modify a readonly table"

lib.sethook, lib.getinfo, lib.newproxy = sethook, getinfo, newproxy

local contents = {} -- of each proxy
local metatables = {} -- what getmetatable tells of a proxy

local function refuse()
    error(READONLY, 2)
end

-- A proxy of a table; `shown` is what getmetatable gives for it.
local function protect(t, shown)
    local proxy = setmetatable({}, { __index = t, __newindex = refuse })
    contents[proxy] = t
    metatables[proxy] = shown
    return proxy
end
lib.protect = protect
lib.contents = contents

local function check_writable(t)
    if contents[t] then error(READONLY, 0) end
end

lib.real_globals = _G
local globals = {}
lib.globals = globals -- of scripts; KEYS and ARGV come and go
local function no_such_global(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end
setmetatable(globals, { __index = no_such_global })
local environment = protect(globals, protect({ __index = no_such_global }))
lib.environment = environment
globals._G = environment

-- --- basic functions ---

globals._VERSION = _VERSION
for _, name in pairs({ "assert", "error", "gcinfo", "ipairs", "select", "tonumber", "tostring",
    "type", "collectgarbage" }) do
    globals[name] = _G[name]
end

-- Sources, never compiled code: that could do anything to the interpreter.
local function load_source(source, name)
    if byte(source) == 27 then
        local shown = name or source
        return nil, '[string "' .. shown:match("^%c?([^\n]*)") .. "\"]:1: unexpected symbol near 'char(27)'"
    end
    local f, problem = loadstring(source, name)
    if f then setfenv(f, environment) end
    return f, problem
end

function globals.loadstring(source, name)
    if type(source) == "number" then source = tostring(source) end
    if type(source) ~= "string" then
        error("bad argument #1 to 'loadstring' (string expected, got " ..
            (source == nil and "no value" or type(source)) .. ")", 2)
    end
    return load_source(source, name)
end

function globals.load(reader, name)
    if type(reader) ~= "function" then
        error("bad argument #1 to 'load' (function expected, got " ..
            (reader == nil and "no value" or type(reader)) .. ")", 2)
    end
    local pieces = {}
    while true do
        local ok, piece = pcall(reader)
        if not ok then return nil, piece end
        if piece == nil or piece == "" then break end
        if type(piece) ~= "string" and type(piece) ~= "number" then
            return nil, "reader function must return a string"
        end
        pieces[#pieces + 1] = piece
    end
    return load_source(concat(pieces), name or "=(load)")
end

-- Calls with too few arguments go on to the functions of Lua, which say so.
local function missing(n, ...)
    return select("#", ...) < n
end

function globals.rawget(...)
    local t, k = ...
    if missing(2, ...) then rawget(...) end
    return rawget(contents[t] or t, k)
end

globals.rawequal = rawequal

function globals.rawset(...)
    local t, k, v = ...
    check_writable(t)
    if missing(3, ...) then rawset(...) end
    return rawset(t, k, v)
end

function globals.setmetatable(...)
    local t, meta = ...
    check_writable(t)
    if missing(2, ...) then setmetatable(...) end
    return setmetatable(t, meta)
end

-- Of a proxy, pairs and next go over a copy: there is no way to the contents themselves.
local function copy(t)
    local out = {}
    for k, v in next, t do out[k] = v end
    return out
end

function globals.next(...)
    local t, k = ...
    if missing(1, ...) then next(...) end
    return next(contents[t] or t, k)
end

function globals.pairs(...)
    local t = ...
    if type(t) ~= "table" then
        local got = missing(1, ...) and "no value" or type(t)
        error("bad argument #1 to 'pairs' (table expected, got " .. got .. ")", 2)
    end
    if contents[t] then return next, copy(contents[t]), nil end
    return pairs(t)
end

-- An error of a command is a table; whoever catches it by pcall gets its text.
local function caught(ok, problem, ...)
    if lib.ended then error(lib.ended, 0) end
    if not ok and type(problem) == "string" then return false, (gsub(problem, "^shmredis:%d+: ", "")) end
    if not ok and type(problem) == "table" and type(rawget(problem, "err")) == "string" then
        return false, problem.err
    end
    return ok, problem, ...
end

function globals.pcall(...)
    if missing(1, ...) then return false, "attempt to call a boolean value" end -- as Redis says
    return caught(pcall(...))
end

-- An error that the hook raises calls the handler with hooks off: one that loops would never end.
function globals.xpcall(...)
    local f, handler = ...
    if missing(2, ...) then error("bad argument #2 to 'xpcall' (value expected)", 2) end
    return xpcall(f, function(problem)
        if lib.ended then return problem end
        return handler(problem)
    end)
end

-- --- libraries ---

local string_meta = getmetatable("")

-- The function behind a check of its arguments. Lua's errors call a function by the name of the variable that it
-- is called by, so the variable has that name.
local loaded, pass = loadstring, function(...) return ... end
local function checked(name, f, check)
    local text = gsub("local NAME, check, pass = ... return function(...) check(...) return pass(NAME(...)) end", "NAME", name)
    return loaded(text, "=shmredis")(f, check, pass)
end

local function take(names, from)
    local out = {}
    for name in names:gmatch("%S+") do out[name] = from[name] end
    return out
end

-- As the libraries of C make an int of a number: of the lowest 32 bits.
local function int(number)
    if not (number > -2 ^ 63 and number < 2 ^ 63) then return 0 end
    number = number < 0 and ceil(number) or floor(number)
    return (number + 2 ^ 31) % 2 ^ 32 - 2 ^ 31
end

-- Lua counts the results in an int, and overwrites memory when that overflows.
globals.unpack = checked("unpack", unpack, function(t, first, last)
    if type(t) ~= "table" then return end
    if first == nil then first = 1 end
    if last == nil then last = #t end
    first, last = tonumber(first), tonumber(last)
    if first and last and int(last) - int(first) >= 2 ^ 31 - 1 then error("too many results to unpack", 3) end
end)

local strings = take("byte char dump find format gfind gmatch gsub len lower match rep reverse sub upper",
    string)

-- The matcher calls itself for each repetition; of too many the stack of C would overflow. (How long it
-- takes is the script's own affair: it cannot be ended there, in Redis neither.)
local REPETITIONS = 1000
local function check_pattern(_, pattern)
    if type(pattern) ~= "string" or #pattern <= REPETITIONS then return end
    local _, n = gsub(pattern, "[*+?-]", "")
    if n > REPETITIONS then error("pattern too complex", 3) end
end
for _, name in ipairs({ "find", "match", "gmatch", "gsub" }) do
    strings[name] = checked(name, string[name], check_pattern)
end
strings.gfind = strings.gmatch
strings.dump = checked("dump", string.dump, function(f)
    if type(f) == "function" and getinfo(f, "S").source == "=shmredis" then error("unable to dump given function", 3) end
end)

-- A text that cannot be had at all would take long to fail.
local longest = host.memory_limit * 1024
local rep = string.rep
function strings.rep(...)
    local s, n = ...
    if type(s) == "string" and type(n) == "number" and #s * n > longest then error("not enough memory", 0) end
    local text = rep(...)
    return text
end

local tables = take("concat foreach foreachi getn maxn remove setn sort", table)
tables.insert = checked("insert", table.insert, check_writable) -- the others change what is there, and a proxy is empty

local maths = take("abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max " ..
    "min mod modf pi pow rad sin sinh sqrt tan tanh", math)
lib.maths = maths

-- --- coroutines, in which the hook has to be set, too ---

local HOOK_EVERY = 100000 -- instructions
local create, wrap = coroutine.create, coroutine.wrap

-- Memory that a script may have, in units of 1024 bytes. It is looked at now and then; the interpreter's own
-- limit is above, for what grows at once.
local count = collectgarbage
local function lacks_memory()
    if count("count") <= host.memory_limit then return nil end
    count("collect")
    return count("count") > host.memory_limit and "ERR not enough memory" or nil
end

function lib.collect() count("collect") end

-- What a script has left is not kept for long: whatever comes next needs the room.
local collect_above = host.memory_limit / 4
function lib.tidy()
    if count("count") <= collect_above then return end
    count("collect")
    local needed = 2 * count("count")
    collect_above = needed > host.memory_limit / 4 and needed or host.memory_limit / 4
end

-- lib.tick is asked now and then whether the script is to end; it says why. Only a script's own code is ended:
-- functions of ours return to it, and what comes after the script goes on undisturbed.
lib.watched = false -- a script runs, or a library is being loaded
local function hook()
    if not lib.watched then return end
    lib.ticked = true
    lib.ended = lib.ended or lib.tick() or lacks_memory()
    if not lib.ended then return end
    sethook(hook, "", 1) -- no pcall gets in the way
    local running = getinfo(2, "S")
    if running and running.source == "=shmredis" then return end
    error(lib.ended, 0)
end

-- For the handler of the outermost error, from which there is no way back into the script: the hook is as
-- it was. (lib.ended stays, to be looked at.)
function lib.settle()
    if lib.ended then sethook(hook, "", HOOK_EVERY) end
end
sethook(hook, "", HOOK_EVERY)
lib.tick = host.tick

function lib.watch(thread) sethook(thread, hook, "", HOOK_EVERY) end

local function check_lua(f, name)
    if type(f) ~= "function" or getinfo(f, "S").what == "C" then
        error("bad argument #1 to '" .. name .. "' (Lua function expected)", 3)
    end
end

local coroutines = take("resume running status yield", coroutine)
function coroutines.create(f)
    check_lua(f, "create")
    local co = create(f)
    sethook(co, hook, "", HOOK_EVERY)
    return co
end
function coroutines.wrap(f)
    check_lua(f, "wrap")
    return wrap(function(...)
        sethook(hook, "", HOOK_EVERY)
        return f(...)
    end)
end

globals.string = protect(strings)
globals.table = protect(tables)
globals.math = protect(maths)
globals.coroutine = protect(coroutines)
globals.os = protect({ clock = os.clock })

-- Methods of strings are those that scripts see.
string_meta.__index = globals.string
local shown_string_meta = protect({ __index = globals.string })
function globals.getmetatable(...)
    local x = ...
    if missing(1, ...) then getmetatable(...) end
    if type(x) == "string" then return shown_string_meta end
    if contents[x] then return metatables[x] end
    return getmetatable(x)
end

-- --- what is called from outside ---

-- A chunk of scripts, in their environment (or another one); or nil and why not.
local dump = string.dump
function lib.compile(source, name, env)
    local f, problem
    if byte(source) == 27 then
        problem = name:sub(2) .. ":1: unexpected symbol near 'char(27)'"
    else
        f, problem = loadstring(source, name)
    end
    if not f then return nil, problem end
    f = loadstring(lib.keep_frames(dump(f)), name)
    return setfenv(f, env or environment)
end

-- Ends the script for good: lib.ended says why.
function lib.stop()
    sethook(hook, "", 1)
    error(lib.ended, 0)
end

-- Empties the interpreter's own globals. They stay its globals: lupa looks there for debug.traceback.
function lib.seal()
    local real = lib.real_globals
    for name in pairs(copy(real)) do real[name] = nil end
end
