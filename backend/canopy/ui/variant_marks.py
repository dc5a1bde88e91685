"""When the prompt or the model in force changed, as marks on the chart of satisfaction.

In force is what most plain answers of a stretch of time came from, feature by feature. What is only compared is marked
where it first answers. A change and its way back within one stretch aren't told apart.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from canopy.store.generations.usage import DAY, UsageCount
from canopy.store.values.values_commits import ValuesCommit
from canopy.ui.time_axis import TimeAxis

_MOST = 8  # marks, the newest ones
_HOUR = DAY // 24
_TOGETHER = 7.0  # percent of the width within which marks share a flag


@dataclass(frozen=True, slots=True)
class VariantChange:
    """Says since which hour (microseconds) answers come from a prompt and a model, and under which values.

    `git_revision` is the commit that brought those values; None where nobody knows it.
    """

    number: int
    at: int
    feature: str
    prompt_id: str
    model: str
    config_revision: str
    git_revision: str | None
    compared: bool  # only in comparisons


@dataclass(frozen=True, slots=True)
class FoundChange:
    """Holds what came into use in the hour `at` (microseconds); `former` is the prompt and the model until then.

    Of what is only compared, which answers instead of nothing, `former` is None.
    """

    at: int
    count: UsageCount
    former: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class MarkFlag:
    """Places the numbers of changes above the chart, at `x` percent of its width."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class VariantMarks:
    """Holds the changes, oldest first, where their lines are, and the flags; `earlier` ones have no mark."""

    changes: list[VariantChange]
    lines: list[float]
    flags: list[MarkFlag]
    earlier: int


def variant_marks(usage: Sequence[UsageCount], axis: TimeAxis, commits: Sequence[ValuesCommit] = ()) -> VariantMarks:
    """Return the marks; `usage` and `commits` are oldest first, and the axis has room for all usage."""
    found = changes_of(usage)
    earlier = max(len(found) - _MOST, 0)
    changes = [
        VariantChange(
            number=number,
            at=one.at,
            feature=it.feature,
            prompt_id=it.prompt_id,
            model=it.model,
            config_revision=it.config_revision,
            git_revision=_commit_of(it.config_revision, one.at, commits),
            compared=one.former is None,
        )
        for number, one in enumerate(found[earlier:], 1)
        for it in (one.count,)
    ]
    lines = [round(axis.slot * axis.starts.index(axis.floor(it.at)), 3) for it in changes]
    return VariantMarks(changes, lines, _flags(lines), earlier)


def changes_of(usage: Sequence[UsageCount]) -> list[FoundChange]:
    """Return all changes of all features, oldest first, as `usage` is."""
    found: list[FoundChange] = []
    features: dict[str, dict[int, list[UsageCount]]] = defaultdict(lambda: defaultdict(list))
    for it in usage:
        features[it.feature][it.since].append(it)
    for by_time in features.values():
        found += _changes(list(by_time.values()))
    return sorted(found, key=lambda it: it.at)


def _changes(stretches: Sequence[Sequence[UsageCount]]) -> list[FoundChange]:
    """Return what came into use after the first stretch."""
    found: list[FoundChange] = []
    in_force: tuple[str, str] | None = None
    seen: set[tuple[str, str]] = set()
    begun: dict[tuple[str, str], UsageCount] = {}  # of what was used in the stretch before, and since when
    for number, stretch in enumerate(stretches):
        plain: dict[tuple[str, str], int] = defaultdict(int)
        for it in stretch:
            plain[it.prompt_id, it.model] += it.usage.total - it.usage.compared
        begun = {key: begun.get(key) or _first(stretch, key) for key, n in plain.items() if n}
        most = max(plain, key=lambda key: plain[key])
        if plain[most] and most != in_force:
            if in_force is not None:
                found.append(FoundChange(begun[most].first_hour, begun[most], in_force))
            in_force = most
        new = [key for key, n in plain.items() if not n and key not in seen]
        if number:
            found += [FoundChange(it.first_hour, it, None) for key in new for it in (_first(stretch, key),)]
        seen |= plain.keys()
    return found


def _commit_of(config_revision: str, at: int, commits: Sequence[ValuesCommit]) -> str | None:
    """Return what brought the values that were in force in the hour `at`: values that came back did so by another."""
    known = [it for it in commits if it.config_revision == config_revision]
    before = [it for it in known if it.first_at < at + _HOUR]
    return (before[-1] if before else known[0]).git_revision if known else None


def _first(stretch: Sequence[UsageCount], key: tuple[str, str]) -> UsageCount:
    return min((it for it in stretch if (it.prompt_id, it.model) == key), key=lambda it: it.first_hour)


def _flags(lines: Sequence[float]) -> list[MarkFlag]:
    groups: list[list[int]] = []
    for index, x in enumerate(lines):
        if groups and x - lines[groups[-1][0]] < _TOGETHER:
            groups[-1].append(index)
        else:
            groups.append([index])
    return [
        MarkFlag(lines[it[0]], f"{it[0] + 1}" if len(it) == 1 else f"{it[0] + 1}\N{EN DASH}{it[-1] + 1}")
        for it in groups
    ]
