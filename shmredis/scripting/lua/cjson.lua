-- cjson.lua - JSON.
local host, lib = ...

local byte, char, sub, find, format, gsub, rep = string.byte, string.char, string.sub, string.find, string.format,
    string.gsub, string.rep
local select, ipairs = select, ipairs
local concat, floor, error, type, next, tonumber, tostring = table.concat, math.floor, error, type, next, tonumber, tostring
local rawget, setmetatable, getmetatable, pcall = rawget, setmetatable, getmetatable, pcall

local null, contents = lib.null or lib.newproxy(), lib.contents
local array_mt = {} -- marks empty tables that were arrays
local HUGE = 1 / 0

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n",
    ["\r"] = "\\r", ["\t"] = "\\t", ["\127"] = "\\u007f" }
for i = 0, 31 do
    local c = char(i)
    ESCAPES[c] = ESCAPES[c] or format("\\u%04x", i)
end

local function quoted(s)
    if find(s, '[%c"\\/\127]') then s = gsub(s, '[%z%c"\\/\127]', ESCAPES) end
    return '"' .. s .. '"'
end

-- --- one set of settings with its functions: cjson.new() ---

local function settings()
    return { sparse_convert = false, sparse_ratio = 2, sparse_safe = 10, encode_depth = 1000, decode_depth = 1000,
        encode_invalid = false, decode_invalid = true, precision = 14, keep_buffer = true, array_mt = false }
end

local function encoder(s)
    local value

    local function number(n)
        if n ~= n or n == HUGE or n == -HUGE then
            if s.encode_invalid == "null" then return "null" end
            if not s.encode_invalid then error("Cannot serialise number: must not be NaN or Inf", 0) end
            return n ~= n and "nan" or n > 0 and "inf" or "-inf"
        end
        return format("%." .. s.precision .. "g", n)
    end

    -- The number of elements if the table is to be an array; nil: an object.
    local function array_length(t)
        local n, max = 0, 0
        for k in next, t do
            if type(k) ~= "number" or k < 1 or k ~= floor(k) then return nil end
            n = n + 1
            if k > max and k <= 2147483647 then max = k end
        end
        if max == 0 then return nil end
        if s.sparse_ratio > 0 and max > n * s.sparse_ratio and max > s.sparse_safe then
            if not s.sparse_convert then error("Cannot serialise table: excessively sparse array", 0) end
            return nil
        end
        return max
    end

    local function array(out, t, n, depth)
        out[#out + 1] = "["
        for i = 1, n do
            if i > 1 then out[#out + 1] = "," end
            value(out, rawget(t, i), depth)
        end
        out[#out + 1] = "]"
    end

    local function object(out, t, depth)
        local comma = false
        out[#out + 1] = "{"
        for k, v in next, t do
            if comma then out[#out + 1] = "," end
            comma = true
            if type(k) == "number" then
                out[#out + 1] = '"' .. number(k) .. '":'
            elseif type(k) == "string" then
                out[#out + 1] = quoted(k) .. ":"
            else
                error("Cannot serialise " .. type(k) .. ": table key must be a number or string", 0)
            end
            value(out, v, depth)
        end
        out[#out + 1] = "}"
    end

    function value(out, v, depth)
        local kind = type(v)
        if kind == "string" then
            out[#out + 1] = quoted(v)
        elseif kind == "number" then
            out[#out + 1] = number(v)
        elseif kind == "boolean" then
            out[#out + 1] = v and "true" or "false"
        elseif kind == "nil" or v == null then
            out[#out + 1] = "null"
        elseif kind == "table" then
            depth, v = depth + 1, contents[v] or v
            if depth > s.encode_depth then error("Cannot serialise, excessive nesting (" .. depth .. ")", 0) end
            local n = array_length(v)
            if n then
                array(out, v, n, depth)
            elseif next(v) == nil and getmetatable(v) == array_mt then
                out[#out + 1] = "[]"
            else
                object(out, v, depth)
            end
        else
            error("Cannot serialise " .. kind .. ": type not supported", 0)
        end
    end

    return function(...)
        if select("#", ...) ~= 1 then error("bad argument #1 to 'encode' (expected 1 argument)", 2) end
        local out = {}
        local ok, problem = pcall(value, out, (...), 0)
        if not ok then error(problem, 2) end
        return concat(out)
    end
end

-- --- decoding ---

local UNESCAPED = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function utf8(n)
    if n < 128 then return char(n) end
    if n < 2048 then return char(192 + floor(n / 64), 128 + n % 64) end
    if n < 65536 then return char(224 + floor(n / 4096), 128 + floor(n / 64) % 64, 128 + n % 64) end
    return char(240 + floor(n / 262144), 128 + floor(n / 4096) % 64, 128 + floor(n / 64) % 64, 128 + n % 64)
end

local NAMES = { [123] = "T_OBJ_BEGIN", [125] = "T_OBJ_END", [91] = "T_ARR_BEGIN", [93] = "T_ARR_END",
    [44] = "T_COMMA", [58] = "T_COLON" }
local FIXED = { { "true", true, "T_BOOLEAN" }, { "false", false, "T_BOOLEAN" }, { "null", null, "T_NULL" } }

local function decoder(s)
    local text, value

    local function fail(expected, found, at)
        error("Expected " .. expected .. " but found " .. found .. " at character " .. at, 0)
    end

    local function code_unit(at)
        local digits = sub(text, at, at + 3)
        return #digits == 4 and find(digits, "^%x%x%x%x$") and tonumber(digits, 16)
    end

    -- The character that the escape (\u and four digits) at `at` stands for, and where it ends; nil: none.
    local function unicode(at)
        local n = code_unit(at + 2)
        if not n then return nil end
        if n < 0xD800 or n > 0xDFFF then return utf8(n), at + 6 end
        if n > 0xDBFF or sub(text, at + 6, at + 7) ~= "\\u" then return nil end
        local low = code_unit(at + 8)
        if not low or low < 0xDC00 or low > 0xDFFF then return nil end
        return utf8(0x10000 + (n - 0xD800) * 1024 + low - 0xDC00), at + 12
    end

    -- The string that begins at `at`, and what follows; nil, its problem and where that is.
    local function string_at(at)
        local out, from = {}, at + 1
        while true do
            local stop = find(text, '["\\]', from)
            if not stop then return nil, "unexpected end of string", #text + 1 end
            out[#out + 1] = sub(text, from, stop - 1)
            if byte(text, stop) == 34 then return concat(out), stop + 1 end
            local c = sub(text, stop + 1, stop + 1)
            if c == "u" then
                local decoded, after = unicode(stop)
                if not decoded then return nil, "invalid unicode escape code", stop end
                out[#out + 1], from = decoded, after
            else
                if not UNESCAPED[c] then return nil, "invalid escape code", stop end
                out[#out + 1], from = UNESCAPED[c], stop + 2
            end
        end
    end

    local function number_at(at)
        local _, last = find(text, "^[-+]?%d+%.?%d*[eE]?[+-]?%d*", at)
        if not last then return nil end
        if s.decode_invalid then
            local _, hex = find(text, "^-?0[xX]%x+", at)
            if hex then return host.parse_double(sub(text, at, hex)), hex + 1 end
        elseif find(text, "^-?0[%dxX]", at) then
            return nil
        end
        while last >= at do
            local n = host.parse_double(sub(text, at, last))
            if n then return n, last + 1 end
            last = last - 1
        end
    end

    local function special_at(at)
        if not s.decode_invalid then return nil end
        local _, last = find(text, "^[+-]?[iI][nN][fF]", at)
        if last then
            local _, long = find(text, "^[iI][nN][iI][tT][yY]", last + 1)
            return byte(text, at) == 45 and -HUGE or HUGE, (long or last) + 1
        end
        _, last = find(text, "^[+-]?[nN][aA][nN]", at)
        if last then return byte(text, at) == 45 and 0 / 0 or -(0 / 0), last + 1 end
    end

    local function skip(at)
        return find(text, "[^ \t\r\n]", at) or #text + 1
    end

    -- What is at `at`, in words, for an error.
    local function found(at)
        local b = byte(text, at)
        if not b then return "T_END", at end
        if NAMES[b] then return NAMES[b], at end
        if b == 34 then
            local ok, problem, where = string_at(at)
            if ok then return "T_STRING", at end
            return problem, where
        end
        for _, word in ipairs(FIXED) do
            if sub(text, at, at + #word[1] - 1) == word[1] then return word[3], at end
        end
        if number_at(at) or special_at(at) then return "T_NUMBER", at end
        return find(text, "^[-0-9]", at) and "invalid number" or "invalid token", at
    end

    local function unexpected(expected, at)
        local what, where = found(at)
        fail(expected, what, where)
    end

    local function check_depth(depth, at)
        if depth > s.decode_depth then
            error("Found too many nested data structures (" .. depth .. ") at character " .. at, 0)
        end
    end

    local function object(at, depth)
        local out = {}
        check_depth(depth, at)
        at = skip(at + 1)
        if byte(text, at) == 125 then return out, at + 1 end
        while true do
            if byte(text, at) ~= 34 then unexpected("object key string", at) end
            local key, after, where = string_at(at)
            if not key then fail("object key string", after, where) end
            at = skip(after)
            if byte(text, at) ~= 58 then unexpected("colon", at) end
            local v
            v, at = value(skip(at + 1), depth)
            out[key] = v
            at = skip(at)
            local b = byte(text, at)
            if b == 125 then return out, at + 1 end
            if b ~= 44 then unexpected("comma or object end", at) end
            at = skip(at + 1)
        end
    end

    local function array(at, depth)
        local out, n = {}, 0
        check_depth(depth, at)
        at = skip(at + 1)
        if byte(text, at) == 93 then return s.array_mt and setmetatable(out, array_mt) or out, at + 1 end
        if s.array_mt then setmetatable(out, array_mt) end
        while true do
            n = n + 1
            out[n], at = value(at, depth)
            at = skip(at)
            local b = byte(text, at)
            if b == 93 then return out, at + 1 end
            if b ~= 44 then unexpected("comma or array end", at) end
            at = skip(at + 1)
        end
    end

    function value(at, depth)
        local b = byte(text, at)
        if b == 34 then
            local v, after, where = string_at(at)
            if not v then fail("value", after, where) end
            return v, after
        end
        if b == 123 then return object(at, depth + 1) end
        if b == 91 then return array(at, depth + 1) end
        local n, after = number_at(at)
        if n then return n, after end
        for _, word in ipairs(FIXED) do
            if sub(text, at, at + #word[1] - 1) == word[1] then return word[2], at + #word[1] end
        end
        n, after = special_at(at)
        if n then return n, after end
        unexpected("value", at)
    end

    local function whole()
        if #text > 1 and (byte(text, 1) == 0 or byte(text, 2) == 0) then
            error("JSON parser does not support UTF-16 or UTF-32", 0)
        end
        text = sub(text, 1, (find(text, "\0", 1, true) or 0) - 1) -- a zero byte is the end
        local v, at = value(skip(1), 0)
        at = skip(at)
        if at <= #text then unexpected("the end", at) end
        return v
    end

    return function(...)
        if select("#", ...) ~= 1 then error("bad argument #1 to 'decode' (expected 1 argument)", 2) end
        local source = ...
        if type(source) == "number" then source = tostring(source) end
        if type(source) ~= "string" then
            error("bad argument #1 to 'decode' (string expected, got " .. type(source) .. ")", 2)
        end
        local before = text
        text = source
        local ok, v = pcall(whole)
        text = before
        if not ok then error(v, 2) end
        return v
    end
end

-- --- settings ---

local function wrong(i, name, why)
    error("bad argument #" .. i .. " to '" .. name .. "' (" .. why .. ")", 4)
end

-- Arguments that set something: an integer, or one of some words; nil leaves it as it is.
local function set_integer(s, field, n, i, name, min, max)
    if n == nil then return s[field] end
    local number = tonumber(n)
    if not number then wrong(i, name, "number expected, got " .. type(n)) end
    number = number < 0 and -floor(-number) or floor(number)
    if number < min or number > max then wrong(1, name, "expected integer between " .. min .. " and " .. max) end
    s[field] = number
    return number
end

local function set_switch(s, field, on, i, name, words)
    if on == nil then return s[field] end
    if on == "off" then on = false end
    if on == "on" then on = true end
    if type(on) ~= "boolean" and not (words and words[on]) then
        if type(on) ~= "string" and type(on) ~= "number" then wrong(i, name, "string expected, got " .. type(on)) end
        wrong(i, name, "invalid option '" .. tostring(on) .. "'")
    end
    s[field] = on
    return on
end

local function check_count(most, name, ...)
    if select("#", ...) > most then wrong(most + 1, name, "found too many arguments") end
end

local function integer_setting(s, field, name, min, max)
    return function(...)
        check_count(1, name, ...)
        local value = set_integer(s, field, (...), 1, name, min, max)
        return value
    end
end

local function switch(s, field, name, words)
    return function(...)
        check_count(1, name, ...)
        local value = set_switch(s, field, (...), 1, name, words)
        return value
    end
end

local LARGEST = 2147483647
local function sparse_setting(s)
    local name = "encode_sparse_array"
    return function(...)
        check_count(3, name, ...)
        local on, ratio, safe = ...
        on = set_switch(s, "sparse_convert", on, 1, name)
        ratio = set_integer(s, "sparse_ratio", ratio, 2, name, 0, LARGEST)
        safe = set_integer(s, "sparse_safe", safe, 3, name, 0, LARGEST)
        return on, ratio, safe
    end
end

local function new()
    local s = settings()
    local cjson = { encode = encoder(s), decode = decoder(s), null = null, _NAME = "cjson", _VERSION = "2.1.0" }
    cjson.encode_max_depth = integer_setting(s, "encode_depth", "encode_max_depth", 1, LARGEST)
    cjson.decode_max_depth = integer_setting(s, "decode_depth", "decode_max_depth", 1, LARGEST)
    cjson.encode_number_precision = integer_setting(s, "precision", "encode_number_precision", 1, 14)
    cjson.encode_keep_buffer = switch(s, "keep_buffer", "encode_keep_buffer")
    cjson.encode_invalid_numbers = switch(s, "encode_invalid", "encode_invalid_numbers", { null = true })
    cjson.decode_invalid_numbers = switch(s, "decode_invalid", "decode_invalid_numbers")
    cjson.decode_array_with_array_mt = switch(s, "array_mt", "decode_array_with_array_mt")
    cjson.encode_sparse_array = sparse_setting(s)
    return cjson
end

local cjson = new()
cjson.new = function() return lib.protect(new()) end
lib.globals.cjson = lib.protect(cjson)
