"""Clients that wait for data while a worker dies: each hears something, and no element goes to the dead."""

import pytest

from tests.workers.fleet import Client, Fleet, new_fleet


def waits(fleet: Fleet, *words: str) -> Client:
    """A client of worker 0 that is blocked in this command."""
    client = Client(fleet, 0)
    client.send(*words)
    fleet.settle()
    assert client.take() == b""
    return client


def die(fleet: Fleet, worker: int) -> None:
    fleet.kill(worker)
    fleet.revive(worker)
    fleet.settle()


def popped(key: str, value: str) -> bytes:
    words = b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in (key.encode(), value.encode()))
    return b"*2\r\n" + words


def test_who_waits_at_a_worker_that_dies_is_told_so_and_may_ask_again() -> None:
    with new_fleet(3) as fleet:
        key = fleet.keys(1, 1)[0]
        client = waits(fleet, "BLPOP", key, "0")
        die(fleet, 1)
        assert client.take().startswith(b"-")
        client.send("BLPOP", key, "0")
        fleet.settle()
        Client(fleet, 1).call("RPUSH", key, "a")
        fleet.settle()
        assert client.take() == popped(key, "a")
        fleet.check()


@pytest.mark.parametrize("victim", [1, 2])
@pytest.mark.parametrize("gives", [1, 2])
def test_who_waits_for_keys_of_several_is_served_by_any_of_them_afterwards(
    victim: int, gives: int
) -> None:
    with new_fleet(3) as fleet:
        _, one, two = fleet.owned_by_each()
        client = waits(fleet, "BLPOP", one, two, "0")
        die(fleet, victim)
        heard = client.take()
        if heard:  # it was told; it asks again
            assert heard.startswith(b"-")
            client.send("BLPOP", one, two, "0")
            fleet.settle()
        key = (one, two)[gives - 1]
        Client(fleet, gives).call("RPUSH", key, "a")
        fleet.settle()
        assert client.take() == popped(key, "a")
        assert Client(fleet, 0).call("EXISTS", one, two) == b":0\r\n"
        fleet.check()


@pytest.mark.parametrize("words", [("BLPOP", "0"), ("BZPOPMIN", "0"), ("BLPOP", "other", "0")])
def test_the_dead_are_given_nothing(words: tuple[str, ...]) -> None:
    with new_fleet(3) as fleet:
        _, one, two = fleet.owned_by_each()
        name, *rest = [two if word == "other" else word for word in words]
        waits(fleet, name, one, *rest)
        die(fleet, 0)
        other = Client(fleet, 1)
        if name == "BZPOPMIN":
            assert other.call("ZADD", one, "1", "a") == b":1\r\n"
        else:
            assert other.call("RPUSH", one, "a") == b":1\r\n"
        fleet.settle()
        assert other.call("EXISTS", one) == b":1\r\n"
        fleet.check()


@pytest.mark.parametrize("victim", [1, 2])
def test_an_element_that_is_moved_between_workers_is_in_one_place(victim: int) -> None:
    with new_fleet(3) as fleet:
        _, source, target = fleet.owned_by_each()
        client = waits(fleet, "BLMOVE", source, target, "LEFT", "RIGHT", "0")
        die(fleet, victim)
        told = client.take()
        Client(fleet, 1).call("RPUSH", source, "a")
        fleet.settle()
        at_source = Client(fleet, 1).call("LLEN", source)
        at_target = Client(fleet, 2).call("LLEN", target)
        assert {at_source, at_target} == {b":0\r\n", b":1\r\n"}
        if told:
            assert told.startswith(b"-")
            assert at_source == b":1\r\n"
        else:
            assert client.take() == b"$1\r\na\r\n"
            assert at_target == b":1\r\n"
        fleet.check()
