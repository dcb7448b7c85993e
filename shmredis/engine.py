"""The C core's engine as an object of Python: what csrc/core.h offers of statistics and tables."""

from dataclasses import dataclass
from typing import Any

from shmredis._core import ffi, lib

__all__ = ["CommandFacts", "Engine", "KeySpecFacts", "LatencyEvent", "SlowEntry", "session_info"]


@dataclass(slots=True, frozen=True)
class KeySpecFacts:
    """Where keys are; struct key_spec_info."""

    flags: int
    begin: str
    find: str
    at: int
    a: int
    b: int
    c: int
    keyword: str


@dataclass(slots=True, frozen=True)
class CommandFacts:
    """A row of the command table with its statistics; struct command_info."""

    row: int
    name: str  # "OBJECT|ENCODING"
    group: str
    arity: int
    flags: int
    acl: str
    keys: tuple[KeySpecFacts, ...]
    calls: int
    usec: int
    rejected: int
    failed: int


@dataclass(slots=True, frozen=True)
class SlowEntry:
    """One entry of the slow log."""

    id: int
    time_s: int
    usec: int
    argc: int
    argv: tuple[bytes, ...]
    addr: bytes
    name: bytes


@dataclass(slots=True, frozen=True)
class LatencyEvent:
    """One series of the latency monitor; samples are (seconds, milliseconds), oldest first."""

    name: str
    latest_s: int
    latest_ms: int
    max_ms: int
    sum_ms: int
    total: int
    samples: tuple[tuple[int, int], ...]


def session_info(session: Any) -> Any:
    """A struct session_info filled for the session."""
    info = ffi.new("struct session_info *")
    lib.session_info(session, info)
    return info


def session_tracking(session: Any) -> tuple[int, int]:
    """Flags of client-side caching (0: off), and the client that is told instead (0: itself)."""
    redirect = ffi.new("uint64_t *")
    return int(lib.session_tracking(session, redirect)), int(redirect[0])


def session_prefixes(session: Any) -> list[bytes]:
    """What a session of CLIENT TRACKING BCAST wants to hear of."""
    size = ffi.new("size_t *")
    found: list[bytes] = []
    while (text := lib.session_prefix(session, len(found), size)) != ffi.NULL:
        found.append(bytes(ffi.buffer(text, size[0])))
    return found


class Engine:
    """One worker's engine. `handle` is the struct engine *, which this object does not own."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    # --- figures ---

    @property
    def stats(self) -> Any:
        """The live struct engine_stats."""
        return lib.engine_stats(self.handle)

    def memory(self) -> Any:
        """A struct engine_memory filled now."""
        out = ffi.new("struct engine_memory *")
        lib.engine_memory(self.handle, out)
        return out

    def watches(self) -> tuple[int, int]:
        """Keys that are watched (WATCH) and sessions that watch some."""
        keys, sessions = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        lib.engine_watches(self.handle, keys, sessions)
        return int(keys[0]), int(sessions[0])

    def channels(self, kind: int) -> dict[bytes, int]:
        """Channels of one kind that sessions of this worker are subscribed to, and how many are."""
        at, found = ffi.new("struct channel_info *"), {}
        while lib.engine_channel(self.handle, kind, at):
            found[bytes(ffi.buffer(at.name, at.n))] = int(at.subscribers)
        return found

    def pubsub(self) -> Any:
        """A struct pubsub_info filled now."""
        out = ffi.new("struct pubsub_info *")
        lib.engine_pubsub(self.handle, out)
        return out

    def tracking(self) -> Any:
        """A struct tracking_info filled now."""
        out = ffi.new("struct tracking_info *")
        lib.engine_tracking(self.handle, out)
        return out

    def crowd(self) -> Any:
        """A struct crowd_info filled now."""
        out = ffi.new("struct crowd_info *")
        lib.engine_crowd(self.handle, out)
        return out

    def aof_info(self) -> Any:
        """A struct aof_info filled now."""
        out = ffi.new("struct aof_info *")
        lib.engine_aof_info(self.handle, out)
        return out

    def blocked(self) -> tuple[int, int]:
        """Sessions that wait in a blocking command, and the keys that are waited for."""
        sessions, keys = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        lib.engine_blocked(self.handle, sessions, keys)
        return int(sessions[0]), int(keys[0])

    @property
    def active_sessions(self) -> int:
        """Sessions that came or sent something within the last second."""
        return int(lib.engine_active_sessions(self.handle))

    @property
    def databases(self) -> int:
        return int(lib.engine_databases(self.handle))

    def database(self, index: int) -> Any:
        """A struct db_info filled now."""
        out = ffi.new("struct db_info *")
        if not lib.engine_db_info(self.handle, index, out):
            raise IndexError(index)
        return out

    def key_sizes(self, index: int, budget: int) -> Any:
        """A struct key_sizes of a database."""
        out = ffi.new("struct key_sizes *")
        lib.engine_key_sizes(self.handle, index, budget, out)
        return out

    def link_stats(self) -> Any:
        """A struct link_stats filled now; all zero when there is only one worker."""
        out = ffi.new("struct link_stats *")
        lib.engine_link_stats(self.handle, out)
        return out

    def option(self, field: str) -> int:
        """A limit of struct engine_config."""
        value = ffi.new("int64_t *")
        if not lib.engine_get_option(self.handle, field.encode(), value):
            raise KeyError(field)
        return int(value[0])

    def set_option(self, field: str, value: int) -> None:
        if not lib.engine_set_option(self.handle, field.encode(), value):
            raise KeyError(field)

    def reset_stats(self) -> None:
        """CONFIG RESETSTAT."""
        lib.engine_reset_stats(self.handle)
        lib.engine_slowlog_reset_totals(self.handle)

    # --- commands ---

    @property
    def command_count(self) -> int:
        """How many rows there have ever been; indexes are below it."""
        return int(lib.engine_command_count(self.handle))

    @property
    def command_version(self) -> int:
        """Another one whenever commands have come or gone."""
        return int(lib.engine_command_version(self.handle))

    def command(self, row: int) -> CommandFacts:
        """The row at this index. Raises: IndexError."""
        info = ffi.new("struct command_info *")
        if not lib.engine_command_info(self.handle, row, info):
            raise IndexError(row)
        return _command_facts(row, info)

    def commands(self) -> list[CommandFacts]:
        """All rows, subcommands too, in the order of registration."""
        info = ffi.new("struct command_info *")
        rows = range(self.command_count)
        return [
            _command_facts(row, info)
            for row in rows
            if lib.engine_command_info(self.handle, row, info)
        ]

    def used_commands(self) -> list[CommandFacts]:
        """The rows that clients have called, or tried to."""
        info = ffi.new("struct command_info *")
        used = []
        for row in range(self.command_count):
            there = lib.engine_command_info(self.handle, row, info)
            if there and (info.calls or info.rejected or info.failed):
                used.append(_command_facts(row, info))
        return used

    def rename_command(self, name: str, fresh: str) -> None:
        """Clients know the command by another name from now on, or not at all. Raises: ValueError."""
        if not lib.engine_rename_command(self.handle, name.encode(), fresh.encode()):
            raise ValueError(f"{name} cannot be renamed to {fresh}")

    def is_taken_away(self, row: int) -> bool:
        """Whether clients do not know the command of this row by any name."""
        return bool(lib.engine_command_taken(self.handle, row))

    def typed_command(self, name: bytes) -> int:
        """The row that a client means; -1: none."""
        return int(lib.engine_typed_command(self.handle, name, len(name)))

    def find_command(self, name: bytes) -> int:
        """Row index of a command in any letter case, "object|encoding"; -1 if there is none."""
        return int(lib.engine_find_command(self.handle, name, len(name)))

    def histogram(self, row: int) -> list[int]:
        """Calls by duration: the i-th count is of [2^i, 2^(i+1)) microseconds."""
        buckets = ffi.new("uint64_t[40]")
        if not lib.engine_command_histogram(self.handle, row, buckets):
            return [0] * 40
        return list(buckets)

    def error_stats(self) -> dict[str, int]:
        """Error replies by prefix."""
        prefix, count = ffi.new("const char **"), ffi.new("uint64_t *")
        stats: dict[str, int] = {}
        while lib.engine_error_stat(self.handle, len(stats), prefix, count):
            stats[ffi.string(prefix[0]).decode("utf-8", "replace")] = int(count[0])
        return stats

    def execute(self, db: int, argv: list[bytes], resp: int = 2) -> bytes:
        """The RESP reply of a command of C, executed without a client."""
        args = [ffi.from_buffer(arg) for arg in argv]
        lengths = ffi.new("size_t[]", [len(arg) for arg in argv])
        n = ffi.new("size_t *")
        reply = lib.engine_execute(
            self.handle, db, resp, len(argv), ffi.new("char *[]", args), lengths, n
        )
        return bytes(ffi.buffer(reply, n[0]))

    def debug(self, db: int, argv: list[bytes], resp: int) -> bytes | None:
        """The RESP reply of a DEBUG subcommand of C; None if there is none for these arguments."""
        args = [ffi.from_buffer(arg) for arg in argv]
        lengths = ffi.new("size_t[]", [len(arg) for arg in argv])
        n = ffi.new("size_t *")
        argp = ffi.new("char *[]", args)
        reply = lib.engine_debug(self.handle, db, resp, len(argv), argp, lengths, n)
        return bytes(ffi.buffer(reply, n[0])) if reply else None

    # --- slow log and latency monitor ---

    @property
    def slowlog_length(self) -> int:
        return int(lib.engine_slowlog_length(self.handle))

    def slowlog(self, count: int) -> list[SlowEntry]:
        """The newest entries, at most `count`."""
        return [self._slow_entry(i) for i in range(min(count, self.slowlog_length))]

    def _slow_entry(self, i: int) -> SlowEntry:
        info = ffi.new("struct slowlog_entry *")
        lib.engine_slowlog_entry(self.handle, i, info)
        argv = tuple(self._slow_text(i, k) for k in range(info.argc))
        who = self._slow_text(i, lib.SLOWLOG_ADDR), self._slow_text(i, lib.SLOWLOG_NAME)
        return SlowEntry(info.id, info.time_s, info.usec, info.argc_total, argv, *who)

    def _slow_text(self, i: int, which: int) -> bytes:
        n = ffi.new("size_t *")
        text = lib.engine_slowlog_text(self.handle, i, which, n)
        return bytes(ffi.buffer(text, n[0]))

    def slowlog_reset(self) -> None:
        lib.engine_slowlog_reset(self.handle)

    def slowlog_totals(self) -> Any:
        """A struct slowlog_totals filled now."""
        out = ffi.new("struct slowlog_totals *")
        lib.engine_slowlog_totals(self.handle, out)
        return out

    def note_latency(self, event: str, usec: int) -> None:
        """Records an event if the monitor is on and it was slow."""
        lib.engine_latency_note(self.handle, event.encode(), usec)

    def latency_events(self) -> list[LatencyEvent]:
        """All series of the latency monitor."""
        info = ffi.new("struct latency_event *")
        events: list[LatencyEvent] = []
        while lib.engine_latency_event(self.handle, len(events), info):
            events.append(self._latency_event(info))
        return events

    def _latency_event(self, info: Any) -> LatencyEvent:
        samples = ffi.new("struct latency_sample[160]")
        n = lib.engine_latency_samples(self.handle, info.name, samples)
        return LatencyEvent(
            ffi.string(info.name).decode(),
            info.latest.time_s,
            info.latest.ms,
            info.max_ms,
            info.sum_ms,
            info.total,
            tuple((s.time_s, s.ms) for s in samples[0:n]),
        )

    def latency_reset(self, event: str) -> bool:
        """False: there is no such series."""
        return bool(lib.engine_latency_reset(self.handle, event.encode("utf-8", "surrogateescape")))


def _command_facts(row: int, info: Any) -> CommandFacts:
    keys = tuple(_key_spec(spec) for spec in info.keys if spec.begin != b"\0")
    name, group = ffi.string(info.name).decode(), ffi.string(info.group).decode()
    acl = ffi.string(info.acl).decode() if info.acl else ""
    counts = (info.calls, info.usec, info.rejected, info.failed)
    return CommandFacts(row, name, group, info.arity, info.flags, acl, keys, *counts)


def _key_spec(spec: Any) -> KeySpecFacts:
    keyword = ffi.string(spec.keyword).decode() if spec.keyword else ""
    begin, find = spec.begin.decode(), spec.find.decode()
    return KeySpecFacts(spec.flags, begin, find, spec.at, spec.a, spec.b, spec.c, keyword)
