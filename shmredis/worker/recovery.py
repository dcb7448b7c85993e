"""The engine that a worker begins with: an arena of an earlier life, or a fresh one to be filled from files.

Order: arena, append only file, RDB file, nothing. An arena is taken over if the core trusts
it (csrc/db/attach.h) and, when the server starts, if the files are those that go with it.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from shmredis._core import ffi, lib
from shmredis.engine import Engine
from shmredis.faults import fault
from shmredis.front.shm import object_base, object_name, replace_object
from shmredis.front.worker_process import Birth, Plan
from shmredis.persistence.aof_folder import own_folder
from shmredis.persistence.aof_load import AofError
from shmredis.persistence.aof_manifest import ManifestError
from shmredis.persistence.aof_tail import LogPlace, written_size
from shmredis.persistence.aof_verdict import Verdict
from shmredis.persistence.marks import Marks, marks_of, note_files
from shmredis.persistence.origin import Origin, Source
from shmredis.slots import slot_range

__all__ = ["Beginning", "StartError", "begin"]

log = logging.getLogger(__name__)

FROZEN = "as of the start of the last snapshot: what was written later is lost"
TAIL = "as of the start of the last snapshot, and what was logged since"
PARTS = "a command of several workers has not reached all of them"
EDITED = "the append only file was changed"
GUESTS = "its worker ended inside a command over keys of several workers"


class StartError(Exception):
    """The worker cannot serve; the text is for the user."""


@dataclass(slots=True, frozen=True)
class Beginning:
    """An engine, and where its data is from; when it is empty, files are to be looked for.

    `since`: the arena is of an earlier instant, and the log has from there on what it lacks.
    """

    engine: Engine
    origin: Origin
    first: bool
    since: LogPlace | None = None
    verdict: Verdict | None = None  # when the server starts: on what the logs have


def begin(plan: Plan, index: int, birth: Birth) -> Beginning:
    """The worker's engine. Raises: StartError."""
    slots = slot_range(index, plan.config["workers"])
    beginning = None
    origin, fd = Origin(), birth.fd
    if birth.adopted:
        beginning, why = _take_over(plan, index, birth, slots)
        if not beginning:
            fault("recovery.refused")
            origin, fd = Origin(why=why), replace_object(object_name(plan.base_name, index))
    if not beginning:
        beginning = Beginning(_fresh(plan, index, fd), origin, birth.first)
        lib.engine_load_begin(beginning.engine.handle)  # nobody may look into it yet
    lib.engine_set_say(beginning.engine.handle, lib.python_say)
    lib.engine_set_slots(beginning.engine.handle, slots[0], slots[-1])
    if birth.first:
        beginning = replace(beginning, verdict=plan.verdict)
    _join(plan, index, beginning.engine.handle)
    note_files(beginning.engine, plan.config, index)
    return beginning


def _take_over(plan: Plan, index: int, birth: Birth, slots: range) -> tuple[Beginning | None, str]:
    """The engine of an arena that was there; if it is refused, why. The descriptor is used up."""
    report, config = ffi.new("struct attach_report *"), plan.config
    terms = ffi.new(
        "struct attach_terms *", (config["databases"], slots[0], slots[-1], lib.python_xxh3)
    )
    name = object_name(plan.base_name, index).encode()
    handle = lib.engine_attach(birth.fd, name, terms, report)
    if not handle:
        return None, str(ffi.string(report.why).decode())
    since = _log_place(plan, index, report) if report.frozen else None
    if why := _objection(plan, index, birth, report, since):
        lib.engine_delete(handle)
        return None, why
    note = (TAIL if since else FROZEN) if report.frozen else ""
    if report.frozen and not since:
        log.warning("Arena %d is %s", index, FROZEN)
        lib.engine_load_end(handle)  # then the arena tells it no more, if this start is cut short
        fault("recovery.trusted")
    origin = Origin(Source.ARENA, keys=report.keys, generation=report.generation, note=note)
    engine = Engine(handle)
    engine.stats.dirty = 0 if report.sealed else 1  # the files may be older
    return Beginning(engine, origin, birth.first, since), ""


def _log_place(plan: Plan, index: int, report: Any) -> LogPlace | None:
    """Where the log goes on with what a frozen arena lacks; None: it is not there.

    What the arena had and the log had not at that instant was written first.
    """
    config = plan.config
    place = LogPlace(report.aof_seq, report.aof_position + report.aof_ahead)
    usable = config["appendonly"] and place.is_in(own_folder(config, index, config["workers"]))
    return place if usable else None


def _objection(plan: Plan, index: int, birth: Birth, report: Any, since: LogPlace | None) -> str:
    """Why a sound arena is not what is wanted; empty: it is.

    When all workers begin, some may have more of a command of several than others, which only whole logs
    tell.
    """
    appendonly = bool(plan.config["appendonly"])
    if appendonly and report.has_guests:
        return GUESTS
    if not birth.first:
        return ""  # of this very server
    now = marks_of(plan.config, index, at_end=report.sealed)
    if why := now.objection(Marks.from_report(report), appendonly=appendonly):
        return why
    if not appendonly:
        return ""
    if _is_newer(plan, index, report):
        _is_complete(plan)  # others may have to know what this one's log says before it begins anew
        return ""
    if report.frozen and (plan.control or not since):
        return FROZEN
    if _is_edited(plan, index, report):
        return EDITED
    crashed = plan.control and not report.sealed
    if crashed and (report.aof_ahead or not _is_complete(plan)):
        return PARTS
    return ""


def _is_newer(plan: Plan, index: int, report: Any) -> bool:
    """Whether the log is not in use yet, having been switched on lately: it lacks the arena's place."""
    with suppress(ManifestError, OSError):
        manifest = own_folder(plan.config, index, plan.config["workers"]).read()
        return not (manifest and 0 < report.aof_seq <= manifest.last_incremental)
    return False


def _is_edited(plan: Plan, index: int, report: Any) -> bool:
    """Whether somebody else has written to the log: its end is not where this arena's worker left it."""
    folder = own_folder(plan.config, index, plan.config["workers"])
    try:
        manifest = folder.read()
        if not manifest:
            return True
        size = written_size(folder, manifest, report.aof_seq)
    except (ManifestError, OSError):
        return True
    if report.frozen:  # the log has gone on since
        return 0 <= size < int(report.aof_position)
    return not report.aof_position <= size <= report.aof_position + report.aof_ahead


def _is_complete(plan: Plan) -> bool:
    """Whether all logs have all parts of what others have of commands of several workers."""
    try:
        return plan.verdict.judge(plan.config).complete
    except (AofError, OSError):
        return False


def _fresh(plan: Plan, index: int, fd: int) -> Engine:
    """An empty engine. Raises: StartError."""
    status = ffi.new("int *")
    name, arena_max = object_name(plan.base_name, index), plan.config["arena-max"]
    databases = plan.config["databases"]
    handle = lib.engine_new(fd, name.encode(), arena_max, _seed(), databases, status)
    if not handle:
        raise StartError(
            f"Shared memory {name} cannot be used ({_why(status[0])}). The arena may grow to "
            f"{arena_max} bytes and needs 2 MiB to start. Make /dev/shm larger: docker run "
            "--shm-size=4g, or mount -o remount,size=4g /dev/shm"
        )
    lib.engine_set_digest(handle, lib.python_xxh3)
    return Engine(handle)


def _join(plan: Plan, index: int, handle: Any) -> None:
    """Makes the engine one of several. Raises: StartError."""
    if control := plan.control:
        base = object_base(plan.base_name).encode()
        if joined := lib.engine_join(handle, control.fd, index, control.wake_fds, base):
            raise StartError(f"Worker {index} cannot join the others ({_why(joined)})")


def _why(status: int) -> str:
    return str(ffi.string(lib.core_status_text(status)).decode().removeprefix("ERR "))


def _seed() -> bytes:
    with open("/dev/urandom", "rb", buffering=0) as source:  # noqa: PTH123
        return source.read(16)
