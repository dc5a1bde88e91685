"""View model of the overview: how many votes, how satisfied people are, over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from canopy.feedback.generation_statistics import share_of
from canopy.feedback.statistics import Tally, split_counts, tallies_by, tally_of
from canopy.store.experiments.experiment import Experiment
from canopy.store.experiments.promotions import PromotionInBrief
from canopy.store.experiments.variants_in_force import VariantInForce
from canopy.store.feedback.hourly_counts import DAY
from canopy.store.feedback.query import FeedbackCount, Filter, ProducerCount
from canopy.store.generations.usage import UsageCount, UsageSum
from canopy.store.values.values_commits import ValuesCommit
from canopy.ui.filter_links import address
from canopy.ui.last_change import LastChange, VotesAround, last_change
from canopy.ui.satisfaction_chart import Chart, satisfaction_chart
from canopy.ui.selection import Selection
from canopy.ui.time_axis import time_axis
from canopy.ui.usage_charts import UsageCharts, usage_charts
from canopy.ui.variant_changes import FoundChange
from canopy.ui.variant_marks import LineSources, VariantMarks, variant_marks


@dataclass(frozen=True, slots=True)
class Activity:
    """Counts what happened over time, of the chosen days, feature, prompt and model: by the hour, or by the day."""

    votes: Sequence[ProducerCount]  # on satisfaction with Canopy's responses
    usage: Sequence[UsageCount]  # of generations, as far back as there are records
    changes: Sequence[FoundChange]  # of what was in force, as `usage` tells, oldest first
    ballots: int
    step: int = DAY  # microseconds: how long their stretches of time are
    commits: Sequence[ValuesCommit] = ()  # that brought values into force, oldest first
    told: Sequence[PromotionInBrief] = ()  # of promotions, newest first
    around: VotesAround | None = None  # the last change of the prompt in force
    worse: Mapping[str, VariantInForce] = field(default_factory=dict)  # what has proved worse than before, by feature


@dataclass(frozen=True, slots=True)
class FeedbackOverview:
    """Holds what the template of the overview needs."""

    votes: Tally  # all votes on the listed responses
    tally: Tally  # satisfaction with Canopy's own responses, as the chart and the versions show it
    other_texts: Tally
    other_texts_href: str
    other_names: Mapping[str, Tally]
    both_bad: int  # entries that are no votes: of ballots that found both responses bad, two of each
    usage: UsageSum
    voted_share: str | None  # of the answers that people could vote on, such as `4.8 %`; None without any
    ballots: int
    chart: Chart | None
    marks: VariantMarks | None
    last_change: LastChange | None
    charts: UsageCharts | None


def overview(
    chosen: Selection,
    where: Filter,
    *,
    counts: Sequence[FeedbackCount],
    activity: Activity,
    now: int,
    experiments: Sequence[Experiment] = (),
) -> FeedbackOverview:
    """Return the view model.

    `counts` are those of the days and the feature in `where`, of every prompt; `experiments` those of the feature.
    """
    ratings = split_counts(selected(counts, where))
    tally, usage = tally_of(ratings.own), UsageSum.sum(it.usage for it in activity.usage)
    narrowed = {name: chosen.query[name] for name in ("feature", "since", "until")}
    times = [it.hour for it in activity.votes] + [it.since for it in activity.usage]
    axis = time_axis(min(times), max(times), now, where.since, where.until) if times else None
    sources = LineSources(activity.votes, activity.step, activity.commits, experiments, activity.told)
    return FeedbackOverview(
        votes=tally_of([*ratings.own, *ratings.other_texts, *ratings.other_names]),
        tally=tally,
        other_texts=tally_of(ratings.other_texts),
        other_texts_href=address("/feedback/entries", {**narrowed, "origin": "other"}),
        other_names=tallies_by(ratings.other_names, lambda it: it.name),
        both_bad=tally_of(ratings.ballots).total,
        usage=usage,
        voted_share=_exact_percent(share_of(tally.total, usage)),
        ballots=activity.ballots,
        chart=satisfaction_chart(activity.votes, now, where.since, where.until, axis),
        marks=variant_marks(activity.changes, axis, sources) if axis else None,
        last_change=last_change(activity.around, activity.worse) if activity.around else None,
        charts=usage_charts(activity.usage, axis) if axis else None,
    )


def selected(counts: Sequence[FeedbackCount], where: Filter) -> list[FeedbackCount]:
    """Return the counts of the chosen prompt and the chosen model, or of all."""
    return [it for it in counts if where.prompt_id in (None, it.prompt_id) and where.model in (None, it.model)]


def _exact_percent(share: float | None) -> str | None:
    """Return a share with one decimal: few people vote, and whole percents would hide whether more of them do."""
    if share is None:
        return None
    return f"{share * 100:.1f} %" if share >= 0.001 or not share else "under 0.1 %"
