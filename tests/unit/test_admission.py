"""Places at the model: whose turn it is, and that none is ever lost."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from canopy.auth.requesters import Requester
from canopy.base.errors import Overloaded, RateLimited
from canopy.generation.admission import Admission
from canopy.telemetry import Metrics

ANA, BEN, CEM = (Requester(f"user:{name}", True) for name in ("ana", "ben", "cem"))
ROUTER = Requester("address:192.0.2.1", False)


class Hall:
    """An admission, and who was let in, in order; everybody stays until let go."""

    def __init__(self, limit: int, queue: int, timeout: float = 60, per_requester: int | None = None) -> None:
        self.admission = Admission(limit, queue, timeout, Metrics(), per_requester)
        self.order: list[str] = []

    async def visit(self, requester: Requester, leave: asyncio.Event, wanted: int = 1) -> None:
        async with self.admission.places(requester, wanted):
            self.order.append(requester.key[5:8])
            await leave.wait()

    @asynccontextmanager
    async def visitors(self, *who: tuple[Requester, int]) -> AsyncGenerator[list[asyncio.Task[None]]]:
        leave = asyncio.Event()
        tasks = [asyncio.create_task(self.visit(requester, leave, wanted)) for requester, wanted in who]
        await asyncio.sleep(0)
        yield tasks
        leave.set()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_those_who_wait_take_turns_by_person() -> None:
    hall = Hall(1, 16)
    async with hall.visitors((ANA, 1), *[(BEN, 1)] * 4, (CEM, 1), (CEM, 1)):
        pass
    assert hall.order == ["ana", "ben", "cem", "ben", "cem", "ben", "ben"]


async def test_one_person_holds_a_share_and_the_others_the_rest() -> None:
    hall = Hall(8, 8)
    async with hall.visitors(*[(ANA, 1)] * 4, *[(BEN, 1)] * 2):
        assert sorted(hall.order) == ["ana", "ana", "ben", "ben"]
        with pytest.raises(RateLimited, match="2 answers under way and 2 waiting"):
            async with hall.admission.places(ANA):
                pass
    # Many people may be behind one router's address: there nobody is held to one person's share.
    async with hall.visitors(*[(ROUTER, 1)] * 8):
        assert len(hall.order) == 6 + 8


async def test_a_comparison_takes_both_places_or_none_and_is_not_overtaken_for_ever() -> None:
    hall = Hall(2, 8)
    leave_first, leave_rest = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(hall.visit(ANA, leave_first))
    await asyncio.sleep(0)
    tasks = [
        asyncio.create_task(hall.visit(requester, leave_rest, wanted)) for requester, wanted in ((BEN, 2), (CEM, 1))
    ]
    await asyncio.sleep(0)
    assert hall.order == ["ana"]  # the free place is the comparison's
    leave_first.set()
    await first
    await asyncio.sleep(0)
    assert hall.order == ["ana", "ben"]
    leave_rest.set()
    await asyncio.gather(*tasks)
    assert hall.order == ["ana", "ben", "cem"]


async def test_a_full_queue_and_a_long_wait_say_which_bound_it_was() -> None:
    hall = Hall(2, 2, timeout=0.01)
    async with hall.visitors((ANA, 1), (BEN, 1)):
        with pytest.raises(Overloaded, match="All places"):
            async with hall.admission.places(CEM):
                pass
    async with hall.visitors((ANA, 2)):
        with pytest.raises(RateLimited, match="2 answers under way"):
            async with hall.admission.places(ANA):
                pass
    hall = Hall(1, 0)
    async with hall.visitors((ANA, 1)):
        with pytest.raises(Overloaded, match="Too many"):
            async with hall.admission.places(BEN):
                pass


async def test_no_place_is_lost_by_those_who_leave_at_any_moment() -> None:
    hall = Hall(3, 100, per_requester=2)
    leave = asyncio.Event()
    leave.set()
    for turn in range(300):
        tasks = [asyncio.create_task(hall.visit((ANA, BEN, CEM, ROUTER)[n % 4], leave, 1 + n % 2)) for n in range(8)]
        for _ in range(turn % 5):
            await asyncio.sleep(0)
        for number, task in enumerate(tasks):
            if (number + turn) % 3 == 0:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for requester, places in ((ANA, 2), (BEN, 2), (CEM, 2), (ROUTER, 3)):
        before = len(hall.order)
        async with hall.visitors(*[(requester, 1)] * places):
            assert len(hall.order) == before + places
