"""Prints the summary of an evaluation run."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import rich.box
from rich.table import Table

from canopy.cli.console import Console
from canopy.evals.results import CaseResult, CaseStatus, Run
from canopy.evals.run.checkpoint import missing_scores
from canopy.text.visible import excerpt

_COLUMNS: dict[CaseStatus, str] = {
    "passed": "passed",
    "failed": "failed",
    "unscored": "no score",
    "awaiting_review": "awaiting review",
}
_LISTED = 20  # listed cases of each kind; the reports have all
_EXCERPT = 60  # characters of a prompt


def print_summary(run: Run, output: Path) -> None:
    """Print one line per suite, the cases that need attention, changes since the baseline, and the verdict."""
    console = Console()
    table = Table(box=rich.box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("suite", overflow="fold")
    for title in _COLUMNS.values():
        table.add_column(title, justify="right")
    for file in dict.fromkeys(case.file for case in run.cases):
        statuses = [case.status for case in run.cases if case.file == file]
        table.add_row(file, *(f"{statuses.count(status):,}" for status in _COLUMNS))
    console.print(table)
    for status, title in (("failed", "Failed"), ("unscored", "No score"), ("awaiting_review", "Awaiting review")):
        for line in _listed(title, [case for case in run.cases if case.status == status]):
            console.print(line)
    for line in (*_changes(run), *_unusable(run)):
        console.print(line)
    if run.gate is not None:
        console.print(f"\n{run.gate.sentence}")
    console.print(f"Reports: {output}")


def _listed(title: str, cases: Sequence[CaseResult]) -> Iterable[str]:
    if cases:
        yield f"\n{title}:"
    for case in cases[:_LISTED]:
        yield f"  {case.id}  {excerpt(case.prompt, _EXCERPT)}"
        if case.status != "awaiting_review":
            yield f"    {case.reason}"
    if len(cases) > _LISTED:
        yield f"  and {len(cases) - _LISTED:,} more"


def _unusable(run: Run) -> Iterable[str]:
    if n := sum(map(missing_scores, run.cases)):
        times = "once" if n == 1 else f"{n:,} times"
        yield f"\nA scorer gave no value {times}. `--resume --retry-unusable` asks a judge again that couldn't be read."


def _changes(run: Run) -> Iterable[str]:
    if run.comparison is None:
        return
    prompts = {case.id: excerpt(case.prompt, _EXCERPT) for case in run.cases}
    yield f"\nSince the baseline of {run.comparison.baseline_started_at}:"
    changed = [each for each in run.comparison.changes if each.change != "same"]
    for each in changed[:_LISTED]:
        values = f"{_value(each.value_before)} → {_value(each.value_after)}"
        yield f"  {each.change:<6}  {each.before} → {each.after}  {values}  {prompts[each.id]}"
    if len(changed) > _LISTED:
        yield f"  and {len(changed) - _LISTED:,} more"
    yield f"  {len(run.comparison.changes) - len(changed):,} the same, {len(run.comparison.added):,} new"
    yield f"  {run.comparison.sentence}"


def _value(value: float | None) -> str:
    return "no value" if value is None else f"{value:.4g}"
