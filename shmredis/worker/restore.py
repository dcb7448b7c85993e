"""What a worker does before it serves: its data come back out of the append-only file, which goes on.

An arena that was taken over has its data already; then the log only has to fit it.
"""

import asyncio
import logging
import time
from dataclasses import replace

from shmredis.config import Config
from shmredis.persistence.aof_recovery import AofRecovery
from shmredis.persistence.marks import note_files
from shmredis.persistence.origin import Origin, Source
from shmredis.worker.server import Server

__all__ = ["restore"]

log = logging.getLogger(__name__)


async def restore(server: Server, config: Config, origin: Origin) -> Origin:
    """Where the data are from. Raises: AofError, OSError."""
    workers, engine = server.workers, server.engine
    index = workers.index if workers else 0
    server.append_log.changed = lambda: note_files(engine, config, index)
    server.snapshots.changed = lambda: note_files(engine, config, index)
    if origin.source is Source.ARENA:
        server.append_log.resume()
        return origin
    dropped: set[str] = set()
    if config["appendonly"]:
        started = time.monotonic()
        recovery = AofRecovery(engine, config, index, workers.count if workers else 1, _call)
        while not recovery.step():
            await asyncio.sleep(0)
        dropped = recovery.result.dropped
        if recovery.result.found:
            keys = sum(engine.database(i).keys for i in range(engine.databases))
            spent = time.monotonic() - started
            origin = replace(origin, source=Source.AOF, keys=keys, seconds=spent)
    server.append_log.start()
    server.append_log.settle(dropped)
    return origin


def _call(db: int, argv: list[bytes]) -> None:
    log.warning("A command of the append-only file is left out: %r in database %d", argv[0], db)
