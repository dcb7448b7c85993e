"""The report: tables on the terminal, and the same with every sample as JSON."""

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from shmredis.benchmark.measurement import Measurement, Section

__all__ = ["as_json", "print_tables", "write_json"]

FORMAT = 1


def print_tables(
    console: Console, servers: Mapping[str, str], measurements: Sequence[Measurement]
) -> None:
    """One table for each section that has measurements; `servers` maps names to versions."""
    console.print("; ".join(f"{name}: {version}" for name, version in servers.items()))
    for section in Section:
        rows = [row for row in measurements if row.section is section]
        if rows and section.of_scaling:
            console.print(scaling_table(section, rows))
        elif rows:
            console.print(table(section, list(servers), rows))


def table(section: Section, servers: Sequence[str], rows: Sequence[Measurement]) -> Table:
    """Medians of each server, and our ratio to the best peer, red where the peer is better."""
    result = Table(title=f"{section.value}, {rows[0].unit} ({section.better.value} is better)")
    result.add_column()
    for name in (*servers, "ratio"):
        result.add_column(name, justify="right")
    for row in rows:
        result.add_row(row.subject, *(number(row.median(name)) for name in servers), ratio(row))
    return result


def scaling_table(section: Section, rows: Sequence[Measurement]) -> Table:
    """Medians by number of workers, each but the first with its ratio to the first, and the noise."""
    names = list(dict.fromkeys(name for row in rows for name in row.samples))
    result = Table(title=f"{section.value}, {rows[0].unit} ({section.better.value} is better)")
    result.add_column()
    for name in (*names, "range"):
        result.add_column(name, justify="right")
    for row in rows:
        cells = [scaled(row, name, names[0]) for name in names]
        result.add_row(row.subject, *cells, f"{row.spread():.0%}")
    return result


def scaled(row: Measurement, name: str, base: str) -> str:
    """A median, and its ratio to that of the base."""
    value = number(row.median(name))
    between = row.ratio_between(name, base)
    return value if name == base or between is None else f"{value} ({between:.2f})"


def number(value: float | None) -> str:
    """With as many digits as say something."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"


def ratio(row: Measurement) -> str:
    """Our median to the best peer's, coloured."""
    value = row.ratio()
    if value is None:
        return "-"
    return f"[{'red' if row.behind() else 'green'}]{value:.2f}[/]"


def as_json(
    servers: Mapping[str, str],
    measurements: Sequence[Measurement],
    options: Mapping[str, object],
) -> dict[str, Any]:
    """Everything that was measured, and where."""
    return {
        "format": FORMAT,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {
            "cpus": os.cpu_count(),
            "kernel": platform.release(),
            "architecture": platform.machine(),
        },
        "servers": dict(servers),
        "options": dict(options),
        "measurements": [row_as_json(row) for row in measurements],
    }


def row_as_json(row: Measurement) -> dict[str, Any]:
    return {
        "section": row.section.name.lower(),
        "subject": row.subject,
        "unit": row.unit,
        "better": row.section.better.value,
        "samples": row.samples,
        "medians": {name: row.median(name) for name in row.samples},
        **compared(row),
    }


def compared(row: Measurement) -> dict[str, Any]:
    """What the row says of servers beside each other."""
    if not row.section.of_scaling:
        return {"best_peer": row.best_peer(), "ratio": row.ratio()}
    base = next(iter(row.samples))
    return {"ratios": {name: row.ratio_between(name, base) for name in row.samples}}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
