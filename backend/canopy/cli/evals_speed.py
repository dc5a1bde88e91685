"""`canopy evals speed`: how fast a backend answers."""

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from canopy.cli import evals_run
from canopy.cli.common import pluralize, read_settings, report_errors
from canopy.cli.terminal import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from canopy.evals.run.backend import Backend
    from canopy.evals.run.speed import Speed, SpeedQuestion


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("canopy-evals"))
@click.option("--backend", required=True, metavar="URL", help="The backend that is measured.")
@evals_run.concurrency
@click.option("--requests", type=click.IntRange(1), default=40, show_default=True, help="Questions in all.")
@click.option("--warmup", type=click.IntRange(0), default=2, show_default=True, help="Questions before, not counted.")
@evals_run.timeout
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the numbers to this file, as JSON."
)
@partial(report_errors, status=2)
def speed(folder: Path, backend: str, timeout: float, output: Path | None, **options: int) -> None:
    """Measure the time to first token, the time per token and the throughput of a backend.

    Asks it the prompts of the suites below FOLDER (or of one file), in turn: a closed loop, where each asker waits for
    the whole answer before it asks again. The backend records these generations like any other.

    \b
    Examples:
      canopy evals speed --backend http://127.0.0.1:8000
      canopy evals speed canopy-evals/Summary --backend $BACKEND --concurrency 16 --requests 200 -o speed.json

    Exit status: 0 measured, 2 could not measure. CANOPY_EVALS_TOKEN is the bearer token for a backend that wants one.
    """
    from canopy.base.errors import ConfigError
    from canopy.evals.run.backend import Backend, checked_url

    # Without retries, which would count as one long answer.
    client = Backend(
        checked_url(backend, "--backend"),
        token=read_settings().evals_bearer_token,
        timeout=timeout,
        retries=0,
    )
    found = asyncio.run(_measure(client, _questions(folder), **options))
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(found.model_dump_json(indent=2) + "\n", "utf-8")
    say("\n".join(_lines(found)))
    if not found.answers:
        raise ConfigError("Nothing was answered, so nothing was measured.")


def _questions(folder: Path) -> "list[SpeedQuestion]":
    from canopy.base.errors import ConfigError
    from canopy.evals.run.speed import SpeedQuestion
    from canopy.evals.suites import cases

    suites = map(cases.load, cases.find(folder))
    questions = [SpeedQuestion(suite.endpoint, case.prompt) for suite in suites for case in suite.cases]
    if not questions:
        raise ConfigError(f"{folder} holds no cases, so there is nothing to ask.")
    return questions


async def _measure(client: "Backend", questions: "list[SpeedQuestion]", **options: int) -> "Speed":
    from rich.progress import MofNCompleteColumn, Progress

    from canopy.cli.console import Console
    from canopy.evals.run.speed import measure

    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    async with client:
        target = await client.target()
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("Asking", total=options["requests"])
            return await measure(client.ask, questions, target, **options, done=lambda _: progress.advance(task))


def _lines(found: "Speed") -> "Iterator[str]":
    config = f", config {found.target.config_revision}" if found.target.config_revision else ""
    yield f"{found.target.url}{config}"
    at_once = f"{pluralize(found.concurrency, 'question')} at once, {pluralize(found.prompts, 'prompt')}"
    yield f"{pluralize(found.answers, 'answer')} in {found.seconds:.1f} s, {at_once}"
    for reason, n in found.failures.items():
        yield f"{pluralize(n, 'failure')}: {reason}"
    yield ""
    yield f"{'seconds':<22}" + "".join(f"{name:>9}" for name in ("mean", "p50", "p90", "p99", "longest"))
    rows = {
        "time to first token": found.time_to_first_token,
        "time per token": found.time_per_token,
        "whole answer": found.duration,
    }
    for name, it in rows.items():
        values = (it.mean, it.p50, it.p90, it.p99, it.longest) if it else ()
        yield f"{name:<22}" + ("".join(f"{value:>9.3f}" for value in values) or f"{'unknown':>9}")
    yield ""
    tokens = "" if found.tokens_per_second is None else f", {found.tokens_per_second:,.1f} tokens/s"
    yield f"throughput: {found.answers_per_second:,.2f} answers/s{tokens}"
