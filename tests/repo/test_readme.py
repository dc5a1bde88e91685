"""README's commands work.

Every block fenced as `sh` is run, in order and by one shell that stops at the first failure, in a folder with nothing
but `.venv`, beside a server that has just been started with the embedded model; `http://127.0.0.1:8000` is where it
listens. Blocks fenced as `console` are transcripts, for people.
"""

import asyncio
import sys
from pathlib import Path

from tests.support.docs import ROOT, fenced
from tests.support.server import running_server

README = ROOT / "README.md"
VALUES = {"summarize": {"max_tokens": 100}}  # the small model sometimes goes on for thousands


async def test_the_commands_run(tmp_path: Path) -> None:
    blocks = fenced(README, "sh")
    assert blocks, "README shows no commands"
    async with running_server(tmp_path, VALUES) as server:
        script = "\n".join(["set -euo pipefail", *blocks]).replace("http://127.0.0.1:8000", server.url)
        folder = tmp_path / "empty"
        folder.mkdir()
        (folder / ".venv").symlink_to(sys.prefix)
        shell = await asyncio.create_subprocess_exec(
            "bash",
            "-x",
            "-c",
            script,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await shell.communicate()
        assert shell.returncode == 0, output.decode()


def test_it_opens_with_the_two_commands_and_a_transcript() -> None:
    opening = fenced(README, "console")[0]
    assert "$ make run" in opening
    assert "is ready at http://127.0.0.1:8000" in opening
