"""Query parameters that filter feedback."""

from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from canopy.base.errors import InputError
from canopy.base.validators import without_nul
from canopy.feedback.filters import parse_filter, parse_label, parse_reason, parse_search
from canopy.store.feedback.query import Filter, Origin, Sources
from canopy.store.reviews.review import ReviewState

OptionalText = Annotated[str | None, AfterValidator(lambda text: without_nul(text).strip() or None if text else None)]
"""A text without the blanks around it, which come with what is pasted; None for one of blanks alone."""

_SearchText = Annotated[OptionalText, AfterValidator(parse_search)]
_EMPTY_IS_NONE = BeforeValidator(lambda text: text or None)


class CountsQuery(BaseModel):
    """A filter of what is counted. An empty parameter, as HTML forms send it, filters nothing."""

    model_config = ConfigDict(extra="forbid")

    rating: OptionalText = Field(
        None, max_length=200, description="A rating, or `positive`, `neutral` or `negative` for all that count so."
    )
    score: OptionalText = Field(None, max_length=20, description="A score from 1 to 5, or a range such as `1-2`.")
    feature: OptionalText = Field(None, max_length=200, description="What was rated.")
    prompt_id: OptionalText = Field(None, max_length=200, description="The prompt version that produced the response.")
    model: OptionalText = Field(None, max_length=200, description="The model that produced the response.")
    since: OptionalText = Field(
        None, max_length=40, description="From this time or day (ISO 8601, UTC unless it says)."
    )
    until: OptionalText = Field(None, max_length=40, description="Before this time; a day is included whole.")

    def where(self, features: Collection[str]) -> Filter:
        """Return the filter; `features` are the names that `feature` may have. Raises InputError for a wrong value."""
        return parse_filter(
            features,
            rating=self.rating,
            score=self.score,
            feature=self.feature,
            prompt_id=self.prompt_id,
            model=self.model,
            since=self.since,
            until=self.until,
        )


class FeedbackQuery(CountsQuery):
    """A filter of single votes and labels."""

    q: _SearchText = Field(None, max_length=200, description="A text in the text, the response or the comment.")
    source: Annotated[Sources, BeforeValidator(lambda text: text or "human")] = Field(
        "human", description="Whose verdicts: people's votes, judges' labels, or both."
    )
    origin: Annotated[Origin | None, _EMPTY_IS_NONE] = Field(
        None, description="On what: `own`, responses that Canopy made, or `other` texts."
    )
    label: OptionalText = Field(None, max_length=40, description="What a judge said about the response.")
    reason: OptionalText = Field(None, max_length=40, description="A category that the vote gives as a reason.")
    comment: Annotated[Literal["with", "without"] | None, _EMPTY_IS_NONE] = Field(
        None, description="Whether there is a comment (of a judge: a rationale)."
    )

    def where(self, features: Collection[str]) -> Filter:
        """Return the filter. Raises InputError for a wrong value."""
        where = replace(
            super().where(features),
            search=self.q,
            source=self.source,
            origin=self.origin,
            reason=parse_reason(self.reason),
            commented=None if self.comment is None else self.comment == "with",
        )
        label = parse_label(self.label)
        if self.source == "judge" and label and where.value is None and where.sentiment is None:
            return replace(where, value=label)  # the labels themselves, which an index leads to
        return replace(where, label=label)


class TextQuery(FeedbackQuery):
    """A filter of texts, for the review and the export: a text is selected if one bad verdict on it matches."""

    source: Annotated[Sources, BeforeValidator(lambda text: text or "any")] = Field(
        "any", description="Whose bad verdicts: people's votes, judges' labels, or both."
    )


class ReviewQuery(TextQuery):
    """A filter and a page of texts to review."""

    state: ReviewState = Field("waiting", description="Texts that wait for a reviewer, in another state, or all.")
    limit: int = Field(20, ge=1, le=50, description="Texts on a page.")
    after: OptionalText = Field(None, max_length=1_000, description="The `next` of the page before.")
    at: OptionalText = Field(
        None,
        max_length=300,
        description="One `item`, or that of a vote by its `feedback_id`, whatever its state; `next` goes on from it.",
    )


class PageQuery(FeedbackQuery):
    """A filter, an order and a page of feedback."""

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
        others = (
            *(self.rating, self.score, self.model, self.q, self.origin),
            *(self.label, self.reason, self.comment),
        )
        if self.order == "worst" and (any(others) or self.source != "human"):
            raise InputError("`order=worst` goes with `feature`, `prompt_id`, `since` and `until` alone.")
        return where


class EntriesQuery(PageQuery):
    """A page of entries, for people, who may go back."""

    seen: int = Field(0, ge=0, le=1_000_000_000, description="How many entries the pages before have.")
    back: OptionalText = Field(
        None,
        max_length=1_500,
        pattern=r"^(\d{1,10}:[\w-]{1,200}(,|$))*$",
        description="Where the last of them begin: `seen` and `cursor` of each.",
    )


def filters_of(query: FeedbackQuery) -> dict[str, str]:
    """Return every filter by its parameter's name, as links carry it: empty where it is not set.

    A `source` that is not set means people's votes where votes are listed, and both where texts are (`TextQuery`).
    """
    chosen = {name: str(getattr(query, name) or "") for name in FeedbackQuery.model_fields}
    unset = type(query).model_fields["source"].default
    return chosen | {"source": "" if query.source == unset else query.source}
