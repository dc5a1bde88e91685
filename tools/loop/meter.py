"""Pictures of votes in text, at most 80 columns wide."""

import math
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from rich.live import Live
from rich.text import Text

from canopy.cli.console import Console

_BAR = 44  # columns
_EVERY = 10  # people between two lines, where there is no terminal


class Meter:
    """Shows a decision as it grows: redrawn in place on a terminal, a line now and then where there is none."""

    def __init__(self) -> None:
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, found: dict[str, Any]) -> None:
        """Show what a server says of an experiment."""
        if self._live:
            self._live.update(picture(found), refresh=True)
        elif found["statistics"]["voters"] % _EVERY == 0 or found["decision"]["status"] != "collecting":
            self._console.print(sentence(found))


def sentence(found: dict[str, Any]) -> str:
    """One line about an experiment."""
    it = found["statistics"]
    return (
        f"{it['voters']:>3} people: A {it['wins_a']}, B {it['wins_b']}; the evidence that B is better is "
        f"{it['e_b']:.3g} of {_needed(found):g}"
    )


def picture(found: dict[str, Any]) -> Text:
    """The choices and the evidence as bars; the evidence multiplies, so its bar is of logarithms."""
    it, needed = found["statistics"], _needed(found)
    most = max(it["wins_a"], it["wins_b"], 32)
    share = min(max(math.log(max(it["e_b"], 1)) / math.log(needed), 0), 1)
    rows = (
        ("prefer A", it["wins_a"] / most, f"{it['wins_a']}", "yellow"),
        ("prefer B", it["wins_b"] / most, f"{it['wins_b']}", "cyan"),
        ("evidence for B", share, f"{it['e_b']:.3g} of {needed:g}", "green" if share >= 1 else "magenta"),
    )
    lines = Text()
    for label, filled, note, colour in rows:
        lines.append(f"  {label:<14}  ").append(_bar(filled), colour).append(f"  {note}\n")
    voters = it["voters"]
    return lines.append(f"  {voters} {'person has' if voters == 1 else 'people have'} chosen")


def satisfaction_bars(rows: Sequence[tuple[str, float, int]]) -> list[Text]:
    """One bar for each label, share of good votes and number of votes."""
    return [
        Text(f"  {label:<14}  ").append(_bar(share), "green").append(f"  {share:.0%} of {votes} votes are good")
        for label, share, votes in rows
    ]


def _needed(found: dict[str, Any]) -> float:
    """The evidence with which an experiment decides; both directions share the risk."""
    return float(2 / found["experiment"]["rule"]["alpha"])


def _bar(share: float) -> str:
    full = round(share * _BAR)
    return "█" * full + "·" * (_BAR - full)
