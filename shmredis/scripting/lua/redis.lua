-- redis.lua - the table `redis` of scripts, and the running of scripts.
local host, lib = ...

local byte, sub, find, format, concat = string.byte, string.sub, string.find, string.format, table.concat
local ipairs, select, type, tostring, tonumber, error, rawget = ipairs, select, type, tostring, tonumber, error, rawget
local xpcall, floor, unpack, gsub = xpcall, math.floor, unpack, string.gsub
local heads = lib.heads
local host_call, decode, encode, getinfo = host.call, lib.decode, lib.encode, lib.getinfo

local running = false -- a script may run commands
local client_resp, script_resp = 2, 2

-- --- errors ---

-- The end of it, as a table of text, source and line.
local function raise(text)
    error({ err = text }, 0)
end

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

-- --- commands ---

local function number_text(n)
    if n == floor(n) and n > -4611686018427387904 and n < 4611686018427387904 then return format("%d", n) end
    return host.number_text(n)
end
lib.number_text = number_text

local function argument(a)
    local kind = type(a)
    if kind == "string" then return a end
    if kind == "number" then return number_text(a) end
    raise("ERR Lua redis lib command arguments must be strings or integers")
end

-- The request of a command, as RESP.
local function request(n, ...)
    local parts = { ... }
    for i = 1, n do
        local a = argument(parts[i])
        parts[i] = heads[#a] .. a .. "\r\n"
    end
    return "*" .. n .. "\r\n" .. concat(parts, "", 1, n)
end

local function reply_of(n, ...)
    if n == 0 then raise("ERR Please specify at least one argument for this redis lib call") end
    if not running then raise("ERR redis.call/pcall can only be called inside a script invocation") end
    local reply = host_call(request(n, ...))
    if reply == false then
        lib.ended = "ERR the script begins anew"
        lib.stop()
    end
    return reply
end

local function call(...)
    local n, a, b = select("#", ...), ...
    local reply
    if n == 2 and running and type(a) == "string" and type(b) == "string" then -- the usual reading command
        reply = host_call("*2\r\n" .. heads[#a] .. a .. "\r\n" .. heads[#b] .. b .. "\r\n")
    end
    if not reply then reply = reply_of(n, ...) end
    local kind = byte(reply)
    if kind == 36 then -- a bulk string, most often
        local stop = find(reply, "\r", 2, true)
        if byte(reply, 2) == 45 then return false end
        return sub(reply, stop + 2, -3)
    end
    local value = decode(reply, 1)
    if kind == 45 then error(value, 0) end
    return value
end

local function caught(ok, value)
    if lib.ended then error(lib.ended, 0) end
    if not ok and type(value) ~= "table" then return { err = "ERR " .. tostring(value) } end
    return value
end

local pcall = pcall
local function protected_call(...)
    return caught(pcall(call, ...))
end

local function sha1hex(...)
    if select("#", ...) ~= 1 then raise("ERR wrong number of arguments") end
    local text = ...
    if type(text) ~= "string" and type(text) ~= "number" then text = "" end
    return host.sha1hex(tostring(text))
end

local function status_reply(field, ...)
    local text = ...
    if select("#", ...) ~= 1 or type(text) ~= "string" then return { err = "ERR wrong number or type of arguments" } end
    return { [field] = text }
end

local function error_reply(...)
    local reply = status_reply("err", ...)
    local text = reply.err
    if byte(text) == 45 then text = sub(text, 2) end
    if not find(text, " ", 1, true) then text = "ERR " .. text end
    return { err = text }
end

local function log(...)
    local n = select("#", ...)
    local level = ...
    if n < 2 then raise("ERR redis.log() requires two arguments or more.") end
    if type(level) ~= "number" then raise("ERR First argument must be a number (log level).") end
    if level < 0 or level > 3 then raise("ERR Invalid log level.") end
    local words = {}
    for i = 2, n do
        local word = (select(i, ...))
        if type(word) == "string" or type(word) == "number" then words[#words + 1] = tostring(word) end
    end
    host.log(level, concat(words, " "))
end

local function setresp(...)
    if select("#", ...) ~= 1 then raise("ERR redis.setresp() requires one argument.") end
    local version = ...
    if version ~= 2 and version ~= 3 then raise("ERR RESP version must be 2 or 3.") end
    script_resp = version
    host.setresp(version)
end

local function set_repl(...)
    if select("#", ...) ~= 1 then raise("ERR redis.set_repl() requires one argument.") end
    local flags = tonumber((...)) or -1
    if flags < 0 or flags > 3 or flags ~= floor(flags) then
        raise("ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
    end
    host.set_repl(flags % 2 == 1)
end

local function acl_check_cmd(...)
    local n = select("#", ...)
    if n == 0 then raise("ERR Please specify at least one argument for this redis lib call") end
    local answer = host.acl_check_cmd(request(n, ...))
    if type(answer) == "string" then raise("ERR " .. answer .. " redis.acl_check_cmd()") end
    return answer
end

local function everywhere()
    return {
        log = log, LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
        call = call, pcall = protected_call, setresp = setresp, set_repl = set_repl,
        REPL_NONE = 0, REPL_AOF = 1, REPL_REPLICA = 2, REPL_SLAVE = 2, REPL_ALL = 3,
        sha1hex = sha1hex, error_reply = error_reply,
        status_reply = function(...) return status_reply("ok", ...) end,
        acl_check_cmd = acl_check_cmd,
        REDIS_VERSION = host.version, REDIS_VERSION_NUM = host.version_number,
    }
end

local redis = everywhere()
redis.replicate_commands = function() return true end
redis.breakpoint = function() return false end
redis.debug = function() end
lib.globals.redis = lib.protect(redis)
lib.everywhere = everywhere
lib.globals.__redis__err__handler = function(problem)
    if type(problem) ~= "table" then problem = { err = "ERR " .. tostring(problem) } end
    return problem
end

-- --- random numbers ---

-- The 48 bits of POSIX's lrand48, as two halves of 24.
local high, low = 0x1234AB, 0xCD330E
local function seed(n)
    n = n % 4294967296
    high, low = floor(n / 256), n % 256 * 65536 + 0x330E
end

local function draw()
    local product = low * 0xECE66D + 0xB -- the factor 0x5DEECE66D is 0x5DE << 24 | 0xECE66D
    high = (low * 0x5DE + high * 0xECE66D % 16777216 + floor(product / 16777216)) % 16777216
    low = product % 16777216
    return floor((high * 16777216 + low) / 131072)
end

function lib.maths.random(...)
    local r = draw() % 2147483647 / 2147483647
    local n, a, b = select("#", ...), ...
    if n == 0 then return r end
    if n == 1 then a, b = 1, a end
    if n > 2 then error("wrong number of arguments", 2) end
    for i, v in ipairs(n == 1 and { b } or { a, b }) do
        if not tonumber(v) then
            error("bad argument #" .. i .. " to 'random' (number expected, got " .. type(v) .. ")", 2)
        end
    end
    if floor(a) > floor(b) then
        error("bad argument #" .. (n == 1 and 1 or 2) .. " to 'random' (interval is empty)", 2)
    end
    return floor(r * (floor(b) - floor(a) + 1)) + floor(a)
end
function lib.maths.randomseed(n)
    seed(floor(tonumber(n) or 0))
end

-- --- running ---

local scripts = {} -- compiled, by SHA1

function lib.define(sha, f)
    scripts[sha] = f
end
function lib.forget(sha)
    scripts[sha] = nil
end

-- Values into KEYS (the first n) and ARGV.
local function split(n, ...)
    local total = select("#", ...)
    if n == 1 and total == 1 then return { (...) }, {} end
    if n == 0 then return {}, { ... } end
    if n == total then return { ... }, {} end
    local keys, all = {}, { ... }
    for i = 1, n do keys[i] = all[i] end
    return keys, { select(n + 1, ...) }
end

local function finish(ok, value)
    running, lib.ended = false, nil
    lib.tidy()
    if ok then return encode(value, client_resp, script_resp) end
    if type(value) ~= "table" then value = { err = "ERR " .. tostring(value) } end
    local text = rawget(value, "err")
    if type(text) ~= "string" then text = "ERR unknown error" end
    local source, line = rawget(value, "source"), rawget(value, "line")
    local at = source and line and format(", on %s:%d.", tostring(source), line) or ""
    return nil, text, at, rawget(value, "ended")
end

local function begin(resp)
    client_resp, script_resp, running = resp, 2, true
end

local globals = lib.globals

-- The reply as RESP, or nil and what went wrong: the text and the place.
function lib.run(sha, resp, n, ...)
    globals.KEYS, globals.ARGV = split(n, ...)
    begin(resp)
    return finish(xpcall(scripts[sha], handle_error))
end

-- The same for a function of a library, which takes its keys and arguments.
function lib.call_function(f, resp, n, ...)
    local keys, args = split(n, ...)
    globals.KEYS, globals.ARGV = nil, nil
    begin(resp)
    return finish(xpcall(function() return f(keys, args) end, handle_error))
end
