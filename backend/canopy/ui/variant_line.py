"""The line of variants: what answered when, feature by feature, how it came, and how satisfied people were with it.

In force is what most plain answers of a stretch of time came from, as the marks on the chart have it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from canopy.config.features import flag_of
from canopy.experiments.in_force import ComparedProducer, exchange, its_producers
from canopy.feedback.statistics import Tally
from canopy.stats.intervals import wilson
from canopy.store.experiments.experiment import Experiment
from canopy.store.experiments.promotions import PromotionInBrief
from canopy.store.experiments.variants_in_force import PromptAndModel
from canopy.store.feedback.hourly_counts import HOUR
from canopy.store.feedback.query import ProducerCount
from canopy.ui.variant_changes import FoundChange

# How a variant came into force: by the votes on an experiment, back by a rollback, otherwise with another prompt, or
# with another model alone; `compared` came into comparisons only.
type MarkKind = Literal["promotion", "rollback", "prompt", "model", "compared"]
_TOLD = {("promote", "promotion"), ("rollback", "rollback")}  # what evidence says, and the change that it is of


@dataclass(frozen=True, slots=True)
class VariantStretch:
    """Says from when until when (microseconds, whole hours) a feature answered with a prompt and a model.

    `since` is None for what answered before the first change, and `config_revision`, that of the values that it came
    with; `until` is None for what answers still. `tally` counts the votes on its answers.
    """

    feature: str
    prompt_id: str
    model: str
    since: int | None = None
    until: int | None = None
    config_revision: str | None = None
    tally: Tally = field(default_factory=Tally)

    @property
    def votes(self) -> int:
        """Return the number of votes for or against."""
        return self.tally.positive + self.tally.negative

    @property
    def share(self) -> float | None:
        """Return the satisfaction; None without votes."""
        return self.tally.satisfaction

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of the satisfaction; None without votes."""
        return wilson(self.tally.positive, self.votes)


def variant_line(changes: Sequence[FoundChange], votes: Iterable[ProducerCount], step: int) -> list[VariantStretch]:
    """Return the stretches of features that have changed, each feature's in the order of time.

    `changes` are oldest first; `votes` are by stretches of `step` microseconds. A vote goes to the last stretch of its
    prompt and model that had begun when its own ended.
    """
    line: dict[str, list[VariantStretch]] = {}
    for found in changes:
        if found.former is None:
            continue
        it = found.count
        its = line.setdefault(it.feature, [VariantStretch(it.feature, *found.former)])
        its[-1] = replace(its[-1], until=found.at)
        came = VariantStretch(it.feature, it.prompt_id, it.model, found.at, config_revision=it.config_revision)
        its.append(came)
    of_producer: dict[tuple[str, str | None, str | None], list[VariantStretch]] = defaultdict(list)
    for its in line.values():
        for one in its:
            of_producer[one.feature, one.prompt_id, one.model].append(one)
    for vote in votes:
        same = of_producer.get((vote.feature, vote.prompt_id, vote.model), [])
        begun = [it for it in same if (it.since or 0) < vote.hour + step]
        if same:
            (begun or same)[-1 if begun else 0].tally.add(vote)
    return [it for its in line.values() for it in its]


def kind_of(
    change: FoundChange, experiments: Sequence[Experiment], told: Sequence[PromotionInBrief]
) -> tuple[MarkKind, PromotionInBrief | None]:
    """Return how a variant came into force, and the evidence that says so, where there is any.

    Without evidence the experiments tell: what comes in the place of a prompt that it was compared with is promoted,
    and what comes back is rolled back. `told` is newest first.
    """
    it, former = change.count, change.former
    if former is None:
        return "compared", None
    compared = {one.id: its_producers(one) for one in experiments}
    for one in told:
        pair = compared.get(one.experiment_id) or (ComparedProducer(one.prompt_id), ComparedProducer(one.prompt_b_id))
        kind = _exchanged(change, one.feature, pair)
        if one.made_at < change.at + HOUR and (one.action, kind) in _TOLD:
            return kind or "prompt", one
    begun = [one for one in experiments if one.created_at < change.at + HOUR]
    for tested in sorted(begun, key=lambda one: one.created_at, reverse=True):
        if kind := _exchanged(change, tested.feature, compared[tested.id]):
            return kind, None
    return "model" if former[0] == it.prompt_id else "prompt", None


def _exchanged(
    change: FoundChange, feature: str, pair: tuple[ComparedProducer, ComparedProducer]
) -> Literal["promotion", "rollback"] | None:
    """Return whether a change puts variant B of a pair in the place of A, or A back into that of B."""
    if change.former is None or feature != flag_of(change.count.feature):  # as follow-up questions' prompt is
        return None
    a, b = pair
    if a == b:  # they differed in parameters alone, or nobody knows their models any more
        return None
    return exchange(PromptAndModel(*change.former), PromptAndModel(change.count.prompt_id, change.count.model), a, b)
