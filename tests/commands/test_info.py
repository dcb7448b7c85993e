"""Fields of INFO that only a running server has."""

from tests.harness.resp import Client
from tests.harness.server import wait_until


def stats(client: Client) -> dict[str, float]:
    lines = client.value("INFO", "stats").decode().split("\r\n")
    pairs = (line.split(":") for line in lines if ":" in line)
    return {name: float(value) for name, value in pairs}


def test_cycles_of_the_event_loop_are_counted(client: Client) -> None:
    before = stats(client)
    for _ in range(20):
        client.call("PING")
    after = stats(client)
    for name in ("eventloop_cycles", "eventloop_cycles_with_clients_processing"):
        assert after[name] >= before[name] + 20
    assert after["total_client_processing_events"] >= before["total_client_processing_events"] + 20
    assert after["eventloop_duration_sum"] > before["eventloop_duration_sum"]
    assert after["eventloop_cycles"] >= after["eventloop_cycles_with_clients_processing"]


def test_keys_and_fields_that_expire_unseen_are_counted_apart(client: Client) -> None:
    before = stats(client)
    client.call("SET", "k", "v", "PX", "1")
    client.call("HSET", "h", "f", "v", "g", "v")
    client.call("HPEXPIRE", "h", "1", "FIELDS", "1", "f")
    for name in ("expired_keys_active", "expired_subkeys_active"):
        wait_until(lambda name=name: stats(client)[name] == before[name] + 1)  # type: ignore[misc]
