"""Progress of an evaluation run on standard error: a bar on a terminal, otherwise occasional lines."""

import time
from collections import Counter
from types import TracebackType
from typing import Self

import rich.progress

from canopy.cli.console import Console
from canopy.evals.results import CaseResult

_QUIET = 10.0  # seconds between two lines


class Progress:
    """A ProgressListener that shows progress. Close it before printing anything else."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = rich.progress.Progress(
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn("{task.description}", markup=False),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("evaluating", total=None)
        self._counts = Counter[str]()
        self._total = 0
        self._done = 0
        self.begun = False  # from then on there is a report
        self._next_line = time.monotonic() + _QUIET

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar."""
        if self._console.is_terminal:
            self._bar.stop()

    def note(self, sentence: str) -> None:
        """Show a sentence."""
        self._console.print(sentence)

    def begin(self, cases: int, known: int) -> None:
        """Show how many cases will be run, and how many of them have results already."""
        self._total, self._done, self.begun = cases, known, True
        self._bar.update(self._task, total=cases, completed=known)
        if known:
            self.note(f"{known:,} of {cases:,} cases are done already.")

    def case(self, result: CaseResult) -> None:
        """Show a case's result."""
        self._done += 1
        self._counts[result.status] += 1
        counts = ", ".join(f"{n:,} {status.replace('_', ' ')}" for status, n in sorted(self._counts.items()))
        self._bar.update(self._task, advance=1, description=counts)
        if not self._console.is_terminal and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _QUIET
            self.note(f"{self._done:,} of {self._total:,} cases: {counts}")
