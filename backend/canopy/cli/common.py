"""Shared by the commands: errors as sentences, settings, an open store."""

import asyncio
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from canopy.base.errors import CanopyError, ConfigError
from canopy.base.settings import Settings, certificate_authorities, deprecated_settings, proxies, tls_key_log
from canopy.cli.stdio import discard_output
from canopy.cli.terminal import os_sentence, say, say_error, say_traceback

if TYPE_CHECKING:
    from canopy.config.loading import Config

_UNITS = {"h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}  # microseconds


def microseconds_in(age: str, option: str) -> int:
    """Parse a duration such as `90d`. Raises BadParameter in the name of the option."""
    match = re.fullmatch(r"([1-9]\d{0,5})([hdw])", age)
    if not match:
        raise click.BadParameter("Give an age such as 90d, 12w or 36h.", param_hint=option)
    return int(match[1]) * _UNITS[match[2]]


def report_errors[**P, R](command: Callable[P, R], status: int = 1) -> Callable[P, R]:
    """Turn an error into its sentence and exit status `status`, and Ctrl-C into the shells' status for it.

    An unexpected exception keeps its traceback, and ends with `status` as well.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            check_surroundings()
            return command(*args, **kwargs)
        except (CanopyError, OSError) as error:
            sentence = error.in_full if isinstance(error, CanopyError) else os_sentence(error)
            say_error(click.ClickException(sentence))
            sys.exit(status)
        except KeyboardInterrupt:  # click would exit with 1, which may be a verdict
            discard_output()
            sys.exit(128 + signal.SIGINT)
        except Exception as error:
            if status == 1 or isinstance(error, (click.ClickException, click.exceptions.Exit, click.Abort)):
                raise  # Python exits with 1, and click's exceptions with their own status
            say_traceback(type(error), error, None)
            sys.exit(status)

    return run


def check_surroundings() -> None:
    """Raise ConfigError if the machine's proxy or certificate variables are unusable."""
    if proxies():
        from canopy.outgoing.proxies import check_proxies

        check_proxies()
    if certificate_authorities() or tls_key_log():
        from canopy.outgoing.certificates import tls_context

        tls_context()


def read_settings(*, logged: bool = False) -> Settings:
    """Return the process settings. Raises ConfigError, which names wrong ones as the environment does.

    A setting under a former name is told of on standard error, unless the command is `logged`: then the log tells.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        former = {new: old for old, new in deprecated_settings()}
        raise ConfigError(" ".join(_finding(item, former) for item in error.errors())) from error
    for old, new in [] if logged else deprecated_settings():
        say(deprecation(old, new), err=True)
    return settings


def read_config(settings: Settings) -> "Config":
    """Return the config of the values file. Raises ConfigError.

    A key under a former name is told of on standard error.
    """
    from canopy.config.source import ConfigSource, values_path

    config = ConfigSource(values_path(settings)).current
    for old, new in config.deprecated:
        say(deprecation(f"`{old}`", f"`{new}`"), err=True)
    return config


def _finding(item: ErrorDetails, former: Mapping[str, str]) -> str:
    """Return an error as a sentence. `former` maps variables to the former names that the environment has."""
    message = f"{item['msg'].removeprefix('Value error, ')}."
    if not item["loc"]:
        return message
    variable = f"CANOPY_{str(item['loc'][0]).upper()}"
    return f"{former.get(variable, variable)}: {message}"


def deprecation(old: str, new: str) -> str:
    """Return the sentence on a name that still works."""
    return f"{old} is deprecated: it is {new} now."


def with_store[T](settings: Settings, work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """Run `work` on the open store and return its result. Raises ConfigError without a database, and StoreError."""
    from canopy.store.opening import open_store

    async def run() -> T:
        store = open_store(settings.store_url.get_secret_value())
        if not store.exists:  # only the server creates a database
            raise ConfigError(f"CANOPY_STORE_URL: there is no database yet ({store.description}).")
        await store.start()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def pluralize(n: int, noun: str) -> str:
    """Return a number with its noun, such as `1 vote` and `1,200 votes`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
