"""Which entries a page says that it shows."""

from typing import cast

import pytest

from canopy.api.filters import PageQuery, filters_of
from canopy.config.features import features_of
from canopy.config.values import Values
from canopy.store.feedback.query import Feedback, Filter, MatchCount, Page
from canopy.ui.entries import Trail, entries_view
from canopy.ui.selection import selection


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (MatchCount(27, whole=True), "26\u201327"),
        (MatchCount(26, whole=True), ""),  # one of the first 25 was deleted meanwhile
        (MatchCount(26, whole=False), "26\u201327"),
        (None, "26\u201327"),
    ],
)
def test_a_range_that_can_not_be_true_is_not_shown(found: MatchCount | None, shown: str) -> None:
    chosen = selection(
        "/feedback",
        filters_of(PageQuery()),
        Filter(),
        counts=[],
        texts={},
        features=features_of(Values()),
        judges=[],
        reasons=[],
        now=0,
    )
    page = Page([cast(Feedback, None)] * 2, "older")
    view = entries_view(chosen, page, found, 40, cursor="here", trail=Trail(25))
    assert view.range == shown
    assert view.older is not None
    assert ("seen=27" in view.older) == bool(shown)  # pages behind don't go on with it
