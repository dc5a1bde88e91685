"""A process that has imported Canopy already, and forks to become the command: what a start costs is the start alone.

What a process does from `main` on is the same as after `python -m canopy`. What the interpreter and the libraries make
of their environment when they are loaded, and what the imports cost, isn't: what depends on those is started anew.
"""

import asyncio
import atexit
import gc
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Literal, NoReturn

from canopy.__main__ import main
from canopy.api.frame import renderer
from canopy.outgoing.certificates import tls_context

LARGEST = 2**20  # bytes of a request: an environment and a folder
IMPORTED = (
    "alembic.command",
    "alembic.config",
    "alembic.context",
    "canopy.cli.evals_progress",
    "canopy.cli.evals_summary",
    "canopy.cli.text_charts",
    "canopy.cli.serve",
    "canopy.config.checking",
    "canopy.evals.publish.mlflow_run",
    "canopy.evals.publish.object_storage",
    "canopy.evals.report.html",
    "canopy.evals.report.junit",
    "canopy.evals.run.runner",
    "canopy.evals.run.speed",
    "canopy.evals.suites.merge",
    "canopy.evals.suites.review",
    "canopy.experiments.ballot_file",
    "canopy.experiments.simulation",
    "canopy.gitops.handover",
    "canopy.gitops.history",
    "canopy.gitops.hosting.pull_requests",
    "canopy.gitops.promotion",
    "canopy.gitops.records",
    "canopy.gitops.server",
    "canopy.gitops.verification",
    "canopy.inference.upstream",
    "canopy.judges.run",
    "canopy.server",
    "canopy.store.engine.postgres",
    "canopy.store.engine.sqlite",
    "canopy.store.store",
    "httpcore",
    "obstore.store",
    "pydantic.v1",
    "rich.progress",
    "uvicorn.lifespan.off",
    "uvicorn.loops.asyncio",
)
# A process whose standard streams are closed, or that can write nothing into files, as on a disk that is full.
type Way = Literal["as usual", "without streams", "without room"]
# What is read while a command runs. Anything else may mean something to what is loaded before.
READ_LATE = ("CANOPY_", "AWS_", "GIT_", "PYTEST_", "TERM", "NO_COLOR")


class Forked:
    """A process that another one forked, to be waited for and ended as one of `asyncio`'s own."""

    def __init__(self, pid: int, status: asyncio.StreamReader, transport: asyncio.BaseTransport) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._transport = transport
        self._ended = asyncio.create_task(self._wait(status))

    async def wait(self) -> int:
        """The exit status, negative for a signal's number."""
        return await asyncio.shield(self._ended)

    def send_signal(self, number: int) -> None:
        """Raises ProcessLookupError where the process has ended."""
        if self.returncode is not None:
            raise ProcessLookupError(self.pid)
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def _wait(self, status: asyncio.StreamReader) -> int:
        self.returncode = int(await status.readline())
        self._transport.close()
        return self.returncode


def begins_alike(environment: Mapping[str, str]) -> bool:
    """Whether a process with this environment would be loaded as the one that forks was."""
    differing = {name for name, _ in environment.items() ^ _server().environment.items()}
    return all(name.startswith(READ_LATE) for name in differing)


async def fork(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], out: int, err: int) -> Forked:
    """Run `canopy` with these arguments in a process that starts with everything imported."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(_ask(arguments, folder, environment, out, err), "rb", 0)
    )
    return Forked(int(await reader.readline()), reader, transport)


def run(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    within: float,
    out: int | None = None,
    err: int | None = None,
    way: Way = "as usual",
) -> subprocess.CompletedProcess[str]:
    """The same to its end, and what it says, but for what goes to the descriptors `out` and `err`.

    Raises TimeoutExpired after `within` seconds.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        out = output.fileno() if out is None else out
        err = errors.fileno() if err is None else err
        with os.fdopen(_ask(arguments, folder, environment, out, err, way), "rb", 0) as status:
            pid = int(status.readline())
            if not select.select([status], [], [], within)[0]:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(["canopy", *arguments], within)
            code = int(status.readline())
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(["canopy", *arguments], code, output.read().decode(), errors.read().decode())


def _ask(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], out: int, err: int, way: Way = "as usual"
) -> int:
    """Where the process id is to be read and, when it has ended, the status."""
    reading, writing = os.pipe()
    request = json.dumps([arguments, str(folder), dict(environment), way]).encode()
    assert len(request) < LARGEST
    socket.send_fds(_server().requests, [request], [out, err, writing])
    os.close(writing)
    return reading


@dataclass(frozen=True)
class _Server:
    """The process that forks, which ends when we do, our end of the socket to it, and what it was started with."""

    process: subprocess.Popen[bytes]
    requests: socket.socket
    environment: Mapping[str, str]


@cache
def _server() -> _Server:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = dict(os.environ)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forking", str(its.fileno())],
            cwd=Path(__file__).parents[2],
            env=environment,
            pass_fds=[its.fileno()],
            stdout=subprocess.DEVNULL,  # where it is a terminal, Python would write line by line
        )
    atexit.register(_end, process, ours)
    return _Server(process, ours, environment)


def _end(process: subprocess.Popen[bytes], requests: socket.socket) -> None:
    requests.close()
    process.wait()


def _wait_for_requests(requests: socket.socket) -> None:
    """Fork for each request, until nobody is left to ask. Returns in the processes that are to be `canopy`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for the servers
    while True:
        request, descriptors, *_ = socket.recv_fds(requests, LARGEST, 3)
        if not request:
            raise SystemExit
        if os.fork() == 0:
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            *output, status = descriptors
            if (pid := os.fork()) == 0:
                os.close(status)
                _become(*json.loads(request), *output)
                return
            for descriptor in output:
                os.close(descriptor)
            _tell(status, pid)
            _tell(status, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


def _tell(status: int, number: int) -> None:
    with suppress(BrokenPipeError):  # the tests have ended
        os.write(status, f"{number}\n".encode())


def _become(arguments: list[str], folder: str, environment: dict[str, str], way: Way, out: int, err: int) -> None:
    """Make this process what it would be, had it just been started."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["canopy", *arguments]
    with Path(os.devnull).open() as nothing:
        for descriptor, number in ((nothing.fileno(), 0), (out, 1), (err, 2)):
            os.dup2(descriptor, number)
    os.close(out)
    os.close(err)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if way == "without streams":
        os.closerange(0, 3)
        for name in ("stdin", "stdout", "stderr"):  # as the interpreter has it where they are closed
            setattr(sys, name, None)
            setattr(sys, f"__{name}__", None)
    if way == "without room":
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _run() -> NoReturn:
    """Be the command to its end, but for the taking apart of all that is imported: that would be most of the work."""
    status = 0
    try:
        main()
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        status = end.code or 0
    threading._shutdown()  # type: ignore[attr-defined]  # as multiprocessing ends what it forks
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))  # there is room for what is measured
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    os._exit(status)


if __name__ == "__main__":
    gc.disable()  # all that follows stays, as what `python -m canopy` imports does
    for module in IMPORTED:
        import_module(module)
    tls_context()  # which is kept, and reads all of the machine's authorities
    pages = renderer()._environment  # kept as well: to compile its templates is most of what a first page costs
    for template in pages.list_templates():
        pages.get_template(template)
    gc.freeze()
    gc.enable()
    assert len([*Path("/proc/self/task").iterdir()]) == 1, "a library has begun a thread, which a fork would lose"
    _wait_for_requests(socket.socket(fileno=int(sys.argv[1])))
    _run()
