"""Saves the report after every case, so that an interrupted run can be resumed."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from canopy.base.atomic_files import replace_file
from canopy.base.errors import ConfigError
from canopy.evals.results import CaseResult, Run, TestedConfig
from canopy.evals.suites.cases import EvalCase

_SHARE = 9  # pause after a save, in multiples of its duration


class Checkpoint:
    """Keeps the results so far, in the order of the cases, and saves them to a file."""

    def __init__(self, path: Path, run: Run, order: Sequence[str]) -> None:
        self.path = path
        self._run = run
        self._order = {case_id: number for number, case_id in enumerate(order)}
        self._results = {case.id: case for case in run.cases}
        self._next_save = 0.0  # on the monotonic clock, which is the event loop's
        self._due: asyncio.TimerHandle | None = None
        self._failure: OSError | None = None  # of a save in the background

    @property
    def run(self) -> Run:
        """Return the run with the results so far."""
        cases = sorted(self._results.values(), key=lambda case: self._order[case.id])
        target = self._run.target.model_copy(update={"tested": _tested(cases)})
        return self._run.model_copy(update={"cases": cases, "target": target})

    def add(self, result: CaseResult) -> None:
        """Add a result, and save now or soon.

        The file is written as a whole, which is slow with thousands of cases, so saving takes at most a tenth of the
        run's time. Raises OSError once the file could not be written, because further answers would be lost.
        """
        if self._failure is not None:
            raise self._failure
        self._results[result.id] = result
        if self._due is None:
            loop = asyncio.get_running_loop()
            self._due = loop.call_at(self._next_save, self._save_in_passing)

    def _save_in_passing(self) -> None:
        try:
            self.save(self.run)
        except OSError as error:
            self._failure = error

    def save(self, run: Run) -> None:
        """Write the run to the file atomically. Raises OSError."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        began = time.monotonic()
        replace_file(self.path, run.model_dump_json(indent=1).encode() + b"\n")
        ended = time.monotonic()
        self._next_save = ended + _SHARE * (ended - began)


def _tested(cases: Sequence[CaseResult]) -> list[TestedConfig]:
    """Return the distinct configurations that produced the answers."""
    found: list[TestedConfig] = []
    for attempt in (attempt for case in cases for attempt in case.attempts):
        if attempt.tested is not None and attempt.tested not in found:
            found.append(attempt.tested)
    return found


def missing_scores(case: CaseResult) -> int:
    """Count the scores that a case lacks because a scorer failed."""
    return sum(score.value is None for attempt in case.attempts for score in attempt.scores)


def reusable_results(
    previous: Run, now: Run, cases: Sequence[tuple[str, EvalCase]], *, retry_unusable: bool = False
) -> list[CaseResult]:
    """Return the results of an earlier run that are still valid: those of unchanged cases, with their current files.

    Unscored cases are run again, and with `retry_unusable` all cases in which a scorer failed. Raises ConfigError if
    the runs can't be combined because the backend, the configuration or the scoring changed.
    """
    known = {
        case.id: case
        for case in previous.cases
        if case.status in ("passed", "failed") and not (retry_unusable and missing_scores(case))
    }
    differing = [
        name
        for name, before, after in (
            ("the backend's URL", previous.target.url, now.target.url),
            ("the backend's configuration", previous.target.config_revision, now.target.config_revision),
            ("--judge", previous.judge_url, now.judge_url),
            ("the scoring", previous.scoring, now.scoring),
            ("--repeat", previous.repeat, now.repeat),
            ("what scores (the suites' scoring_params, their files, thresholds)", previous.rules, now.rules),
        )
        if before != after
    ]
    if known and differing:  # without earlier results nothing would be mixed
        raise ConfigError(
            f"This run can't go on: {' and '.join(differing)} changed since it began, and a report must not mix the "
            "two. Run without --resume."
        )
    return [
        known[case.id].model_copy(update={"file": file})
        for file, case in cases
        if case.id in known and known[case.id].expected_result == case.expected_result
    ]
