"""`canopy judge run`: models that label recorded responses, from a CronJob or by hand."""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from canopy.cli.common import microseconds_in, pluralize, read_config, read_settings, report_errors, with_store
from canopy.cli.terminal import say

if TYPE_CHECKING:
    from canopy.base.settings import Settings
    from canopy.config.values import Values
    from canopy.judges.definitions import Judge
    from canopy.judges.labelling import Budget
    from canopy.judges.run import JudgeRunResult, JudgeRunTally
    from canopy.telemetry import Event


class _ShareParam(click.ParamType[float]):
    """A share in percent, with or without the sign."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            share = float(str(value).strip().removesuffix("%"))
        except ValueError:
            share = -1
        if not 0 < share <= 100:
            self.fail("Give a share above 0 % and up to 100 %, such as 10%.", param, ctx)
        return share


@click.group()
def judge() -> None:
    """Let models label recorded responses: how accurate, how useful."""


@judge.command()
@click.option("--since", default="1h", show_default=True, help="Judge responses that are at most so old: 1h, 7d, 4w.")
@click.option("--sample", type=_ShareParam(), help="The share of responses to judge.  [each judge's own `sample`]")
@click.option(
    "--budget", type=click.IntRange(1), default=200, show_default=True, help="Most questions to the judges' models."
)
@click.option("--judge", "names", multiple=True, help="Only this judge; may be given more than once.  [all]")
@click.option("--concurrency", type=click.IntRange(1, 64), help="Questions at once.  [`judging.concurrency`]")
@click.option(
    "--retry-unusable", is_flag=True, help="Ask again where an answer couldn't be used, which is final otherwise."
)
@click.option("--json", "as_json", is_flag=True, help="For programs: log lines as the server's, the summary the last.")
@report_errors
def run(
    since: str,
    sample: float | None,
    budget: int,
    names: tuple[str, ...],
    concurrency: int | None,
    *,
    retry_unusable: bool,
    as_json: bool,
) -> None:
    """Judge a share of the recent responses.

    The judges are in the values file (`judges`), the responses in the store. A judge labels a response once, until its
    instructions, labels or model change; so running this again judges what is missing, and two runs share the work.
    Which responses a share holds never changes, and a larger share holds those of a smaller one. The budget is a hard
    limit: a question costs 1, a second one after an answer that can't be used 1 more, and one without a reply nothing.

    Exit status 0 when nothing is left to do or the budget is spent, 1 when a model or the store is down.

    \b
    Examples:
      canopy judge run --since 1h --sample 10% --budget 200
      canopy judge run --since 7d --sample 100% --judge accuracy
      canopy judge run --since 7d --retry-unusable          after a model or a prompt was mended
    """
    from canopy.judges.labelling import Budget
    from canopy.judges.run import JudgeRunTally
    from canopy.telemetry import Logs
    from canopy.telemetry.events import JudgeRunFinished

    begin = time.time_ns() // 1000 - microseconds_in(since, "--since")
    settings = read_settings()
    values = read_config(settings).values
    spending, tally = Budget(budget), JudgeRunTally()
    logs = Logs(settings.log_level) if as_json else None
    if logs:
        logs.capture()

    with _progress(spending, shown=not as_json) as show:

        def tell(event: "Event") -> None:
            tally.add(event)
            show()
            if logs:
                logs.emit(event)

        options = {"since": begin, "sample": sample, "concurrency": concurrency or values.judging.concurrency}
        judges, ended = with_store(
            settings,
            lambda store: _run(store, settings, values, names, spending, tell, options, again=retry_unusable),
        )
    failure = ended.failure
    if logs:
        error = failure.sentence if failure else None
        left = budget - spending.spent
        logs.emit(JudgeRunFinished(tally.labels, tally.failures, spending.spent, left, ended.taken, error))
        logs.close(None)
    else:
        say("\n".join(_summary(judges, tally, spending, ended)))
    if failure:
        raise click.ClickException(f"The run stopped, and the next one goes on from here. {failure.in_full}")


async def _run(
    store: Any,
    settings: "Settings",
    values: "Values",
    names: Sequence[str],
    budget: "Budget",
    tell: "Callable[[Event], None]",
    options: dict[str, Any],
    *,
    again: bool,
) -> "tuple[Sequence[Judge], JudgeRunResult]":
    from canopy.base.errors import ConfigError
    from canopy.inference.opening import open_inference
    from canopy.judges.definitions import configured_judges
    from canopy.judges.labelling import Labeller
    from canopy.judges.run import JudgeRun
    from canopy.telemetry import Traces

    known = [judge.name for judge in values.judges]
    if not known:
        raise ConfigError("`judges` is empty in the values: define a judge, or leave the key out for two usual ones.")
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"There is no judge `{unknown[0]}`; `judges` in the values has {', '.join(known)}.")
    url = values.LLAMA_STACK_URL
    inference = open_inference(str(url) if url else None, settings)
    judges = [it for it in configured_judges(values, inference.model_name) if not names or it.name in names]
    if again:
        for it in judges:
            await store.judgements.reopen_unlabelled(it.name, it.version, options["since"])
    store.outbox.on = values.mlflow.enabled
    await inference.start()
    try:
        labeller = Labeller(
            store, inference, Traces(span_events=settings.span_events), tell, settings.judge_timeout_seconds
        )
        return judges, await JudgeRun(store, labeller, judges, budget, **options)()
    finally:
        await inference.close()


@contextmanager
def _progress(budget: "Budget", *, shown: bool) -> Generator[Callable[[], None]]:
    """Show a bar of the spent budget on a terminal; yields a function that redraws it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from canopy.cli.console import Console

    console = Console(stderr=True)
    columns = (TextColumn("Questions"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not (shown and console.is_terminal), transient=True) as progress:
        bar = progress.add_task("questions", total=budget.limit)
        yield lambda: progress.update(bar, completed=budget.spent)


def _summary(
    judges: "Sequence[Judge]", tally: "JudgeRunTally", budget: "Budget", ended: "JudgeRunResult"
) -> Iterable[str]:
    from canopy.cli.text_charts import bars, paragraph, title

    for judge in judges:
        counts = tally.labels.get(judge.name, {})
        n = sum(counts.values())
        yield title(f"{judge.name}: {pluralize(n, 'label')}") + f"  ({judge.model}, version {judge.version})"
        rows = [(label, counts.get(label, 0) / max(n, 1), f"{counts.get(label, 0):,}") for label in judge.labels]
        yield from bars(rows, label_width=max(len(label) for label in judge.labels), colour="blue")
        for code, failures in tally.failures.get(judge.name, {}).items():
            yield f"  {pluralize(failures, 'response')} without a label: {code}"
    yield ""
    yield paragraph(f"{pluralize(budget.spent, 'question')} of a budget of {budget.limit:,}.")
    if ended.taken:
        yield paragraph(f"{pluralize(ended.taken, 'judgement')} left to another run, which was faster.")
    if budget.left == 0:
        yield paragraph("The budget is spent; run this again for what is left.")
