"""What redis-py's documentation shows: pipelines, transactions, publishing, streams, blocking, iterators."""

import threading

import pytest
import redis


def another(db: redis.Redis) -> redis.Redis:
    """A second client of the same server."""
    return redis.Redis(port=db.connection_pool.connection_kwargs["port"], decode_responses=True)


# --- pipelines and transactions ---


def test_a_pipeline_with_chained_calls(db: redis.Redis) -> None:
    pipe = db.pipeline()
    pipe.set("foo", 5).set("bar", 18.5).set("blee", "hello world!").incr("foo")
    assert pipe.execute() == [True, True, True, 6]


def test_watch_and_retry(db: redis.Redis) -> None:
    """The documented sequence: a counter is incremented by the client in spite of others."""
    db.set("OUR-SEQUENCE-KEY", 0)

    def increment() -> None:
        with another(db) as client, client.pipeline() as pipe:
            for _ in range(20):
                while True:
                    try:
                        pipe.watch("OUR-SEQUENCE-KEY")
                        value = int(pipe.get("OUR-SEQUENCE-KEY"))
                        pipe.multi()
                        pipe.set("OUR-SEQUENCE-KEY", value + 1)
                        pipe.execute()
                        break
                    except redis.WatchError:
                        continue

    threads = [threading.Thread(target=increment) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.get("OUR-SEQUENCE-KEY") == "80"


def test_transaction_helper(db: redis.Redis) -> None:
    db.mset({"a": 1, "b": 2})

    def move(pipe: "redis.client.Pipeline") -> None:
        amount = int(pipe.get("a"))
        pipe.multi()
        pipe.decrby("a", amount)
        pipe.incrby("b", amount)

    assert db.transaction(move, "a", "b") == [0, 3]


# --- publishing ---


def test_publish_and_subscribe(db: redis.Redis) -> None:
    subscriber = db.pubsub()
    subscriber.subscribe("my-first-channel", "my-second-channel")
    subscriber.psubscribe("my-*")
    kinds = [subscriber.get_message(timeout=5) for _ in range(3)]
    assert [message["type"] for message in kinds if message] == ["subscribe"] * 2 + ["psubscribe"]
    assert db.publish("my-first-channel", "some data") == 2
    got = [subscriber.get_message(timeout=5) for _ in range(2)]
    assert {message["type"] for message in got if message} == {"message", "pmessage"}
    assert all(message["data"] == "some data" for message in got if message)
    subscriber.unsubscribe()
    subscriber.punsubscribe()
    subscriber.close()


def test_handlers_run_in_a_thread(db: redis.Redis) -> None:
    got: list[str] = []
    arrived = threading.Event()

    def handler(message: dict[str, str]) -> None:
        got.append(message["data"])
        arrived.set()

    subscriber = db.pubsub(ignore_subscribe_messages=True)
    subscriber.subscribe(**{"my-channel": handler})
    thread = subscriber.run_in_thread(sleep_time=0.01)
    db.publish("my-channel", "awesome data")
    assert arrived.wait(5)
    thread.stop()
    thread.join()
    assert got == ["awesome data"]


def test_sharded_channels(db: redis.Redis) -> None:
    subscriber = db.pubsub()
    subscriber.ssubscribe("orders")
    assert subscriber.get_sharded_message(timeout=5)["type"] == "ssubscribe"
    assert db.spublish("orders", "one") == 1
    assert subscriber.get_sharded_message(timeout=5)["data"] == "one"
    subscriber.close()


# --- streams ---


def test_streams_with_groups(db: redis.Redis) -> None:
    """Of the example "Redis Stream Examples": two groups, claims, acknowledgement."""
    for i in range(10):
        db.xadd("stream", {"ts": i, "v": i})
    assert db.xlen("stream") == 10
    first = db.xread(count=2, streams={"stream": 0})
    entries = first["stream"][0] if isinstance(first, dict) else first[0][1]
    assert [fields["v"] for _, fields in entries] == ["0", "1"]
    db.xgroup_create(name="stream", groupname="grp1", id=0)
    db.xgroup_create(name="stream", groupname="grp2", id=0)
    db.xreadgroup(groupname="grp1", consumername="c", streams={"stream": ">"}, count=5)
    pending = db.xpending("stream", "grp1")
    assert pending["pending"] == 5
    assert pending["consumers"] == [{"name": "c", "pending": 5}]
    details = db.xpending_range("stream", "grp1", "-", "+", 10)
    claimed = db.xclaim("stream", "grp1", "d", 0, [details[0]["message_id"]])
    assert claimed[0][1] == {"ts": "0", "v": "0"}
    assert db.xack("stream", "grp1", details[0]["message_id"]) == 1
    _, auto, _ = db.xautoclaim("stream", "grp1", "e", 0, count=2)
    assert len(auto) == 2
    groups = {group["name"]: group for group in db.xinfo_groups("stream")}
    assert groups["grp1"]["lag"] == 5
    assert groups["grp2"]["lag"] == 10
    assert db.xtrim("stream", maxlen=3, approximate=False) == 7


def test_a_reader_blocks_until_an_entry_comes(db: redis.Redis) -> None:
    with another(db) as reader:
        got = []
        thread = threading.Thread(target=lambda: got.append(reader.xread({"s": "$"}, block=10_000)))
        thread.start()
        while not db.info("clients")["blocked_clients"]:
            pass
        db.xadd("s", {"field": "value"})
        thread.join()
    assert "value" in str(got)


# --- the rest of the tour ---


def test_sorted_sets_as_a_leaderboard(db: redis.Redis) -> None:
    db.zadd("board", {"Sam": 1.5, "Ann": 12, "Joe": 7})
    assert db.zrevrank("board", "Ann") == 0
    assert db.zincrby("board", 10, "Sam") == 11.5
    best = db.zrange("board", 0, 1, desc=True, withscores=True)
    assert [list(pair) for pair in best] == [["Ann", 12.0], ["Sam", 11.5]]
    assert db.zunion(["board", "none"]) == ["Joe", "Sam", "Ann"]


def test_blocking_lists(db: redis.Redis) -> None:
    with another(db) as popper:
        got = []
        thread = threading.Thread(target=lambda: got.append(popper.blpop(["q1", "q2"], timeout=10)))
        thread.start()
        while not db.info("clients")["blocked_clients"]:
            pass
        db.rpush("q2", "job")
        thread.join()
    assert [list(item) for item in got] == [["q2", "job"]]


def test_geo_and_bits(db: redis.Redis) -> None:
    db.geoadd("Sicily", [13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"])
    near = db.geosearch("Sicily", longitude=15, latitude=37, unit="km", radius=200, sort="ASC")
    assert near == ["Catania", "Palermo"]
    assert db.geodist("Sicily", "Palermo", "Catania", unit="km") == pytest.approx(166.2742)
    assert db.setbit("bits", 7, 1) == 0
    assert db.bitcount("bits") == 1
    assert db.bitfield("bits").incrby("u8", 0, 1).execute() == [2]
    assert db.pfadd("visits", "a", "b", "a") == 1
    assert db.pfcount("visits") == 2


def test_sort(db: redis.Redis) -> None:
    db.rpush("{s}:ids", 3, 1, 2)
    db.mset({f"{{s}}:weight:{i}": 10 - i for i in (1, 2, 3)})
    assert db.sort("{s}:ids", by="{s}:weight:*", get="#") == ["3", "2", "1"]
    assert db.sort("{s}:ids", desc=True, store="{s}:sorted") == 3
    assert db.lrange("{s}:sorted", 0, -1) == ["3", "2", "1"]
