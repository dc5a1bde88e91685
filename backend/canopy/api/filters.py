"""Query parameters that filter feedback."""

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from canopy.base.errors import InputError
from canopy.base.validators import without_nul
from canopy.feedback.filters import parse_filter
from canopy.store.feedback.query import Filter, Origin, Sources

_LABEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
OptionalText = Annotated[str | None, AfterValidator(lambda text: without_nul(text) if text else None)]


class CountsQuery(BaseModel):
    """A filter of what is counted. An empty parameter, as HTML forms send it, filters nothing."""

    model_config = ConfigDict(extra="forbid")

    rating: OptionalText = Field(
        None, max_length=200, description="A rating, or `positive`, `neutral` or `negative` for all that count so."
    )
    feature: OptionalText = Field(None, max_length=200, description="What was rated.")
    prompt_id: OptionalText = Field(None, max_length=200, description="The prompt version that produced the response.")
    since: OptionalText = Field(
        None, max_length=40, description="From this time or day (ISO 8601, UTC unless it says)."
    )
    until: OptionalText = Field(None, max_length=40, description="Before this time; a day is included whole.")

    def where(self, features: Collection[str]) -> Filter:
        """Return the filter; `features` are the names that `feature` may have. Raises InputError for a wrong value."""
        return parse_filter(
            features,
            rating=self.rating,
            feature=self.feature,
            prompt_id=self.prompt_id,
            since=self.since,
            until=self.until,
        )


class FeedbackQuery(CountsQuery):
    """A filter of single votes and labels."""

    q: OptionalText = Field(None, max_length=200, description="Text in the prompt, the response or the comment.")
    source: Sources = Field("human", description="Whose verdicts: people's votes, judges' labels, or both.")
    origin: Annotated[Origin | None, BeforeValidator(lambda text: text or None)] = Field(
        None, description="On what: `own`, responses that Canopy made, or `other` texts."
    )

    def where(self, features: Collection[str]) -> Filter:
        """Return the filter. Raises InputError for a wrong value."""
        return replace(super().where(features), search=self.q, source=self.source, origin=self.origin)


class PageQuery(FeedbackQuery):
    """A filter, an order and a page of feedback."""

    label: OptionalText = Field(None, max_length=40, description="What a judge said about the response.")
    order: Literal["newest", "worst"] = Field(
        "newest", description="`worst`: the responses that a person or a judge finds bad and that wait for a review."
    )
    limit: int | None = Field(
        None, ge=1, le=200, description="Entries on a page; without it all, up to 10,000 entries or 8 MB."
    )
    cursor: OptionalText = Field(None, max_length=200, description="The `next` of the page before.")
    experiment: OptionalText = Field(None, max_length=200, description="Of former links: whose page to go to.")
    ab_cursor: OptionalText = Field(None, max_length=200, description="Of former links: which page of its ballots.")

    def where(self, features: Collection[str]) -> Filter:
        """Return the filter. Raises InputError for a wrong value, and for filters that the order doesn't go with."""
        where = super().where(features)
        others = (self.rating, self.q, self.label, self.origin)
        if self.order == "worst" and (any(others) or self.source != "human"):
            raise InputError("`order=worst` goes with `feature`, `prompt_id`, `since` and `until` alone.")
        if self.label is not None and not _LABEL.fullmatch(self.label):
            raise InputError("`label` must be the name of a judge's label, such as `hallucination_detected`.")
        if self.source == "judge" and self.label and not self.rating:
            return replace(where, value=self.label)  # the labels themselves, which an index leads to
        return replace(where, label=self.label)
