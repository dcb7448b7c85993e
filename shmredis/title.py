"""What `ps` shows of a process: set-proc-title and proc-title-template.

Linux shows the memory in which the arguments were; what is written there takes their place, as far as it
has room. The name of the process, which `pgrep` looks at, becomes shmredis-server in any case.
"""

import logging
from pathlib import Path

from shmredis.config import Config

__all__ = ["TITLE", "show_title", "title_of"]

log = logging.getLogger(__name__)

TITLE = "shmredis-server"
ARGUMENTS_BEGIN, ARGUMENTS_END = 45, 46  # fields of /proc/self/stat behind the name
WHOLE_MEMORY = Path("/proc/self/mem")


def show_title(config: Config, role: str = "") -> None:
    """Now, and when the template changes. `role`: what this process is of the server's."""

    def write(_value: object = None) -> None:
        if config["set-proc-title"]:
            _write(f"{title_of(config)} {role}".rstrip())

    config.watch("proc-title-template", write)
    write()


def title_of(config: Config) -> str:
    """The template with its variables filled in."""
    text: str = config["proc-title-template"]
    for name, value in _variables(config).items():
        text = text.replace(f"{{{name}}}", value)
    return text.rstrip()


def _variables(config: Config) -> dict[str, str]:
    port = config["port"] or config["tls-port"]
    first = next(iter(config["bind"]), "*").removeprefix("-")
    return {
        "title": TITLE,
        "listen-addr": f"{first}:{port}" if port else config["unixsocket"],
        "server-mode": "",
        "port": str(config["port"]),
        "tls-port": str(config["tls-port"]),
        "unixsocket": config["unixsocket"],
        "config-file": config.path or "",
    }


def _write(text: str) -> None:
    try:
        Path("/proc/self/comm").write_text(TITLE)
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        begin, end = int(fields[ARGUMENTS_BEGIN]), int(fields[ARGUMENTS_END])
        room = end - begin
        with WHOLE_MEMORY.open("r+b", buffering=0) as memory:
            memory.seek(begin)
            memory.write(text.encode("utf-8", "surrogateescape")[: room - 1].ljust(room, b"\0"))
    except OSError as error:
        log.debug("the title of the process cannot be changed: %s", error)
