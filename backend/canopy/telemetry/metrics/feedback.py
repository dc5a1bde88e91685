"""Metrics of votes, ballots and reviews."""

from functools import lru_cache
from itertools import chain

from prometheus_client import CollectorRegistry

from canopy.base.ratings import SENTIMENT_NAMES, Rating, known_ratings
from canopy.config.values import SATISFACTION
from canopy.store.reviews.review import OUTCOMES
from canopy.telemetry.events import (
    AbPreferenceSubmitted,
    FeedbackDeleted,
    FeedbackSubmitted,
    GenerationFinished,
    ReviewSaved,
)
from canopy.telemetry.metrics.groups import ExpectedSeries, MetricGroup, counter, on
from canopy.telemetry.metrics.label_values import MOST_FEATURE_LABELS, LabelValues

_RATED = ("feature", "rating", "sentiment", "prompt_id")
_MOST_PROMPTS = 100


class FeedbackMetrics(MetricGroup):
    """Counts votes, ballots and reviews.

    A prompt's series are created when the prompt comes into force, or when its first generation ends.
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
        "Expected results written (`created`), changed (`replaced`), taken back (`deleted`); reviewers' other actions.",
        ("feature", "outcome"),
    )

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._features = LabelValues(MOST_FEATURE_LABELS)
        self._prompt_ids = LabelValues(_MOST_PROMPTS)
        self._ratings = known_ratings({})
        self._prepared: set[tuple[str, str]] = set()
        # `labels` costs more than counting, and there are few combinations.
        self._vote_child = lru_cache(1024)(self.votes.labels)

    def expect(self, expected: ExpectedSeries) -> None:
        """Create the series of every rating and ballot for every prompt in force, and those of reviews."""
        self._ratings = known_ratings(expected.values.feedback.label_sentiments)
        self._prepared.clear()
        self._evict(expected)
        for feature, prompt_ids in expected.prompts.items():
            for prompt_id in ("", *prompt_ids):
                self._prepare(feature, prompt_id)
            for winner, prompt_id in zip(("prompt", "prompt_b"), prompt_ids, strict=False):
                self.preferences.labels(self._features.label(feature), winner, self._prompt_ids.label(prompt_id))
            for winner in ("tie", "both_bad"):
                self.preferences.labels(self._features.label(feature), winner, "")
        for feature in expected.exported:
            for outcome in OUTCOMES:
                self.reviews.labels(self._features.label(feature), outcome)

    def _evict(self, expected: ExpectedSeries) -> None:
        """Remove the series of features and prompts that lost their slots."""
        for feature in self._features.expect(expected.prompts):
            for metric in (self.votes, self.deleted, self.preferences, self.reviews):
                metric.remove_by_labels({"feature": feature})
        for prompt_id in self._prompt_ids.expect(["", *chain.from_iterable(expected.prompts.values())]):
            for metric in (self.votes, self.deleted, self.preferences):
                metric.remove_by_labels({"prompt_id": prompt_id})

    def _prepare(self, feature: str, prompt_id: str) -> None:
        """Create the series of every rating on responses of this feature and prompt."""
        labels = self._features.label(feature), self._prompt_ids.label(prompt_id)
        if labels in self._prepared:
            return
        self._prepared.add(labels)
        for rating in self._ratings:
            for metric in (self.votes, self.deleted):
                metric.labels(labels[0], rating.value, rating.sentiment_name, labels[1])

    def _counted_labels(self, feature: str, prompt_id: str | None) -> tuple[str, str]:
        return self._features.counted_label(feature), self._prompt_ids.counted_label(prompt_id or "")

    @on(GenerationFinished)
    def _generation(self, event: GenerationFinished) -> None:
        if not event.generation.evaluation:
            self._prepare(event.generation.feature, event.generation.prompt_id)

    @on(FeedbackSubmitted)
    def _vote(self, event: FeedbackSubmitted) -> None:
        it = event.receipt
        if it.name != SATISFACTION or (it.former is not None and it.former == Rating.of(it)):
            return
        feature, prompt_id = self._counted_labels(it.feature, it.prompt_id)
        self._vote_child(feature, it.value, SENTIMENT_NAMES[it.sentiment], prompt_id).inc()
        if it.former is not None:
            self.deleted.labels(feature, it.former.value, it.former.sentiment_name, prompt_id).inc()

    @on(FeedbackDeleted)
    def _taken_back(self, event: FeedbackDeleted) -> None:
        it = event.receipt
        if it.name == SATISFACTION:
            feature, prompt_id = self._counted_labels(it.feature, it.prompt_id)
            self.deleted.labels(feature, it.value, SENTIMENT_NAMES[it.sentiment], prompt_id).inc()

    @on(AbPreferenceSubmitted)
    def _preference(self, event: AbPreferenceSubmitted) -> None:
        it = event.receipt
        if it.outcome != "replaced":  # a counter can't take the first preference back; the statistics keep it too
            feature, prompt_id = self._counted_labels(it.feature, it.winning_prompt_id)
            self.preferences.labels(feature, it.winner or it.preference, prompt_id).inc()

    @on(ReviewSaved)
    def _review(self, event: ReviewSaved) -> None:
        self.reviews.labels(self._features.counted_label(event.receipt.feature), event.receipt.outcome).inc()
