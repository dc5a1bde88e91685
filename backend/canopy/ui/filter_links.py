"""Filters of feedback as links: addresses that carry them, days to choose, and each that is set with the way out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from canopy.base.ratings import RATING_WORDS, in_words

COUNTED = ("feature", "prompt_id", "model", "since", "until")
"""What narrows totals, charts and other counts, which are kept by the hour. All else narrows single votes."""

FILTER_WORDS = {
    "rating": "Rating",
    "score": "Score",
    "feature": "Feature",
    "prompt_id": "Prompt version",
    "model": "Model",
    "since": "From",
    "until": "To",
    "q": "Search",
    "source": "Verdicts",
    "origin": "On",
    "label": "Labelled by a judge",
    "reason": "Reason",
    "comment": "Comment",
}
"""The filters by the names of their parameters, as people read them."""

_VALUE_WORDS = {
    ("source", "human"): "people's votes",
    ("source", "judge"): "judges' labels",
    ("source", "any"): "people's votes and judges' labels",
    ("origin", "own"): "Canopy's responses",
    ("origin", "other"): "other texts",
}
_PRESETS = (("Today", 1), ("7 days", 7), ("30 days", 30))  # the last ones, today included


@dataclass(frozen=True, slots=True)
class FilterLink:
    """Links to a page with other filters."""

    label: str
    href: str
    current: bool = False


def address(path: str, query: Mapping[str, str]) -> str:
    """Return `path` with the parameters that have a value."""
    used = urlencode({name: value for name, value in query.items() if value})
    return f"{path}?{used}" if used else path


def presets(path: str, query: Mapping[str, str], now: int) -> list[FilterLink]:
    """Return the page of the last days, in UTC, and of all; `now` is in microseconds since the epoch."""
    today = datetime.fromtimestamp(now // 1_000_000, UTC).date()
    begins = {label: (today - timedelta(days - 1)).isoformat() for label, days in _PRESETS} | {"All days": ""}
    return [
        FilterLink(
            label,
            address(path, {**query, "since": since, "until": ""}),
            (query["since"], query["until"]) == (since, ""),
        )
        for label, since in begins.items()
    ]


def chosen_filters(
    path: str, query: Mapping[str, str], feature_label: Callable[[str], str], *, rating: bool
) -> Sequence[FilterLink]:
    """Return each filter that is set, in words, with the address of the page without it.

    The `rating` is among them where the page has no links for each.
    """
    return [
        FilterLink(f"{FILTER_WORDS[name]}: {_words(name, value, feature_label)}", address(path, {**query, name: ""}))
        for name, value in query.items()
        if value and (rating or name != "rating")
    ]


def _words(name: str, value: str, feature_label: Callable[[str], str]) -> str:
    match name:
        case "feature":
            return feature_label(value)
        case "prompt_id":
            return value.rpartition(":")[2][:8]
        case "rating":
            return RATING_WORDS.get(value, in_words(value))
        case "label" | "reason" | "comment":
            return in_words(value)
        case "score":
            return value.replace("-", " to ")
        case _:
            return _VALUE_WORDS.get((name, value), value)
