"""The index of the searches: it changes what a search costs, and never what it finds."""

import asyncio
import itertools
import sqlite3
from collections import defaultdict
from typing import Any

import pytest
from sqlalchemy import event

from canopy.base.errors import ScanTimeout
from canopy.store.engine import postgres
from canopy.store.engine.scans import Scans
from canopy.store.engine.search_terms import first_place, trigrams
from canopy.store.feedback import searching
from canopy.store.feedback.query import Filter
from canopy.store.feedback.searching import Searches
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.costs import endless_statement, gather_statistics, metered
from tests.contract.store.records import HOUR, NOON, Clock, a_generation, a_vote, on_texts

pytestmark = pytest.mark.long

NEEDLES = [
    "needle",
    "NEEDLE",
    'a "quoted" needle',
    "größe",
    "GRÖSSE",
    "100%",
    "_%",
    "ne",
    "🙂🙂🙂",
    "nowhere",
    "le \n",
    "x" * 200,
]


async def indexed(store: Store) -> Store:
    """The store, with every vote in its index."""
    while await store.feedback.indexer.step(64):
        pass
    return store


async def found(store: Store, where: Filter, limit: int = 7) -> list[str]:
    """The ids of what is found, page by page."""
    ids: list[str] = []
    cursor = None
    while True:
        page = await store.feedback.page(where, limit, cursor)
        ids += [entry.id for entry in page.feedback]
        if (cursor := page.next) is None:
            return ids


def _fill(store: Store, clock: Clock, amount: int, text: str = "A common text, number {number}.") -> None:
    """Votes, ten each second; the rare text is the first."""
    with store.executor.database.writer.begin() as conn:
        for start in range(0, amount, 10):
            clock.now += 1_000_000
            texts = [text.format(number=number) for number in range(start, start + 10)]
            texts[0] = "A rare zanzibar." if start == 0 else texts[0]
            store.feedback.votes.record(conn, [on_texts(text, voter=f"v{clock.now}") for text in texts])


async def test_the_index_changes_nothing_that_is_found(store: Store, clock: Clock) -> None:
    _fill(store, clock, 700)
    texts = ["A needle.", 'A "quoted" NEEDLE', "Die Größe", "GRÖSSE", "100% of it", "🙂🙂🙂🙂", "nee dle", "needle \n"]
    receipts = []
    for text in texts:
        clock.now -= 5_000_000  # among the others
        generation = a_generation(input_text=text, response_text=f"On {text}")
        await store.generations.record(generation)
        receipts.append(await store.feedback.record(a_vote(generation, voter="v", comment=f"About {text}")))
    filters = [Filter(search=needle) for needle in NEEDLES]
    filters += [Filter(search="needle", since=NOON, until=clock.now), Filter(search="number 1", feature="summarize")]
    clock.now += HOUR
    _fill(store, clock, 600)
    before = [await found(store, where) for where in filters]
    assert [len(ids) for ids in before[:3]] == [3, 3, 1]
    await indexed(store)
    assert [await found(store, where) for where in filters] == before

    # What changes and what goes is found as it is now, before and after the index knows.
    await store.feedback.record(
        a_vote(a_generation(), voter="v", generation_id=receipts[0].generation_id, comment="New!")
    )
    await store.feedback.retract(receipts[1].feedback_id)
    for _ in range(2):
        assert await found(store, Filter(search="About A needle")) == []
        assert await found(store, Filter(search="new!")) == [receipts[0].feedback_id]
        assert len(await found(store, Filter(search="needle"))) == 2
        await indexed(store)
    assert await store.feedback.count(Filter()) == 1_307


async def _filled(store: Store, clock: Clock, amount: int, text: str = "A common text, number {number}.") -> None:
    """So many more votes, in the index, and with statistics: a plan needs to know how many rows there are."""
    _fill(store, clock, amount, text)
    await indexed(store)
    if not store.description.startswith("SQLite"):  # as autovacuum does
        gather_statistics(store)


async def test_a_search_costs_the_same_however_many_votes_there_are(store: Store, clock: Clock) -> None:
    costs: defaultdict[str, list[int]] = defaultdict(list)
    for times, amount in enumerate((1_000, 4_000), 1):
        await _filled(store, clock, amount)
        for needle, found in {"zanzibar": times, "a common text": 20, "number 77": 11, "nowhere": 0}.items():
            with metered(store, store.executor.database.scanner) as cost:
                page = await store.feedback.page(Filter(search=needle), 20, None)
            assert len(page.feedback) == (20 if needle == "number 77" and times == 2 else found), needle
            costs[needle].append(cost.amount)
    assert {needle: cost for needle, cost in costs.items() if cost[1] > 1.5 * cost[0] + 20} == {}


async def test_what_is_hard_to_find_costs_the_same_and_is_found_bit_by_bit(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every vote is a candidate, but none of the newest matches; or there is nothing to ask the index for."""
    monkeypatch.setattr(searching, "_LOOKS", 4)
    monkeypatch.setattr(searching, "_WINDOW", 200)
    monkeypatch.setattr(postgres, "_BLOCK", 300)
    needles = ["between reading betw", "qz"]
    wanted = [await store.feedback.record(on_texts(f"This: {needle}!", voter="one")) for needle in needles]
    costs: defaultdict[str, list[int]] = defaultdict(list)
    pages: defaultdict[str, list[int]] = defaultdict(list)
    for amount in (1_500, 6_000):
        await _filled(store, clock, amount, "reading betw {number} g between rea {number} een reading be {number} n re")
        for needle, receipt in zip(needles, wanted, strict=True):
            with metered(store, store.executor.database.scanner) as cost:
                page = await store.feedback.page(Filter(search=needle), 20, None)
            assert page.feedback == []
            assert page.searched_to is not None
            assert await store.feedback.count(Filter(search=needle)) is None
            costs[needle].append(cost.amount)
            requests = 1
            while page.next is not None:
                before = page
                page = await store.feedback.page(Filter(search=needle), 20, page.next)
                assert page.searched_to is None or page.searched_to < (before.searched_to or 0)
                requests += 1
            assert [it.id for it in page.feedback] == [receipt.feedback_id]
            pages[needle].append(requests)
    assert {needle: cost for needle, cost in costs.items() if cost[1] > 1.5 * cost[0] + 20} == {}
    assert {needle: few_many for needle, few_many in pages.items() if few_many[1] <= 2 * few_many[0]} == {}


async def test_votes_that_come_late_are_found_in_their_block(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks end between votes; what is put in between, before all, or in place of a whole block is found as well."""
    monkeypatch.setattr(postgres, "_BLOCK", 40)
    monkeypatch.setattr(searching, "_WINDOW", 5)
    _fill(store, clock, 600)
    last = clock.now
    await indexed(store)
    late = []
    for seconds in (0, 10, 33, 100):
        clock.now = last - seconds * 1_000_000
        vote = on_texts(f"A late quagmire {seconds}", voter=f"late {seconds}")
        late.append((await store.feedback.record(vote)).feedback_id)
    await indexed(store)
    clock.now = last
    assert await found(store, Filter(search="quagmire")) == late
    assert await found(store, Filter(search="quagmire", since=last - 40_000_000, until=last - 5_000_000)) == late[1:3]
    assert await found(store, Filter(search="zanzibar")) != []
    await store.deletion.prune(last - 5_000_000)
    await indexed(store)
    assert await found(store, Filter(search="quagmire")) == late[:1]


async def test_what_a_process_before_left_to_index_is_known(store_url: str, clock: Clock) -> None:
    store = open_store(store_url, clock=clock)
    _fill(store, clock, 300)  # while nothing runs that would index them
    store.feedback.indexer.wake()
    assert (await store.feedback.indexer.waiting(), store.feedback.unindexed()) == (300, 1)
    await store.start()
    async with asyncio.timeout(60):
        while await store.feedback.indexer.waiting() or store.feedback.unindexed():
            await asyncio.sleep(0.05)
    await store.close()


async def test_what_is_erased_is_not_in_the_index(store: Store, clock: Clock, store_url: str) -> None:
    _fill(store, clock, 300)
    generation = a_generation(input_text="Zqxjv")
    await store.generations.record(generation)
    await store.feedback.record(a_vote(generation, voter="user:u", user_id="u", comment="Wkzfq"))
    await indexed(store)
    await store.deletion.erase(user_id="u")
    if store_url.startswith("sqlite"):
        with sqlite3.connect(store_url.removeprefix("sqlite:///")) as conn:
            conn.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, search, row)")
            terms = {row[0] for row in conn.execute("SELECT term FROM terms")}
            assert "zan" in terms
            assert not {"zqx", "xjv", "wkz"} & terms
            assert not any(b"qxj" in row[0] for row in conn.execute("SELECT block FROM search_data"))
        conn.close()
    else:
        with store.executor.database.reader.connect() as conn_:
            assert conn_.exec_driver_sql("SELECT count(*) FROM search").scalar() == 300


async def test_what_was_rare_until_now_is_read_a_block_at_a_time(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in the newest fifteen blocks, and every vote of those before is a candidate."""
    monkeypatch.setattr(postgres, "_BLOCK", 20)
    _fill(store, clock, 320, "reading betw {number} g between rea {number} een reading be {number} n re")
    _fill(store, clock, 300)
    await indexed(store)
    needle = trigrams("reading between")
    with store.executor.database.scanner.connect() as conn:
        places, since = store.executor.database.candidates(conn, needle, 0, first_place(clock.now + 1_000))
        most = 500 if store.description.startswith("SQLite") else 100 + 20
        assert 0 < len(places) <= most
        seen = len(places)
        while since > 0:
            places, since = store.executor.database.candidates(conn, needle, 0, since)
            seen += len(places)
        assert seen == 320 - 1  # one is the rare text's


async def test_a_search_stops_between_looks(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """When half of its time is used, whatever that was used for; what was found until then is its answer."""
    monkeypatch.setattr(searching, "_WINDOW", 50)
    _fill(store, clock, 600)
    where = Filter(label="none")
    now = itertools.count(0.0, 10.0)  # each look at the clock is ten seconds later
    scans = Scans(store.executor.database, 100, lambda: next(now))
    try:
        page = await scans.run(lambda: Searches(store.executor.database, scans).find(where, 20, None))
        assert page.ids == []
        assert page.next is not None
        last = await store.feedback.get((await store.feedback.find(Filter(), 5 * 50, None)).ids[-1])
        assert last is not None
        assert page.searched_to == last.timestamp  # the fifth look ended at half of the time
        assert await scans.run(lambda: Searches(store.executor.database, scans).count(Filter(search="co"))) == (
            250,
            False,
        )
    finally:
        scans.close()
    assert await store.feedback.count(Filter(search="co")) == 599


async def test_a_look_that_does_not_end_costs_no_more_than_itself(store_url: str, clock: Clock) -> None:
    """The looks before it are the answer; without any, there is none."""
    store = open_store(store_url, clock=clock, scan_timeout=4)  # the first look ends, on a busy machine as well
    await store.start()
    _fill(store, clock, 1_200)
    looks = itertools.count(1)
    endless_from = 2

    def replaced(conn: Any, cursor: Any, statement: str, parameters: Any, *_: object) -> tuple[str, Any]:
        del conn, cursor
        if "LIMIT" in statement and next(looks) >= endless_from:  # it finds the edge of a window
            return endless_statement(store), ()
        return statement, parameters

    event.listen(store.executor.database.scanner, "before_cursor_execute", replaced, retval=True)
    page = await store.feedback.page(Filter(search="qz"), 20, None)
    assert page.feedback == []
    assert page.searched_to is not None
    endless_from = 1
    with pytest.raises(ScanTimeout):
        await store.feedback.page(Filter(search="qz"), 20, None)
    event.remove(store.executor.database.scanner, "before_cursor_execute", replaced)
    while page.next is not None:
        page = await store.feedback.page(Filter(search="qz"), 20, page.next)
    assert page.searched_to is None
    await store.close()
