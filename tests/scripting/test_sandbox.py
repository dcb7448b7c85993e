"""What hostile scripts try: reaching Python, keeping state, breaking the interpreter, running for ever."""

import re
from collections.abc import Iterator

import pytest

from shmredis.scripting import engine
from tests.commands.python_commands import FakeClient, FakeServer


@pytest.fixture(scope="module")
def client() -> Iterator[FakeClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "MEMORY_LIMIT", 48 << 20)
        server = FakeServer()
        client = server.connect()
        yield client
        client.close()
        server.close()


def run(client: FakeClient, script: str, *args: str) -> bytes:
    return client.call("EVAL", script, "0", *args)


# fmt: off
GONE = [
    "print", "io", "package", "require", "module", "dofile", "loadfile", "setfenv", "getfenv", "newproxy",
    "debug", "python", "lupa", "host", "lib", "__builtins__", "jit", "ffi",
]
# fmt: on


@pytest.mark.parametrize("name", GONE)
def test_what_reaches_out_of_lua_is_not_there(client: FakeClient, name: str) -> None:
    assert b"nonexistent global variable '%b'" % name.encode() in run(client, f"return {name}")
    assert run(client, f"return rawget(_G, '{name}')") == b"$-1\r\n"


def test_of_os_there_is_only_the_clock(client: FakeClient) -> None:
    assert run(client, "return type(os.clock())") == b"$6\r\nnumber\r\n"
    for name in ("execute", "getenv", "exit", "remove", "tmpname", "rename"):
        assert run(client, f"return os.{name}") == b"$-1\r\n"


# Every value that a script can get hold of, by way of tables, metatables and results.
WALK = """
local seen, found = {}, {}
local function walk(v, path, depth)
  if depth > 6 or seen[v] then return end
  if type(v) == 'userdata' then
    if v ~= cjson.null then found[#found + 1] = path .. ':' .. tostring(v) end
    return
  end
  if type(v) ~= 'table' then return end
  seen[v] = true
  for k, x in pairs(v) do walk(x, path .. '.' .. tostring(k), depth + 1) end
  local meta = getmetatable(v)
  if meta then walk(meta, path .. '!', depth + 1) end
end
walk(_G, '_G', 0)
walk(getmetatable(''), 'string!', 0)
local ok, e = pcall(redis.call, 'NOPE')
walk(e, 'error', 0)
walk(redis.pcall('NOPE'), 'reply', 0)
walk({coroutine.resume(coroutine.create(function() redis.call('NOPE') end))}, 'resumed', 0)
walk({xpcall(function() redis.call('NOPE') end, function(e) return e end)}, 'handled', 0)
walk(redis.call('TIME'), 'time', 0)
return table.concat(found, ' ')
"""


def test_no_object_of_python_is_in_reach(client: FakeClient) -> None:
    assert run(client, WALK) == b"$0\r\n\r\n"


ESCAPES = {
    "bytecode by loadstring": "return loadstring(string.dump(function() return 1 end))()",
    "bytecode by load": "local s = string.dump(function() return 1 end) return load(function() "
    "local x = s s = nil return x end)()",
    "bytecode in pieces": "local n = 0 return load(function() n = n + 1 "
    "return ({'\\27', 'Lua'})[n] end)()",
    "the environment of a function": "return getfenv(redis.call)",
    "the environment of level 0": "setfenv(0, {})",
    "a collected object with a finaliser": "local p = newproxy(true) getmetatable(p).__gc = error",
    "the metatable of strings": "getmetatable('').__index = function() return 1 end",
    "a new metatable of strings": "setmetatable(getmetatable(''), {})",
    "a library": "string.rep = nil",
    "a library by rawset": "rawset(string, 'rep', nil)",
    "a library by table.insert": "table.insert(string, 1)",
    "a library's metatable": "setmetatable(redis, {})",
    "the globals": "_G.x = 1",
    "the globals by rawset": "rawset(_G, 'x', 1)",
    "the globals' metatable": "getmetatable(_G).__newindex = nil",
    "a global": "x = 1",
    "a function": "function f() end",
    "KEYS": "KEYS = {}",
    "the calls of redis": "redis.call = nil",
    "the null of JSON": "getmetatable(cjson.null).__index = _G",
    "attributes of the null of JSON": "return cjson.null.__class__",
    "deep recursion": "local function f() return 1 + f() end return f()",
    "recursion in C": "local s = 'x' local function f() return (s:gsub('x', f)) end return f()",
    "recursion of coroutines": "local function f() return coroutine.wrap(f)() end return f()",
    "recursion of metatables": "local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) "
    "return t[k .. 'x'] end return t.x",
    "nested parentheses": "return loadstring('return ' .. ('('):rep(100000))()",
    "a huge string": "return #(('x'):rep(2147483647))",
    "a string that doubles": "local s = 'x' while true do s = s .. s end",
    "a table without end": "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end",
    "results without end": "return unpack({}, 1, 1e8)",
    **{
        f"results that no int counts, {bounds}": f"return unpack({{}}, {bounds})"
        for bounds in ("0, 2^31 - 1", "-2^31, 2^31 - 1", "-2^31, 0", "'-1', '2147483647'")
    },
    "a pattern that recurses": "return (('a'):rep(500000)):find(('a?'):rep(500000) .. 'b')",
    "no pattern": "return ('x'):find('[')",
    "a bad format": "return string.format('%99999d', 1)",
    "a table in itself as JSON": "local t = {} t[1] = t return cjson.encode(t)",
    "deep JSON": "return cjson.decode(('['):rep(100000))",
    "deep MessagePack": "return cmsgpack.unpack(('\\145'):rep(100000))",
    "long MessagePack": "return cmsgpack.unpack('\\221\\255\\255\\255\\255')",
    "a huge structure": "return struct.pack('c2147483648', 'x')",
}


@pytest.mark.parametrize("what", ESCAPES)
def test_it_is_refused_and_leaves_no_trace(client: FakeClient, what: str) -> None:
    reply = run(client, ESCAPES[what])
    assert reply.startswith(b"-"), reply[:200]
    assert b"internal error" not in reply
    assert run(client, "return ('x'):rep(3)") == b"$3\r\nxxx\r\n"
    assert run(client, "return redis.call('ECHO', 'y')") == b"$1\r\ny\r\n"
    assert run(client, "return rawget(_G, 'x')") == b"$-1\r\n"


def test_copies_of_libraries_are_not_the_libraries(client: FakeClient) -> None:
    script = """
    local _, copy = pairs(string)
    copy.rep = nil
    local name, f = next(math)
    local t = {} for k, v in pairs(redis) do t[k] = v end
    t.call = nil
    return {type(string.rep), type(redis.call)}
    """
    assert run(client, script) == b"*2\r\n$8\r\nfunction\r\n$8\r\nfunction\r\n"


def test_compiled_sources_see_what_scripts_see(client: FakeClient) -> None:
    assert run(client, "return loadstring('return type(redis)')()") == b"$5\r\ntable\r\n"
    reply = run(client, "return loadstring('x = 1')()")
    assert b"Attempt to modify a readonly table" in reply
    reply = run(client, "return coroutine.wrap(loadstring('return os.execute'))()")
    assert reply == b"$-1\r\n"


def test_a_failing_script_is_named_with_its_line(client: FakeClient) -> None:
    reply = run(client, "local x = 1\n\nreturn redis.call('NOPE')")
    assert re.search(rb"script: [0-9a-f]{40}, on @user_script:3\.\r\n$", reply)


def test_replies_hold_any_bytes(client: FakeClient) -> None:
    every = bytes(range(256))
    assert client.call("SET", "bytes", every) == b"+OK\r\n"
    assert run(client, "return redis.call('GET', 'bytes')") == b"$256\r\n" + every + b"\r\n"
    script = b"return {#ARGV[1], ARGV[1] == redis.call('GET', KEYS[1])}"
    assert client.call("EVAL", script, "1", "bytes", every) == b"*2\r\n:256\r\n:1\r\n"


def test_scripts_of_eval_are_forgotten_the_oldest_first(client: FakeClient) -> None:
    cache = client.server.scripting.cache
    client.call("SCRIPT", "FLUSH")
    kept = client.call("SCRIPT", "LOAD", "return 'kept'").split(b"\r\n")[1]
    for i in range(510):
        run(client, f"return {i}")
    assert len(cache) == 501
    assert cache.evicted >= 10
    assert client.call("EVALSHA", kept, "0") == b"$4\r\nkept\r\n"


def test_what_ends_a_script_without_memory_meets_no_other(client: FakeClient) -> None:
    """Neither its handler nor its clean-up, nor whatever comes next."""
    hoard = "local t = {} while true do t[#t + 1] = ('x'):rep(1000000) .. #t pcall(error) end"
    for _ in range(2):
        assert run(client, hoard).startswith(b"-ERR not enough memory")
        assert run(client, "return {KEYS, 'next'}") == b"*2\r\n*0\r\n$4\r\nnext\r\n"
        assert run(client, "return pcall(error, 'x')") == b"$-1\r\n"
