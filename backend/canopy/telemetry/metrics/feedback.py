"""Metrics of votes, ballots and reviews."""

from functools import lru_cache
from itertools import chain

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
from canopy.telemetry.metrics.groups import MOST_FEATURES, Expected, MetricGroup, counter, on
from canopy.telemetry.metrics.label_values import LabelValues

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
        ("feature", "winner", "prompt_id"),
    )
    reviews = counter(
        "canopy_reviews",
        "Expected results written (`created`), changed (`replaced`) and taken back (`deleted`).",
        ("feature", "outcome"),
    )

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._features = LabelValues(MOST_FEATURES)
        self._prompt_ids = LabelValues(_MOST_PROMPTS)
        self._ratings = known_ratings({})
        self._prepared: set[tuple[str, str]] = set()
        # Looking a child up costs more than counting; the sets of label values are small.
        self._vote_child = lru_cache(1024)(self.votes.labels)

    def expect(self, expected: Expected) -> None:
        """Make the series of every rating on every prompt in force, of what can win, and of reviews."""
        self._ratings = known_ratings(expected.values.feedback.label_sentiments)
        self._prepared.clear()
        self._make_room(expected)
        for feature, prompt_ids in expected.prompts.items():
            for prompt_id in ("", *prompt_ids):
                self._prepare(feature, prompt_id)
            for winner, prompt_id in zip(("prompt", "prompt_b"), prompt_ids, strict=False):
                self.preferences.labels(self._features.expected(feature), winner, self._prompt_ids.expected(prompt_id))
            for winner in ("tie", "both_bad"):
                self.preferences.labels(self._features.expected(feature), winner, "")
        for feature in expected.exported:
            for outcome in ("created", "replaced", "deleted"):
                self.reviews.labels(self._features.expected(feature), outcome)

    def _make_room(self, expected: Expected) -> None:
        for feature in self._features.expect(expected.prompts):
            for metric in (self.votes, self.deleted, self.preferences, self.reviews):
                metric.remove_by_labels({"feature": feature})
        for prompt_id in self._prompt_ids.expect(["", *chain.from_iterable(expected.prompts.values())]):
            for metric in (self.votes, self.deleted, self.preferences):
                metric.remove_by_labels({"prompt_id": prompt_id})

    def _prepare(self, feature: str, prompt_id: str) -> None:
        labels = self._features.expected(feature), self._prompt_ids.expected(prompt_id)
        if labels in self._prepared:
            return
        self._prepared.add(labels)
        for rating in self._ratings:
            for metric in (self.votes, self.deleted):
                metric.labels(labels[0], rating.value, rating.sentiment_name, labels[1])

    @on(GenerationFinished)
    def _generation(self, event: GenerationFinished) -> None:
        if not event.generation.evaluation:
            self._prepare(event.generation.feature, event.generation.prompt_id)

    @on(FeedbackSubmitted)
    def _vote(self, event: FeedbackSubmitted) -> None:
        it = event.receipt
        if it.name != SATISFACTION or (it.former is not None and it.former == Rating.of(it)):
            return
        feature, prompt_id = self._features.counted(it.feature), self._prompt_ids.counted(it.prompt_id or "")
        self._vote_child(feature, it.value, SENTIMENT_NAMES[it.sentiment], prompt_id).inc()
        if it.former is not None:
            self.deleted.labels(feature, it.former.value, it.former.sentiment_name, prompt_id).inc()

    @on(FeedbackDeleted)
    def _taken_back(self, event: FeedbackDeleted) -> None:
        it = event.receipt
        if it.name == SATISFACTION:
            feature, prompt_id = self._features.counted(it.feature), self._prompt_ids.counted(it.prompt_id or "")
            self.deleted.labels(feature, it.value, SENTIMENT_NAMES[it.sentiment], prompt_id).inc()

    @on(AbPreferenceSubmitted)
    def _preference(self, event: AbPreferenceSubmitted) -> None:
        it = event.receipt
        if it.outcome != "replaced":  # a counter can't take the first preference back; the statistics keep it too
            feature, prompt_id = (
                self._features.counted(it.feature),
                self._prompt_ids.counted(it.winning_prompt_id or ""),
            )
            self.preferences.labels(feature, it.winner or it.preference, prompt_id).inc()

    @on(ReviewSaved)
    def _review(self, event: ReviewSaved) -> None:
        self.reviews.labels(self._features.counted(event.receipt.feature), event.receipt.outcome).inc()
