"""Every command, as the command line itself lists them, through what machines do to them. None ends in a traceback.

The pipe behind it closes or is full, standard streams are closed, the disk is full, somebody presses Ctrl-C, and each
file that it is given is missing, a folder, below a file, or no text.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import psutil
import pytest
import pytest_asyncio
import yaml

from canopy.cli import main
from canopy.store.opening import open_store
from tests.contract.store.records import Clock, a_ballot, a_comparison
from tests.support import forking
from tests.support.backend_server import FakeBackend
from tests.support.command_arguments import ARGUMENTS, FURTHER, WITH_A_PROMOTION, WRITTEN
from tests.support.eval_runs import a_run, passed
from tests.support.judging import JUDGE
from tests.support.model_server import FakeModelServer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]

SUITE = "name: x\nendpoint: /summarize\nscoring_params: {length: null}\ntests:\n"

FILES = {
    "missing": "missing/file",
    "folder": "folder",
    "below a file": "values.yaml/file",
    "no text": "binary",
    "full": "/dev/full",
}


def commands(command: click.Command = main, *path: str) -> Iterator[tuple[str, click.Command]]:
    """All that can be run, by what is typed."""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from commands(each, *path, name)
    else:
        yield " ".join(path), command


COMMANDS = dict(commands())
FILE_PARAMETERS = sorted(
    {
        (name, str(param.name))
        for name, command in COMMANDS.items()
        for param in command.params
        if isinstance(param.type, click.Path | click.File)
    }
    | FURTHER
)


async def test_the_walk_knows_every_command() -> None:
    assert ARGUMENTS.keys() | WITH_A_PROMOTION | {"serve"} == COMMANDS.keys()
    assert {param for name, param in FILE_PARAMETERS if name == "evals run"} == {"folder", "baseline", "output"}


class Place:
    """Servers to ask, and folders in which commands find what they need."""

    def __init__(self, folder: Path, backend: str, storage: str) -> None:
        self._folder = folder
        self._backend = backend
        self._number = 0
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("CANOPY_")}
        self._env |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"), "x")
        self._env |= {"AWS_ENDPOINT_URL": storage, "CANOPY_PORT": "0", "CANOPY_CONFIG_PATH": "values.yaml"}
        self._env["CANOPY_STORE_URL"] = "sqlite:///canopy.db"

    def command(self, name: str, given: Mapping[str, str] | None = None) -> list[str]:
        """The command line."""
        typed = name.split()
        given = {**ARGUMENTS.get(name, {}), **(given or {})}
        for param in COMMANDS[name].params:
            value = given.get(str(param.name))
            if value is not None:
                is_option = isinstance(param, click.Option)
                typed += [param.opts[0]] * is_option + [value.format(backend=self._backend)] * bool(value)
        return [sys.executable, "-m", "canopy", *typed]

    def _own_folder(self) -> Path:
        self._number += 1
        folder = self._folder.with_name(f"{self._folder.name}-{self._number}")
        shutil.copytree(self._folder, folder)
        return folder

    async def run(
        self,
        name: str,
        given: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        out: int | None = None,
        err: int | None = None,
        way: forking.Way = "as usual",
    ) -> tuple[int, str, str]:
        """The command's end in a folder of its own: its status, and what it said."""
        command, its_env = self.command(name, given)[3:], {**self._env, **(env or {})}
        done = await asyncio.to_thread(forking.run, command, self._own_folder(), its_env, 120, out, err, way)
        return done.returncode, done.stdout, done.stderr

    async def fork(self, name: str, out: int, err: int) -> forking.Forked:
        """The process, forked, with its output to these descriptors."""
        return await forking.fork(self.command(name)[3:], self._own_folder(), self._env, out, err)

    async def start(self, command: Sequence[str], env: Mapping[str, str] | None = None, **streams: Any) -> Process:
        """The process, started anew, with whatever isn't said otherwise from and to pipes or nowhere."""
        folder = self._own_folder()
        defaults: dict[str, Any] = {"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE}
        return await asyncio.create_subprocess_exec(
            *command, cwd=folder, env={**self._env, **(env or {})}, **(defaults | streams)
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Place]:
    folder = tmp_path_factory.mktemp("walk") / "inputs"
    for inside in ("suites", "folder"):
        (folder / inside).mkdir(parents=True)
    (folder / "binary").write_bytes(b"name: \xff\xfe\x80\n" * 10)
    case = f"- prompt: {30 * 'A long text. '}\n  expected_result: An answer of the backend.\n"
    (folder / "suites" / "x_tests.yaml").write_text(SUITE + case)
    (folder / "export.yaml").write_text(SUITE + case.replace("An answer of the backend.", "''"))
    (folder / "results.json").write_text(a_run(passed()).model_dump_json())
    await asyncio.to_thread(_commit_values, folder)
    store = open_store(f"sqlite:///{folder / 'canopy.db'}", clock=Clock())
    await store.start()
    await store.comparisons.record_ballot(a_ballot(await a_comparison(store)))
    await store.close()

    async def stored(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
        writer.close()

    storage = await asyncio.start_server(stored, "127.0.0.1", 0)
    async with FakeBackend() as backend, FakeModelServer() as model, storage:
        values = {"LLAMA_STACK_URL": model.url, "judges": [JUDGE]}
        (folder / "values.yaml").write_text(yaml.safe_dump(values))
        yield Place(folder, backend.url, f"http://127.0.0.1:{storage.sockets[0].getsockname()[1]}")


def _commit_values(folder: Path) -> None:
    """Make the folder a repository with a values file in it."""
    (folder / "deploy").mkdir()
    values = "LLAMA_STACK_URL: http://model:8321\nsummarize:\n  model: llama32\n  prompt: Summarize the text.\n"
    (folder / "deploy" / "config.yaml").write_text(values)
    person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for words in (("init", "-q"), ("add", "deploy"), (*person, "commit", "-q", "-m", "Begin")):
        subprocess.run(["git", *words], cwd=folder, check=True)


async def ended(process: Process) -> tuple[int, str, str]:
    """The status, and what was said where that was a pipe."""
    output, errors = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, (output or b"").decode(), (errors or b"").decode()


def is_plain(errors: str) -> bool:
    """Whether it is words for people: no traceback, and none of what Python says at its end."""
    return not [sign for sign in ("Traceback", "Exception ignored", "BrokenPipe") if sign in errors]


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_the_reader_goes(place: Place, name: str) -> None:
    """`| head`, and `>&-`: neither is an error."""
    reading, writing = os.pipe()
    os.close(reading)
    status, _, errors = await place.run(name, out=writing)
    os.close(writing)
    assert (status, is_plain(errors)) == (0, True), errors
    assert (await place.run(name, way="without streams"))[0] == 0


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_there_is_no_room(place: Place, name: str) -> None:
    """For the output, which is an error with a sentence, and for files."""
    full = os.open("/dev/full", os.O_WRONLY)
    status, _, errors = await place.run(name, out=full)
    os.close(full)
    assert is_plain(errors)
    assert ("No space left on device" in errors) == (status != 0), errors
    reading, writing = os.pipe()  # what a pipe holds is in no file
    status, *_ = await place.run(name, out=writing, err=writing, way="without room")
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    assert is_plain(said)
    assert (status == 0 and said != "") or said.splitlines()[-1].startswith("Error: "), said


async def test_a_process_that_begins_without_streams_or_room(place: Place) -> None:
    """What the interpreter makes of either is as good to a command as what is made of it after a fork."""
    closed = await place.start(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *place.command("export")])
    # A process that can't write what ran in it is none to be measured.
    without_room = 'unset COVERAGE_PROCESS_CONFIG; ulimit -f 0; exec "$@"'
    files = await place.start(["sh", "-c", without_room, "sh", *place.command("migrate")])
    assert (await ended(closed))[0] == 0
    status, _, errors = await ended(files)
    assert (status, is_plain(errors)) == (1, True)
    assert errors.splitlines()[-1].startswith("Error: ")


async def is_still(pid: int) -> None:
    """Wait until the process has ended, or waits for something."""
    quiet, used = 0, 0.0
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(pid)
        while quiet < 3 and found.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.1)
            times = found.cpu_times()
            waits = found.status() == psutil.STATUS_SLEEPING
            quiet = quiet + 1 if waits and times.user + times.system == used else 0
            used = times.user + times.system


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_ctrl_c_while_the_reader_sleeps(place: Place, name: str, tmp_path: Path) -> None:
    """Once is enough, wherever it waits."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while os.write(writing, bytes(65_536)):
            pass
    os.set_blocking(writing, True)
    with (tmp_path / "errors").open("w+b") as errors:
        process = await place.fork(name, writing, errors.fileno())
        os.close(writing)
        await is_still(process.pid)
        if name != "outbox list":  # which has nothing to say there where nothing is parked
            process.send_signal(signal.SIGINT)
        status = await asyncio.wait_for(process.wait(), 60)
        os.close(reading)
        errors.seek(0)
        said = errors.read().decode()
    assert is_plain(said), said
    assert status == (0 if name == "outbox list" else 128 + signal.SIGINT), said


@pytest.mark.parametrize(("name", "parameter"), FILE_PARAMETERS)
async def test_a_file_is_not_what_it_should_be(place: Place, name: str, parameter: str) -> None:
    kinds = FILES if (name, parameter) in WRITTEN else FILES.keys() - {"below a file"}
    for kind in kinds:
        status, _, errors = await place.run(name, {parameter: FILES[kind]})
        assert is_plain(errors), (kind, errors)
        assert (status == 0) or (errors.strip() and status in (1, 2)), (kind, status, errors)
        assert "Errno" not in errors


BAD_VALUES = [{"CANOPY_CONFIG_PATH": FILES[kind]} for kind in ("missing", "folder", "below a file", "no text")]
BAD_STORES = [{"CANOPY_STORE_URL": f"sqlite:///{place}"} for place in ("folder", "values.yaml/x.db", "binary")]


@pytest.mark.parametrize(
    ("name", "wrong"), [("serve", [*BAD_VALUES, *BAD_STORES]), ("prune", BAD_STORES), ("migrate", BAD_STORES)]
)
async def test_the_values_or_the_store_are_not_what_they_should_be(
    place: Place, name: str, wrong: list[dict[str, str]]
) -> None:
    for env in wrong:
        status, output, errors = await place.run(name, env=env)
        assert (status, output, is_plain(errors)) == (1, "", True), (env, errors)
        assert errors.startswith("Error: ")
        assert errors.endswith(".\n")


async def test_help_without_room() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    command = [sys.executable, "-m", "canopy", "--help"]
    process = await asyncio.create_subprocess_exec(*command, stdout=full, stderr=PIPE)
    os.close(full)
    status, _, errors = await ended(process)
    assert (status, errors) == (1, "Error: standard output: No space left on device.\n")


async def answers(port: int) -> None:
    """Wait until a server takes connections there, and gives an answer."""
    async with asyncio.timeout(60):
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = await reader.read()
                writer.close()
                assert answer.startswith(b"HTTP/1.1 200"), answer
                return
            await asyncio.sleep(0.1)


STREAMS: dict[str, Callable[[Sequence[str]], list[str]]] = {
    "closed": lambda command: ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command],
    "reader gone": lambda command: ["bash", "-c", 'exec "$@" > >(true) 2>&1', "bash", *command],
    "full": lambda command: ["sh", "-c", 'exec "$@" > /dev/full 2>&1', "sh", *command],
}


@pytest.mark.parametrize("streams", STREAMS)
async def test_a_server_goes_on_without_its_log(place: Place, unused_tcp_port: int, streams: str) -> None:
    """It answers, and ends as it should when Ctrl-C says so."""
    process = await place.start(STREAMS[streams](place.command("serve")), {"CANOPY_PORT": str(unused_tcp_port)})
    await answers(unused_tcp_port)
    await answers(unused_tcp_port)
    process.send_signal(signal.SIGINT)
    assert (await ended(process))[0] == 0


async def test_a_pipe_that_does_not_wait(place: Place) -> None:
    """As some programs make of the pipes that they share with what they start."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while os.write(writing, b"\n" * 65_536):
            pass
    process = await place.start(place.command("ab simulate", {"as_json": ""}), stdout=writing)
    os.close(writing)
    await is_still(process.pid)
    with os.fdopen(reading, "rb") as pipe:
        content = await asyncio.to_thread(pipe.read)
    status, _, errors = await ended(process)
    assert (status, errors) == (0, "")
    assert json.loads(content)
