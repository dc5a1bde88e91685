"""All output of the commands to people, with control characters made visible.

A terminal obeys control characters: they move the cursor, rename the window, or make the terminal answer as if somebody
typed; marks of direction reorder text. Texts of users, models, servers and files may hold them. Here they become
visible signs, also in what Click and the standard library print; only `style` may colour.
"""

import io
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from secrets import token_hex
from types import TracebackType
from typing import Any, override

import click

from canopy.base.settings import no_color, urls
from canopy.cli.stdio import discard_output, flush_streams, replace_standard_streams
from canopy.text import json_lines
from canopy.text.addresses import keep_secret, without_credentials
from canopy.text.visible import CONTROL_PICTURES

# Control characters but newline and tab, marks of direction, line and paragraph separators, lone surrogates.
_OBEYED = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_DELETE = 0x7F
_OURS = f"\x1b{token_hex()}"  # stands for the escape character in the results of `style`; no text can guess it


def clean(text: str) -> str:
    """Return the text with everything that a terminal would obey as a visible sign, such as `␛` or `<U+202E>`."""
    return _OBEYED.sub(lambda found: _visible(ord(found[0])), text.replace("\r\n", "\n"))


def _visible(code: int) -> str:
    if code < _DELETE:
        return chr(CONTROL_PICTURES + code)
    return "␡" if code == _DELETE else f"<U+{code:04X}>"


def style(text: str, **how: Any) -> str:
    """Return the text styled for `say`; `how` are the parameters of `click.style`. It can't be styled again."""
    return click.style(clean(text), **how).replace("\x1b", _OURS)


def say(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text to standard output or, with `err`, to standard error.

    Colours are dropped without a terminal, and where `NO_COLOR` is set.
    """
    click.echo("\x1b".join(map(clean, str(text).split(_OURS))), err=err, nl=nl, color=False if no_color() else None)


def say_json(value: Any) -> None:
    """Print one line of JSON, for programs."""
    click.echo(json_lines.dump(value))


def say_error(error: click.ClickException) -> None:
    """Print what Click would show of an error, such as a sentence or a command's usage."""
    shown = io.StringIO()
    error.show(shown)
    say(shown.getvalue(), err=True, nl=False)


def os_sentence(error: OSError) -> str:
    """Return the operating system's error as a sentence."""
    if not error.strerror:
        return without_credentials(str(error))
    place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    return without_credentials(f"{place}{error.strerror}.")


def say_traceback(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """Print an unexpected exception's traceback. Has the parameters of `sys.excepthook`."""
    say(without_credentials("".join(traceback.format_exception(error))), err=True, nl=False)


def ask(question: str, answers: str) -> str:
    """Return the letter of `answers` that the person types; the first for Enter. Raises click.Abort for Ctrl-C."""
    choice = click.Choice(answers)
    answer: str = click.prompt(clean(question), type=choice, default=answers[0], show_choices=False, show_default=False)
    return answer


def page(text: str) -> None:
    """Show a long text in the person's pager."""
    click.echo_via_pager(clean(text))


def edit(mine: str, below: str) -> str | None:
    """Open an editor with `mine` above `below`; return the person's text, or None if it was not saved."""
    return click.edit(mine + clean(below), extension=".txt")


def with_progress[T](made: Iterable[T], length: int, label: str) -> AbstractContextManager[Iterable[T]]:
    """Return a context that yields the items and shows a progress bar on standard error if that is a terminal."""
    hidden = not sys.stderr.isatty()
    return click.progressbar(made, length=length, label=clean(label), file=sys.stderr, hidden=hidden)


@contextmanager
def progress(length: int, label: str, *, hidden: bool = False) -> Generator[Callable[[int], None]]:
    """Yield a function that moves a progress bar on by so many steps; it is shown as `with_progress` shows one."""
    hidden = hidden or not sys.stderr.isatty()
    with click.progressbar(length=length, label=clean(label), file=sys.stderr, hidden=hidden) as bar:
        yield bar.update


class _Libraries(logging.Handler):
    @override
    def emit(self, record: logging.LogRecord) -> None:
        say(without_credentials(self.format(record)), err=True)


class Commands(click.Group):
    """A command group that prints errors, warnings and tracebacks by this module."""

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command in the arguments, and exit with its status."""
        replace_standard_streams()
        sys.excepthook = say_traceback
        logging.lastResort = _Libraries(logging.WARNING)  # for libraries' warnings while no log is configured
        logging.captureWarnings(True)
        for url in urls():
            keep_secret(url)
        try:
            try:
                sys.exit(super().main(*args, **{**kwargs, "standalone_mode": False}))
            except (click.Abort, KeyboardInterrupt):
                discard_output()  # what is still in the buffer, too: its reader may be what is waited for
                raise
            finally:
                flush_streams()
        except click.ClickException as error:
            say_error(error)
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt) as error:
            discard_output()  # for Ctrl-C during the flush
            say("Aborted!", err=True)
            pressed = isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt)
            sys.exit(128 + signal.SIGINT if pressed else 1)
        except OSError as error:  # from `--help` itself, such as on a full disk
            say_error(click.ClickException(os_sentence(error)))
            sys.exit(1)
