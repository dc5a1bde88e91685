"""The line of variants as marks on the chart of satisfaction, and as the table beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from canopy.config.features import is_conversation
from canopy.store.experiments.experiment import Experiment
from canopy.store.experiments.promotions import PromotionInBrief
from canopy.store.feedback.hourly_counts import DAY
from canopy.store.feedback.query import ProducerCount
from canopy.store.values.values_commits import ValuesCommit
from canopy.ui.satisfaction_chart import line_y
from canopy.ui.time_axis import TimeAxis
from canopy.ui.variant_changes import FoundChange, commit_of
from canopy.ui.variant_line import MarkKind, VariantStretch, kind_of, variant_line

_MOST = 8  # marks, the newest ones
_TOGETHER = 7.0  # percent of the width within which marks share a flag
_SIGNS: dict[MarkKind, str] = {
    "promotion": "\N{BLACK UP-POINTING TRIANGLE}",
    "rollback": "\N{BLACK DOWN-POINTING TRIANGLE}",
}


@dataclass(frozen=True, slots=True)
class LineSources:
    """Holds what tells of the line beside the counts of generations.

    `votes` are by stretches of `step` microseconds; `commits` are oldest first, and what was `told` newest first.
    """

    votes: Sequence[ProducerCount] = ()
    step: int = DAY
    commits: Sequence[ValuesCommit] = ()
    experiments: Sequence[Experiment] = ()
    told: Sequence[PromotionInBrief] = ()


@dataclass(frozen=True, slots=True)
class VariantChange:
    """Says since which hour (microseconds) answers come from a prompt and a model, how that came, and by which values.

    `git_revision` is the commit that brought those values, and `evidence` the one whose evidence tells of the change;
    None where nobody knows it. `stretch` says how satisfied people are with it; None of what is only compared.
    """

    number: int
    at: int
    kind: MarkKind
    feature: str
    prompt_id: str
    model: str
    config_revision: str
    git_revision: str | None
    evidence: str | None
    stretch: VariantStretch | None


@dataclass(frozen=True, slots=True)
class MarkLine:
    """Places the line of a change, at `x` percent of the chart's width."""

    x: float
    kind: MarkKind


@dataclass(frozen=True, slots=True)
class MarkFlag:
    """Places the numbers of changes above the chart, at `x` percent of its width."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class SatisfactionBand:
    """Places the satisfaction with a variant and its interval: `x` and `width` in percent, the others in pixels."""

    x: float
    width: float
    top: float
    height: float
    y: float


@dataclass(frozen=True, slots=True)
class VariantMarks:
    """Holds the changes, oldest first, and where they are in the picture; `earlier` ones have no mark.

    `before` is what answered until the first of the changes, each feature's.
    """

    changes: list[VariantChange]
    before: list[VariantStretch]
    lines: list[MarkLine]
    flags: list[MarkFlag]
    bands: list[SatisfactionBand]
    earlier: int

    @property
    def signs(self) -> list[tuple[str, str]]:
        """Return the signs in the flags, each with what it means."""
        there = {it.kind for it in self.lines}
        return [(sign, kind) for kind, sign in _SIGNS.items() if kind in there]


def variant_marks(found: Sequence[FoundChange], axis: TimeAxis, sources: LineSources | None = None) -> VariantMarks:
    """Return the marks of these changes, oldest first; the axis has room for all of them."""
    known = sources or LineSources()
    line = variant_line(found, known.votes, known.step)
    stretches = {(it.feature, it.since): it for it in line}
    earlier = max(len(found) - _MOST, 0)
    changes = []
    for number, one in enumerate(found[earlier:], 1):
        it = one.count
        kind, evidence = kind_of(one, known.experiments, known.told)
        changes.append(
            VariantChange(
                number=number,
                at=one.at,
                kind=kind,
                feature=it.feature,
                prompt_id=it.prompt_id,
                model=it.model,
                config_revision=it.config_revision,
                git_revision=commit_of(it.config_revision, one.at, known.commits),
                evidence=evidence.git_revision if evidence else None,
                stretch=None if one.former is None else stretches[it.feature, one.at],
            )
        )
    lines = [MarkLine(_x(axis, it.at), it.kind) for it in changes]
    return VariantMarks(changes, _before(changes, line), lines, _flags(lines), _bands(line, axis), earlier)


def _before(changes: Sequence[VariantChange], line: Sequence[VariantStretch]) -> list[VariantStretch]:
    """Return what ended with the first of a feature's changes that are shown."""
    firsts: dict[str, int] = {}
    for it in changes:
        if it.stretch is not None:
            firsts.setdefault(it.feature, it.at)
    return [it for it in line if it.until is not None and it.until == firsts.get(it.feature)]


def _bands(line: Sequence[VariantStretch], axis: TimeAxis) -> list[SatisfactionBand]:
    """Return a band for each stretch that has votes; none where several features would lie over each other."""
    plain = [it for it in line if not is_conversation(it.feature)]
    if len({it.feature for it in plain}) != 1:
        return []
    bands = []
    for it in plain:
        begin = 0.0 if it.since is None else _x(axis, it.since)
        end = 100.0 if it.until is None else _x(axis, it.until)
        if it.share is None or it.interval is None or end <= begin:
            continue
        low, high = it.interval
        bands.append(
            SatisfactionBand(
                begin, round(end - begin, 3), line_y(high), round(line_y(low) - line_y(high), 1), line_y(it.share)
            )
        )
    return bands


def _x(axis: TimeAxis, at: int) -> float:
    return round(axis.slot * axis.starts.index(axis.floor(at)), 3)


def _flags(lines: Sequence[MarkLine]) -> list[MarkFlag]:
    groups: list[list[int]] = []
    for index, it in enumerate(lines):
        if groups and it.x - lines[groups[-1][0]].x < _TOGETHER:
            groups[-1].append(index)
        else:
            groups.append([index])
    return [MarkFlag(lines[it[0]].x, _label(it, [lines[index].kind for index in it])) for it in groups]


def _label(numbers: Sequence[int], kinds: Sequence[MarkKind]) -> str:
    """Return the numbers, with a sign where one of them is a promotion or a rollback."""
    signs = "".join(sign for kind, sign in _SIGNS.items() if kind in kinds)
    words = f"{numbers[0] + 1}" if len(numbers) == 1 else f"{numbers[0] + 1}\N{EN DASH}{numbers[-1] + 1}"
    return f"{signs} {words}".strip()
