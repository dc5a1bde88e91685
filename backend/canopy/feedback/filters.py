"""Reads a filter of feedback from the texts that people and programs write."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, time

from canopy.base.clock import microseconds
from canopy.base.errors import InputError
from canopy.base.ratings import parse_rating_filter
from canopy.config.features import canonical_name
from canopy.store.feedback.query import Filter

_DAY_LENGTH = 86_400_000_000  # microseconds
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_filter(
    features: Collection[str],
    *,
    rating: str | None,
    feature: str | None,
    prompt_id: str | None,
    since: str | None,
    until: str | None,
) -> Filter:
    """Return the filter; None and empty texts match everything.

    `features` are the names that `feature` may have. `since` and `until` are ISO 8601 days or times, in UTC unless they
    name a time zone; `until` includes a day and excludes a time. Raises InputError for what is none of these: a filter
    with a typo must not look like one that matches nothing.
    """
    value, sentiment = parse_rating_filter(rating) if rating else (None, None)
    name = canonical_name(feature) if feature else None
    if name is not None and name not in features:
        raise InputError(f"`feature` must be one of {', '.join(f'`{it}`' for it in features)}.")
    return Filter(
        value=value,
        sentiment=sentiment,
        feature=name,
        prompt_id=prompt_id or None,
        since=_moment("since", since, end=False),
        until=_moment("until", until, end=True),
    )


def _moment(name: str, text: str | None, *, end: bool) -> int | None:
    """Return the start of a day or, with `end`, its end; or a time. In microseconds since the epoch."""
    if not text:
        return None
    try:
        if _DAY.fullmatch(text):
            day = datetime.combine(datetime.fromisoformat(text), time(), UTC)
            return microseconds(day) + (_DAY_LENGTH if end else 0)
        # A `+` in a query that nobody escaped arrives as a space.
        return microseconds(datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text))
    except (ValueError, OverflowError) as error:
        raise InputError(f"`{name}` must be a day or a time such as 2026-01-31 or 2026-01-31T08:30:00Z.") from error
