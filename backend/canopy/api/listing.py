"""One page of feedback with what stands beside it: judges' labels and people's votes on the same responses."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from canopy.api.filters import PageQuery
from canopy.store.base import Filter, Page, Store
from canopy.store.labels import JudgeLabel, PersonVote


class Listing(NamedTuple):
    """A page. `total` is None in the order of the worst, where to count would be to look at everything."""

    page: Page
    total: int | None
    labels: Mapping[str, Sequence[JudgeLabel]]  # by generation
    votes: Mapping[str, Sequence[PersonVote]]


async def listing(store: Store, where: Filter, query: PageQuery, limit: int) -> Listing:
    """Read it. Raises InputError for a cursor that is none, and StoreError."""
    if query.order == "worst":
        page, total = await store.worst(where, limit, query.cursor), None
    else:
        page, total = await store.page(where, limit, query.cursor), await store.count(where)
    ids = list(dict.fromkeys(it.generation_id for it in page.feedback if it.generation_id is not None))
    if not ids:
        return Listing(page, total, {}, {})
    return Listing(page, total, await store.judge_labels(ids), await store.person_votes(ids))
