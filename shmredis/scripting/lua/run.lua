-- run.lua - the running of scripts and functions, and what becomes of their errors.
local host, lib = ...

local find, format, gsub = string.find, string.format, string.gsub
local select, type, tostring, error, rawget, xpcall = select, type, tostring, error, rawget, xpcall
local encode, getinfo, globals = lib.encode, lib.getinfo, lib.globals
local coroutine = coroutine

lib.running = false -- a script may run commands
lib.script_resp = 2
local client_resp = 2

-- --- errors ---

-- The place in a script that was executed last.
local function place()
    for level = 3, 40 do
        local i = getinfo(level, "Sl")
        if not i then return end
        if i.what ~= "C" and i.what ~= "tail" and i.source ~= "=shmredis" then return i.source, i.currentline end
    end
end

local function handle_error(problem)
    lib.settle()
    local source, line = place()
    if lib.ended then return { err = lib.ended, ended = true, source = source, line = line } end
    if type(problem) == "string" and find(problem, "^shmredis:%d+: ") then
        local where = source and gsub(source, "^[@=]", "") .. ":" .. line .. ": " or ""
        problem = gsub(problem, "^shmredis:%d+: ", function() return where end)
    end
    if type(problem) ~= "table" then problem = { err = "ERR " .. tostring(problem) } end
    if source then problem.source, problem.line = source, line end
    return problem
end

-- The line of an error for the client; `name` is the SHA1 of the script or that of the function.
local function failure(problem, name)
    if type(problem) ~= "table" then problem = { err = "ERR " .. tostring(problem) } end
    local text = rawget(problem, "err")
    if type(text) == "number" then text = tostring(text) end
    text = type(text) == "string" and lib.one_line(text) or "ERR unknown error"
    local source, line = rawget(problem, "source"), rawget(problem, "line")
    local at = source and line and format(", on %s:%d.", tostring(source), line)
    if at then return text .. " script: " .. name .. at end
    return rawget(problem, "ended") and text or text .. " script: " .. name
end

-- --- beginning and end ---

local function begin(resp)
    client_resp, lib.script_resp, lib.running, lib.watched = resp, 2, true, true
end

local function finish()
    lib.settle()
    lib.running, lib.watched, lib.ended = false, false, nil
    lib.tidy()
    if lib.ticked then
        lib.ticked = false
        host.over()
    end
end

-- The reply as RESP, or nil and the line of an error.
local function result(name, ok, value)
    finish()
    if ok then return encode(value, client_resp, lib.script_resp) end
    return nil, failure(value, name)
end

-- --- scripts ---

local scripts = {} -- compiled, by SHA1
local texts, shas = {}, {} -- SHA1s of those without a header, by text and by SHA1: the core runs them itself

function lib.define(sha, f, text)
    scripts[sha] = f
    if text then texts[text], shas[sha] = sha, sha end
end

function lib.forget(sha, text)
    scripts[sha], shas[sha], texts[text] = nil, nil, nil
end

-- Values into KEYS (the first n) and ARGV.
local function split(n, ...)
    local keys, all = {}, { ... }
    for i = 1, n do keys[i] = all[i] end
    return keys, { select(n + 1, ...) }
end

function lib.run(sha, resp, n, ...)
    globals.KEYS, globals.ARGV = split(n, ...)
    begin(resp)
    return result(sha, xpcall(scripts[sha], handle_error))
end

-- The same for a function of a library, which takes its keys and arguments.
function lib.call_function(f, name, resp, n, ...)
    local keys, args = split(n, ...)
    globals.KEYS, globals.ARGV = nil, nil
    begin(resp)
    return result(name, xpcall(function() return f(keys, args) end, handle_error))
end

-- --- for the core (csrc/net/script.c) ---

-- A string and what it is: nil: the value that the script returned; true: a reply; false: an error.
local function run_known(sha, resp, keys, args)
    globals.KEYS, globals.ARGV = keys, args
    begin(resp)
    local ok, value = xpcall(scripts[sha], handle_error)
    finish()
    if not ok then return failure(value, sha), false end
    if type(value) == "string" then return value end
    return encode(value, client_resp, lib.script_resp), true
end

-- What could not be caught: memory was short.
local function failed(problem)
    lib.collect()
    finish()
    return "ERR " .. tostring(problem)
end

lib.failed = failed

-- Gives the core what it needs, by way of the globals, and the functions that it makes of it; nil if it
-- cannot use the interpreter.
local thread = coroutine.create(function() end) -- the core runs scripts on its stack
function lib.attach(slow_call, slow_pcall)
    local G = lib.real_globals
    G.core_run, G.core_failed, G.core_texts, G.core_shas = run_known, failed, texts, shas
    G.core_slow_call, G.core_slow_pcall, G.core_decode = slow_call, slow_pcall, lib.decode
    lib.watch(thread)
    if not host.attach(tostring(thread)) then return nil end
    lib.null = G.core_null
    return G.core_call, G.core_pcall
end
