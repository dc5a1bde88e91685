"""Runs an evaluation from suites to gate: plan → backend → scorers → report → comparison → gate."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from canopy import __version__
from canopy.base.atomic_files import replace_file
from canopy.base.errors import ConfigError
from canopy.base.ids import new_id
from canopy.base.settings import Settings
from canopy.evals import results
from canopy.evals.report import html, junit
from canopy.evals.results import CaseResult, Run, Target
from canopy.evals.run.backend import PATIENCE, Backend, checked_url
from canopy.evals.run.baseline import compare
from canopy.evals.run.checkpoint import Checkpoint, reusable_results
from canopy.evals.run.evaluation import Evaluation
from canopy.evals.run.gate import gate
from canopy.evals.run.plan import Plan, SuitePlan, make_plan
from canopy.evals.scorers.opening import OpenScorers, open_scorers

RESULTS, JUNIT, PAGE = "results.json", "junit.xml", "report.html"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Holds the options of a run.

    URLs hold no credentials. `timeout` is in seconds for one answer, `patience` in seconds for a request's waits where
    a busy backend names a time. With `retry_unusable`, a judge whose grade can't be read is asked again.
    """

    folder: Path
    backend: str
    output: Path
    judge: str | None = None
    judge_model: str | None = None
    scoring: Literal["auto", "local", "llama-stack"] = "auto"
    concurrency: int = 4
    repeat: int = 1
    timeout: float = 120
    baseline: Path | None = None
    resume: bool = False
    retry_unusable: bool = False
    patience: float = PATIENCE


class ProgressListener(Protocol):
    """Receives a run's progress."""

    def note(self, sentence: str) -> None:
        """Report something that a person should know."""
        ...

    def begin(self, cases: int, known: int) -> None:
        """Report that `cases` cases will be run, of which `known` have results from an earlier run."""
        ...

    def case(self, result: CaseResult) -> None:
        """Report that a case is done."""
        ...


async def run(options: RunOptions, settings: Settings, listener: ProgressListener) -> Run:
    """Run the suites, write the reports and return the run with its gate.

    Raises ConfigError when it can't be run. However it ends, by cancellation too, the reports hold what was done.
    """
    backend_url = checked_url(options.backend, "--backend")
    judge_url = checked_url(options.judge, "--judge") if options.judge else None
    baseline = _baseline(options)
    plan = make_plan(options.folder)
    for note in plan.notes:
        listener.note(note)
    async with AsyncExitStack() as stack:
        client = Backend(
            backend_url,
            token=settings.evals_bearer_token,
            timeout=options.timeout,
            patience=options.patience,
            tell=listener.note,
        )
        backend = await stack.enter_async_context(client)
        parts = [part for part in plan.parts if any(case.reviewed for case in part.suite.cases)]
        opened = {part.file: await _open(stack, part, judge_url, options, settings) for part in parts}
        notices = (notice for each in opened.values() for notice in (each.notice, *each.rubric_notes) if notice)
        for notice in dict.fromkeys(notices):
            listener.note(notice)
        target = await backend.target()
        if options.resume and not (options.output / RESULTS).exists():
            listener.note(f"{options.output} holds no run to go on with, so this one begins anew.")
        checkpoint = _begin(options, plan, target, judge_url, opened)
        known = {result.id for result in checkpoint.run.cases}
        todo = [(part, case) for part, case in plan.cases if case.id not in known]
        listener.begin(len(plan.cases), len(known))

        def done(result: CaseResult) -> None:
            checkpoint.add(result)
            listener.case(result)

        try:
            scorers = {file: each.scorers for file, each in opened.items()}
            evaluation = Evaluation(backend, scorers, repeat=options.repeat, concurrency=options.concurrency)
            await evaluation.all(todo, done)
            _check_same(target, await backend.target())
        except BaseException:
            _write_reports(options.output, checkpoint, checkpoint.run)
            raise
    finished = checkpoint.run.model_copy(update={"finished_at": _now()})
    comparison = compare(baseline, finished) if baseline else None
    judged = finished.model_copy(update={"comparison": comparison, "gate": gate(plan, finished.cases, comparison)})
    _write_reports(options.output, checkpoint, judged)
    return judged


def _baseline(options: RunOptions) -> Run | None:
    if options.baseline is None:
        return None
    if options.baseline.resolve() == (options.output / RESULTS).resolve():
        raise ConfigError(
            f"--baseline {options.baseline} is where this run writes its own results. Copy it to another place first, "
            "or give another --output."
        )
    return results.load(options.baseline)


async def _open(
    stack: AsyncExitStack, part: SuitePlan, judge_url: str | None, options: RunOptions, settings: Settings
) -> OpenScorers:
    opening = open_scorers(
        part.suite.scoring_params,
        part.path.parent,
        judge_url=judge_url,
        judge_model=options.judge_model,
        scoring=options.scoring,
        minimums=part.thresholds.minimums,
        settings=settings,
        rubrics=part.thresholds.rubrics,
        scales=part.thresholds.scales,
        retry_unusable=options.retry_unusable,
    )
    try:
        return await stack.enter_async_context(opening)
    except ConfigError as error:
        raise ConfigError(f"{part.path}: {error.sentence}") from error


def _begin(
    options: RunOptions, plan: Plan, target: Target, judge_url: str | None, opened: Mapping[str, OpenScorers]
) -> Checkpoint:
    """Return the checkpoint of a new run, or of the one to resume."""
    on_server = any(each.scoring == "llama-stack" for each in opened.values())
    run = Run(
        id=new_id("run"),
        started_at=_now(),
        canopy_version=__version__,
        target=target,
        judge_url=judge_url,
        scoring="llama-stack" if on_server else "local",
        repeat=options.repeat,
        rules=plan.rules(options.judge_model),
        cases=[],
    )
    path = options.output / RESULTS
    if options.resume and path.exists():
        previous = results.load(path)
        asked = [(part.file, case) for part, case in plan.cases]
        cases = reusable_results(previous, run, asked, retry_unusable=options.retry_unusable)
        run = run.model_copy(update={"id": previous.id, "started_at": previous.started_at, "cases": cases})
    options.output.mkdir(parents=True, exist_ok=True)
    return Checkpoint(path, run, [case.id for _, case in plan.cases])


def _check_same(before: Target, after: Target) -> None:
    """Raise ConfigError if the backend's configuration changed during the run: its answers would be mixed."""
    if before.config_revision != after.config_revision:
        raise ConfigError(
            f"The backend's configuration changed during the run, from {before.config_revision} to "
            f"{after.config_revision}, so its answers are of both. Run again."
        )


def _write_reports(folder: Path, checkpoint: Checkpoint, run: Run) -> None:
    checkpoint.save(run)
    replace_file(folder / JUNIT, junit.render(run))
    replace_file(folder / PAGE, html.render(run).encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
