"""redis-py's ways with scripts, as its documentation shows them: registered scripts, pipelines, locks."""

import pytest
import redis
from redis.exceptions import LockNotOwnedError, NoScriptError, ResponseError

MULTIPLY = """
local value = redis.call('GET', KEYS[1])
value = tonumber(value)
return value * ARGV[1]
"""


def test_a_registered_script_is_loaded_when_it_is_missing(db: redis.Redis) -> None:
    db.set("foo", 2)
    multiply = db.register_script(MULTIPLY)
    assert multiply(keys=["foo"], args=[5]) == 10
    assert db.script_exists(multiply.sha) == [True]
    db.script_flush()
    with pytest.raises(NoScriptError):
        db.evalsha(multiply.sha, 1, "foo", 5)
    assert multiply(keys=["foo"], args=[6]) == 12


def test_scripts_in_a_pipeline(db: redis.Redis) -> None:
    multiply = db.register_script(MULTIPLY)
    for transaction in (True, False):
        pipe = db.pipeline(transaction=transaction)
        pipe.set("foo", 5)
        multiply(keys=["foo"], args=[5], client=pipe)
        assert pipe.execute() == [True, 25]


def test_errors_come_as_exceptions(db: redis.Redis) -> None:
    with pytest.raises(ResponseError, match="attempt to perform arithmetic"):
        db.register_script(MULTIPLY)(keys=["nothing"], args=[5])
    with pytest.raises(ResponseError, match="Error compiling script"):
        db.script_load("return (")


def test_a_lock_is_three_scripts(db: redis.Redis) -> None:
    with db.lock("lock", timeout=10) as lock:
        assert not db.lock("lock", timeout=10, blocking=False).acquire()
        assert lock.extend(5)
        assert 10 < db.ttl("lock") <= 15
        assert lock.reacquire()
        assert db.ttl("lock") <= 10
    assert not db.exists("lock")
    lost = db.lock("lock", timeout=10)
    lost.acquire()
    db.set("lock", "somebody else's")
    with pytest.raises(LockNotOwnedError):
        lost.release()


def test_functions(db: redis.Redis) -> None:
    code = """#!lua name=mylib
    redis.register_function('myget', function(keys, args) return redis.call('GET', keys[1]) end)
    redis.register_function{function_name='count', callback=function() return 7 end, flags={'no-writes'}}
    """
    assert db.function_load(code) == "mylib"
    db.set("k", "v")
    assert db.fcall("myget", 1, "k") == "v"
    assert int(db.fcall_ro("count", 0)) == 7
    dump = redis.Redis(port=db.connection_pool.connection_kwargs["port"]).function_dump()
    assert db.function_delete("mylib")
    assert db.function_restore(dump)
    assert db.fcall("myget", 1, "k") == "v"


def test_values_travel_by_json_and_messagepack(db: redis.Redis) -> None:
    script = """
    local t = cjson.decode(ARGV[1])
    t.seen = cmsgpack.unpack(cmsgpack.pack(t.list))
    return cjson.encode({t.seen[3], #t.seen, t.name})
    """
    assert db.eval(script, 0, '{"list": [1, 2, "drei"], "name": "ü"}') == '["drei",3,"ü"]'
