"""Background work of a worker: the engine's cron, rates, idle clients, output limits."""

import asyncio
import time

from shmredis._core import lib
from shmredis.log import VERBOSE
from shmredis.worker.server import Server

__all__ = ["engine_cron", "mind_clients"]

BUDGET_US = 1000  # of the event loop at a time
BUSY_PAUSE_S = 0.001  # between two turns when there is more to do
RATE_EVERY_S = 0.1


async def engine_cron(server: Server) -> None:
    """Expiry, eviction, lazy free and defragmentation, as often as the engine asks for."""
    next_sample = 0.0
    while True:
        delay_ms = 0 if server.cron_paused else lib.engine_cron(server.engine.handle, BUDGET_US)
        now = time.monotonic()
        if now >= next_sample:
            server.facts.rates.sample(server.engine, now)
            server.facts.note_peak(server.engine.memory().peak, time.time())
            next_sample = now + RATE_EVERY_S
        if lib.engine_turn_due(server.engine.handle):
            server.end_turn()
        pause = delay_ms / 1000 if delay_ms else BUSY_PAUSE_S
        await asyncio.sleep(RATE_EVERY_S if server.cron_paused else pause)


async def mind_clients(server: Server) -> None:
    """Once a second: closes idle clients (`timeout`) and those whose output stays too long."""
    while True:
        await asyncio.sleep(1)
        timeout_s, now = server.config["timeout"], time.time()
        for client in list(server.clients.values()):
            if timeout_s and now - client.last_active_s > timeout_s and not client.may_be_idle:
                client.say(VERBOSE, "Closing idle client %s")
                client.close()
            elif client.queued_output:
                client.check_output(client.queued_output, time.monotonic())
