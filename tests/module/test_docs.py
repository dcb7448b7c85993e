"""The module that docs/modules.md begins with does what it says."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.harness.server import ROOT, Server
from tests.workers.places import key_of

DOCS = ROOT / "docs" / "modules.md"


def test_the_first_example(start: Callable[..., Server], tmp_path: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    path = tmp_path / "floor.py"
    path.write_text(source)
    with start("--loadmodule", str(path)).client() as client:
        for worker in range(3):
            key = key_of(worker)
            client.call("SET", key, 5)
            assert client.value("FLOOR.DECR", key, 3) == 2
            assert client.call("FLOOR.DECR", key, 3).startswith(b"-FLOOR the counter")
            assert client.value("GET", key) == b"2"
