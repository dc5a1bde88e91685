"""What became of the comparisons: experiments, counts, first ballots, pages of ballots."""

from dataclasses import replace

import pytest

from canopy.base.errors import AmbiguousRequestId, InputError, StillBlind
from canopy.store.experiments.experiment import BallotCounts, FirstBallots, Preference
from canopy.store.feedback.hourly_counts import DAY
from canopy.store.feedback.query import Filter
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.earlier import downgrade
from tests.contract.store.records import HOUR, NOON, Clock, a_ballot, a_comparison, a_vote, an_experiment, on_texts

PREFERENCES: list[Preference] = ["a", "b", "tie", "both_bad"]
NOTHING = BallotCounts(0, 0, 0, 0, 0, 0)


async def test_the_experiment_that_was_used_last_comes_first(store: Store) -> None:
    experiments = [
        an_experiment(id=f"exp_{i}", created_at=NOON + i, prompt_b_id=f"sha256:{i}", prompt_b_text=f"Prompt {i}.")
        for i in range(3)
    ]
    for i, used in enumerate((0, 1, 2, 0)):
        await a_comparison(store, experiment=experiments[used], created_at=NOON + i)
    assert await store.experiments.all() == [experiments[i] for i in (0, 2, 1)]


async def test_a_change_after_the_reveal_changes_the_ballot_and_not_the_statistics(store: Store) -> None:
    comparison = await a_comparison(store, user_id="ada")
    await store.comparisons.record_ballot(a_ballot(comparison, "a"))
    await store.comparisons.record_ballot(a_ballot(comparison, "b"))
    counts = await store.experiments.ballot_counts(None)
    assert (counts.wins_prompt, counts.wins_prompt_b) == (0, 1)
    assert [(it.preference, it.winner) for it in await store.experiments.first_ballots(an_experiment().id)] == [
        ("a", "prompt")
    ]


async def test_a_vote_on_one_side_waits_for_the_ballot(store: Store) -> None:
    comparison = await a_comparison(store, input_text="A blind text.")
    side = await store.generations.get(comparison.generation_a)
    assert side
    for refused in (a_vote(side, voter="v"), a_vote(None, generation_id=None, request_id=side.trace_id, voter="v")):
        with pytest.raises((StillBlind, AmbiguousRequestId)):
            await store.feedback.record(refused)
    by_texts = await store.feedback.record(on_texts(side.input_text, side.response_text, voter="v"))
    assert (by_texts.generation_id, by_texts.prompt_id) == (None, None)
    await store.comparisons.record_ballot(a_ballot(comparison, "tie"))
    assert (await store.feedback.record(a_vote(side, voter="v"))).generation_id == side.id


async def test_the_first_ballot_of_each_voter_counts(store: Store) -> None:
    voters = [{"user_id": "ada"}, {"session_id": "s"}, {}, {"user_id": "s"}]
    comparisons = [await a_comparison(store, **voters[i % 4]) for i in range(12)]
    elsewhere = await a_comparison(store, user_id="ada", experiment=an_experiment(id="exp_other"))
    preferences: list[Preference] = ["a", "b", "tie", "both_bad"]
    await store.comparisons.record_ballot(a_ballot(elsewhere, "b"))
    # The newest comparison of each voter is voted on first.
    receipts = [
        await store.comparisons.record_ballot(a_ballot(comparison, preferences[i % 3]))
        for i, comparison in enumerate(reversed(comparisons))
    ]
    firsts = await store.experiments.first_ballots(an_experiment().id)
    assert firsts == [(it.comparison_id, it.timestamp, it.preference, it.winner) for it in receipts[:4]]
    assert await store.experiments.first_ballots("exp_unknown") == []
    assert [it.comparison_id for it in await store.experiments.first_ballots("exp_other")] == [elsewhere.id]


async def test_everybody_without_a_name_is_one_voter(store: Store) -> None:
    comparisons = [await a_comparison(store) for _ in range(5)]
    for comparison in comparisons:
        await store.comparisons.record_ballot(a_ballot(comparison, "b"))
    assert [it.comparison_id for it in await store.experiments.first_ballots(an_experiment().id)] == [comparisons[0].id]
    assert (await store.experiments.ballot_counts(None)).ballots == 5


async def test_counts_are_of_one_experiment_or_of_all(store: Store) -> None:
    cast: dict[str, list[Preference]] = {"exp_one": ["a", "b", "b"], "exp_two": ["tie", "both_bad"]}
    for name, preferences in cast.items():
        experiment = an_experiment(id=name, model=f"model of {name}", prompt_b_id=f"sha256:{name}")
        for preference in preferences:
            comparison = await a_comparison(store, experiment=experiment)
            await store.comparisons.record_ballot(a_ballot(comparison, preference))
        await a_comparison(store, experiment=experiment, prompt_b_side="a")
    assert await store.experiments.ballot_counts("exp_one") == BallotCounts(3, 1, 2, 0, 0, 0)
    assert await store.experiments.ballot_counts("exp_two") == BallotCounts(2, 0, 0, 1, 1, 0)
    assert await store.experiments.ballot_counts(None) == BallotCounts(5, 1, 2, 1, 1, 0)
    count = store.experiments.ballot_counts
    assert (await count(None, prompt_id=an_experiment().prompt_id)).ballots == 5
    assert (await count(None, prompt_id="sha256:exp_one")).ballots == 3
    assert (await count(None, model="model of exp_two")).ballots == 2
    assert (await count(None, prompt_id="sha256:exp_one", model="model of exp_two")).ballots == 0


@pytest.mark.parametrize("experiment_id", [None, "exp_one"])
async def test_pages_follow_each_other_without_gaps(store: Store, clock: Clock, experiment_id: str | None) -> None:
    comparisons = [
        await a_comparison(store, experiment=an_experiment(id="exp_one" if i % 3 else "exp_two")) for i in range(10)
    ]
    for comparison in comparisons:
        clock.now = NOON + 5_000_000  # all at the same time: the ids decide
        await store.comparisons.record_ballot(a_ballot(comparison))
    wanted = [it.id for it in reversed(comparisons) if experiment_id in (None, it.experiment.id)]
    found: list[str] = []
    cursor = None
    while True:
        page = await store.experiments.ballots(experiment_id, 4, cursor)
        found += [entry.comparison_id for entry in page.entries]
        cursor = page.next
        if cursor is None:
            break
        assert len(page.entries) == 4
    assert found == wanted
    assert (await store.experiments.ballots(experiment_id, len(wanted), None)).next is None


async def test_a_ballot_that_comes_while_someone_reads_shifts_nothing(store: Store) -> None:
    comparisons = [await a_comparison(store) for _ in range(4)]
    for comparison in comparisons[:3]:
        await store.comparisons.record_ballot(a_ballot(comparison))
    page = await store.experiments.ballots(None, 2, None)
    await store.comparisons.record_ballot(a_ballot(comparisons[3]))
    rest = await store.experiments.ballots(None, 2, page.next)
    assert [entry.comparison_id for entry in rest.entries] == [comparisons[0].id]


async def test_only_a_cursor_of_ballots_is_taken(store: Store) -> None:
    comparisons = [await a_comparison(store) for _ in range(2)]
    for comparison in comparisons:
        await store.comparisons.record_ballot(a_ballot(comparison, "both_bad"))
    of_feedback = (await store.feedback.page(Filter(), 1, None)).next
    of_ballots = (await store.experiments.ballots(None, 1, None)).next
    assert of_feedback is not None
    assert of_ballots is not None
    for cursor in ("", "nonsense", of_feedback, of_ballots + "A", of_ballots[:-1], "ü"):
        with pytest.raises(InputError, match="cursor"):
            await store.experiments.ballots(None, 1, cursor)
    with pytest.raises(InputError, match="cursor"):
        await store.feedback.page(Filter(), 1, of_ballots)


async def test_what_an_earlier_version_stored_is_counted_by_the_migration(new_url: str) -> None:
    store = open_store(new_url, clock=Clock())
    await store.start()
    for number in range(12):
        comparison = await a_comparison(store, user_id=f"u{number % 5}", prompt_b_side="ab"[number % 2])
        await store.comparisons.record_ballot(a_ballot(comparison, PREFERENCES[number % 4]))
        if number % 3 == 0:
            await store.comparisons.record_ballot(a_ballot(comparison, "tie", comment="Changed."))
    await a_comparison(store)
    before = await _counted(store)
    await store.close()
    downgrade(new_url, "0018")
    store = open_store(new_url)
    await store.start()
    assert await _counted(store) == before
    await store.close()


async def _counted(store: Store) -> tuple[object, ...]:
    with store.executor.database.reader.connect() as conn:
        rows = conn.exec_driver_sql("SELECT * FROM ballot_counts ORDER BY 1, 2, 3, 4, 5").all()
        firsts = conn.exec_driver_sql("SELECT id, counted, counted_at, first_at FROM comparisons ORDER BY id").all()
    return [tuple(row) for row in rows], [tuple(row) for row in firsts]


async def test_the_course_of_many_first_ballots_goes_on_by_the_day_and_ends_by_the_hour(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("canopy.store.experiments.experiments._SINGLE", 3)
    for number in range(10):
        clock.now += {5: HOUR, 7: 20 * DAY, 9: HOUR}.get(number, 0)
        comparison = await a_comparison(store, user_id=f"u{number}", expires_at=NOON + 99 * DAY)
        await store.comparisons.record_ballot(a_ballot(comparison, "a" if number % 2 else "b"))
    found = await store.experiments.first_ballot_counts(an_experiment().id)
    exact = FirstBallots.of(await store.experiments.first_ballots(an_experiment().id))
    assert replace(found, course=[]) == replace(exact, course=[])
    assert found.course[:3] == exact.course[:3]
    assert [(it.wins_a, it.wins_b) for it in found.course[3:]] == [(3, 4), (4, 5), (5, 5)]
    ends = [NOON - NOON % DAY + DAY, NOON + 20 * DAY + 2 * HOUR, NOON + 20 * DAY + 3 * HOUR]
    assert [it.timestamp for it in found.course[3:]] == [end - 1 for end in ends]
    assert (await store.experiments.ballot_counts(None)).ballots == 10


async def test_ballots_are_counted_within_hours_and_of_each_experiment(store: Store, clock: Clock) -> None:
    for number, name in enumerate(("exp_one", "exp_two", "exp_one")):
        experiment = an_experiment(id=name, feature="translate" if name == "exp_two" else "summarize")
        comparison = await a_comparison(store, experiment=experiment, expires_at=NOON + 99 * HOUR)
        await store.comparisons.record_ballot(a_ballot(comparison, "b" if number else "a"))
        clock.now += HOUR
    assert (await store.experiments.ballot_counts(None, since=NOON + HOUR)).ballots == 2
    assert (await store.experiments.ballot_counts(None, until=NOON + 2 * HOUR)).ballots == 2
    assert (await store.experiments.ballot_counts(None, "summarize", NOON + HOUR, None)).ballots == 1
    each = await store.experiments.ballot_counts_by_experiment()
    assert {name: (every.ballots, first.ballots) for name, (every, first) in each.items()} == {
        "exp_one": (2, 1),
        "exp_two": (1, 1),
    }
