"""Reads a filter of feedback from the texts that people and programs write."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, time
from unicodedata import normalize

from canopy.base.clock import microseconds
from canopy.base.errors import InputError, WrongDates
from canopy.base.ratings import parse_rating_filter
from canopy.config.features import canonical_name
from canopy.store.feedback.query import Filter

_DAY_LENGTH = 86_400_000_000  # microseconds
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SCORES = re.compile(r"([1-5])(?:-([1-5]))?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_filter(
    features: Collection[str],
    *,
    rating: str | None = None,
    score: str | None = None,
    feature: str | None = None,
    prompt_id: str | None = None,
    model: str | None = None,
    since: str | None = None,
    until: str | None = None,
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
    begin, end = _moment("since", since, end=False), _moment("until", until, end=True)
    if begin is not None and end is not None and begin >= end:
        raise WrongDates(
            "`since` must be before `until`; to swap them may be all it takes.",
            "The day in “From” is after the one in “To”; to swap them may be all it takes.",
        )
    return Filter(
        value=value,
        sentiment=sentiment,
        feature=name,
        prompt_id=prompt_id or None,
        model=model or None,
        scores=_scores(score) if score else (),
        since=begin,
        until=end,
    )


def parse_until(text: str) -> int:
    """Return the time (microseconds) that a day or time ends before. Raises InputError for what is neither."""
    return _moment("until", text, end=True) or 0


def parse_search(text: str | None) -> str | None:
    """Return what to look for, without the blanks around it that come with what is pasted; None for blanks alone.

    Keyboards and nearly all texts write `ä` as one character. Names of files on macOS, for one, have two.
    """
    return normalize("NFC", text.strip()) or None if text else None


def parse_label(label: str | None) -> str | None:
    """Return the name of a judge's label. Raises InputError for what can't be one."""
    if label and not _NAME.fullmatch(label):
        raise InputError("`label` must be the name of a judge's label, such as `hallucination_detected`.")
    return label or None


def parse_reason(reason: str | None) -> str | None:
    """Return the name of a category that votes give as a reason. Raises InputError for what can't be one."""
    if reason and not _NAME.fullmatch(reason):
        raise InputError("`reason` must be the name of a category, such as `too_long`.")
    return reason or None


def _scores(text: str) -> tuple[int, ...]:
    """Return the scores from one to another. They are inclusive, as people say them."""
    match = _SCORES.fullmatch(text.replace(" ", ""))
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if first > last:
        raise InputError("`score` must be a score from 1 to 5, or a range such as `1-2`.")
    return tuple(range(first, last + 1))


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
        must = "must be a day or a time such as 2026-01-31 or 2026-01-31T08:30:00Z."
        raise WrongDates(f"`{name}` {must}", f"“{'To' if end else 'From'}” {must}") from error
