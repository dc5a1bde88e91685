"""A person at a terminal, for commands that talk to one."""

import os
import pty
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from select import select
from time import monotonic


class Terminal:
    """A person at a terminal, who reads before they type."""

    def __init__(self, primary: int) -> None:
        self._primary = primary
        self._unread = ""
        self.seen = ""

    def reads(self, text: str, within: float = 60) -> None:
        end = monotonic() + within
        while text not in self._unread:
            assert monotonic() < end and select([self._primary], [], [], end - monotonic())[0], self.seen
            piece = os.read(self._primary, 65536).decode(errors="replace").replace("\r\n", "\n")
            self._unread += piece
            self.seen += piece
        self._unread = self._unread.partition(text)[2]

    def types(self, text: str) -> None:
        os.write(self._primary, text.encode())


@contextmanager
def reviewing(file: Path, *options: str, writing: str = "") -> Generator[Terminal]:
    """The command at a terminal of its own. The editor puts `writing` above what it is given."""
    editor = file.parent / "editor.sh"
    editor.write_text(f'#!/bin/sh\n{{ printf %s "{writing}"; cat "$1"; }} > "$1.new" && mv "$1.new" "$1"\n')
    editor.chmod(0o755)
    primary, secondary = pty.openpty()
    environment = {**os.environ, "EDITOR": str(editor), "VISUAL": "", "PAGER": "cat", "TERM": "dumb"}
    command = [sys.executable, "-m", "canopy", "evals", "review", str(file), *options]
    with subprocess.Popen(command, stdin=secondary, stdout=secondary, stderr=secondary, env=environment) as process:
        os.close(secondary)
        try:
            yield Terminal(primary)
            assert process.wait(60) == 0
        finally:
            process.kill()
            os.close(primary)
