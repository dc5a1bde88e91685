"""Options with a new name: the former one still works, and is reported as deprecated on standard error."""

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from canopy.cli.common import deprecation
from canopy.cli.terminal import say

type Command = Callable[..., Any]


def renamed_option(name: str, *, former: str, callback: Any = None, **attributes: Any) -> Callable[[Command], Command]:
    """Declare an option under its name and its former one, which `--help` doesn't show. It needs a default.

    Both with different values are a usage error.
    """

    def take(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if callback is not None:
            value = callback(context, parameter, value)
        under_former = context.meta.get(former)
        if under_former is None or under_former == value:
            return value
        if context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{former} and {name} are two names of one option. Keep one of them.")
        return under_former

    def remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            context.meta[former] = callback(context, parameter, value) if callback is not None else value
            say(deprecation(former, name), err=True)

    def declare(command: Command) -> Command:
        old = {key: value for key, value in attributes.items() if key not in {"default", "help"}}
        # Eager: it is read before the option that takes its value.
        hidden = click.option(former, expose_value=False, hidden=True, is_eager=True, callback=remember, **old)
        return click.option(name, callback=take, show_default=True, **attributes)(hidden(command))

    return declare
