"""README's commands work.

Every block fenced as `sh` is run, in order and by one shell that stops at the first failure, in a folder with nothing
but `.venv`, beside a server that has just been started with the embedded model; `http://127.0.0.1:8000` is where it
listens. Blocks fenced as `console` are transcripts: what they show is compared with what is there.
"""

import asyncio
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.docs import ROOT, fenced
from tests.support.server import running_server

README = ROOT / "README.md"
PATIENCE = 120  # seconds; the embedded model loads, beside whatever else the machine does
VALUES = {"summarize": {"max_tokens": 100}}  # the small model sometimes goes on for thousands


async def test_the_commands_run(tmp_path: Path) -> None:
    blocks = fenced(README, "sh")
    assert blocks, "README shows no commands"
    async with running_server(tmp_path, VALUES, within=PATIENCE) as server:
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


def test_it_opens_with_the_two_commands_and_their_transcripts() -> None:
    made, tested = transcripts()
    assert (made[0], tested[0]) == ("$ make run", "$ make test")


def test_the_first_transcript_begins_with_what_make_says() -> None:
    made, _ = transcripts()
    installing = made[1 : made.index("")]
    says = re.findall(r'echo "(Installing .*)"', (ROOT / "Makefile").read_text())
    making = re.fullmatch(r"Making \.venv with Python (3\.12\.\d+) …", installing[0])
    assert making, installing[0]
    assert 'echo "Making $venv with $("$found" --version) …"' in (ROOT / "tools/make-venv.sh").read_text()
    assert installing[1:] == says[:2]


async def test_the_first_transcript_is_what_the_server_writes(tmp_path: Path) -> None:
    made, _ = transcripts()
    async with running_server(tmp_path, env={"CANOPY_BANNER": "true"}, within=PATIENCE) as server:
        await server.stop()
    written = [*server.errors.decode().splitlines(), *(line.decode() for line in server.lines)]
    start = next(number for number, line in enumerate(made) if "is ready at" in line)
    banner, log = made[start:-1], made[-1]
    ready = next(number for number, line in enumerate(written) if "is ready at" in line)
    places = {server.url: "http://127.0.0.1:8000", str(tmp_path): "/home/ada/canopy/var"}
    assert without_ports(banner, {}) == without_ports(written[ready : ready + len(banner)], places)
    (real,) = [line for line in written if '"event":"canopy_started"' in line]
    assert re.findall(r'"(\w+)":', log) == re.findall(r'"(\w+)":', real)[: log.count('":')]


def without_ports(lines: list[str], places: dict[str, str]) -> list[str]:
    """The lines, but for what differs from start to start."""
    for place, other in places.items():
        lines = [line.replace(place, other) for line in lines]
    return [re.sub(r"(127\.0\.0\.1):(?!8000)\d+", r"\1:PORT", line) for line in lines]


def transcripts() -> list[list[str]]:
    return [block.strip("\n").splitlines() for block in fenced(README, "console")[:2]]


def stated(pattern: str) -> int:
    """The number that the transcript of the tests has there."""
    _, tested = transcripts()
    (found,) = re.findall(pattern, "\n".join(tested))
    return int(found)


def test_the_transcript_of_the_tests_counts_the_files_and_contracts_that_there_are() -> None:
    """Whoever reads it is to know about how much there is: a tenth more or less is true enough."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    excluded = re.compile(project["mypy"]["exclude"][0])
    names = (
        str(path.relative_to(ROOT)) for folder in project["mypy"]["files"] for path in (ROOT / folder).rglob("*.py")
    )
    files = sum(not excluded.search(name) for name in names)
    assert stated(r"no issues found in (\d+) source files") == pytest.approx(files, rel=0.1)
    assert stated(r"Contracts: (\d+) kept, 0 broken") == len(project["importlinter"]["contracts"])


def test_the_transcript_of_the_tests_counts_about_as_many_as_there_are(request: pytest.FixtureRequest) -> None:
    config = request.config
    part = config.args != config.getini("testpaths") or config.option.keyword or config.option.markexpr
    if part or config.getoption("sqlite"):
        pytest.skip("platform: a run of a part doesn't know how many tests there are")
    assert stated(r"(\d+) passed in ") == pytest.approx(request.session.testscollected, rel=0.1)
