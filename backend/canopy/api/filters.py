"""The query parameters that choose feedback."""

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from canopy.api import workshop
from canopy.api.bodies import storable
from canopy.base.clock import microseconds
from canopy.base.errors import InputError
from canopy.base.ratings import parse_filter
from canopy.store.feedback.query import Filter, Origin, Sources

_DAY_LENGTH = 86_400_000_000  # microseconds
_LABEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
Word = Annotated[str | None, AfterValidator(lambda text: storable(text) if text else None)]


class CountsQuery(BaseModel):
    """Which feedback, as far as counts tell it apart. An empty parameter, as forms send it, is none."""

    model_config = ConfigDict(extra="forbid")

    rating: Word = Field(
        None, max_length=200, description="A rating, or `positive`, `neutral` or `negative` for all that count so."
    )
    feature: Word = Field(None, max_length=200, description="What was rated.")
    prompt_id: Word = Field(None, max_length=200, description="The prompt version that produced the response.")
    since: Word = Field(None, max_length=40, description="From this time or day (ISO 8601, UTC unless it says).")
    until: Word = Field(None, max_length=40, description="Before this time; a day is included whole.")

    def where(self, features: Collection[str]) -> Filter:
        """The filter; `features` are the names that may stand there.

        Raises InputError for a rating, a feature or a time that is none: a typo must not look empty.
        """
        value, sentiment = parse_filter(self.rating) if self.rating is not None else (None, None)
        feature = workshop.feature(self.feature)
        if feature is not None and feature not in features:
            raise InputError(f"`feature` must be one of {', '.join(f'`{name}`' for name in features)}.")
        return Filter(
            value=value,
            sentiment=sentiment,
            feature=feature,
            prompt_id=self.prompt_id,
            since=_moment("since", self.since, end=False),
            until=_moment("until", self.until, end=True),
        )


class FeedbackQuery(CountsQuery):
    """Which feedback."""

    q: Word = Field(None, max_length=200, description="Text in the prompt, the response or the comment.")
    source: Sources = Field("human", description="Whose verdicts: people's votes, judges' labels, or both.")
    origin: Annotated[Origin | None, BeforeValidator(lambda text: text or None)] = Field(
        None, description="On what: `own`, responses that Canopy made, or `other` texts."
    )

    def where(self, features: Collection[str]) -> Filter:
        """As for counts, with the search, the source and the origin."""
        return replace(super().where(features), search=self.q, source=self.source, origin=self.origin)


class PageQuery(FeedbackQuery):
    """The query parameters that choose a page of feedback."""

    label: Word = Field(None, max_length=40, description="What a judge said about the response.")
    order: Literal["newest", "worst"] = Field(
        "newest", description="`worst`: the responses that a person or a judge finds bad and that wait for a review."
    )
    limit: int | None = Field(
        None, ge=1, le=200, description="Entries on a page; without it all, up to 10,000 entries or 8 MB."
    )
    cursor: Word = Field(None, max_length=200, description="The `next` of the page before.")
    experiment: Word = Field(None, max_length=200, description="The A/B experiment that the dashboard shows.")
    ab_cursor: Word = Field(None, max_length=200, description="Which page of its ballots the dashboard shows.")

    def where(self, features: Collection[str]) -> Filter:
        """As for an export, with the judge's label."""
        where = super().where(features)
        others = (self.rating, self.q, self.label, self.origin)
        if self.order == "worst" and (any(others) or self.source != "human"):
            raise InputError("`order=worst` goes with `feature`, `prompt_id`, `since` and `until` alone.")
        if self.label is not None and not _LABEL.fullmatch(self.label):
            raise InputError("`label` must be the name of a judge's label, such as `hallucination_detected`.")
        if self.source == "judge" and self.label and not self.rating:
            return replace(where, value=self.label)  # the labels themselves, which an index leads to
        return replace(where, label=self.label)


def _moment(name: str, text: str | None, *, end: bool) -> int | None:
    if text is None:
        return None
    try:
        if _DAY.fullmatch(text):
            day = datetime.combine(datetime.fromisoformat(text), time(), UTC)
            return microseconds(day) + (_DAY_LENGTH if end else 0)
        # A `+` in a query that nobody escaped arrives as a space.
        return microseconds(datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text))
    except (ValueError, OverflowError) as error:
        raise InputError(f"`{name}` must be a day or a time such as 2026-01-31 or 2026-01-31T08:30:00Z.") from error
