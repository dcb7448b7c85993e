"""The line that CLIENT LIST and CLIENT INFO give of a client."""

import time
from typing import Any

from shmredis._core import lib
from shmredis.commands.context import Client
from shmredis.engine import Engine, session_info, session_tracking

__all__ = ["client_line"]

OWN_BUFFER = 16384  # bytes of replies beyond which Redis has a list of them


def client_line(engine: Engine, client: Client) -> bytes:
    """All fields of one client, without the line's end."""
    info = session_info(client.session)
    tracking, redirect = session_tracking(client.session)
    long = info.output_bytes > OWN_BUFFER
    now_ms = time.time_ns() // 1_000_000
    fields: list[tuple[str, object]] = [
        ("id", client.id),
        ("addr", client.addr),
        ("laddr", client.laddr),
        ("fd", info.fd),
        ("name", client.name),
        ("age", max(0, now_ms - info.created_ms) // 1000),
        ("idle", max(0, now_ms - info.last_ms) // 1000),
        ("flags", _flags(client, info, tracking)),
        ("db", info.db),
        ("sub", info.channels),
        ("psub", info.patterns),
        ("ssub", info.shard_channels),
        ("multi", info.multi),
        ("watch", info.watches),
        ("qbuf", info.query_buffer),
        ("qbuf-free", info.query_buffer_free),
        ("argv-mem", info.argv_bytes),
        ("multi-mem", info.multi_memory),
        ("rbs", 0 if long else info.output_memory),
        ("rbp", 0),
        ("obl", 0 if long else info.output_bytes),
        ("oll", int(long)),
        ("omem", info.output_memory if long else 0),
        ("omem-shared", 0),
        ("omem-unshared", info.output_memory if long else 0),
        ("tot-mem", info.memory),
        ("events", "rw" if info.output_bytes else "r"),
        ("cmd", _command_name(engine, info.last_command)),
        ("user", client.user),
        ("redir", redirect if tracking else -1),
        ("resp", info.resp),
        ("lib-name", client.lib_name),
        ("lib-ver", client.lib_ver),
        ("io-thread", 0),
        ("tot-net-in", info.net_in),
        ("tot-net-out", info.net_out),
        ("tot-cmds", info.commands - info.pending_call),  # this very one is not done
        ("read-events", client.read_events),
        ("avg-pipeline-len-sum", info.commands),
        ("avg-pipeline-len-cnt", client.read_events),
    ]
    return b" ".join(name.encode() + b"=" + _text(value) for name, value in fields)


def _text(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def _flags(client: Client, info: Any, tracking: int) -> str:
    flags = info.flags
    letters = {
        "O": flags & lib.SESSION_MONITOR,
        "P": client.is_subscriber,
        "x": info.multi >= 0,
        "b": info.blocked,
        "t": tracking,
        "R": tracking & lib.TRACKING_BROKEN,
        "B": tracking & lib.TRACKING_BCAST,
        "d": info.dirty,
        "c": flags & lib.SESSION_CLOSING,
        "U": client.addr.startswith("/"),
        "e": flags & lib.SESSION_NO_EVICT,
        "T": flags & lib.SESSION_NO_TOUCH,
    }
    return "".join(letter for letter, on in letters.items() if on) or "N"


def _command_name(engine: Engine, row: int) -> str:
    return engine.command(row).name.lower() if row >= 0 else "NULL"
