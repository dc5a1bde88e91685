"""View model of the entries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from canopy.store.feedback.query import Feedback, Page
from canopy.ui.selection import Selection


@dataclass(frozen=True, slots=True)
class EntriesView:
    """Holds a page of entries, and where the others are."""

    entries: Sequence[Feedback]
    found: int | None  # None if not counted
    searched_to: int | None  # where the search stopped; `older` continues it
    newest: str | None
    older: str | None


def entries_view(chosen: Selection, params: Mapping[str, str], page: Page, found: int | None) -> EntriesView:
    """Return the view of one page; its neighbours are pages of `/feedback/entries`, wherever this one is shown."""
    path = "/feedback/entries"
    return EntriesView(
        entries=page.feedback,
        found=found,
        searched_to=page.searched_to,
        newest=chosen.href(path) if params.get("cursor") else None,
        older=chosen.href(path, cursor=page.next) if page.next else None,
    )
