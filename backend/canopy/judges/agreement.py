"""Measures how far judges agree with people, over the responses that both rated in the last 90 days.

A response is bad or not: what counts is whether the label is negative and whether the vote is. Neutral ones are not
negative, since a middling score is no complaint and a small flaw no reason for one.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from canopy.base.errors import StoreError
from canopy.config.source import ConfigSource
from canopy.inference.protocol import Inference
from canopy.judges.definitions import Judge, configured_judges
from canopy.stats.kappa import AgreementTable, Kappa, kappa, strength
from canopy.store.feedback.query import Filter
from canopy.store.judges.judgement import AgreementCount
from canopy.store.store import Store
from canopy.telemetry import Telemetry

DAYS = 90  # how far back
_DAY = 86_400_000_000  # microseconds
_FRESH = 10.0  # seconds in which another look finds the same


@dataclass(frozen=True, slots=True)
class LabelRow:
    """Counts one label: how often the judge gave it, in any version, and people's votes where this version gave it."""

    label: str
    sentiment: int
    given: int
    negative: int
    neutral: int
    positive: int


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Compares a judge with people. `kappa` is None where it can't be computed, and `sentence` says why."""

    judge: str
    version: str
    model: str
    rows: Sequence[LabelRow]
    kappa: Kappa | None
    sentence: str

    @property
    def given(self) -> int:
        """Return the number of all labels."""
        return sum(row.given for row in self.rows)

    @property
    def votes(self) -> int:
        """Return the number of votes that the agreement rests on."""
        return sum(row.negative + row.neutral + row.positive for row in self.rows)

    def payload(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "judge": self.judge,
            "version": self.version,
            "model": self.model,
            "votes": self.votes,
            "kappa": self.kappa.value if self.kappa else None,
            "interval": [self.kappa.low, self.kappa.high] if self.kappa else None,
            "sentence": self.sentence,
            "labels": [asdict(row) for row in self.rows],
        }


def agreement_report(judge: Judge, given: Mapping[str, int], pairs: Iterable[AgreementCount]) -> AgreementReport:
    """Return one judge's report, from the counts of its labels and the pairs of a label and a vote."""
    votes = {label: Counter[int]() for label in judge.labels}
    for pair in pairs:
        votes[pair.label][pair.vote_sentiment] += pair.n
    rows = [
        LabelRow(label, sentiment, given.get(label, 0), votes[label][-1], votes[label][0], votes[label][1])
        for label, sentiment in judge.labels.items()
    ]
    table = _table(rows)
    found = kappa(table)
    return AgreementReport(judge.name, judge.version, judge.model, rows, found, _sentence(table, found))


async def agreement_reports(store: Store, judges: Iterable[Judge], now: int) -> list[AgreementReport]:
    """Return a report for each judge, over the last `DAYS` days until `now` (microseconds). Raises StoreError."""
    since = now - DAYS * _DAY
    given: dict[str, Counter[str]] = {}
    for count in await store.feedback.counts(Filter(source="judge", since=since)):
        given.setdefault(count.name, Counter())[count.value] += count.n
    return [
        agreement_report(
            judge, given.get(judge.name, {}), await store.judgements.agreement(judge.name, judge.version, since)
        )
        for judge in judges
    ]


class AgreementReports:
    """Keeps the reports for pages and the metric: made anew every `interval` seconds, and when a page is opened."""

    def __init__(
        self, config: ConfigSource, store: Store, inference: Inference, telemetry: Telemetry, interval: float
    ) -> None:
        self._config = config
        self._store = store
        self._inference = inference
        self._telemetry = telemetry
        self._interval = interval
        self._lock = asyncio.Lock()
        self._known: tuple[float, str, list[AgreementReport]] | None = None  # when, under which values, what

    async def current(self) -> list[AgreementReport]:
        """Return the reports, at most 10 seconds old. Raises StoreError."""
        async with self._lock:
            config = self._config.current
            if self._known is not None:
                looked, revision, found = self._known
                if revision == config.revision and time.monotonic() - looked < _FRESH:
                    return found
            judges = configured_judges(config.values, self._inference.model_name)
            found = await agreement_reports(self._store, judges, time.time_ns() // 1000)
            self._known = time.monotonic(), config.revision, found
        self._telemetry.metrics.judges.show_agreement(
            {it.judge: it.kappa.value for it in found if it.kappa is not None}
        )
        return found

    @property
    def known(self) -> list[AgreementReport]:
        """Return the reports as they were last made, without asking; none where the values have changed since."""
        if self._known is None or self._known[1] != self._config.current.revision:
            return []
        return self._known[2]

    async def run(self) -> None:
        """Keep the metric up to date, for ever."""
        while True:
            with suppress(StoreError):  # of which the store has told
                await self.current()
            await asyncio.sleep(self._interval)


def _table(rows: Iterable[LabelRow]) -> AgreementTable:
    both = judge = people = neither = 0
    for row in rows:
        if row.sentiment < 0:
            both += row.negative
            judge += row.neutral + row.positive
        else:
            people += row.negative
            neither += row.neutral + row.positive
    return AgreementTable(both, judge, people, neither)


def _sentence(table: AgreementTable, found: Kappa | None) -> str:
    n = sum(table)
    if not n:
        return "Nobody has voted on what it labelled, so its agreement with people is unknown."
    on = "on 1 vote" if n == 1 else f"on {n:,} votes"
    if found is None:
        by_people, by_judge = table.both + table.second, table.both + table.first
        who, bad = ("people", by_people) if by_people in (0, n) else ("the judge", by_judge)
        return f"Unknown so far, {on}: {who} found {'all' if bad else 'none'} of the responses bad."
    figures = f"{_signed(found.value)}, 95 % from {_signed(found.low)} to {_signed(found.high)}, {on}."
    if found.low <= 0:
        return f"No agreement beyond chance is shown: {figures}"
    return f"{strength(found.value).capitalize()} agreement, {figures}"


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
