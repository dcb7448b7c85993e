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
        if rows:
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
        "best_peer": row.best_peer(),
        "ratio": row.ratio(),
    }


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
