"""Taking votes back, retention and erasure: what must be gone, and what must stay."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from canopy.base.errors import InputError
from canopy.store.deletion import DeletedCounts
from canopy.store.feedback.query import Filter
from canopy.store.opening import open_store
from canopy.store.store import Store
from canopy.store.tables import metadata
from tests.contract.store.records import (
    DOWN,
    HOUR,
    NOON,
    Clock,
    a_ballot,
    a_comparison,
    a_generation,
    a_vote,
    an_experiment,
    everything,
    on_texts,
)


async def test_a_vote_that_is_taken_back_is_gone_everywhere(store: Store) -> None:
    generation = a_generation()
    await store.generations.record(generation)
    kept = await store.feedback.record(a_vote(generation, voter="v"))
    gone = await store.feedback.record(a_vote(generation, voter="w", **DOWN))
    receipt = await store.feedback.retract(gone.feedback_id)
    assert receipt is not None
    assert (receipt.outcome, receipt.feedback_id, receipt.value) == ("deleted", gone.feedback_id, "thumbs_down")
    assert (receipt.trace_id, receipt.prompt_id, receipt.model) == (gone.trace_id, gone.prompt_id, gone.model)
    assert [entry.id for entry in (await store.feedback.page(Filter(), 10, None)).feedback] == [kept.feedback_id]
    assert [(count.value, count.n) for count in await store.feedback.counts(Filter())] == [("thumbs_up", 1)]
    assert await store.feedback.retract(gone.feedback_id) is None
    for nobodys in ("fb_unknown", "fb_\0"):  # PostgreSQL takes no query with a NUL
        assert await store.feedback.get(nobodys) is None
        assert await store.feedback.retract(nobodys) is None


async def test_a_voter_can_vote_again_after_taking_a_vote_back(store: Store) -> None:
    first = await store.feedback.record(on_texts(voter="v"))
    await store.feedback.retract(first.feedback_id)
    second = await store.feedback.record(on_texts(voter="v"))
    assert (second.outcome, second.feedback_id != first.feedback_id) == ("created", True)


async def test_retention_deletes_what_is_older_and_keeps_the_rest(store: Store, clock: Clock) -> None:
    old = a_generation(created_at=NOON - 3 * HOUR, prompt_id="old", prompt_text="Old.")
    new = a_generation(created_at=NOON + 3 * HOUR, prompt_id="new", prompt_text="New.")
    await store.generations.record(old)
    await store.generations.record(new)
    clock.now = NOON - 2 * HOUR
    await store.feedback.record(on_texts("old text", voter="v"))
    await store.feedback.record(on_texts("changed text", voter="v", idempotency_key="old", body_digest=b"1"))
    clock.now = NOON + 2 * HOUR
    await store.feedback.record(a_vote(old, voter="v"))  # a new vote on an old generation
    await store.feedback.record(on_texts("changed text", voter="v", **DOWN))
    clock.now = NOON + 4 * HOUR
    await store.feedback.record(a_vote(new, voter="v"))

    assert await store.deletion.prune(NOON) == DeletedCounts(generations=1, feedback=2, comparisons=0)
    left = (await store.feedback.page(Filter(), 10, None)).feedback
    assert [entry.input_text for entry in left] == [new.input_text, "changed text"]
    assert await store.generations.get(old.id) is None
    assert await store.generations.get(new.id) == new
    assert await store.generations.prompt_texts(["old", "new"]) == {"new": "New."}
    assert sum(count.n for count in await store.feedback.counts(Filter())) == await store.feedback.count(Filter()) == 2
    assert await store.deletion.prune(NOON) == DeletedCounts(0, 0, 0)


async def test_retention_forgets_old_keys(store: Store, clock: Clock) -> None:
    await store.feedback.record(on_texts(idempotency_key="key", body_digest=b"one"))
    await store.deletion.prune(clock.now + 1)
    assert (await store.feedback.record(on_texts(idempotency_key="key", body_digest=b"two"))).outcome == "created"


async def test_retention_goes_on_until_nothing_old_is_left(store: Store, clock: Clock) -> None:
    popular, other = a_generation(), a_generation()
    await store.generations.record(popular)
    await store.generations.record(other)
    for i in range(300):
        await store.generations.record(a_generation(id=f"gen_{i}"))
    await asyncio.gather(*(store.feedback.record(a_vote(popular, voter=f"v{i}")) for i in range(600)))
    votes = [store.feedback.record(a_vote(other, voter=f"w{i}")) for i in range(100)]
    erased, *_ = await asyncio.gather(store.deletion.prune(clock.now + HOUR), *votes, return_exceptions=True)
    assert isinstance(erased, DeletedCounts)
    assert erased.generations == 302
    assert erased.feedback >= 600
    assert await store.feedback.counts(Filter()) == []
    assert await store.feedback.count(Filter()) == 0


async def test_votes_go_on_after_their_labels_were_pruned(store: Store, clock: Clock) -> None:
    await store.feedback.record(on_texts())
    await store.deletion.prune(clock.now + 1)
    assert (await store.feedback.record(on_texts())).outcome == "created"
    assert [count.n for count in await store.feedback.counts(Filter())] == [1]


async def test_erasure_takes_all_of_a_user_and_nothing_else(store: Store) -> None:
    mine = a_generation(user_id="me", prompt_id="mine", prompt_text="Mine.")
    yours = a_generation(user_id="you")
    await store.generations.record(mine)
    await store.generations.record(yours)
    await store.feedback.record(a_vote(mine, voter="me", user_id="me"))
    await store.feedback.record(a_vote(mine, voter="you", user_id="you"))  # on what is mine
    await store.feedback.record(a_vote(yours, voter="me", user_id="me"))  # by me
    kept = await store.feedback.record(a_vote(yours, voter="you", user_id="you"))
    assert await store.deletion.erase(user_id="me") == DeletedCounts(generations=1, feedback=3, comparisons=0)
    assert [entry.id for entry in (await store.feedback.page(Filter(), 10, None)).feedback] == [kept.feedback_id]
    assert await store.generations.get(mine.id) is None
    assert await store.generations.get(yours.id) == yours
    assert await store.generations.prompt_texts(["mine"]) == {}
    assert [count.n for count in await store.feedback.counts(Filter())] == [1]


async def test_votes_keep_their_rating_after_another_process_erased(store: Store, store_url: str) -> None:
    await store.feedback.record(on_texts("first", voter="zoe"))
    await store.feedback.record(on_texts("second", voter="me", user_id="me", **DOWN))
    command = open_store(store_url)
    await command.start()
    await command.deletion.erase(user_id="me")
    await command.close()
    await store.feedback.record(on_texts("third", voter="ben", kind="score", value="5", sentiment=1))
    await store.feedback.record(on_texts("fourth", voter="cem", **DOWN))
    page = await store.feedback.page(Filter(), 10, None)
    assert {entry.input_text: entry.value for entry in page.feedback} == {
        "first": "thumbs_up",
        "third": "5",
        "fourth": "thumbs_down",
    }
    assert {count.value: count.n for count in await store.feedback.counts(Filter())} == {
        "thumbs_up": 1,
        "5": 1,
        "thumbs_down": 1,
    }


async def test_erasure_takes_all_of_a_session(store: Store) -> None:
    generation = a_generation(session_id="mine")
    await store.generations.record(generation)
    await store.feedback.record(on_texts(session_id="mine", voter="s", idempotency_key="key", body_digest=b"one"))
    await store.feedback.record(on_texts(session_id="other", voter="t"))
    assert await store.deletion.erase(session_id="mine") == DeletedCounts(generations=1, feedback=1, comparisons=0)
    assert await store.deletion.erase(session_id="mine") == DeletedCounts(0, 0, 0)
    assert await store.feedback.count(Filter()) == 1
    # Not even a retry is remembered.
    again = await store.feedback.record(on_texts(voter="s", idempotency_key="key", body_digest=b"two"))
    assert again.outcome == "created"


async def test_retention_takes_old_comparisons_with_their_ballots(store: Store) -> None:
    past = an_experiment(id="exp_old", prompt_b_id="old", prompt_b_text="Old.")
    old = [await a_comparison(store, created_at=NOON - HOUR, experiment=past) for _ in range(2)]
    new = await a_comparison(store, created_at=NOON + HOUR)
    await store.comparisons.record_ballot(a_ballot(old[0], "both_bad"))  # now, on what is old
    await store.comparisons.record_ballot(a_ballot(new, "both_bad"))
    assert await store.deletion.prune(NOON) == DeletedCounts(generations=4, feedback=2, comparisons=2)
    assert await store.experiments.all() == [new.experiment]
    assert await store.generations.prompt_texts(["old", "sha256:two"]) == {"sha256:two": "Be brief."}
    assert [it.comparison_id for it in (await store.experiments.ballots(None, 10, None)).entries] == [new.id]
    assert {entry.generation_id for entry in await everything(store)} == {new.generation_a, new.generation_b}
    assert await store.deletion.prune(NOON) == DeletedCounts(0, 0, 0)


async def test_an_experiment_keeps_the_prompts_that_no_generation_names(store: Store) -> None:
    generation = a_generation(created_at=NOON, prompt_id="other", prompt_text="Other.")
    await store.generations.record(generation)
    comparison = await a_comparison(store, created_at=NOON + HOUR)
    assert await store.deletion.prune(NOON + 1) == DeletedCounts(1, 0, 0)
    await store.comparisons.record(
        replace(
            comparison,
            id="cmp_later",
            experiment=an_experiment(id="exp_later", prompt_id="third", prompt_text="Third."),
        )
    )
    await store.deletion.prune(NOON + 1)
    assert await store.generations.prompt_texts(["other", "third"]) == {"third": "Third."}
    assert len(await store.experiments.all()) == 2


async def test_a_comparison_goes_with_the_first_of_its_generations(store: Store) -> None:
    """The feedback of "both bad" goes with it: half a ballot is none."""
    comparison = await a_comparison(store, created_at=NOON + HOUR)
    old = [a_generation(created_at=NOON - HOUR) for _ in range(2)]
    for generation in old:
        await store.generations.record(generation)
    for half_old in (
        replace(comparison, id="cmp_left", generation_a=old[0].id),
        replace(comparison, id="cmp_right", generation_b=old[1].id),
    ):
        await store.comparisons.record(half_old)
        await store.comparisons.record_ballot(a_ballot(half_old, "both_bad"))
    assert await store.deletion.prune(NOON) == DeletedCounts(generations=2, feedback=4, comparisons=2)
    assert await store.generations.get(comparison.generation_a) is not None
    assert (await store.comparisons.record_ballot(a_ballot(comparison, "a"))).outcome == "created"
    assert await store.feedback.counts(Filter()) == []


async def test_retention_goes_on_until_no_old_comparison_is_left(store: Store, clock: Clock) -> None:
    comparison = await a_comparison(store)
    copies = [replace(comparison, id=f"cmp_{i}", user_id=f"u{i % 7}") for i in range(300)]
    await asyncio.gather(*(store.comparisons.record(copy) for copy in copies))
    await asyncio.gather(*(store.comparisons.record_ballot(a_ballot(copy, "both_bad")) for copy in copies))
    assert await store.deletion.prune(clock.now + HOUR) == DeletedCounts(generations=2, feedback=600, comparisons=301)
    assert await store.experiments.all() == []
    assert await store.feedback.counts(Filter()) == []


async def test_erasure_takes_the_comparisons_and_the_ballots_of_a_user(store: Store) -> None:
    mine = await a_comparison(store, user_id="me", session_id="s")
    yours = await a_comparison(store, user_id="you")
    by_me = await a_comparison(store, session_id="s")  # asked before I said who I am
    nobodys = await a_comparison(store)
    for comparison in (mine, by_me, nobodys):
        await store.comparisons.record_ballot(a_ballot(comparison, "both_bad", user_id="me", session_id="s"))
    await store.comparisons.record_ballot(a_ballot(yours, "both_bad"))
    assert await store.deletion.erase(user_id="me") == DeletedCounts(generations=2, feedback=6, comparisons=3)
    assert [it.comparison_id for it in (await store.experiments.ballots(None, 10, None)).entries] == [yours.id]
    assert {entry.user_id for entry in await everything(store)} == {"you"}
    assert await store.generations.get(by_me.generation_a) is not None  # the session's, whoever that is
    assert await store.deletion.erase(session_id="s") == DeletedCounts(generations=2, feedback=0, comparisons=0)


async def test_erasure_takes_the_comparisons_and_the_ballots_of_a_session(store: Store) -> None:
    asked = await a_comparison(store, session_id="mine", user_id="me")
    voted = await a_comparison(store, user_id="me")
    kept = await a_comparison(store, session_id="another", user_id="me")
    await store.comparisons.record_ballot(a_ballot(asked, "both_bad"))
    await store.comparisons.record_ballot(a_ballot(voted, "both_bad", session_id="mine"))
    await store.comparisons.record_ballot(a_ballot(kept, "both_bad"))
    assert await store.deletion.erase(session_id="mine") == DeletedCounts(generations=2, feedback=4, comparisons=2)
    assert [it.comparison_id for it in (await store.experiments.ballots(None, 10, None)).entries] == [kept.id]
    assert len(await everything(store)) == 2
    assert await store.deletion.erase(session_id="mine") == DeletedCounts(0, 0, 0)


async def test_erasure_wants_to_know_whose(store: Store) -> None:
    with pytest.raises(InputError):
        await store.deletion.erase()


async def test_no_byte_of_an_erased_text_is_left_in_the_files(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/canopy.db")
    await store.start()
    secret = "Zanzibar-4711 "
    generation = a_generation(user_id="me", input_text=secret * 2_000, response_text=secret)
    await store.generations.record(generation)
    await store.generations.record(a_generation(user_id="you", input_text="An ordinary text."))
    await store.feedback.record(a_vote(generation, voter="me", user_id="me", comment=secret))
    await store.feedback.record(a_vote(generation, voter="me", user_id="me", comment="short"))
    await store.feedback.record(on_texts(secret, secret * 100, voter="me", user_id="me"))
    comparison = await a_comparison(store, user_id="me", input_text=secret)
    await store.comparisons.record_ballot(a_ballot(comparison, "both_bad", comment=secret * 50, reasons=(secret,)))
    await store.comparisons.record_ballot(a_ballot(comparison, "tie", comment="short"))
    await store.comparisons.record_ballot(a_ballot(comparison, "tie", comment=secret))

    def traces() -> int:
        return sum(path.read_bytes().count(b"Zanzibar-4711") for path in tmp_path.iterdir())

    assert traces() > 0
    await store.deletion.erase(user_id="me")
    assert traces() == 0
    await store.close()
    assert traces() == 0


async def test_no_row_refers_to_what_was_erased(store: Store, store_url: str) -> None:
    generation = a_generation(user_id="me")
    await store.generations.record(generation)
    await store.feedback.record(a_vote(generation, voter="me", user_id="me", idempotency_key="k", body_digest=b"1"))
    comparison = await a_comparison(store, user_id="me")
    await store.comparisons.record_ballot(a_ballot(comparison, "both_bad"))
    await store.deletion.erase(user_id="me")
    engine = create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as conn:
        # Of the two, one row is the schema's, and the others say how many answers there were, but not whose.
        for table in metadata.tables.keys() - {"schema_floor", "generation_counts"}:
            assert conn.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0, table  # noqa: S608  # names from the schema
    engine.dispose()
