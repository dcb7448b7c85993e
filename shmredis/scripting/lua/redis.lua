-- redis.lua - the table `redis` of scripts.
local host, lib = ...

local byte, sub, find, format, concat = string.byte, string.sub, string.find, string.format, table.concat
local select, type, tostring, tonumber, error = select, type, tostring, tonumber, error
local floor, ceil = math.floor, math.ceil
local heads, host_call, decode = lib.heads, host.call, lib.decode

-- The end of a script, as a table of text, source and line.
local function raise(text)
    error({ err = text }, 0)
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
    if not lib.running then raise("ERR redis.call/pcall can only be called inside a script invocation") end
    local reply = host_call(request(n, ...))
    if reply == false then
        lib.ended = "ERR the script begins anew"
        lib.stop()
    end
    return reply
end

local function call(...)
    local reply = reply_of(select("#", ...), ...)
    local value = decode(reply, 1)
    if byte(reply) == 45 then error(value, 0) end
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

-- The core has both in C (csrc/net/script.c), which leave what is unusual to these.
local fast_call, fast_pcall = lib.attach(call, protected_call)
if fast_call then call, protected_call = fast_call, fast_pcall end

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
    level = tonumber(level)
    if not level then raise("ERR First argument must be a number (log level).") end
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
    local version = floor(tonumber((...)) or 0)
    if version ~= 2 and version ~= 3 then raise("ERR RESP version must be 2 or 3.") end
    lib.script_resp = version
    host.setresp(version)
end

local function set_repl(...)
    if select("#", ...) ~= 1 then raise("ERR redis.set_repl() requires one argument.") end
    local flags = floor(tonumber((...)) or 0)
    if flags < 0 or flags > 3 then
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

-- A number as an int of C; `name` is who wants it.
local function int(v, i, n, name)
    local number = tonumber(v)
    if not number then
        error("bad argument #" .. i .. " to '" .. name .. "' (number expected, got " ..
            (i > n and "no value" or type(v)) .. ")", 3)
    end
    number = number < 0 and ceil(number) or floor(number)
    return (number + 2147483648) % 4294967296 - 2147483648
end

function lib.maths.random(...)
    local r = draw() % 2147483647 / 2147483647
    local n, a, b = select("#", ...), ...
    if n == 0 then return r end
    if n > 2 then error("wrong number of arguments", 2) end
    local low = n == 1 and 1 or int(a, 1, n, "random")
    local high = n == 1 and int(a, 1, n, "random") or int(b, 2, n, "random")
    if low > high then error("bad argument #" .. n .. " to 'random' (interval is empty)", 2) end
    return floor(r * (high - low + 1)) + low
end
function lib.maths.randomseed(...)
    seed(int((...), 1, select("#", ...), "randomseed"))
end
