"""The report while it is being made: on disk after every case, so that an interrupted run can go on."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

from canopy.base.errors import ConfigError
from canopy.evals.results import CaseResult, Run, TestedConfig
from canopy.evals.suites.cases import EvalCase

_SHARE = 9  # a save waits until this many times the duration of the last one have passed


class Checkpoint:
    """The results so far, in the order of the cases, and the file that holds them."""

    def __init__(self, path: Path, run: Run, order: Sequence[str]) -> None:
        self.path = path
        self._run = run
        self._order = {case_id: number for number, case_id in enumerate(order)}
        self._results = {case.id: case for case in run.cases}
        self._next_save = 0.0  # on the event loop's clock, which is the monotonic one
        self._due: asyncio.TimerHandle | None = None
        self._failure: OSError | None = None  # of a save that nobody waited for

    @property
    def run(self) -> Run:
        """What is known by now."""
        cases = sorted(self._results.values(), key=lambda case: self._order[case.id])
        target = self._run.target.model_copy(update={"tested": _tested(cases)})
        return self._run.model_copy(update={"cases": cases, "target": target})

    def add(self, result: CaseResult) -> None:
        """Take a result in, and save at once or soon.

        The file is written whole, which takes long once it holds thousands of cases: a run never spends more than a
        tenth of its time on it. Raises OSError once the file could not be written: what is asked then would be lost.
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
        """Write the file in one step: whoever reads it, or is killed, finds the former or the new one."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        began = time.monotonic()
        write(self.path, run.model_dump_json(indent=1).encode() + b"\n")
        ended = time.monotonic()
        self._next_save = ended + _SHARE * (ended - began)


def _tested(cases: Sequence[CaseResult]) -> list[TestedConfig]:
    """What gave the answers, each once."""
    found: list[TestedConfig] = []
    for attempt in (attempt for case in cases for attempt in case.attempts):
        if attempt.tested is not None and attempt.tested not in found:
            found.append(attempt.tested)
    return found


def write(path: Path, content: bytes) -> None:
    """Write a file in one step. Raises OSError, which names it, and leaves nothing behind then."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_bytes(content)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def unusable(case: CaseResult) -> int:
    """How many answers of a case a scorer failed at."""
    return sum(score.value is None for attempt in case.attempts for score in attempt.scores)


def kept(
    previous: Run, now: Run, cases: Sequence[tuple[str, EvalCase]], *, retry_unusable: bool = False
) -> list[CaseResult]:
    """The results of an earlier run that still hold: of the cases (with their files) that are as they were then.

    Cases without a score are done again, and with `retry_unusable` all that any scorer failed at. Raises ConfigError
    when the two runs can't be one, because something else was asked, or it is scored differently.
    """
    known = {
        case.id: case
        for case in previous.cases
        if case.status in ("passed", "failed") and not (retry_unusable and unusable(case))
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
    if known and differing:  # of nothing there is nothing to be mixed
        raise ConfigError(
            f"This run can't go on: {' and '.join(differing)} changed since it began, and a report must not mix the "
            "two. Run without --resume."
        )
    return [
        known[case.id].model_copy(update={"file": file})
        for file, case in cases
        if case.id in known and known[case.id].expected_result == case.expected_result
    ]
