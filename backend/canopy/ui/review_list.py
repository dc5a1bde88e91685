"""View model of the review: the states as links, and the texts in one of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from canopy.store.reviews.review import ListedText, ReviewCounts, ReviewList, ReviewState, item_name
from canopy.ui.filter_links import FilterLink, address, chosen_filters, presets

_PATH = "/feedback/review"
_STATES: Mapping[ReviewState, str] = {
    "waiting": "Waiting",
    "expected": "Written",
    "fine": "Fine",
    "dismissed": "Dismissed",
    "all": "All",
}


class StateLink(NamedTuple):
    """Links to the texts in one state."""

    name: str
    label: str
    n: int | None  # None: nobody counted
    href: str
    current: bool


class ListedItem(NamedTuple):
    """Links to the review of a text."""

    item: str
    href: str
    text: ListedText


@dataclass(frozen=True, slots=True)
class ReviewListView:
    """Holds what the template of the review needs."""

    address: str  # of the list as it is chosen, for the script
    states: Sequence[StateLink]
    items: Sequence[ListedItem]
    first: str | None  # the first page of the list, on a later one
    next: str | None
    query: Mapping[str, str]  # every filter, for the ways to other pages
    chosen: Sequence[FilterLink]  # each filter that is set, with the page without it
    presets: Sequence[FilterLink]  # days to choose at a press
    entries: str  # where all filters can be set
    export: str


def review_list(
    query: Mapping[str, str],
    state: ReviewState,
    *,
    listed: ReviewList,
    counts: ReviewCounts | None,
    later: bool,
    now: int,
    feature_label: Callable[[str], str],
) -> ReviewListView:
    """Return the view of a list. `query` has every filter as in the URL, `now` is in microseconds since the epoch."""
    here = {**query, "state": "" if state == "waiting" else state}
    numbers = None if counts is None else {**counts._asdict(), "all": counts.total}
    return ReviewListView(
        address=address(_PATH, here),
        states=[
            StateLink(
                name,
                label,
                None if numbers is None else numbers[name],
                address(_PATH, {**query, "state": "" if name == "waiting" else name}),
                name == state,
            )
            for name, label in _STATES.items()
        ],
        items=[
            ListedItem(item_name(it.item.key), address(_PATH, {**here, "at": item_name(it.item.key)}), it)
            for it in listed.texts
        ],
        first=address(_PATH, here) if later else None,
        next=address(_PATH, {**here, "after": listed.next}) if listed.next else None,
        query=query,
        chosen=chosen_filters(_PATH, query, feature_label, rating=True),
        presets=presets(_PATH, here, now),
        entries=address("/feedback/entries", query),
        export=address("/feedback/dataset", query),
    )
