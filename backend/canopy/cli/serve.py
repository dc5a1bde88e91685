"""`canopy serve` and `canopy check-values`."""

import gc
import sys
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import click

from canopy import __version__
from canopy.base.errors import ConfigError
from canopy.cli.common import deprecation, read_settings, report_errors
from canopy.cli.stdio import ignore_output_failures
from canopy.cli.terminal import say, style

if TYPE_CHECKING:  # importing these would take a third of a command's start
    from canopy.config.features import Feature
    from canopy.telemetry.events import Started


@click.command()
@report_errors
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
    gc.disable()  # as `main` does while it imports
    from canopy.app import create_app
    from canopy.server import serve as run
    from canopy.telemetry import Logs

    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    gc.enable()
    settings = read_settings(logged=True)
    ignore_output_failures()
    logs = Logs(settings.log_level)
    logs.capture()
    application = create_app(settings, logs)

    def welcome(started: "Started") -> None:
        if settings.banner if settings.banner is not None else sys.stderr.isatty():
            say(_banner(application.context, started), err=True)

    run(application, welcome)


def _banner(context: Any, started: "Started") -> str:
    from canopy.config.features import BUILT_IN

    config = context.config.current
    served = [it for it in config.features.values() if it.name == it.flag and it.enabled]
    lines = [
        "",
        f"  Canopy {__version__} is ready at {style(started.address, bold=True)}  (Ctrl-C ends it)",
        "",
        f"  values   {context.config.place}, revision {config.revision}",
        f"  server   {context.inference.description}",
    ]
    for feature in served:
        if [it.name for it in served] != [BUILT_IN]:
            lines.append(f"  feature  {feature.name}")
        lines += [
            f"  model    {context.inference.model_name(feature.model)}, temperature {feature.temperature:g}, "
            f"at most {feature.max_tokens} tokens",
            f"  prompt   {shorten(feature.prompt, 90, placeholder=' …')}",
            *_banner_of_b(context, feature),
        ]
    lines.append(f"  store    {context.store.description}")
    if started.operations_address:
        lines.append(f"  metrics  {started.operations_address}/metrics, with the probes")
    for flag in config.flags.values():
        state = style("on ", fg="green") if flag.on else style("off", fg="yellow")
        lines.append(f"  {state}      {flag.name}: {flag.reason}")
    return "\n".join([*lines, ""])


def _banner_of_b(context: Any, feature: "Feature") -> list[str]:
    """Say what is compared with variant A, where something is."""
    from canopy.config.flags import comparison_flag

    if not comparison_flag(feature, context.config.current.values).on:
        return []
    a, b = feature.variant("prompt"), feature.variant("prompt_b")
    said = {
        "model": context.inference.model_name(b.model),
        "temperature": f"temperature {b.temperature:g}",
        "max_tokens": f"at most {b.max_tokens} tokens",
        "prompt": shorten(b.prompt, 90, placeholder=" …"),
    }
    own = [words for key, words in said.items() if getattr(a, key) != getattr(b, key)]
    return [f"  B        {', '.join(own)}"]


_KINDS = {
    "server": "It holds values of the server.",
    "chart": "It holds values of the chart.",
    "argocd": "It is a resource of Argo CD's, with values of the chart in it.",
    "gitops": "It holds values of the chart, and tells Argo CD where the chart is.",
}


@click.command("check-values")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--against", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Another values file.")
@click.option("--key", "keys", multiple=True, help="A key that has to say the same as in that file. Repeat it.")
@report_errors
def check_values(file: Path, against: Path | None, keys: tuple[str, ...]) -> None:
    """Say whether Canopy would take a values FILE, whose it is, and which flags it turns on.

    The file may be the server's, the chart's, one of `gitops/`, or Argo CD's Application with values in it. What
    depends on the cluster only Helm can tell.

    Exit status 0 when it would, 1 when it wouldn't, with a sentence for each thing that is wrong.
    """
    from canopy.config.checking import check, differing_keys
    from canopy.config.loading import read_values_file

    content = read_values_file(file)
    try:
        checked = check(content)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.sentence}") from error
    if against and (others := differing_keys(content, read_values_file(against), keys)):
        raise ConfigError(f"{file} and {against} differ in {' and '.join(others)}.")
    say(f"{file} is fine{f' (revision {checked.revision})' * bool(checked.revision)}. {_KINDS[checked.kind]}")
    if checked.not_for_the_chart:
        say(f"The chart would not take it as its values: {checked.not_for_the_chart}")
    for old, new in checked.deprecated:
        say(deprecation(f"`{old}`", f"`{new}`"))
    for flag in checked.flags.values():
        say(f"  {flag.name:<12} {'on ' if flag.on else 'off'}  {flag.reason}")
