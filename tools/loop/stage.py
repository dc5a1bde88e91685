"""Plays steps to a person: says why, shows a command, runs exactly that, and waits until it can have been read."""

import json
import os
import signal
import subprocess
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import click
from rich.text import Text

from canopy.cli.console import Console
from tools.loop.interrupts import uninterrupted
from tools.loop.typist import Typist

_WIDTH = 80
_WORDS_A_SECOND = 6  # one reads on while a command runs
_PATIENCE = 60  # seconds for a server to start, and to take new values
_LAST_WORDS = 6  # lines of a log


class Server:
    """A server that runs in the background. `log` is the file of what it writes."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self.url = self._wait_for("canopy_started", 1)[0]["address"]

    def took_values(self, times: int) -> None:
        """Wait until it has taken new values so often."""
        self._wait_for("config_reloaded", times)

    def _wait_for(self, event: str, count: int) -> list[dict[str, str]]:
        end = time.monotonic() + _PATIENCE
        while True:
            lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
            found = [json.loads(line) for line in lines if f'"event":"{event}"' in line and line.endswith("}")]
            if len(found) >= count:
                return found
            if self.process.poll() is not None or time.monotonic() > end:
                said = "\n".join(lines[-_LAST_WORDS:]) or "It wrote nothing."
                raise click.ClickException(f"The server didn't get as far as `{event}`. The end of its log:\n{said}")
            time.sleep(0.05)


class Stage:
    """Shows and runs. `environment` is the file with what commands run in; `speed` 0 never waits, 2 half as long."""

    def __init__(self, environment: Path, speed: float) -> None:
        self._environment = environment
        self._speed = speed
        self._console = Console()
        self._running: list[subprocess.Popen[bytes]] = []
        self._read = time.monotonic()  # when all that is shown can have been read
        self._chapters = 0

    def chapter(self, title: str, of: int) -> None:
        """Begin a part of the story."""
        self._wait()
        self._chapters += 1
        head = f"── {self._chapters} of {of}  {title} "
        self._console.print(Text(f"\n{head}{'─' * (_WIDTH - len(head))}", "bold"))

    def say(self, text: str) -> None:
        """Say why, in a paragraph."""
        self._wait()
        self._console.print("\n" + textwrap.fill(text, _WIDTH, break_on_hyphens=False, break_long_words=False))
        self._look(len(text.split()) / _WORDS_A_SECOND)

    def run(self, command: str, *, status: int = 0, look: float = 2.0) -> None:
        """Show a command and run it. It has to end with this status; its output takes `look` seconds to read."""
        self._show(command)
        process = self._begin(command)
        got = process.wait()
        self._running.remove(process)
        if got != status:
            raise click.ClickException(
                f"That ended with status {got} where {status} was to be expected, so the loop can't go on."
            )
        self._look(look)

    def type(self, command: str, question: str, answer: str) -> None:
        """Show a command and run it on a terminal of its own, where a person types an answer to each question."""
        self._show(command)
        pause = 2.0 / self._speed if self._speed else 0
        with uninterrupted():
            typist = Typist(self._shell(command), self._console)
            self._running.append(typist.process)
        typist.answers(question, answer, pause)
        self._running.remove(typist.process)
        self._look(2)

    def serve(self, command: str, log: Path) -> Server:
        """Show a command that serves, and start it in the background; it writes to the log."""
        self._show(command)
        return Server(self._begin(command), log)

    def end(self, server: Server) -> None:
        """End a server."""
        self._end(server.process)

    def close(self) -> None:
        """End everything that still runs."""
        for process in reversed(self._running):
            self._end(process)
        if self._console.is_terminal:
            self._console.show_cursor()  # which a picture that was redrawn has hidden

    def _show(self, command: str) -> None:
        self._wait()
        self._console.print(Text(f"\n$ {command}", "bold cyan"))
        self._look(0.7)
        self._wait()

    def _shell(self, command: str) -> list[str]:
        return ["sh", "-ec", f'. "$0"\n{command}', str(self._environment)]

    def _begin(self, command: str) -> subprocess.Popen[bytes]:
        # In a session of its own: Ctrl-C is for the loop, which then ends it with all that it has started.
        with uninterrupted():
            process = subprocess.Popen(self._shell(command), stdin=subprocess.DEVNULL, start_new_session=True)
            self._running.append(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        for by in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, by)
            end = time.monotonic() + 5
            while _lives(process) and time.monotonic() < end:
                time.sleep(0.02)
        self._running.remove(process)

    def _look(self, seconds: float) -> None:
        """What is shown now takes so long to read, at speed 1."""
        if self._speed:
            self._read = max(self._read, time.monotonic()) + seconds / self._speed

    def _wait(self) -> None:
        time.sleep(max(self._read - time.monotonic(), 0))


def _lives(process: subprocess.Popen[bytes]) -> bool:
    """Whether anything of a process's group is left; its own end is noted."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
