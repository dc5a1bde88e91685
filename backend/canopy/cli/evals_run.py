"""`canopy evals run`: the suites against a backend."""

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from canopy.cli.common import read_settings, report_errors
from canopy.cli.terminal import say

if TYPE_CHECKING:
    from canopy.cli.evals_progress import Progress
    from canopy.evals.results import Run
    from canopy.evals.run.runner import RunOptions

EXIT_STATUS = {"passed": 0, "failed": 1, "undecided": 2}  # by the gate's verdict
_COULD_NOT_RUN = 2


# Options of every command that asks a backend many questions.
concurrency = click.option(
    "--concurrency", type=click.IntRange(1, 256), default=4, show_default=True, help="Questions at once."
)
timeout = click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=120,
    show_default=True,
    help="Seconds for one whole answer.",
)


def at_most_one(_: click.Context, param: click.Parameter, given: tuple[Path, ...]) -> Path | None:
    """Return the value of an option that may be given once. Raises BadParameter for more."""
    if len(given) > 1:
        raise click.BadParameter("Give one: a run is compared with one earlier run.", param=param)
    return given[0] if given else None


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--backend", required=True, metavar="URL", help="The backend that is tested.")
@click.option("--judge", metavar="URL", help="The model server that judges (OGX, Llama Stack, vLLM).")
@click.option("--judge-model", metavar="NAME", help="The model that judges, instead of the suites' own.")
@click.option(
    "--scoring",
    type=click.Choice(["auto", "local", "llama-stack"]),
    default="auto",
    show_default=True,
    help="Who computes the scores: this process, or the judge's server if it is a Llama Stack; auto tries the server.",
)
@concurrency
@click.option(
    "--repeat",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Attempts per case, for models that vary; a case passes when more than half of them do.",
)
@click.option(
    "--baseline",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    callback=at_most_one,
    help="The results.json to compare with.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("eval-results"),
    show_default=True,
    help="Folder for results.json, junit.xml and report.html.",
)
@click.option("--resume", is_flag=True, help="Go on with the run whose results.json is in the output folder.")
@click.option(
    "--retry-unusable",
    is_flag=True,
    help="Ask a judge again whose grade can't be read; with --resume also where it couldn't be read before.",
)
@click.option(
    "--patience",
    type=click.FloatRange(0),
    default=900,
    show_default=True,
    help="Seconds that a question may wait for a backend that says when to ask again (Retry-After).",
)
@timeout
@partial(report_errors, status=_COULD_NOT_RUN)
def run(**options: Any) -> None:
    """Run every suite below FOLDER (or one file), and say whether the backend is good enough.

    Asks the backend as its clients do, scores what it answers, compares with a baseline and checks thresholds.yaml.
    Cases without an `expected_result` await review: they are listed, never asked and never pass.

    \b
    Examples:
      canopy evals run canopy-evals/ --backend http://127.0.0.1:8000 --judge http://127.0.0.1:8321
      canopy evals run canopy-evals/ --backend $BACKEND --judge $JUDGE --baseline main/results.json --repeat 3
      canopy evals run canopy-evals/ --backend $BACKEND --judge $JUDGE --resume

    \b
    Exit status:
      0    the gate passed
      1    the gate failed
      2    it could not run, the backend refused, too many cases have no score, or one was not answered
      130  ended by Ctrl-C; --resume goes on

    CANOPY_EVALS_TOKEN is the bearer token for a backend that wants one. docs/evaluations.md has the formats.
    """
    from canopy.cli.evals_progress import Progress
    from canopy.cli.evals_summary import print_summary
    from canopy.evals.run.runner import RunOptions

    with Progress() as progress:
        finished = _run(RunOptions(**options), progress)
    print_summary(finished, options["output"])
    if finished.gate is not None:
        if finished.gate.verdict != "passed" and not sys.stdout.isatty():  # a terminal has it from the summary
            say(finished.gate.sentence, err=True)
        sys.exit(EXIT_STATUS[finished.gate.verdict])


def _run(options: "RunOptions", progress: "Progress") -> "Run":
    """Run the evaluation; on Ctrl-C or SIGTERM say how to resume, and exit with the shells' status for the signal."""
    from canopy.evals.run import runner

    settings = read_settings()
    ended_by = signal.SIGINT

    async def interruptible() -> "Run":
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a coroutine that runs has a task")

        def end(by: signal.Signals) -> None:
            nonlocal ended_by
            ended_by = by
            task.cancel()

        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, end, each)
        return await runner.run(options, settings, progress)

    try:
        return asyncio.run(interruptible())
    except asyncio.CancelledError:
        progress.close()
        say(
            f"Ended before all cases were done. What was done is in {options.output}; the same command with --resume "
            "goes on."
            if progress.begun
            else "Ended before the backend was asked for anything; no report was written.",
            err=True,
        )
        sys.exit(128 + ended_by)
