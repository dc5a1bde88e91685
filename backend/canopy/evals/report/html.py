"""Renders a run as one self-contained HTML page that requests nothing.

Everything from the run is escaped. Should something not be, the page's Content-Security-Policy runs only its own script
and loads nothing.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from canopy.evals.report.headline import headline
from canopy.evals.report.overview import overview
from canopy.evals.results import CaseResult, CaseStatus, Change, Run
from canopy.stats.intervals import percent, percent_bounds
from canopy.text.difference import difference
from canopy.text.visible import excerpt, visible

_ORDER: tuple[CaseStatus, ...] = ("failed", "unscored", "awaiting_review", "passed")
# The UI's stylesheets, read as files: evaluations depend on no code of the UI.
_TEMPLATES = ("evals/templates", "ui/templates")
_STYLES = ("ui/static/canopy.css", "ui/static/dashboard.css", "evals/templates/report.css")


@dataclass(frozen=True, slots=True)
class _PageEntry:
    """A case in the page's list. `not_passed` are the indexes of scorers that failed an answer, or failed to score."""

    case: CaseResult
    change: Change | None
    not_passed: list[int]


def render(run: Run) -> str:
    """Return the page, to be written as UTF-8."""
    style = "".join(map(_read, _STYLES))
    script = _read("evals/templates/report.js")
    numbers = overview(run)
    entries = _entries(run, [scorer.name for scorer in numbers.scorers])
    return (
        _environment()
        .get_template("report.html")
        .render(
            run=run,
            headline=headline(run, numbers),
            numbers=numbers,
            bounds=percent_bounds(numbers.pass_rate, numbers.interval)
            if numbers.pass_rate is not None and numbers.interval
            else None,
            entries=entries,
            changes=Counter(entry.change.change for entry in entries if entry.change),
            files=sorted({case.file for case in run.cases}),
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            policy=_policy(style, script),
        )
    )


def _entries(run: Run, scorers: list[str]) -> list[_PageEntry]:
    """Return the cases by urgency: failures first, and among them what got worse since the baseline."""
    changes = {change.id: change for change in run.comparison.changes} if run.comparison else {}
    entries = [
        _PageEntry(
            case=case,
            change=changes.get(case.id),
            not_passed=sorted({scorers.index(name) for name in _not_passed(case)}),
        )
        for case in run.cases
    ]
    return sorted(entries, key=_urgency)


def _not_passed(case: CaseResult) -> Iterable[str]:
    for attempt in case.attempts:
        yield from (score.scorer for score in attempt.scores if score.value is None or score.passed is False)


def _urgency(entry: _PageEntry) -> tuple[int, bool]:
    return _ORDER.index(entry.case.status), entry.change is None or entry.change.change != "worse"


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["difference"] = difference
    environment.filters.update(
        excerpt=excerpt, moment=_moment, percent=percent, points=_points, seconds=_seconds, took=_took
    )
    return environment


def _template(name: str) -> str | None:
    folders = (files("canopy") / folder / name for folder in _TEMPLATES)
    return next((file.read_text("utf-8") for file in folders if file.is_file()), None)


def _read(path: str) -> str:
    return (files("canopy") / path).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: only the page's own style and script, by their hashes."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _shown(value: Any) -> Any:
    """Return what a template prints: texts with visible control characters, everything else unchanged."""
    return visible(value) if type(value) is str else value


def _moment(text: str) -> str:
    at = datetime.fromisoformat(text).astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def _points(change: float) -> str:
    """Return a change of a rate in points, such as `+8`, with a real minus sign."""
    return f"{round(100 * change):+d}".replace("-", "\N{MINUS SIGN}")


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:,.1f} s"


def _took(run: Run) -> str | None:
    """Return the run's duration in words; None if it was interrupted."""
    if run.finished_at is None:
        return None
    seconds = round((datetime.fromisoformat(run.finished_at) - datetime.fromisoformat(run.started_at)).total_seconds())
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
