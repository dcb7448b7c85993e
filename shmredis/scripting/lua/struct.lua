-- struct.lua - values as the bytes of C structures.
local host, lib = ...

local byte, char, sub, rep, find, concat = string.byte, string.char, string.sub, string.rep, string.find, table.concat
local setmetatable, frexp, ceil = setmetatable, math.frexp, math.ceil
local floor, error, type, tonumber, select, unpack = math.floor, error, type, tonumber, select, unpack
local pack_double, unpack_double = host.pack_double, host.unpack_double

local MAX_INTEGER, MAX_ALIGN, WIDTH = 32, 8, 8
local SIZES = { b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, f = 4, d = 8, x = 1 }
local SIGNED = { b = true, h = true, l = true, i = true }

-- Reads a format option by option: letter, size, and the bytes of padding before it.
local Reader = {}
Reader.__index = Reader

local function reader(form, name)
    return setmetatable({ form = form, name = name, at = 1, little = true, align = 1 }, Reader)
end

function Reader:number(default)
    local first, last = find(self.form, "^%d+", self.at)
    if not first then return default end
    self.at = last + 1
    local n = tonumber(sub(self.form, first, last))
    if n > 2147483647 then error("integral size overflow", 4) end
    return n
end

function Reader:size(letter)
    if letter == "i" or letter == "I" then
        local n = self:number(4)
        if n > MAX_INTEGER then error("integral size " .. n .. " is larger than limit of " .. MAX_INTEGER, 4) end
        return n
    end
    if letter == "c" then return self:number(1) end
    return SIZES[letter] or 0
end

function Reader:padding(letter, size, done)
    if size == 0 or letter == "c" or letter == "s" or letter == "x" then return 0 end
    local align = size > self.align and self.align or size
    if align <= 1 then return 0 end
    return (align - done % align) % align
end

-- The next option that stands for a value; nil: no more.
function Reader:next(done)
    while self.at <= #self.form do
        local letter = sub(self.form, self.at, self.at)
        self.at = self.at + 1
        if letter == "<" then
            self.little = true
        elseif letter == ">" then
            self.little = false
        elseif letter == "!" then
            local n = self:number(MAX_ALIGN)
            if n == 0 or frexp(n) ~= 0.5 then error("alignment " .. n .. " is not a power of 2", 3) end
            self.align = n
        elseif letter ~= " " then
            if self.name ~= "size" and not find(letter, "[bBhHlLTiIfdxsc]") then error("bad argument #1 to '" .. self.name .. "' (invalid format option '" .. letter .. "')", 3) end
            local size = self:size(letter)
            return letter, size, self:padding(letter, size, done)
        end
    end
end

local function put_integer(n, size, little)
    local out = {}
    n = n < 0 and ceil(n) or floor(n)
    for i = 1, size do
        out[i] = i > WIDTH and "\0" or char(n % 256) -- there are no more bytes in a number
        n = floor(n / 256)
    end
    if not little then
        for i = 1, floor(size / 2) do out[i], out[size + 1 - i] = out[size + 1 - i], out[i] end
    end
    return concat(out)
end

local function get_integer(s, at, size, little, signed)
    local width = size > WIDTH and WIDTH or size -- what goes beyond is left out
    local n, first, last, step = 0, at + width - 1, at, -1
    if not little then first, last, step = at + size - width, at + size - 1, 1 end
    local top = byte(s, first)
    local negative = signed and top >= 128
    for i = first, last, step do
        local b = byte(s, i)
        n = n * 256 + (negative and 255 - b or b)
    end
    return negative and -n - 1 or n
end

local function argument(value, i, kind)
    if kind == "number" then
        local n = tonumber(value)
        if n then return n end
    elseif type(value) == "string" or type(value) == "number" then
        return value .. ""
    end
    error("bad argument #" .. i .. " to 'pack' (" .. kind .. " expected, got " .. type(value) .. ")", 3)
end

local struct = {}

function struct.pack(form, ...)
    if type(form) == "number" then form = form .. "" end
    if type(form) ~= "string" then error("bad argument #1 to 'pack' (string expected, got " ..
        (form == nil and "no value" or type(form)) .. ")", 2) end
    local r, out, done, used, values = reader(form, "pack"), {}, 0, 0, { ... }
    local function add(text)
        out[#out + 1] = text
        done = done + #text
    end
    while true do
        local letter, size, padding = r:next(done)
        if not letter then break end
        add(rep("\0", padding))
        if letter == "x" then
            add("\0")
        else
            used = used + 1
            if letter == "s" then
                add(argument(values[used], used + 1, "string") .. "\0")
            elseif letter == "c" then
                local text = argument(values[used], used + 1, "string")
                if size == 0 then size = #text end
                if #text < size then error("bad argument #" .. used + 2 .. " to 'pack' (string too short)", 2) end
                add(sub(text, 1, size))
            elseif letter == "f" or letter == "d" then
                local n = argument(values[used], used + 1, "number")
                if n == 0 and 1 / n < 0 then n = "-0" end -- the number would lose its sign on the way
                add(pack_double(n, (r.little and "<" or ">") .. letter))
            else
                add(put_integer(argument(values[used], used + 1, "number"), size, r.little))
            end
        end
    end
    return concat(out)
end

function struct.unpack(form, data, start)
    if type(form) == "number" then form = form .. "" end
    if type(data) == "number" then data = data .. "" end
    if start ~= nil and not tonumber(start) then
        error("bad argument #3 to 'unpack' (number expected, got " .. type(start) .. ")", 2)
    end
    if type(form) ~= "string" or type(data) ~= "string" then
        error("bad argument #" .. (type(form) == "string" and 2 or 1) .. " to 'unpack' (string expected, got " ..
            (type(form) == "string" and (data == nil and "no value" or type(data)) or
            (form == nil and "no value" or type(form))) .. ")", 2)
    end
    start = start == nil and 1 or floor(tonumber(start) or 0)
    if start < 1 then
        error(start == 0 and "bad argument #3 to 'unpack' (offset must be 1 or greater)" or
            "bad argument #2 to 'unpack' (data string too short)", 2)
    end
    local r, out, n, done = reader(form, "unpack"), {}, 0, start - 1
    while true do
        local letter, size, padding = r:next(done)
        if not letter then break end
        done = done + padding
        if done + size > #data then error("bad argument #2 to 'unpack' (data string too short)", 2) end
        if letter == "s" then
            local stop = find(data, "\0", done + 1, true)
            if not stop then error("unfinished string in data", 2) end
            n = n + 1
            out[n], done = sub(data, done + 1, stop - 1), stop
        elseif letter == "c" then
            if size == 0 then
                local length = tonumber(out[n])
                if n == 0 or not length then
                    error("format 'c0' needs a previous size", 2)
                end
                size, n = floor(length), n - 1
                if size < 0 or done + size > #data then
                    error("bad argument #2 to 'unpack' (data string too short)", 2)
                end
            end
            n = n + 1
            out[n], done = sub(data, done + 1, done + size), done + size
        else
            if letter == "f" or letter == "d" then
                n = n + 1
                out[n] = unpack_double(sub(data, done + 1, done + size), (r.little and "<" or ">") .. letter)
            elseif letter ~= "x" then
                n = n + 1
                out[n] = size == 0 and 0 or get_integer(data, done + 1, size, r.little, SIGNED[letter])
            end
            done = done + size
        end
    end
    out[n + 1] = done + 1
    return unpack(out, 1, n + 1)
end

function struct.size(form)
    if type(form) == "number" then form = form .. "" end
    if type(form) ~= "string" then error("bad argument #1 to 'size' (string expected, got " ..
        (form == nil and "no value" or type(form)) .. ")", 2) end
    local r, done = reader(form, "size"), 0
    while true do
        local letter, size, padding = r:next(done)
        if not letter then return done end
        if letter == "s" then error("bad argument #1 to 'size' (option 's' has no fixed size)", 2) end
        if letter == "c" and size == 0 then error("bad argument #1 to 'size' (option 'c0' has no fixed size)", 2) end
        done = done + padding + size
    end
end

lib.globals.struct = lib.protect(struct)
