"""BullMQ, whose every step is a script over several keys, with and without a hash tag in their names.

It is skipped where node is missing, or `npm install` has not been run in this folder.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness.server import Server

FOLDER = Path(__file__).parent
NODE = shutil.which("node")


def has_bullmq() -> bool:
    command = [str(NODE), "-e", "require.resolve('bullmq')"]
    return (
        NODE is not None
        and not subprocess.run(command, cwd=FOLDER, capture_output=True, check=False).returncode
    )


pytestmark = pytest.mark.skipif(not has_bullmq(), reason="no node, or no bullmq in this folder")


@pytest.mark.parametrize("prefix", ["bull", "{bull}"])
def test_jobs(shared_server: Server, prefix: str) -> None:
    with shared_server.client() as client:
        client.call("FLUSHALL")
    command = [str(NODE), "bullmq.cjs", str(shared_server.port), prefix]
    done = subprocess.run(
        command, cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
