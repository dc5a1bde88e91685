"""Votes: what they are about, what they replace, and how retries are told."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from canopy.base.errors import (
    AmbiguousRequestId,
    GenerationNotFound,
    IdempotencyConflict,
    InputError,
    RateLimited,
    TooManyVoters,
)
from canopy.base.ratings import Rating
from canopy.store.feedback.query import Feedback, Filter
from canopy.store.feedback.vote import Receipt
from canopy.store.store import Store
from canopy.store.tables import idempotency_keys
from tests.contract.store.records import DOWN, HOUR, Clock, a_generation, a_vote, everything, on_texts


async def test_a_generation_comes_back_as_it_was(store: Store) -> None:
    plain = a_generation()
    chat = a_generation(
        status="failed",
        error_code="model_timeout",
        session_id="s",
        user_id="u",
        messages=[{"role": "user", "content": "Warum? 🌱"}],
        finish_reason=None,
        time_to_first_token=None,
        input_tokens=None,
        output_tokens=None,
        response_text="",
    )
    await store.generations.record(plain)
    await store.generations.record(chat)
    assert await store.generations.get(plain.id) == plain
    assert await store.generations.get(chat.id) == chat
    assert await store.generations.get("gen_unknown") is None


async def test_recording_a_generation_again_changes_nothing(store: Store) -> None:
    generation = a_generation()
    await store.generations.record(generation)
    await store.generations.record(replace(generation, response_text="Something else."))
    assert await store.generations.get(generation.id) == generation


async def test_prompts_are_kept_by_their_id(store: Store) -> None:
    await store.generations.record(a_generation(prompt_id="one", prompt_text="First."))
    await store.generations.record(a_generation(prompt_id="two", prompt_text="Second."))
    assert await store.generations.prompt_texts(["one", "two", "three"]) == {"one": "First.", "two": "Second."}
    assert await store.generations.prompt_texts([]) == {}


@pytest.mark.parametrize("status", ["completed", "cancelled"])
async def test_a_vote_on_a_generation_knows_what_produced_it(store: Store, status: str) -> None:
    generation = a_generation(status=status)
    await store.generations.record(generation)
    receipt = await store.feedback.record(
        a_vote(generation, voter="v", user_id="u", session_id="s", comment="Good", reasons=("short", "clear"))
    )
    (entry,) = await everything(store)
    assert receipt == Receipt(
        feedback_id=entry.id,
        outcome="created",
        timestamp=entry.timestamp,
        feature="summarize",
        kind="thumbs",
        value="thumbs_up",
        sentiment=1,
        input_length=len(generation.input_text),
        response_length=len(generation.response_text),
        generation_id=generation.id,
        trace_id=generation.trace_id,
        prompt_id=generation.prompt_id,
        model=generation.model,
        config_revision=generation.config_revision,
    )
    assert entry == Feedback(
        id=receipt.feedback_id,
        timestamp=receipt.timestamp,
        created_at=receipt.timestamp,
        name="user_satisfaction",
        kind="thumbs",
        value="thumbs_up",
        sentiment=1,
        feature="summarize",
        source="HUMAN",
        source_id=None,
        comment="Good",
        reasons=["short", "clear"],
        user_id="u",
        session_id="s",
        input_text=generation.input_text,
        response_text=generation.response_text,
        config_revision=generation.config_revision,
        generation_id=generation.id,
        trace_id=generation.trace_id,
        prompt_id=generation.prompt_id,
        prompt_text=generation.prompt_text,
        model=generation.model,
        parameters=generation.parameters,
        messages=None,
        duration=generation.duration,
        time_to_first_token=generation.time_to_first_token,
        input_tokens=generation.input_tokens,
        output_tokens=generation.output_tokens,
        input_length=len(generation.input_text),
        response_length=len(generation.response_text),
        suggestion=None,
    )


async def test_a_vote_on_texts_that_nobody_recorded_keeps_them(store: Store) -> None:
    receipt = await store.feedback.record(on_texts("Text ä", "Summary", source="CODE", source_id="linter"))
    (entry,) = await everything(store)
    assert (entry.input_text, entry.response_text, entry.feature) == ("Text ä", "Summary", "summarize")
    assert (entry.source, entry.source_id, entry.config_revision) == ("CODE", "linter", "revision-2")
    assert (receipt.input_length, receipt.response_length) == (6, 7)
    assert entry.generation_id is entry.prompt_id is entry.model is entry.prompt_text is entry.trace_id is None
    assert receipt.generation_id is receipt.prompt_id is receipt.model is receipt.trace_id is None


async def test_a_vote_on_texts_finds_the_one_generation_that_they_came_from(store: Store) -> None:
    generation = a_generation(input_text="Text", response_text="Summary")
    await store.generations.record(generation)
    await store.generations.record(a_generation(input_text="Text", response_text="Another"))
    receipt = await store.feedback.record(on_texts("Text", "Summary", feature=None))
    assert (receipt.generation_id, receipt.trace_id) == (generation.id, generation.trace_id)
    assert (receipt.prompt_id, receipt.model, receipt.feature) == (generation.prompt_id, generation.model, "summarize")


async def test_a_vote_on_texts_that_several_generations_share_names_none(store: Store) -> None:
    for _ in range(2):
        await store.generations.record(a_generation(input_text="Text", response_text="Summary"))
    receipt = await store.feedback.record(on_texts("Text", "Summary"))
    assert receipt.generation_id is receipt.prompt_id is receipt.model is None


async def test_the_border_between_two_texts_matters(store: Store) -> None:
    await store.generations.record(a_generation(input_text="ab", response_text="c"))
    receipt = await store.feedback.record(on_texts("a", "bc"))
    assert receipt.generation_id is None


async def test_a_vote_on_unknown_texts_needs_a_feature(store: Store) -> None:
    with pytest.raises(InputError, match="`feature`"):
        await store.feedback.record(on_texts(feature=None))


async def test_a_vote_on_an_unknown_generation_is_refused(store: Store) -> None:
    with pytest.raises(GenerationNotFound, match="generation_id"):
        await store.feedback.record(a_vote(generation_id="gen_unknown", voter="v"))
    with pytest.raises(GenerationNotFound, match="request_id"):
        await store.feedback.record(a_vote(request_id="f" * 32, voter="v"))
    assert await everything(store) == []


async def test_a_vote_for_another_feature_than_the_generations_is_refused(store: Store) -> None:
    generation = a_generation(feature="summarize")
    await store.generations.record(generation)
    with pytest.raises(InputError, match="`summarize`"):
        await store.feedback.record(a_vote(generation, voter="v", feature="translate"))
    assert (await store.feedback.record(a_vote(generation, voter="v", feature="summarize"))).feature == "summarize"


async def test_a_request_id_finds_its_generation(store: Store) -> None:
    generation = a_generation()
    await store.generations.record(generation)
    receipt = await store.feedback.record(a_vote(request_id=generation.trace_id, voter="v"))
    assert receipt.generation_id == generation.id
    again = await store.feedback.record(a_vote(generation, voter="v"))
    assert (again.outcome, again.feedback_id) == ("replaced", receipt.feedback_id)


async def test_a_request_id_of_several_generations_needs_whose_it_is(store: Store) -> None:
    mine = a_generation(trace_id="a" * 32, session_id="mine", user_id="me")
    await store.generations.record(mine)
    await store.generations.record(replace(mine, id="gen_other", session_id="other", user_id="you"))
    await store.generations.record(replace(mine, id="gen_third", session_id="other", user_id=None))
    by_session = await store.feedback.record(a_vote(request_id="a" * 32, session_id="mine", voter="v"))
    by_user = await store.feedback.record(a_vote(request_id="a" * 32, user_id="me", voter="v"))
    assert by_session.generation_id == by_user.generation_id == mine.id
    with pytest.raises(AmbiguousRequestId, match="generation_id"):
        await store.feedback.record(a_vote(request_id="a" * 32, session_id="other", voter="v"))
    with pytest.raises(AmbiguousRequestId):
        await store.feedback.record(a_vote(request_id="a" * 32, voter="v"))


async def test_a_second_vote_replaces_the_first(store: Store) -> None:
    generation = a_generation()
    await store.generations.record(generation)
    first = await store.feedback.record(a_vote(generation, voter="v", comment="Good", reasons=("clear",)))
    second = await store.feedback.record(a_vote(generation, voter="v", **DOWN))
    (entry,) = await everything(store)
    assert (first.outcome, second.outcome) == ("created", "replaced")
    assert first.feedback_id == second.feedback_id == entry.id
    assert (entry.created_at, entry.timestamp) == (first.timestamp, second.timestamp)
    assert second.timestamp > first.timestamp
    assert (entry.value, entry.sentiment, entry.comment, entry.reasons) == ("thumbs_down", -1, None, [])


async def test_voters_names_and_subjects_are_kept_apart(store: Store) -> None:
    one, two = a_generation(), a_generation(input_text="Another text.")
    await store.generations.record(one)
    await store.generations.record(two)
    votes = [
        a_vote(one, voter="v"),
        a_vote(one, voter="w"),
        a_vote(two, voter="v"),
        a_vote(one, voter="v", name="accuracy", kind="label", value="accurate"),
        on_texts(voter="v"),
    ]
    receipts = [await store.feedback.record(vote) for vote in votes]
    assert [receipt.outcome for receipt in receipts] == ["created"] * len(votes)
    assert len({receipt.feedback_id for receipt in receipts}) == len(votes)


async def test_an_anonymous_vote_replaces_nothing(store: Store) -> None:
    outcomes = [(await store.feedback.record(on_texts())).outcome for _ in range(3)]
    assert outcomes == ["created"] * 3
    assert await store.feedback.count(Filter()) == 3


async def test_a_response_is_the_same_by_its_id_and_by_its_texts(store: Store) -> None:
    generation = a_generation()
    await store.generations.record(generation)
    by_texts = on_texts(generation.input_text, generation.response_text)
    for voter in ("v", None):
        first = await store.feedback.record(a_vote(generation, voter=voter))
        again = await store.feedback.record(by_texts._replace(voter=voter, value="thumbs_down", sentiment=-1))
        assert (again.outcome, again.feedback_id) == ("replaced", first.feedback_id)
        assert again.former == Rating("thumbs", "thumbs_up", 1)
    assert await store.feedback.count(Filter()) == 2


async def test_texts_of_several_responses_are_those_of_the_voters_own(store: Store) -> None:
    for session in ("mine", "yours"):
        await store.generations.record(a_generation(id=f"gen_{session}", session_id=session))
    by_texts = on_texts("A long text.", "A summary.")
    mine = await store.feedback.record(by_texts._replace(voter="session:mine", session_id="mine"))
    assert mine.generation_id == "gen_mine"
    assert (await store.feedback.record(by_texts)).generation_id is None


async def test_a_response_takes_votes_of_so_many_who_prove_nothing_and_of_whoever_asked(store: Store) -> None:
    generation = a_generation(session_id="asked")
    await store.generations.record(generation)

    async def vote(session: str, most: int | None = 3, **fields: Any) -> Receipt:
        voter = f"session:{session}"
        return await store.feedback.record(
            a_vote(generation, voter=voter, session_id=session, voters_per_response=most, **fields)
        )

    for session in ("one", "two", "three"):
        assert (await vote(session)).outcome == "created"
    together = await asyncio.gather(*(vote(f"more-{n}") for n in range(20)), return_exceptions=True)
    assert all(isinstance(outcome, TooManyVoters) for outcome in together)
    assert (await vote("two", **DOWN)).outcome == "replaced"
    assert (await vote("asked")).outcome == "created"
    assert (await vote("known", most=None)).outcome == "created"
    assert await store.feedback.count(Filter()) == 5


async def test_those_who_vote_at_once_are_counted_together(store: Store) -> None:
    generation = a_generation()
    await store.generations.record(generation)
    votes = [
        a_vote(generation, voter=f"session:{n}", session_id=str(n), voters_per_response=4, name=name)
        for n in range(30)
        for name in ("user_satisfaction", "tone")
    ]
    outcomes = await asyncio.gather(*map(store.feedback.record, votes), return_exceptions=True)
    assert sum(isinstance(outcome, Receipt) for outcome in outcomes) == 8
    assert sum(isinstance(outcome, TooManyVoters) for outcome in outcomes) == 52


async def test_a_vote_on_unknown_texts_can_be_refused_and_one_on_known_texts_is_not(store: Store) -> None:
    await store.generations.record(a_generation())
    refusal = RateLimited("Enough of these.")
    assert (await store.feedback.record(on_texts("A long text.", "A summary.", error_if_unknown=refusal))).generation_id
    with pytest.raises(RateLimited):
        await store.feedback.record(on_texts(error_if_unknown=refusal))
    assert await store.feedback.count(Filter()) == 1


async def test_a_retry_is_recognised_by_its_key(store: Store) -> None:
    vote = on_texts(voter="v", idempotency_key="key", body_digest=b"one")
    first = await store.feedback.record(vote)
    again = await store.feedback.record(vote)
    assert again == first._replace(outcome="repeated")
    assert await store.feedback.count(Filter()) == 1


async def test_a_retry_is_recognised_after_the_vote_was_replaced_or_taken_back(store: Store) -> None:
    vote = on_texts(voter="v", idempotency_key="key", body_digest=b"one")
    first = await store.feedback.record(vote)
    await store.feedback.record(on_texts(voter="v", **DOWN))
    assert await store.feedback.record(vote) == first._replace(outcome="repeated")
    (entry,) = await everything(store)
    assert entry.value == "thumbs_down"
    await store.feedback.retract(first.feedback_id)
    assert await store.feedback.record(vote) == first._replace(outcome="repeated")
    assert await everything(store) == []


async def test_a_key_with_another_body_is_refused(store: Store) -> None:
    await store.feedback.record(on_texts(idempotency_key="key", body_digest=b"one"))
    with pytest.raises(IdempotencyConflict):
        await store.feedback.record(on_texts(idempotency_key="key", body_digest=b"two", **DOWN))
    assert await store.feedback.count(Filter()) == 1


async def test_keys_belong_to_their_voter(store: Store) -> None:
    for voter in ("v", "w", None):
        receipt = await store.feedback.record(
            on_texts(voter=voter, idempotency_key="key", body_digest=str(voter).encode())
        )
        assert receipt.outcome == "created"


async def test_a_key_that_was_refused_can_be_used(store: Store) -> None:
    with pytest.raises(GenerationNotFound):
        await store.feedback.record(a_vote(generation_id="gen_x", voter="v", idempotency_key="key", body_digest=b"one"))
    receipt = await store.feedback.record(on_texts(voter="v", idempotency_key="key", body_digest=b"two"))
    assert receipt.outcome == "created"


async def test_a_key_is_forgotten_after_a_day(store: Store, clock: Clock) -> None:
    await store.feedback.record(on_texts(idempotency_key="key", body_digest=b"one"))
    clock.now += 24 * HOUR
    receipt = await store.feedback.record(on_texts(idempotency_key="key", body_digest=b"two"))
    assert receipt.outcome == "created"


async def test_keys_are_deleted_after_a_day(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("canopy.store.feedback.votes._PURGE_INTERVAL", 0.0)
    for hours, key in ((0, "old"), (20, "young"), (5, "new")):
        clock.now += hours * HOUR
        await store.feedback.record(on_texts(idempotency_key=key, body_digest=key.encode()))
    with store.executor.database.reader.connect() as conn:
        kept = {bytes.fromhex(digest) for digest in conn.scalars(select(idempotency_keys.c.body_digest))}
    assert kept == {b"young", b"new"}
