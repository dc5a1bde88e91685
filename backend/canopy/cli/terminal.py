"""Everything that the commands show people, which no text of a user, a model, a server or a file can turn against them.

A terminal obeys its control characters: they move the cursor over what stands there, rename the window, or let the
terminal answer as if somebody typed. Marks of direction show a text in another order than it has. Here all become
visible signs, also in what Click and the standard library say, and only `style` may colour.
"""

import io
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterable
from contextlib import AbstractContextManager
from secrets import token_hex
from types import TracebackType
from typing import Any, override

import click

from canopy.base.settings import addresses
from canopy.cli.stdio import drop_the_rest, finish, take_over
from canopy.text import json_lines
from canopy.text.addresses import keep_secret, without_credentials

# Control characters but newline and tab, marks of direction, line and paragraph separators, and halves of characters.
_OBEYED = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PICTURES = 0x2400  # Unicode's pictures of the control characters, in their order
_DELETE = 0x7F
_OURS = f"\x1b{token_hex()}"  # the escape character of `style`, until it is shown: no text can guess it


def clean(text: str) -> str:
    """The text with what a terminal would obey as a visible sign, such as `␛` or `<U+202E>`."""
    return _OBEYED.sub(lambda found: _visible(ord(found[0])), text.replace("\r\n", "\n"))


def _visible(code: int) -> str:
    if code < _DELETE:
        return chr(_PICTURES + code)
    return "␡" if code == _DELETE else f"<U+{code:04X}>"


def style(text: str, **how: Any) -> str:
    """The text as `say` colours it; `how` as for `click.style`. What is styled can't be styled again."""
    return click.style(clean(text), **how).replace("\x1b", _OURS)


def say(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Show a text on standard output or, with `err`, on standard error. Colours go where there is no terminal."""
    click.echo("\x1b".join(map(clean, str(text).split(_OURS))), err=err, nl=nl)


def say_json(value: Any) -> None:
    """Show one line of JSON, for programs."""
    click.echo(json_lines.dump(value))


def say_error(error: click.ClickException) -> None:
    """Show what Click would show of an error, such as a sentence or how a command is used."""
    shown = io.StringIO()
    error.show(shown)
    say(shown.getvalue(), err=True, nl=False)


def os_sentence(error: OSError) -> str:
    """What the system says of a file, or of whatever else it can't do."""
    if not error.strerror:
        return without_credentials(str(error))
    place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    return without_credentials(f"{place}{error.strerror}.")


def say_traceback(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """Show where a mistake in Canopy itself is. Takes what `sys.excepthook` takes."""
    say(without_credentials("".join(traceback.format_exception(error))), err=True, nl=False)


def ask(question: str, answers: str) -> str:
    """One of the letters in `answers`; the first for Enter. Raises click.Abort for Ctrl-C."""
    choice = click.Choice(answers)
    answer: str = click.prompt(clean(question), type=choice, default=answers[0], show_choices=False, show_default=False)
    return answer


def page(text: str) -> None:
    """Show a long text in the person's pager."""
    click.echo_via_pager(clean(text))


def edit(mine: str, below: str) -> str | None:
    """What a person made of their own text in their editor, with another's below it; None where they didn't save it."""
    return click.edit(mine + clean(below), extension=".txt")


def watched[T](made: Iterable[T], length: int, label: str) -> AbstractContextManager[Iterable[T]]:
    """The same items, with a bar on standard error for those that have come, if it is a terminal."""
    hidden = not sys.stderr.isatty()
    return click.progressbar(made, length=length, label=clean(label), file=sys.stderr, hidden=hidden)


class _Libraries(logging.Handler):
    @override
    def emit(self, record: logging.LogRecord) -> None:
        say(without_credentials(self.format(record)), err=True)


class Commands(click.Group):
    """A command of commands, which shows errors, warnings and tracebacks by this module too."""

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run what the arguments name, and end the process with its status."""
        take_over()
        sys.excepthook = say_traceback
        logging.lastResort = _Libraries(logging.WARNING)  # what libraries say while no log is kept
        logging.captureWarnings(True)
        for address in addresses():
            keep_secret(address)
        try:
            try:
                sys.exit(super().main(*args, **{**kwargs, "standalone_mode": False}))
            finally:
                finish()
        except click.ClickException as error:
            say_error(error)
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt) as error:
            drop_the_rest()
            say("Aborted!", err=True)
            pressed = isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt)
            sys.exit(128 + signal.SIGINT if pressed else 1)
        except OSError as error:  # of `--help` itself, as where there is no room for it
            say_error(click.ClickException(os_sentence(error)))
            sys.exit(1)
