"""View models of the pages of prompt versions: the list of them, and one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from canopy.config.features import Feature
from canopy.feedback.statistics import Tally
from canopy.store.feedback.query import Feedback, MatchCount
from canopy.ui.filter_links import address
from canopy.ui.satisfaction_chart import Chart
from canopy.ui.version_comparison import VersionComparison
from canopy.ui.version_list import ORDERS, ListedVersion, VersionKey, VersionOrder, versions_address


class OrderLink(NamedTuple):
    """Links to the list in another order: `direction` is how it is ordered by this now, as `aria-sort` has it."""

    label: str
    href: str
    direction: Literal["ascending", "descending"] | None


@dataclass(frozen=True, slots=True)
class VersionListView:
    """Shows versions in an order. `filters` are by their parameters' names, empty where not set."""

    versions: Sequence[ListedVersion]
    hidden: int
    filters: Mapping[str, str]
    filtered: bool
    order: VersionOrder
    reverse: bool
    links: Mapping[VersionOrder, OrderLink]
    chosen: Sequence[str]  # to be compared
    compared: VersionComparison | None
    features: Sequence[tuple[str, str]]  # names and titles to choose from; empty where there is one


def version_list_view(
    shown: Sequence[ListedVersion],
    *,
    hidden: int,
    filters: Mapping[str, str],
    order: VersionOrder,
    reverse: bool,
    chosen: Sequence[str],
    compared: VersionComparison | None,
    features: Mapping[str, Feature],
) -> VersionListView:
    """Return the view of the list; `hidden` is how many more there are."""
    links: dict[VersionOrder, OrderLink] = {}
    for name, label in ORDERS.items():
        turned = name == order and not reverse
        href = versions_address(**filters, sort=name, reverse="true" if turned else "", compare=chosen)
        direction: Literal["ascending", "descending"] = "ascending" if reverse else "descending"
        links[name] = OrderLink(label, href, direction if name == order else None)
    names = dict.fromkeys(it.flag for it in features.values())
    options = [(name, features[name].title) for name in names]
    return VersionListView(
        versions=shown,
        hidden=hidden,
        filters=filters,
        filtered=any(filters.values()),
        order=order,
        reverse=reverse,
        links=links,
        chosen=chosen,
        compared=compared,
        features=options if len(options) > 1 or filters["feature"] else [],
    )


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Shows a prompt's text with each model that it had, its satisfaction over time, and the newest votes on it."""

    prompt_id: str
    href: str
    text: str | None
    versions: Sequence[ListedVersion]
    tally: Tally
    chart: Chart | None
    newest: Sequence[Feedback]
    found: MatchCount | None  # as Entries lists them; None if not counted
    entries_href: str
    bad_href: str
    compare_href: str | None  # side by side with what its feature answers with now


def version_page(
    versions: Sequence[ListedVersion],
    chart: Chart | None,
    newest: Sequence[Feedback],
    found: MatchCount | None,
    current: VersionKey | None,
) -> VersionPage:
    """Return the view of the versions of one text; `current` is what to compare them with."""
    first = versions[0]
    entries = {"prompt_id": first.key.prompt_id}
    tally = Tally()
    for it in versions:
        tally.positive += it.tally.positive
        tally.neutral += it.tally.neutral
        tally.negative += it.tally.negative
    same = current is None or any(it.key == current for it in versions)
    return VersionPage(
        prompt_id=first.key.prompt_id,
        href=first.href,
        text=first.text,
        versions=versions,
        tally=tally,
        chart=chart,
        newest=newest,
        found=found,
        entries_href=address("/feedback/entries", entries),
        bad_href=address("/feedback/entries", {**entries, "rating": "negative"}),
        compare_href=None if same else f"{versions_address(compare=[str(current), str(first.key)])}#side-by-side",
    )
