-- functions.lua - libraries: what they see while they are loaded, and afterwards.
local host, lib = ...

local setmetatable, error, type, next, tostring, tonumber, select = setmetatable, error, type, next, tostring, tonumber, select
local xpcall, rawget, unpack, find, floor = xpcall, rawget, unpack, string.find, math.floor

local function no_such_global(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end
local function refuse()
    error("Attempt to modify a readonly table", 2)
end
local function raise(text)
    error({ err = text }, 0)
end

-- --- what functions see: the globals of scripts, but for KEYS and ARGV ---

local globals = setmetatable({}, { __index = no_such_global })
for name, value in next, lib.globals do globals[name] = value end
globals.__redis__err__handler = nil
globals.redis = lib.protect(lib.everywhere())
globals._G = lib.protect(globals)

-- --- what the code of a library sees while it is loaded ---

local registered -- by the library that is being loaded: name, flags, description and function of each

local function check_name(name)
    if name == "" or find(name, "[^%w_]") then
        raise("ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long")
    end
    for i = 1, #registered, 4 do
        if registered[i] == name then raise("ERR Function already exists in the library") end
    end
    return name
end

local function add(name, flags, description, f)
    local n = #registered
    registered[n + 1], registered[n + 2] = check_name(name), flags
    registered[n + 3], registered[n + 4] = description, f
end

local function text_of(value, what)
    if type(value) ~= "string" and type(value) ~= "number" then
        raise("ERR " .. what .. " redis.register_function must be a string")
    end
    return tostring(value)
end

local FLAGS = { ["no-writes"] = 1, ["allow-oom"] = 2, ["allow-stale"] = 4, ["no-cluster"] = 8,
    ["allow-cross-slot-keys"] = 16 }

local function flags_of(list)
    if type(list) ~= "table" then
        raise("ERR flags argument to redis.register_function must be a table representing function flags")
    end
    local flags, seen, i = 0, {}, 1
    while rawget(list, i) ~= nil do
        local flag = FLAGS[rawget(list, i)]
        if not flag then raise("ERR unknown flag given") end
        if not seen[flag] then flags, seen[flag] = flags + flag, true end
        i = i + 1
    end
    return flags
end

-- register_function{ function_name = …, callback = …, flags = …, description = … }
local function register_named(t)
    local name, callback, flags, description = nil, nil, 0, false
    for field, value in next, t do
        if field == "function_name" then
            name = text_of(value, "function_name argument given to")
        elseif field == "description" then
            description = text_of(value, "description argument given to")
        elseif field == "callback" then
            if type(value) ~= "function" then
                raise("ERR callback argument given to redis.register_function must be a function")
            end
            callback = value
        elseif field == "flags" then
            flags = flags_of(value)
        else
            raise("ERR unknown argument given to redis.register_function")
        end
    end
    if not name then raise("ERR redis.register_function must get a function name argument") end
    if not callback then raise("ERR redis.register_function must get a callback argument") end
    add(name, flags, description, callback)
end

local function register_function(...)
    local n, first, second = select("#", ...), ...
    if not registered then raise("ERR redis.register_function can only be called on FUNCTION LOAD command") end
    if n < 1 or n > 2 then raise("ERR wrong number of arguments to redis.register_function") end
    if n == 1 then
        if type(first) ~= "table" then
            raise("ERR calling redis.register_function with a single argument is only applicable to Lua table " ..
                "(representing named arguments).")
        end
        return register_named(first)
    end
    local name = text_of(first, "first argument to")
    if type(second) ~= "function" then raise("ERR second argument to redis.register_function must be a function") end
    add(name, 0, false, second)
end

local loading = { register_function = register_function }
for name, value in next, lib.everywhere() do
    if name == "log" or find(name, "^LOG_") or find(name, "^REDIS_") then loading[name] = value end
end
setmetatable(loading, { __index = no_such_global })
local loading_globals = setmetatable({ redis = lib.protect(loading) }, { __index = no_such_global })

local function describe(problem)
    lib.settle()
    if lib.ended then return "ERR " .. lib.ended end
    if type(problem) == "table" then return tostring(rawget(problem, "err")) end
    return "ERR " .. tostring(problem)
end

-- The functions of a library as one list: name, flags, description (or false) and function of each; or false
-- and what is wrong.
function lib.load_library(code)
    local see = { __index = loading_globals, __newindex = refuse }
    local f, problem = lib.compile(code, "@user_function", setmetatable({}, see))
    if not f then return false, "Error compiling function: " .. problem end
    registered = {}
    lib.watched = true
    local ok, why = xpcall(f, describe)
    local list = registered
    lib.settle()
    registered, lib.watched, lib.ended = nil, false, nil
    lib.tidy()
    if not ok then return false, "Error registering functions: " .. tostring(why) end
    see.__index = globals
    return true, unpack(list)
end
