"""View model of the overview: how many votes, how satisfied people are, over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from canopy.feedback.statistics import Tally, split_counts, tallies_by, tally_of
from canopy.store.feedback.query import FeedbackCount, Filter, HourCount
from canopy.ui.filter_links import address
from canopy.ui.satisfaction_chart import Chart, satisfaction_chart
from canopy.ui.selection import Selection


@dataclass(frozen=True, slots=True)
class FeedbackOverview:
    """Holds what the template of the overview needs."""

    votes: Tally  # all votes on the listed responses
    tally: Tally  # satisfaction with Canopy's own responses, as the chart and the versions show it
    other_texts: Tally
    other_texts_href: str
    other_names: Mapping[str, Tally]
    chart: Chart | None


def overview(
    chosen: Selection, where: Filter, *, counts: Sequence[FeedbackCount], hours: Sequence[HourCount], now: int
) -> FeedbackOverview:
    """Return the view model.

    `counts` are those of the days and the feature in `where`, of every prompt, and `hours` those of its prompt that are
    `own`.
    """
    ratings = split_counts(selected(counts, where))
    narrowed = {name: chosen.query[name] for name in ("feature", "since", "until")}
    return FeedbackOverview(
        votes=tally_of([*ratings.own, *ratings.other_texts, *ratings.other_names]),
        tally=tally_of(ratings.own),
        other_texts=tally_of(ratings.other_texts),
        other_texts_href=address("/feedback/entries", {**narrowed, "origin": "other"}),
        other_names=tallies_by(ratings.other_names, lambda it: it.name),
        chart=satisfaction_chart(hours, now, where.since, where.until),
    )


def selected(counts: Sequence[FeedbackCount], where: Filter) -> list[FeedbackCount]:
    """Return the counts of the chosen prompt and the chosen model, or of all."""
    return [it for it in counts if where.prompt_id in (None, it.prompt_id) and where.model in (None, it.model)]
