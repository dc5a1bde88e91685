"""A process that has imported the server already, and forks to become one: what a start costs is the start alone.

What a server's process does from `main` on is the same as after `python -m canopy serve`. What the interpreter makes of
its environment, and what the imports cost, isn't: a server that depends on those is started anew.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

from canopy.__main__ import main

LARGEST = 2**20  # bytes of a request: an environment and a folder
IMPORTED = (
    "alembic.command",
    "alembic.context",
    "canopy.cli.serve",
    "canopy.inference.upstream",
    "canopy.server",
    "canopy.store.engine.postgres",
    "canopy.store.engine.sqlite",
    "canopy.store.sqlstore",
)


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


async def fork(arguments: list[str], folder: Path, environment: Mapping[str, str], out: int, err: int) -> Forked:
    """Run `canopy` with these arguments in a process that starts with everything imported."""
    reading, writing = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", 0)
    )
    request = json.dumps([arguments, str(folder), dict(environment)]).encode()
    assert len(request) < LARGEST
    socket.send_fds(_server()[0], [request], [out, err, writing])
    os.close(writing)
    return Forked(int(await reader.readline()), reader, transport)


@cache
def _server() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Our end of the socket to the process that forks, and the process. It ends when we do."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forking", str(its.fileno())],
            cwd=Path(__file__).parents[2],
            pass_fds=[its.fileno()],
            stdout=subprocess.DEVNULL,  # where it is a terminal, Python would write line by line
        )
    return ours, process


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


def _become(arguments: list[str], folder: str, environment: dict[str, str], out: int, err: int) -> None:
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


if __name__ == "__main__":
    for module in IMPORTED:
        import_module(module)
    _wait_for_requests(socket.socket(fileno=int(sys.argv[1])))
    main()
