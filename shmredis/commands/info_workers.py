"""INFO Workers: a line for each worker of a server that has several."""

from shmredis.commands.context import Context
from shmredis.commands.figures import WORKERS, WorkerFigures
from shmredis.slots import slot_range

__all__ = ["workers_section"]

Fields = list[tuple[str, object]]


def workers_section(ctx: Context) -> Fields:
    """Workers that do not answer are left out."""
    workers = ctx.server.workers
    if workers is None:
        return []
    return [(f"worker{w.index}", _line(w, workers.count)) for w in ctx.figures[WORKERS]]


def _line(worker: WorkerFigures, count: int) -> str:
    """`hops`: commands sent to others and done for them; `wakeups`: rung and heard; `peeks`: reads of
    others' keys without a hop, tries that met a change, and reads that hopped after all."""
    slots, links = slot_range(worker.index, count), worker.links
    fields: list[tuple[str, object]] = [
        ("pid", worker.pid),
        ("slots", f"{slots[0]}-{slots[-1]}"),
        ("connections", worker.connections),
        ("used_memory", worker.used_memory),
        ("keys", worker.keys),
        ("ops", round(worker.commands_per_s)),
        ("hops_out", links.requests_sent),
        ("hops_in", links.requests_done),
        ("wakeups_out", links.wakeups_sent),
        ("wakeups_in", links.wakeups),
        ("peeks", links.peeks),
        ("peeks_again", links.peeks_again),
        ("peeks_hopped", links.peeks_hopped),
        ("stages", links.stages),
        ("stages_busy", links.stages_busy),
        ("holds", links.holds),
        ("hold_us", links.hold_us),
        ("redone", links.redone),
        ("backlog", links.backlog_bytes),
    ]
    return ",".join(f"{name}={value}" for name, value in fields)
