"""What is said of replication while there are no links: as a master without replicas says it."""

import pytest

from tests.commands.python_commands import FakeClient

NO_LINKS = b"-ERR replication is not supported by this version of shmredis\r\n"
NOT_INTEGER = b"-ERR value is not an integer or out of range\r\n"


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("ROLE", b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"),
        ("REPLICAOF NO ONE", b"+OK\r\n"),
        ("slaveof no one", b"+OK\r\n"),
        ("REPLICAOF host 6379", NO_LINKS),
        ("REPLICAOF host port", b"-ERR Invalid master port\r\n"),
        ("REPLICAOF host 70000", b"-ERR Invalid master port\r\n"),
        ("REPLICAOF host", b"-ERR wrong number of arguments for 'replicaof' command\r\n"),
        ("FAILOVER", b"-ERR FAILOVER requires connected replicas.\r\n"),
        ("FAILOVER ABORT", b"-ERR No failover in progress.\r\n"),
        ("FAILOVER TO host 6379 FORCE", b"-ERR FAILOVER requires connected replicas.\r\n"),
        ("FAILOVER TO host", b"-ERR syntax error\r\n"),
        ("FAILOVER TO host port", NOT_INTEGER),
        ("FAILOVER TIMEOUT -1", b"-ERR FAILOVER timeout must be greater than 0\r\n"),
        ("FAILOVER TIMEOUT x", NOT_INTEGER),
        ("FAILOVER x", b"-ERR syntax error\r\n"),
    ],
)
def test_replies(client: FakeClient, words: str, reply: bytes) -> None:
    assert client.call(*words.split()) == reply
