"""The data sets have the elements and the lengths that their names state."""

import pytest

from shmredis.benchmark.connection import Connection
from shmredis.benchmark.datasets import DATASETS, Dataset
from tests.harness.resp import Client
from tests.harness.server import Server

COUNT = 1030
BY_NAME = {dataset.name: dataset for dataset in DATASETS}
STRINGS = [dataset for dataset in DATASETS if dataset.name.startswith("string")]


def pour(server: Server, name: str) -> None:
    with Connection(server.port) as connection:
        connection.pour(BY_NAME[name].batches(COUNT))


@pytest.mark.parametrize("dataset", STRINGS, ids=lambda dataset: dataset.name)
def test_strings(client: Client, shared_server: Server, dataset: Dataset) -> None:
    pour(shared_server, dataset.name)
    assert client.value("DBSIZE") == COUNT
    key = client.value("RANDOMKEY")
    assert len(key) == 16
    assert (client.value("TTL", key) > 0) == dataset.name.endswith("TTL")
    integer = "integer" in dataset.name
    assert (client.value("OBJECT", "ENCODING", key) == b"int") == integer
    if not integer:
        assert f"value {client.value('STRLEN', key)}" in dataset.name


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("one hash: field 11, value 8", "HLEN"),
        ("one set: member 11", "SCARD"),
        ("one sorted set: member 11", "ZCARD"),
        ("one stream: field 5, value 8", "XLEN"),
    ],
)
def test_one_big_value(client: Client, shared_server: Server, name: str, length: str) -> None:
    pour(shared_server, name)
    assert client.value(length, "big") == COUNT
    assert client.value("DBSIZE") == 1


def test_members_have_11_bytes(client: Client, shared_server: Server) -> None:
    for name, command in (
        ("one hash: field 11, value 8", "HRANDFIELD"),
        ("one set: member 11", "SRANDMEMBER"),
        ("one sorted set: member 11", "ZRANDMEMBER"),
    ):
        client.call("FLUSHALL")
        pour(shared_server, name)
        assert len(client.value(command, "big")) == 11


def test_small_hashes_are_counted_by_field(client: Client, shared_server: Server) -> None:
    pour(shared_server, "hashes of 10 fields: a field")
    assert client.value("DBSIZE") == COUNT // 10
    assert client.value("HLEN", client.value("RANDOMKEY")) == 10
