"""Metrics of votes, ballots and reviews."""

from functools import lru_cache

from prometheus_client import CollectorRegistry

from canopy.base.ratings import SENTIMENT_NAMES, Rating, known_ratings
from canopy.config.values import SATISFACTION
from canopy.telemetry.events import (
    AbPreferenceSubmitted,
    FeedbackDeleted,
    FeedbackSubmitted,
    GenerationFinished,
    ReviewSaved,
)
from canopy.telemetry.metrics.groups import Expected, MetricGroup, counter, on
from canopy.telemetry.metrics.http import OTHER

_RATED = ("feature", "rating", "sentiment", "prompt_id")
_MOST_PROMPTS = 100


class FeedbackMetrics(MetricGroup):
    """What people say about responses.

    The series of votes on a prompt's responses are made when the prompt comes into force or first answers.
    """

    votes = counter(
        "canopy_feedback",
        "Votes on satisfaction committed; prompt_id is empty for texts that Canopy didn't make.",
        _RATED,
    )
    deleted = counter(
        "canopy_feedback_deleted", "Votes on satisfaction taken back, or changed to another rating.", _RATED
    )
    preferences = counter(
        "canopy_ab_preferences",
        "Ballots on comparisons, changes left out, by what won and the id of the winning prompt.",
        ("winner", "prompt_id"),
        starts=[("tie", ""), ("both_bad", "")],
    )
    reviews = counter(
        "canopy_reviews",
        "Expected results written (`created`), changed (`replaced`) and taken back (`deleted`).",
        ("feature", "outcome"),
    )

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._prompt_ids: set[str] = set()
        self._ratings = known_ratings({})
        self._prepared: set[tuple[str, str]] = set()
        # Looking a child up costs more than counting; the sets of label values are small.
        self._vote_child = lru_cache(1024)(self.votes.labels)

    def expect(self, expected: Expected) -> None:
        """Make the series of every rating on every prompt in force, of what can win, and of reviews."""
        self._ratings = known_ratings(expected.values.feedback.label_sentiments)
        self._prepared.clear()
        for feature, prompt_ids in expected.prompts.items():
            for prompt_id in ("", *prompt_ids):
                self._prepare(feature, prompt_id)
            for winner, prompt_id in zip(("prompt", "prompt_b"), prompt_ids, strict=False):
                self.preferences.labels(winner, self._prompt_label(prompt_id))
        for feature in expected.exported:
            for outcome in ("created", "replaced", "deleted"):
                self.reviews.labels(feature, outcome)

    def _prepare(self, feature: str, prompt_id: str) -> None:
        if (feature, prompt_id) in self._prepared:
            return
        self._prepared.add((feature, prompt_id))
        label = self._prompt_label(prompt_id)
        for rating in self._ratings:
            for metric in (self.votes, self.deleted):
                metric.labels(feature, rating.value, rating.sentiment_name, label)

    def _prompt_label(self, prompt_id: str | None) -> str:
        """Return the prompt's id, or `_OTHER` once there are many: the process may live through any number of them."""
        if not prompt_id or prompt_id in self._prompt_ids:
            return prompt_id or ""
        if len(self._prompt_ids) >= _MOST_PROMPTS:
            return OTHER
        self._prompt_ids.add(prompt_id)
        return prompt_id

    @on(GenerationFinished)
    def _generation(self, event: GenerationFinished) -> None:
        if not event.generation.evaluation:
            self._prepare(event.generation.feature, event.generation.prompt_id)

    @on(FeedbackSubmitted)
    def _vote(self, event: FeedbackSubmitted) -> None:
        it = event.receipt
        if it.name != SATISFACTION or (it.former is not None and it.former == Rating.of(it)):
            return
        prompt_id = self._prompt_label(it.prompt_id)
        self._vote_child(it.feature, it.value, SENTIMENT_NAMES[it.sentiment], prompt_id).inc()
        if it.former is not None:
            self.deleted.labels(it.feature, it.former.value, it.former.sentiment_name, prompt_id).inc()

    @on(FeedbackDeleted)
    def _taken_back(self, event: FeedbackDeleted) -> None:
        it = event.receipt
        if it.name == SATISFACTION:
            prompt_id = self._prompt_label(it.prompt_id)
            self.deleted.labels(it.feature, it.value, SENTIMENT_NAMES[it.sentiment], prompt_id).inc()

    @on(AbPreferenceSubmitted)
    def _preference(self, event: AbPreferenceSubmitted) -> None:
        it = event.receipt
        if it.outcome != "replaced":  # a counter can't take the first preference back; the statistics keep it too
            self.preferences.labels(it.winner or it.preference, self._prompt_label(it.winning_prompt_id)).inc()

    @on(ReviewSaved)
    def _review(self, event: ReviewSaved) -> None:
        self.reviews.labels(event.receipt.feature, event.receipt.outcome).inc()
