"""View model of the entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from canopy.store.feedback.query import Feedback, MatchCount, Page
from canopy.ui.selection import Selection

_PATH = "/feedback/entries"
ENTRIES = 25  # on a page
_KEPT = 15  # pages that links know the way back to


class Trail(NamedTuple):
    """The way to a page: how many entries those before it have, and where each but the first of them begins."""

    seen: int = 0  # not known on a later page
    back: tuple[tuple[int, str], ...] = ()  # `seen` and the cursor

    @classmethod
    def of(cls, seen: int, back: str) -> Self:
        """Read it from the parameters of a link."""
        pages = (it.partition(":") for it in back.split(",") if it)
        return cls(seen, tuple((int(n), cursor) for n, _, cursor in pages))

    def query(self, cursor: str) -> dict[str, str]:
        """Return the parameters of a link to the page that begins at the cursor, at the end of this way."""
        back = ",".join(f"{n}:{before}" for n, before in self.back[-_KEPT:])
        return {"cursor": cursor, "seen": str(self.seen or ""), "back": back}


@dataclass(frozen=True, slots=True)
class EntriesView:
    """Holds a page of entries, and where the others are."""

    entries: Sequence[Feedback]
    found: MatchCount | None  # None if not counted
    total: int  # without any filter but whose verdicts they are
    searched_to: int | None  # where the search stopped; `older` continues it
    first: int | None  # the number of the first entry; None if not known, or without entries
    newest: str | None
    newer: str | None
    older: str | None

    @property
    def none_yet(self) -> bool:
        """Return whether nothing is found in what was searched, and there is more to search."""
        return self.found is not None and not (self.found.whole or self.found.n)

    @property
    def range(self) -> str:
        """Return which entries these are, such as 26 to 50; empty if not known."""
        if self.first is None:
            return ""
        last = self.first + len(self.entries) - 1
        return f"{self.first:,}" if last == self.first else f"{self.first:,}\u2013{last:,}"


def entries_view(
    chosen: Selection, page: Page, found: MatchCount | None, total: int, *, cursor: str, trail: Trail
) -> EntriesView:
    """Return the view of the page that begins at the `cursor` (empty: the first), to which the `trail` leads.

    Its neighbours are pages of `/feedback/entries`, wherever this one is shown.
    """

    def link(way: Trail, to: str) -> str:
        return chosen.href(_PATH, **way.query(to)) + "#entries"

    newer = None
    if trail.back:
        newer = link(Trail(trail.back[-1][0], trail.back[:-1]), trail.back[-1][1])
    elif cursor and 0 < trail.seen <= ENTRIES:  # the second page
        newer = link(Trail(), "")
    known = bool(trail.seen) or not cursor  # where this page is
    if found is not None and found.whole:  # else entries of the pages before are gone, or the link is of other filters
        known = known and trail.seen + len(page.feedback) <= found.n
    behind = Trail(
        trail.seen + len(page.feedback) if known else 0, (*trail.back, (trail.seen, cursor)) if cursor else ()
    )
    return EntriesView(
        entries=page.feedback,
        found=found,
        total=total,
        searched_to=page.searched_to,
        first=trail.seen + 1 if page.feedback and known else None,
        newest=link(Trail(), "") if cursor and (trail.back or not newer) else None,
        newer=newer,
        older=link(behind, page.next) if page.next else None,
    )
