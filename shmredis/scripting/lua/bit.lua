-- bit.lua - operations on 32 bits, with signed results. The host does the arithmetic.
local host, lib = ...

local bits = host.bits
local select, type, tonumber, error, floor = select, type, tonumber, error, math.floor
local format, sub, rep = string.format, string.sub, string.rep

local function number(x, i, name)
    local n = tonumber(x)
    if n then return n end
    error("bad argument #" .. i .. " to '" .. name .. "' (number expected, got " ..
        (x == nil and "no value" or type(x)) .. ")", 3)
end

local bit = {}

function bit.tobit(x) return bits("tobit", number(x, 1, "tobit"), 0) end
function bit.bnot(x) return bits("bnot", number(x, 1, "bnot"), 0) end
function bit.bswap(x) return bits("bswap", number(x, 1, "bswap"), 0) end

for _, name in ipairs({ "band", "bor", "bxor" }) do
    bit[name] = function(x, ...)
        local out = bits("tobit", number(x, 1, name), 0)
        for i = 1, select("#", ...) do
            out = bits(name, out, number((select(i, ...)), i + 1, name))
        end
        return out
    end
end
for _, name in ipairs({ "lshift", "rshift", "arshift", "rol", "ror" }) do
    bit[name] = function(x, n)
        return bits(name, number(x, 1, name), number(n, 2, name))
    end
end

function bit.tohex(x, n)
    local digits = n == nil and 8 or bits("tobit", number(n, 2, "tohex"), 0)
    local form = "%08x"
    if digits < 0 then digits, form = -digits, "%08X" end
    if digits > 8 then digits = 8 end
    local text = format(form, bits("tobit", number(x, 1, "tohex"), 0) % 4294967296)
    return digits == 0 and "" or sub(text, -digits)
end

lib.globals.bit = lib.protect(bit)
