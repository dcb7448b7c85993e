-- bit.lua - operations on 32 bits, with signed results. The host does the arithmetic.
local host, lib = ...

local bits = host.bits
local select, type, tonumber, error, floor = select, type, tonumber, error, math.floor
local format, sub, rep = string.format, string.sub, string.rep

-- The i-th of the arguments.
local function number(i, name, ...)
    local x = (select(i, ...))
    local n = tonumber(x)
    if n then return n end
    error("bad argument #" .. i .. " to '" .. name .. "' (number expected, got " ..
        (i > select("#", ...) and "no value" or type(x)) .. ")", 3)
end

local bit = {}

for _, name in ipairs({ "tobit", "bnot", "bswap" }) do
    bit[name] = function(...)
        local x = number(1, name, ...)
        return bits(name, x, 0)
    end
end

for _, name in ipairs({ "band", "bor", "bxor" }) do
    bit[name] = function(...)
        local out = bits("tobit", number(1, name, ...), 0)
        for i = 2, select("#", ...) do
            out = bits(name, out, number(i, name, ...))
        end
        return out
    end
end
for _, name in ipairs({ "lshift", "rshift", "arshift", "rol", "ror" }) do
    bit[name] = function(...)
        local x, n = number(1, name, ...), number(2, name, ...)
        return bits(name, x, n)
    end
end

function bit.tohex(...)
    local x, n = number(1, "tohex", ...), (select(2, ...))
    local digits = n == nil and 8 or bits("tobit", number(2, "tohex", ...), 0)
    local form = "%08x"
    if digits < 0 then digits, form = -digits, "%08X" end
    if digits > 8 then digits = 8 end
    local text = format(form, bits("tobit", x, 0) % 4294967296)
    return digits == 0 and "" or sub(text, -digits)
end

lib.globals.bit = lib.protect(bit)
