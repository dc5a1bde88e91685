import io
import sys
from typing import override

import pytest

from canopy.cli.terminal import say, style


class Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("wish", "shown"), [("", "\x1b[31mred\x1b[0m\n"), ("1", "red\n")])
def test_a_terminal_gets_colours_unless_no_color_is_set(wish: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", wish)
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    say(style("red", fg="red"))
    assert terminal.getvalue() == shown
