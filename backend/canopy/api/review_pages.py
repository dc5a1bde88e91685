"""The page of the review: the queue as a list, of which a script makes one text at a time."""

import time

from starlette.requests import Request
from starlette.responses import Response

from canopy.api.context import AppContext
from canopy.api.feedback_pages import known_features
from canopy.api.filters import ReviewQuery, filters_of
from canopy.api.frame import feedback_switched_off, html
from canopy.base.errors import InputError
from canopy.config.features import is_conversation
from canopy.store.feedback.query import Filter
from canopy.ui.features import label_of
from canopy.ui.review_list import review_list

_LISTED = 25  # texts on the page where no script is


async def review_filter(context: AppContext, query: ReviewQuery) -> Filter:
    """Return the filter of a queue. Raises InputError for a wrong value, and for a feature that can't be reviewed."""
    where = query.where(await known_features(context, query))
    if where.feature is not None and is_conversation(where.feature):
        raise InputError("Answers to follow-up questions aren't reviewed: no tests can be made of them.")
    return where


async def review_page(context: AppContext, request: Request, query: ReviewQuery) -> Response:
    """Return the page of the queue."""
    if off := feedback_switched_off(context, request):
        return off
    where, reviews = await review_filter(context, query), context.store.reviews
    features = context.config.current.features
    listed = await reviews.listed(where, query.state, _LISTED, query.after)
    by_feature = await reviews.counts_by_feature()
    view = review_list(
        {**filters_of(query), "feature": where.feature or ""},
        query.state,
        listed=listed,
        counts=await reviews.counts(where),
        later=query.after is not None,
        now=time.time_ns() // 1000,
        feature_label=lambda name: label_of(name, features),
    )
    return html(
        context,
        request,
        "review.html",
        current="feedback",
        section="review",
        view=view,
        several_features=len(by_feature) > 1,
        feature_words={name: label_of(name, features) for name in by_feature},
        waiting=sum(counts.waiting for counts in by_feature.values()),
        longest=context.settings.max_prompt_chars,
    )
