"""When the prompt or the model in force changed, feature by feature, as the counts of generations tell it.

In force is what most plain answers of a stretch of time came from. What is only compared is found where it first
answers. A change and its way back within one stretch aren't told apart, nor is what answered in no earlier one; what
came in its place and has proved worse, the watch knows.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from canopy.store.experiments.variants_in_force import VariantInForce
from canopy.store.feedback.hourly_counts import HOUR
from canopy.store.generations.usage import UsageCount
from canopy.store.values.values_commits import ValuesCommit


@dataclass(frozen=True, slots=True)
class FoundChange:
    """Holds what came into use in the hour `at` (microseconds); `former` is the prompt and the model until then.

    Of what is only compared, which answers instead of nothing, `former` is None.
    """

    at: int
    count: UsageCount
    former: tuple[str, str] | None


def changes_of(usage: Sequence[UsageCount]) -> list[FoundChange]:
    """Return all changes of all features, oldest first, as `usage` is."""
    found: list[FoundChange] = []
    features: dict[str, dict[int, list[UsageCount]]] = defaultdict(lambda: defaultdict(list))
    for it in usage:
        features[it.feature][it.since].append(it)
    for by_time in features.values():
        found += _changes(list(by_time.values()))
    return sorted(found, key=lambda it: it.at)


def with_proved(
    found: Sequence[FoundChange], usage: Sequence[UsageCount], worse: Iterable[VariantInForce], step: int
) -> list[FoundChange]:
    """Return the changes and, where it isn't among them, what came and has proved worse; `usage` is by the `step`."""
    missing = [it for variant in worse if (it := _missing(variant, found, usage, step))]
    return sorted([*found, *missing], key=lambda it: it.at)


def _missing(
    variant: VariantInForce, found: Sequence[FoundChange], usage: Sequence[UsageCount], step: int
) -> FoundChange | None:
    """Return the change to what is in force, from the first answers since then; None if it was found or isn't shown."""
    came, at = (variant.feature, *variant.producer), variant.since // HOUR * HOUR
    count = next((it for it in usage if _producer(it) == came and it.last_hour >= at), None)
    if count is None or count.since > at or variant.former is None:
        return None
    if any(it.former and _producer(it.count) == came and it.at >= count.since - step for it in found):
        return None
    return FoundChange(max(at, count.first_hour), count, variant.former)


def _producer(it: UsageCount) -> tuple[str, str, str]:
    return it.feature, it.prompt_id, it.model


def commit_of(config_revision: str, at: int, commits: Sequence[ValuesCommit]) -> str | None:
    """Return what brought the values that were in force in the hour `at`: values that came back did so by another."""
    known = [it for it in commits if it.config_revision == config_revision]
    before = [it for it in known if it.first_at < at + HOUR]
    return (before[-1] if before else known[0]).git_revision if known else None


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


def _first(stretch: Sequence[UsageCount], key: tuple[str, str]) -> UsageCount:
    return min((it for it in stretch if (it.prompt_id, it.model) == key), key=lambda it: it.first_hour)
