"""A person who types into a command that asks: on a terminal of its own, so that it can be played to a file as well."""

import codecs
import os
import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

from canopy.cli.console import Console

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Typist:
    """Runs a command on a terminal of its own; what it writes is shown on the console."""

    def __init__(self, command: Sequence[str], console: Console) -> None:
        self._console = console
        self._primary, secondary = os.openpty()
        self.process = subprocess.Popen(
            command, stdin=secondary, stdout=secondary, stderr=secondary, start_new_session=True
        )
        os.close(secondary)

    def answers(self, question: str, answer: str, pause: float) -> None:
        """Type the answer after each question, `pause` seconds later, until the command ends."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        unanswered = ""
        with suppress(OSError):  # which is how a terminal ends that nobody has open any more
            while piece := os.read(self._primary, 4096):
                text = _CODES.sub("", decoder.decode(piece).replace("\r\n", "\n"))
                self._console.print(text, end="")
                unanswered += text
                if question in unanswered:
                    unanswered = ""
                    time.sleep(pause)
                    os.write(self._primary, f"{answer}\n".encode())
        self.process.wait()
        os.close(self._primary)
