"""The command `canopy`."""

import asyncio
import gc
import re
import sys
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from textwrap import shorten
from typing import Any

import click
from pydantic import ValidationError

from canopy import __version__
from canopy.ab_commands import ab
from canopy.errors import CanopyError, ConfigError
from canopy.settings import Settings

# The parts are imported by the command that needs them: `canopy --help` answers at once.

_UNITS = {"h": 3600, "d": 86_400, "w": 604_800}


def _says_why[**P, R](command: Callable[P, R]) -> Callable[P, R]:
    """Turn an error into its sentence and exit status 1, without a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except CanopyError as error:
            raise click.ClickException(error.sentence) from error
        except OSError as error:
            raise click.ClickException(str(error)) from error

    return run


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        findings = [f"CANOPY_{str(item['loc'][0]).upper()}: {item['msg']}." for item in error.errors()]
        raise ConfigError(" ".join(findings)) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="canopy")
def main() -> None:
    """Summaries that learn from their users.

    The process is set by CANOPY_* environment variables, what it does by the values file (CANOPY_CONFIG_PATH).
    """


main.add_command(ab)


@main.command()
@_says_why
def serve() -> None:
    """Serve the API and the UI until SIGTERM or Ctrl-C.

    \b
    Common settings (docs/operations.md has all):
      CANOPY_CONFIG_PATH  the values file                [/canopy/canopy-config.yaml, else built-in values]
      CANOPY_HOST         address to listen on           [127.0.0.1]
      CANOPY_PORT         port to listen on              [8000]
      CANOPY_STORE_URL    sqlite:///… or postgresql://…  [sqlite:///var/canopy.db]

    The log goes to standard output, one JSON object per line; on a terminal a short summary goes to standard error.
    """
    # Imports make objects that stay. To look through them for garbage time and again takes a sixth of the start.
    gc.set_threshold(20_000, 20, 100)

    from canopy.app import create_app
    from canopy.server import serve as run
    from canopy.telemetry import Logs

    settings = _settings()
    logs = Logs(settings.log_level)
    logs.capture()
    application = create_app(settings, logs)

    def welcome(address: str) -> None:
        if settings.banner if settings.banner is not None else sys.stderr.isatty():
            click.echo(_welcome(application.parts, address), err=True)

    run(application, welcome)


def _welcome(parts: Any, address: str) -> str:
    config = parts.config.current
    summarize = config.values.summarize
    lines = [
        "",
        f"  Canopy {__version__} is ready at {click.style(address, bold=True)}  (Ctrl-C ends it)",
        "",
        f"  values   {parts.config.place}, revision {config.revision}",
        f"  server   {parts.inference.description}",
        f"  model    {parts.inference.model_name(summarize.model)}, temperature {summarize.temperature:g}, "
        f"at most {summarize.max_tokens} tokens",
        f"  prompt   {shorten(summarize.prompt, 90, placeholder=' …')}",
        f"  store    {parts.store.description}",
    ]
    for flag in config.flags.values():
        state = click.style("on ", fg="green") if flag.on else click.style("off", fg="yellow")
        lines.append(f"  {state}      {flag.name}: {flag.reason}")
    return "\n".join([*lines, ""])


@main.command("check-values")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_says_why
def check_values(file: Path) -> None:
    """Say whether Canopy would take a values FILE, and which flags it turns on.

    Exit status 0 when it would, 1 when it wouldn't, with a sentence for each thing that is wrong.
    """
    from canopy.flags import ConfigSource

    config = ConfigSource(file).current
    click.echo(f"{file} is fine (revision {config.revision}).")
    for flag in config.flags.values():
        click.echo(f"  {flag.name:<12} {'on ' if flag.on else 'off'}  {flag.reason}")


@main.command()
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; else the screen.")
@click.option("--rating", help="A rating, or positive, neutral, negative.  [negative]")
@click.option("--prompt-id", help="Only responses of this prompt version.")
@click.option("--since", help="From this day or time, such as 2026-01-31.")
@click.option("--until", help="Until this day (included) or before this time.")
@_says_why
def export(
    output: Path | None,
    rating: str | None,
    prompt_id: str | None,
    since: str | None,
    until: str | None,
) -> None:
    """Write bad answers as an evaluation dataset, straight from the store.

    The same YAML as GET /feedback/export. Fill in each `expected_result`, and name the file `*_tests.yaml` beside the
    evaluation suite's own: that is how the suite finds it.
    """
    from canopy.api.filters import FeedbackQuery
    from canopy.app import values_path
    from canopy.feedback import dataset
    from canopy.flags import ConfigSource

    settings = _settings()
    values = ConfigSource(values_path(settings)).current.values
    where = FeedbackQuery(rating=rating, prompt_id=prompt_id, since=since, until=until).where()

    async def write(store: Any) -> int:
        size = 0
        with click.open_file(str(output or "-"), "wb") as file:
            async for chunk in dataset.export(store, where, values.summarize.model):
                size += file.write(chunk)
        return size

    size = _with_store(settings, write)
    if output:
        click.echo(f"Wrote {output} ({size:,} bytes).", err=True)


@main.command()
@click.option("--older-than", required=True, help="Age such as 90d, 12w or 36h.")
@_says_why
def prune(older_than: str) -> None:
    """Delete generations and feedback older than an age, and everything derived from them.

    CANOPY_RETENTION_DAYS makes the server do it by itself once an hour.
    """
    match = re.fullmatch(r"([1-9]\d{0,5})([hdw])", older_than)
    if not match:
        raise click.BadParameter("Give an age such as 90d, 12w or 36h.", param_hint="--older-than")
    before = int((time.time() - int(match[1]) * _UNITS[match[2]]) * 1_000_000)
    _report(_with_store(_settings(), lambda store: store.prune(before)))


@main.command()
@click.option("--user", "user_id", help="The user's id.")
@click.option("--session", "session_id", help="The session's id.")
@_says_why
def erase(user_id: str | None, session_id: str | None) -> None:
    """Delete everything of one user or one session: generations, the feedback on them, and feedback given."""
    if bool(user_id) == bool(session_id):
        raise click.UsageError("Give either --user or --session.")
    _report(_with_store(_settings(), lambda store: store.erase(user_id=user_id or None, session_id=session_id or None)))


def _report(erased: Any) -> None:
    generations, votes = _counted(erased.generations, "generation"), _counted(erased.feedback, "vote")
    click.echo(f"Deleted {generations}, {votes} and {_counted(erased.comparisons, 'comparison')}.")


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _with_store[T](settings: Settings, work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    from canopy.store import open_store

    async def run() -> T:
        store = open_store(settings.store_url)
        if not store.exists:  # the server makes a database; a command on one that never was is a mistake
            raise ConfigError(f"CANOPY_STORE_URL: there is no database yet ({store.description}).")
        await store.start()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())
