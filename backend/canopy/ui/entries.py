"""View model of the entries."""

from collections.abc import Sequence
from dataclasses import dataclass

from canopy.store.feedback.query import Feedback, MatchCount, Page
from canopy.ui.selection import Selection


@dataclass(frozen=True, slots=True)
class EntriesView:
    """Holds a page of entries, and where the others are."""

    entries: Sequence[Feedback]
    found: MatchCount | None  # None if not counted
    total: int  # without any filter but whose verdicts they are
    searched_to: int | None  # where the search stopped; `older` continues it
    newest: str | None
    older: str | None

    @property
    def none_yet(self) -> bool:
        """Return whether nothing is found in what was searched, and there is more to search."""
        return self.found is not None and not (self.found.whole or self.found.n)


def entries_view(chosen: Selection, page: Page, found: MatchCount | None, total: int, *, later: bool) -> EntriesView:
    """Return the view of one page, which is a `later` one than the first.

    Its neighbours are pages of `/feedback/entries`, wherever this one is shown.
    """
    path = "/feedback/entries"
    return EntriesView(
        entries=page.feedback,
        found=found,
        total=total,
        searched_to=page.searched_to,
        newest=chosen.href(path) if later else None,
        older=chosen.href(path, cursor=page.next) if page.next else None,
    )
