"""SHUTDOWN that takes its time: what clients may do meanwhile, and SHUTDOWN ABORT."""

import os
import select
import signal

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import is_alive, wait_until
from tests.persistence.place import Place, place
from tests.workers.places import connect_to, sure_pid_of

FAILED = b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
NONE = b"-ERR No shutdown in progress.\r\n"


def slow_shutdown(here: Place, asker: Client) -> None:
    """It is being saved, which does not come to an end."""
    with here.client() as client:
        client.call("DEBUG", "POPULATE", 500)
        client.call("CONFIG", "SET", "rdb-key-save-delay", 1_000_000)
        asker.send(encode("SHUTDOWN", "SAVE"))
        wait_until(lambda: b"rdb_bgsave_in_progress:1" in client.value("INFO", "persistence"))


@pytest.mark.parametrize("workers", [1, 3])
def test_abort_stops_saving_and_lets_writes_go_on(workers: int) -> None:
    with place(workers=workers) as here, here.client() as asker, here.client() as writer:
        slow_shutdown(here, asker)
        assert writer.call("GET", "key:1") == b"$7\r\nvalue:1\r\n"
        writer.send(encode("SET", "key:1", "new"))
        with here.client() as client:
            assert not select.select([writer.sock], [], [], 0)[0]
            assert client.call("SHUTDOWN", "ABORT") == b"+OK\r\n"
            assert client.call("SHUTDOWN", "ABORT") == NONE
        assert (asker.read(), writer.read()) == (FAILED, b"+OK\r\n")
        assert writer.call("GET", "key:1") == b"$3\r\nnew\r\n"
        assert "Shutdown was aborted." in here.log()
        writer.call("CONFIG", "SET", "rdb-key-save-delay", 0)
        digest = here.digest()
        asker.send(encode("SHUTDOWN", "SAVE"))
        assert here.process.wait(20) == 0
        here.again(workers=workers)
        assert here.digest() == digest


def test_abort_comes_from_another_worker_too() -> None:
    with place(workers=3) as here, connect_to(here, 1) as asker, connect_to(here, 2) as other:
        slow_shutdown(here, asker)
        other.send(encode("SHUTDOWN"))  # there is one already: both are told
        with connect_to(here, 0) as client:
            assert client.call("SHUTDOWN", "ABORT") == b"+OK\r\n"
        assert (asker.read(), other.read()) == (FAILED, FAILED)


def test_a_stuck_worker_is_waited_for_no_longer_than_the_timeout() -> None:
    with place("--shutdown-timeout", "1", workers=3) as here, connect_to(here, 0) as client:
        stuck = sure_pid_of(client, 2)
        os.kill(stuck, signal.SIGSTOP)
        try:
            with connect_to(here, 1) as asker:
                asker.send(encode("SHUTDOWN", "SAVE"))
                wait_until(lambda: "without waiting any longer for worker 2" in here.log())
                assert client.call("SHUTDOWN", "ABORT") == b"+OK\r\n"
                assert asker.read() == FAILED
        finally:
            os.kill(stuck, signal.SIGCONT)
        wait_until(lambda: client.call("SET", "key", "value") == b"+OK\r\n")


@pytest.mark.parametrize("workers", [1, 3])
def test_who_insists_leaves_no_half_written_file(workers: int) -> None:
    with place(workers=workers) as here:
        with here.client() as client:
            client.call("DEBUG", "POPULATE", 500)
            client.call("CONFIG", "SET", "rdb-key-save-delay", 1_000_000)
        pids = here.children()
        here.process.send_signal(signal.SIGINT)
        wait_until(lambda: [*here.dir.glob("temp-*")] != [])
        here.process.send_signal(signal.SIGINT)
        assert here.process.wait(20) == 1
        wait_until(lambda: not any(is_alive(pid) for pid in pids))
        assert "You insist... exiting now." in here.log()
        assert not [*here.dir.glob("temp-*")]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_log_that_is_being_switched_on_is_waited_for(workers: int) -> None:
    with place("--rdb-key-save-delay", "1000000", workers=workers) as here:
        with here.client() as client:
            client.call("DEBUG", "POPULATE", 100)
            assert client.call("CONFIG", "SET", "appendonly", "yes") == b"+OK\r\n"
            for words in ((), ("NOSAVE",), ("SAVE", "NOW")):
                assert client.call("SHUTDOWN", *words) == FAILED
            here.process.send_signal(signal.SIGTERM)
            wait_until(lambda: here.log().count("Writing initial AOF, can't exit.") == 4)
            assert client.call("SET", "key", "value") == b"+OK\r\n"
            client.send(encode("SHUTDOWN", "NOSAVE", "FORCE"))
            assert client.closed()
        assert here.process.wait(20) == 0
        assert "Writing initial AOF. Exit anyway." in here.log()
        assert "There is a child rewriting the AOF. Killing it!" in here.log()


@pytest.mark.parametrize("how", ["on", "off again"])
def test_nothing_is_waited_for_any_more(how: str) -> None:
    with place("--rdb-key-save-delay", "1000000") as here, here.client() as client:
        client.call("DEBUG", "POPULATE", 1 if how == "on" else 100)
        client.call("CONFIG", "SET", "appendonly", "yes")
        assert client.call("SHUTDOWN", "NOSAVE") == FAILED
        if how == "off again":
            client.call("CONFIG", "SET", "appendonly", "no")
        manifest = here.dir / "appendonlydir" / "appendonly.aof.manifest"
        wait_until(lambda: how == "off again" or manifest.exists())
        wait_until(lambda: b"aof_rewrite_in_progress:0" in client.value("INFO", "persistence"))
        client.send(encode("SHUTDOWN", "NOSAVE"))
        assert client.closed()
        assert here.process.wait(20) == 0
