"""`make loop` itself, without its waits: what it shows is what it runs, and it leaves nothing behind.

The embedded model would take a minute of it, so a model server stands in for it. The person's settings are such as
would change what Git and Canopy do.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import psutil
import pytest

from tests.support import advice
from tests.support.docs import ROOT
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tools.loop.story import A, B

pytestmark = pytest.mark.long
PATIENCE = 240  # seconds
BRIEF, LONG = "It opens on Monday.", "There is a bridge, of which much can be told. " * 3 + "That was it."


@pytest.fixture
async def model() -> AsyncGenerator[FakeModelServer]:
    async with FakeModelServer() as server:
        server.scripts[A] = Script(tokens=(LONG,))
        server.scripts[B] = Script(tokens=(BRIEF,))
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """A person's environment: Git signs, has hooks and another first branch, and knows no name; a proxy is dead."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "pre-push"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f"[commit]\n\tgpgsign = true\n[init]\n\tdefaultBranch = trunk\n[core]\n\thooksPath = {hooks}\n"
    )
    (tmp_path / "tmp").mkdir()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "CANOPY_"))}
    return own | {
        "HOME": str(home),
        "TMPDIR": str(tmp_path / "tmp"),
        "GIT_DIR": str(tmp_path / "elsewhere"),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "CANOPY_AUTH_TOKENS_FILE": str(tmp_path / "none.yaml"),
        "CANOPY_PORT": "1",
    }


async def begin(env: Mapping[str, str], *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools.loop", "--speed", "0", *options, cwd=ROOT, env=env,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


def left(folder: str) -> list[str]:
    """What is left of a loop whose temporary folders are in here: its folder, and processes that work there."""
    working = [
        str(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline", "environ"])
        if folder in (process.info["environ"] or {}).get("CANOPY_STORE_URL", "")
    ]
    return [*map(str, Path(folder).iterdir()), *working]


async def test_the_circle_plays_whatever_a_person_has_configured_and_readme_tells_it(
    model: FakeModelServer, settings: dict[str, str]
) -> None:
    process = await begin(settings, "--model-server", model.url)
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    said = output.decode()
    assert process.returncode == 0, said
    assert "The candidate, Prompt B, is better" in said
    assert re.search(r"Prompt A +\S+ +20% of 5 votes are good\n +Prompt B +\S+ +80% of 5 votes are good", said), said
    assert "The gate failed: 0 of 2 cases pass (0.0%)" in said
    assert "The gate passed" in said
    assert "2 commits, none wrong." in said
    assert [line for line in said.splitlines() if line.startswith("→ ")] == [f"→ {BRIEF}", f"→ {LONG}"]
    assert left(settings["TMPDIR"]) == []

    # README's page shows the commands that were run, to the letter but for the port.
    (section,) = re.findall(r"^## Round the circle\n(.*?)^## ", (ROOT / "README.md").read_text(), re.M | re.S)
    told = [command for _, _, block in advice.FENCE.findall(section) for command in advice.commands(block)]
    ran = [*advice.commands(re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:8000", said))]
    assert len(told) > 10
    assert [command for command in told if command not in ran] == []


async def test_ctrl_c_leaves_nothing(model: FakeModelServer, settings: dict[str, str]) -> None:
    process = await begin(settings, "--model-server", model.url)
    assert process.stdout
    async for line in process.stdout:
        if b"Its pages:" in line:
            break
    assert len(left(settings["TMPDIR"])) > 1
    process.send_signal(signal.SIGINT)
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, output.decode().splitlines()[-1]) == (130, "Ended. Nothing of it is left.")
    assert left(settings["TMPDIR"]) == []


async def test_what_is_missing_is_said_in_a_sentence(settings: dict[str, str]) -> None:
    process = await begin(settings | {"PATH": "/nowhere"})
    output, _ = await process.communicate()
    assert process.returncode == 1
    assert output.decode() == ("Error: The loop needs Git, and no `git` is on the PATH. Install it, and try again.\n")
