-- replies.lua - from the bytes of RESP to values of Lua, and back.
local host, lib = ...

local byte, sub, find, format, rep = string.byte, string.sub, string.find, string.format, string.rep
local tonumber, tostring, type, rawget, next, concat = tonumber, tostring, type, rawget, next, table.concat
local gsub = string.gsub

-- The beginnings of bulk strings by length: Lua is slow at writing numbers.
local HEADS = 1024
local heads = setmetatable({}, { __index = function(_, n) return "$" .. n .. "\r\n" end })
for n = 0, HEADS do heads[n] = "$" .. n .. "\r\n" end
lib.heads = heads

-- --- decoding ---

local decode

local function decode_items(s, at, n)
    local out = {}
    for i = 1, n do
        out[i], at = decode(s, at)
    end
    return out, at
end

local function decode_map(s, at, n)
    local map, key, value = {}, nil, nil
    for _ = 1, n do
        key, at = decode(s, at)
        value, at = decode(s, at)
        if key ~= nil then map[key] = value end
    end
    return { map = map }, at
end

local function decode_set(s, at, n)
    local set, item = {}, nil
    for _ = 1, n do
        item, at = decode(s, at)
        if item ~= nil then set[item] = true end
    end
    return { set = set }, at
end

-- The value of the reply that begins at `at`, and where the next one does.
function decode(s, at)
    local kind = byte(s, at)
    local stop = find(s, "\r\n", at + 1, true)
    local line, after = sub(s, at + 1, stop - 1), stop + 2
    if kind == 36 then -- $
        local n = tonumber(line)
        if n < 0 then return false, after end
        return sub(s, after, after + n - 1), after + n + 2
    elseif kind == 58 then -- :
        return tonumber(line), after
    elseif kind == 42 or kind == 62 then -- * >
        local n = tonumber(line)
        if n < 0 then return false, after end
        return decode_items(s, after, n)
    elseif kind == 43 then -- +
        return { ok = line }, after
    elseif kind == 45 then -- -
        return { err = line, ignore_error_stats_update = true }, after
    elseif kind == 95 then -- _
        return nil, after
    elseif kind == 35 then -- #
        return line == "t", after
    elseif kind == 44 then -- ,
        return { double = tonumber(line) or (line == "inf" and 1 / 0 or line == "-inf" and -1 / 0 or 0 / 0) },
            after
    elseif kind == 37 then -- %
        return decode_map(s, after, tonumber(line))
    elseif kind == 126 then -- ~
        return decode_set(s, after, tonumber(line))
    elseif kind == 40 then -- (
        return { big_number = line }, after
    elseif kind == 61 then -- =
        local n = tonumber(line)
        local text = sub(s, after, after + n - 1)
        return { verbatim_string = { format = sub(text, 1, 3), string = sub(text, 5) } }, after + n + 2
    end
    error("ERR a reply that is not understood", 0)
end
lib.decode = decode

-- --- encoding ---

local DEPTH = 7000 -- of tables in tables
local encode

-- It ends at a zero byte, as texts of C do.
local function one_line(s)
    local stop = find(s, "\0", 1, true)
    if stop then s = sub(s, 1, stop - 1) end
    return (gsub(s, "[\r\n]", " "))
end
lib.one_line = one_line

local function double_text(n)
    if n ~= n then return "nan" end
    if n == 1 / 0 then return "inf" end
    if n == -1 / 0 then return "-inf" end
    if n == 0 and 1 / n < 0 then return "-0" end
    return lib.number_text(n)
end

local function encode_double(out, n, resp)
    local text = double_text(n)
    out[#out + 1] = resp > 2 and "," .. text .. "\r\n" or "$" .. #text .. "\r\n" .. text .. "\r\n"
end

local function count(t)
    local n = 0
    for _ in next, t do n = n + 1 end
    return n
end

local function encode_map(out, t, resp, script_resp, depth)
    local n = count(t)
    out[#out + 1] = resp > 2 and "%" .. n .. "\r\n" or "*" .. 2 * n .. "\r\n"
    for k, v in next, t do
        encode(out, k, resp, script_resp, depth)
        encode(out, v, resp, script_resp, depth)
    end
end

local function encode_set(out, t, resp, script_resp, depth)
    out[#out + 1] = (resp > 2 and "~" or "*") .. count(t) .. "\r\n"
    for k in next, t do encode(out, k, resp, script_resp, depth) end
end

local function encode_verbatim(out, v, resp)
    local text, form = tostring(rawget(v, "string")), sub(tostring(rawget(v, "format")) .. "   ", 1, 3)
    if resp > 2 then
        out[#out + 1] = "=" .. #text + 4 .. "\r\n" .. form .. ":" .. text .. "\r\n"
    else
        out[#out + 1] = "$" .. #text .. "\r\n" .. text .. "\r\n"
    end
end

local function encode_array(out, t, resp, script_resp, depth)
    local place, n = #out + 1, 0
    out[place] = ""
    while true do
        local v = rawget(t, n + 1)
        if v == nil then break end
        n = n + 1
        encode(out, v, resp, script_resp, depth)
    end
    out[place] = "*" .. n .. "\r\n"
end

local function encode_big_number(out, v, resp)
    local text = one_line(v)
    out[#out + 1] = resp > 2 and "(" .. text .. "\r\n" or "$" .. #text .. "\r\n" .. text .. "\r\n"
end

local function encode_error(out, v)
    out[#out + 1] = "-" .. one_line(v) .. "\r\n"
end

local function encode_status(out, v)
    out[#out + 1] = "+" .. one_line(v) .. "\r\n"
end

-- Tables with one of these fields stand for what Lua has no word for: how they are written, and what of them.
local SPECIAL = {
    { "err", "string", encode_error },
    { "ok", "string", encode_status },
    { "double", "number", encode_double },
    { "map", "table", encode_map },
    { "set", "table", encode_set },
    { "big_number", "string", encode_big_number },
}
local function special(t)
    for i = 1, #SPECIAL do
        local row = SPECIAL[i]
        local v = rawget(t, row[1])
        if v ~= nil and type(v) == row[2] then return row[3], v end
    end
    local v = rawget(t, "verbatim_string")
    if type(v) == "table" and type(rawget(v, "string")) == "string" and type(rawget(v, "format")) == "string" then
        return encode_verbatim, v
    end
    return encode_array, t
end

function encode(out, v, resp, script_resp, depth)
    local kind = type(v)
    if kind == "string" then
        out[#out + 1] = heads[#v]
        out[#out + 1] = v
        out[#out + 1] = "\r\n"
    elseif kind == "number" then
        out[#out + 1] = format(":%d\r\n", v)
    elseif kind == "boolean" then
        if script_resp > 2 then
            out[#out + 1] = resp > 2 and (v and "#t\r\n" or "#f\r\n") or (v and ":1\r\n" or ":0\r\n")
        else
            out[#out + 1] = v and ":1\r\n" or (resp > 2 and "_\r\n" or "$-1\r\n")
        end
    elseif kind == "table" then
        if depth == DEPTH then
            out[#out + 1] = "-ERR reached lua stack limit\r\n"
            return
        end
        local write, part = special(v)
        return write(out, part, resp, script_resp, depth + 1) -- a tail call: there may be 7,000 levels
    else
        out[#out + 1] = resp > 2 and "_\r\n" or "$-1\r\n"
    end
end

-- The bytes of what a script returned, for a client that speaks `resp`.
function lib.encode(v, resp, script_resp)
    if type(v) == "string" then return heads[#v] .. v .. "\r\n" end
    local out = {}
    encode(out, v, resp, script_resp, 0)
    return concat(out)
end
