"""Both sides of a comparison at one pace: what is shown of one never tells how fast it came."""

import asyncio
from typing import Any, cast

from canopy.experiments.comparison_events import SideChunk, SideEvent, SideFailed, SideFinished
from canopy.experiments.equal_pace import EqualPace, Lockstep
from canopy.store.experiments.experiment import Side

END = cast(Any, None)  # a record, which nobody looks at here


def told(events: list[SideEvent]) -> list[tuple[str, str]]:
    return [(it.side, "".join(it.deltas) if isinstance(it, SideChunk) else "end") for it in events]


def test_as_much_is_shown_of_one_as_of_the_other_however_it_comes() -> None:
    pace = Lockstep()
    pace.take(SideChunk("a", ["All of it ", "at once."]))
    pace.take(SideFinished("a", END))
    assert pace.release(1) == []
    pace.take(SideChunk("b", ["A", "ll"]))
    assert told(pace.release(2)) == [("a", "All"), ("b", "All")]
    pace.take(SideChunk("b", [" of it at once, too"]))
    assert told(pace.release(3))[:2] == [("a", " of it at once."), ("b", " of it at once,")]


def test_the_rest_of_the_longer_one_goes_on_at_the_pace_of_before_whichever_is_slow() -> None:
    for slow, fast in (("a", "b"), ("b", "a")):
        pace = Lockstep()
        pace.take(SideChunk(cast(Side, fast), ["x" * 30]))
        pace.take(SideFinished(cast(Side, fast), END))
        for second in range(11):
            pace.take(SideChunk(cast(Side, slow), ["y"]))
            assert told(pace.release(second)) == [
                ("a", "x" if fast == "a" else "y"),
                ("b", "x" if fast == "b" else "y"),
            ]
        pace.take(SideFinished(cast(Side, slow), END))
        assert told(pace.release(11)) == [(slow, "end")]
        assert pace.waits
        assert told(pace.release(16)) == [(fast, "x" * 5)]  # a character a second
        assert told(pace.release(40)) == [(fast, "x" * 14), (fast, "end")]
        assert not pace.waits


def test_a_slow_short_answer_makes_nobody_wait_for_minutes() -> None:
    pace = Lockstep()
    pace.take(SideChunk("a", ["x" * 6_001]))
    pace.take(SideFinished("a", END))
    pace.take(SideChunk("b", ["y"]))
    pace.release(0)
    pace.take(SideFinished("b", END))
    pace.release(100)
    (half,) = told(pace.release(115))
    assert half == ("a", "x" * 3_000)
    assert told(pace.release(130))[-1] == ("a", "end")


def test_where_one_fails_there_is_nothing_to_hide() -> None:
    pace = Lockstep()
    pace.take(SideChunk("a", ["Some text."]))
    assert pace.release(0) == []
    failed = SideFailed("b", RuntimeError())
    pace.take(failed)
    assert pace.release(1) == [SideChunk("a", ["Some text."]), failed]
    pace.take(SideChunk("a", [" And more."]))
    assert told(pace.release(2)) == [("a", " And more.")]


async def test_everything_is_handed_on_whole_and_in_order() -> None:
    arriving: asyncio.Queue[SideEvent] = asyncio.Queue()
    sides: dict[Side, list[str]] = {"a": ["One ", "two ", "three."], "b": ["Just one."]}
    for side, texts in sides.items():
        for text in texts:
            arriving.put_nowait(SideChunk(side, [text]))
        arriving.put_nowait(SideFinished(side, END))
    pace = EqualPace(arriving)
    shown: dict[str, str] = {"a": "", "b": ""}
    ended: list[str] = []
    while len(ended) < 2:
        event = await pace.get()
        if isinstance(event, SideChunk):
            assert event.side not in ended
            shown[event.side] += "".join(event.deltas)
        else:
            ended.append(event.side)
    assert (shown, ended) == ({side: "".join(texts) for side, texts in sides.items()}, ["b", "a"])
