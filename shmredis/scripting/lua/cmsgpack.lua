-- cmsgpack.lua - MessagePack.
local host, lib = ...

local byte, char, sub, concat = string.byte, string.char, string.sub, table.concat
local floor, error, type, select, next, tostring, unpack = math.floor, error, type, select, next, tostring, unpack
local pack_double, unpack_double = host.pack_double, host.unpack_double

local MAX_NESTING = 16

local function big_endian(n, size)
    local out = {}
    for i = size, 1, -1 do
        out[i] = char(n % 256)
        n = floor(n / 256)
    end
    return concat(out)
end

local function pack_integer(n)
    if n >= 0 then
        if n < 128 then return char(n) end
        if n < 256 then return "\204" .. char(n) end
        if n < 65536 then return "\205" .. big_endian(n, 2) end
        if n < 4294967296 then return "\206" .. big_endian(n, 4) end
        return "\207" .. big_endian(n, 8)
    end
    if n >= -32 then return char(256 + n) end
    if n >= -128 then return "\208" .. char(256 + n) end
    if n >= -32768 then return "\209" .. big_endian(n + 65536, 2) end
    if n >= -2147483648 then return "\210" .. big_endian(n + 4294967296, 4) end
    return "\211" .. big_endian(n, 8) -- floor division carries the sign
end

local function pack_number(n)
    if n == floor(n) and n >= -9223372036854775808 and n < 9223372036854775808 then return pack_integer(n) end
    local short = pack_double(n, ">f")
    local same = unpack_double(short, ">f")
    if same == n or n ~= n then return (n ~= n and "\203" .. pack_double(n, ">d")) or "\202" .. short end
    return "\203" .. pack_double(n, ">d")
end

local function length(n, fixed, limit, codes)
    if n < limit then return char(fixed + n) end
    if codes[1] and n < 256 then return codes[1] .. char(n) end
    if n < 65536 then return codes[2] .. big_endian(n, 2) end
    return codes[3] .. big_endian(n, 4)
end

local STRING, ARRAY, MAP = { "\217", "\218", "\219" }, { nil, "\220", "\221" }, { nil, "\222", "\223" }

-- How many elements it has if its keys are 1 … n, else nil.
local function array_length(t)
    local n, max = 0, 0
    for k in next, t do
        if type(k) ~= "number" or k <= 0 or k ~= floor(k) then return nil end
        n = n + 1
        if k > max then max = k end
    end
    return max == n and n or nil
end

local pack_value

local function pack_table(out, t, depth)
    local n = array_length(t)
    if n then
        out[#out + 1] = length(n, 144, 16, ARRAY)
        for i = 1, n do pack_value(out, t[i], depth + 1) end
        return
    end
    n = 0
    for _ in next, t do n = n + 1 end
    out[#out + 1] = length(n, 128, 16, MAP)
    for k, v in next, t do
        pack_value(out, k, depth + 1)
        pack_value(out, v, depth + 1)
    end
end

function pack_value(out, v, depth)
    local kind = type(v)
    if kind == "string" then
        out[#out + 1] = length(#v, 160, 32, STRING)
        out[#out + 1] = v
    elseif kind == "number" then
        out[#out + 1] = pack_number(v)
    elseif kind == "boolean" then
        out[#out + 1] = v and "\195" or "\194"
    elseif kind == "table" and depth < MAX_NESTING then
        pack_table(out, v, depth)
    else
        out[#out + 1] = "\192"
    end
end

local cmsgpack = {}

function cmsgpack.pack(...)
    local n = select("#", ...)
    if n == 0 then error("bad argument #0 to 'pack' (MessagePack pack needs input.)", 2) end
    local out = {}
    for i = 1, n do pack_value(out, (select(i, ...)), 0) end
    return concat(out)
end

-- --- unpacking ---

local MISSING, BAD = "Missing bytes in input.", "Bad data format in input."

local function unsigned(s, at, size)
    if at + size - 1 > #s then error(MISSING, 0) end
    local n = 0
    for i = at, at + size - 1 do n = n * 256 + byte(s, i) end
    return n, at + size
end

local function signed(s, at, size)
    local n, after = unsigned(s, at, size)
    local top = byte(s, at)
    if top < 128 then return n, after end
    n = 0
    for i = at, at + size - 1 do n = n * 256 + 255 - byte(s, i) end
    return -n - 1, after
end

local function bytes(s, at, size)
    if at + size - 1 > #s then error(MISSING, 0) end
    return sub(s, at, at + size - 1), at + size
end

local function real(s, at, size, form)
    local text, after = bytes(s, at, size)
    return unpack_double(text, form), after
end

local unpack_value

local function array(s, at, n, depth)
    local out = {}
    for i = 1, n do out[i], at = unpack_value(s, at, depth + 1) end
    return out, at
end

local function map(s, at, n, depth)
    local out, k, v = {}, nil, nil
    for _ = 1, n do
        k, at = unpack_value(s, at, depth + 1)
        v, at = unpack_value(s, at, depth + 1)
        if k == nil then error({ err = "ERR table index is nil" }, 0) end
        if k ~= k then error({ err = "ERR table index is NaN" }, 0) end
        out[k] = v
    end
    return out, at
end

-- By the first byte: what follows has a length of so many bytes.
local KINDS = {
    [192] = function(_, at) return nil, at end,
    [194] = function(_, at) return false, at end,
    [195] = function(_, at) return true, at end,
    [202] = function(s, at) return real(s, at, 4, ">f") end,
    [203] = function(s, at) return real(s, at, 8, ">d") end,
}
for i = 0, 3 do
    local read = i == 3 and signed or unsigned -- of 64 bits there are only signed ones
    KINDS[204 + i] = function(s, at) return read(s, at, 2 ^ i) end
    KINDS[208 + i] = function(s, at) return signed(s, at, 2 ^ i) end
end
local function counted(code, size, make)
    KINDS[code] = function(s, at, depth)
        local n
        n, at = unsigned(s, at, size)
        return make(s, at, n, depth)
    end
end
for i, size in ipairs({ 1, 2, 4 }) do
    counted(216 + i, size, bytes)
end
counted(220, 2, array)
counted(221, 4, array)
counted(222, 2, map)
counted(223, 4, map)

local MAX_DEPTH = 2600 -- of arrays in arrays; a level takes three places on a stack of 8,000
local MOST = 7990 -- results, which go on that stack, too

function unpack_value(s, at, depth)
    local b = byte(s, at)
    if not b then error(MISSING, 0) end
    if depth > MAX_DEPTH then error("stack overflow (in function mp_decode_to_lua_array)", 0) end
    at = at + 1
    if b < 128 then return b, at end
    if b >= 224 then return b - 256, at end
    if b < 144 then return map(s, at, b - 128, depth) end
    if b < 160 then return array(s, at, b - 144, depth) end
    if b < 192 then return bytes(s, at, b - 160) end
    local kind = KINDS[b]
    if not kind then error(BAD, 0) end
    return kind(s, at, depth)
end

local pcall, tonumber = pcall, tonumber
local function wrong(i, name, wanted, n, v)
    error("bad argument #" .. i .. " to '" .. name .. "' (" .. wanted .. " expected, got " ..
        (i > n and "no value" or type(v)) .. ")", 4)
end

-- The i-th of n arguments as an integer; `default` if it need not be there.
local function integer(i, name, default, n, v)
    if v == nil and default then return default end
    local number = tonumber(v)
    if not number then wrong(i, name, "number", n, v) end
    return number < 0 and -floor(-number) or floor(number)
end

local function unpacked(name, n_args, s, limit, offset)
    if type(s) == "number" then s = tostring(s) end
    if type(s) ~= "string" then wrong(1, name, "string", n_args, s) end
    if offset < 0 or limit < 0 then
        error("Invalid request to unpack with offset of " .. offset .. " and limit of " .. #s .. ".", 3)
    end
    if offset > #s then error("Start offset " .. offset .. " greater than input length " .. #s .. ".", 3) end
    local out, n, at = {}, 0, offset + 1
    while at <= #s and (limit == 0 or n < limit) do
        if n == MOST then error("stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)", 3) end
        local ok, value, after = pcall(unpack_value, s, at, 0)
        if not ok then error(value, 3) end
        n = n + 1
        out[n], at = value, after
    end
    return out, n, limit > 0 and (at > #s and -1 or at - 1)
end

local function results(out, n, offset)
    if offset then return offset, unpack(out, 1, n) end
    return unpack(out, 1, n)
end

function cmsgpack.unpack(...)
    local out, n, offset = unpacked("unpack", select("#", ...), (...), 0, 0)
    return results(out, n, offset)
end

function cmsgpack.unpack_one(...)
    local n_args, s, offset = select("#", ...), ...
    offset = integer(2, "unpack_one", 0, n_args, offset)
    local out, n, at = unpacked("unpack_one", n_args, s, 1, offset)
    return results(out, n, at)
end

function cmsgpack.unpack_limit(...)
    local n_args, s, limit, offset = select("#", ...), ...
    limit = integer(2, "unpack_limit", nil, n_args, limit)
    offset = integer(3, "unpack_limit", 0, n_args, offset)
    local out, n, at = unpacked("unpack_limit", n_args, s, limit, offset)
    return results(out, n, at)
end

cmsgpack._NAME = "cmsgpack"
cmsgpack._VERSION = "lua-cmsgpack 0.4.0"
cmsgpack._COPYRIGHT = ""
cmsgpack._DESCRIPTION = "MessagePack C implementation for Lua"

lib.globals.cmsgpack = lib.protect(cmsgpack)
