"""Load by redis-benchmark, if it is installed."""

import csv
import io
import shutil
import subprocess

__all__ = ["LoadError", "available", "command_line", "parse_csv", "run"]

PROGRAM = "redis-benchmark"
RUN_SECONDS = 600.0


class LoadError(Exception):
    """The generator failed; the text says how."""


def available() -> bool:
    """Whether it is on PATH."""
    return shutil.which(PROGRAM) is not None


def run(
    port: int, argv: list[str], clients: int, pipeline: int, requests: int, keyspace: int
) -> float:
    """Sends `requests` commands; operations per second. Raises: LoadError."""
    command = command_line(port, argv, clients, pipeline, requests, keyspace)
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    if done.returncode != 0 or "Error from server" in done.stderr + done.stdout:
        raise LoadError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()[-300:]}")
    return parse_csv(done.stdout)


def command_line(
    port: int, argv: list[str], clients: int, pipeline: int, requests: int, keyspace: int
) -> list[str]:
    """What to start for such a load."""
    command = [PROGRAM, "-h", "127.0.0.1", "-p", str(port), "-c", str(clients), "-P", str(pipeline)]
    return [*command, "-n", str(requests), "-r", str(keyspace), "-q", "--csv", *argv]


def parse_csv(text: str) -> float:
    """Operations per second from the output of `-q --csv`, with or without a header line.

    Raises: LoadError if there is no result line.
    """
    rows = [row for row in csv.reader(io.StringIO(text)) if len(row) >= 2]
    header = rows[0] if rows and rows[0][0] == "test" else []
    results = rows[1:] if header else rows
    column = header.index("rps") if "rps" in header else 1
    try:
        return float(results[-1][column])
    except (IndexError, ValueError):
        raise LoadError(f"not understood: {text.strip()[-300:]}") from None
