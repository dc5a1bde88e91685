"""Runs of judges on a real store and against a model server that answers as a script says."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from canopy.store.store import Store
from tests.support.judging import ACCURATE, JUDGE, judged, labels, responses
from tests.support.model_scripts import SCRIPTS, Script
from tests.support.model_server import FakeModelServer


@pytest.fixture
async def model() -> AsyncGenerator[FakeModelServer]:
    async with FakeModelServer() as model:
        model.scripts["judge"] = ACCURATE
        yield model


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the script that follows one with `times`."""
    monkeypatch.setitem(SCRIPTS, "answer", ACCURATE)
    return "answer"


async def test_the_model_gets_task_text_and_response(store: Store, model: FakeModelServer) -> None:
    await responses(store, 1)
    await judged(store, model)
    body = (await model.next_request()).body
    system, user = (turn["content"] for turn in body["messages"])
    assert (body["model"], body["temperature"]) == ("judge", 0)
    assert "Is it right?" in system
    assert all(text in user for text in ("Summarize the text.", "A long text.", "Summary 0."))


async def test_a_judgement_is_no_generation(store: Store, model: FakeModelServer) -> None:
    await responses(store, 2)
    before = await store.judgements.unjudged("another", "v1", 0, None, 10)
    await judged(store, model)
    assert await store.judgements.unjudged("another", "v1", 0, None, 10) == before


async def test_a_changed_judge_judges_anew_and_its_label_takes_the_place_of_the_one_before(
    store: Store, model: FakeModelServer
) -> None:
    await responses(store, 2)
    await judged(store, model)
    assert (await judged(store, model)).questions == 0
    model.scripts["judge"] = Script(tokens=('{"label": "wrong"}',))
    assert (await judged(store, model, JUDGE | {"instructions": "Every word?"})).labels == {"accuracy": {"wrong": 2}}
    assert [it.value for it in await labels(store)] == ["wrong", "wrong"]


async def test_the_budget_is_a_hard_limit_and_the_next_run_goes_on(store: Store, model: FakeModelServer) -> None:
    await responses(store, 5)
    assert (await judged(store, model, budget=3)).questions == len(model.requests) == 3
    assert (await judged(store, model, budget=3)).labels == {"accuracy": {"accurate": 2}}
    assert len(await labels(store)) == 5


async def test_judges_share_a_budget_alike(store: Store, model: FakeModelServer) -> None:
    await responses(store, 6)
    found = await judged(store, model, JUDGE, JUDGE | {"name": "quality"}, budget=6)
    assert found.labels == {"accuracy": {"accurate": 3}, "quality": {"accurate": 3}}


async def test_a_share_is_the_same_at_every_look(store: Store, model: FakeModelServer) -> None:
    await responses(store, 40)
    half = (await judged(store, model, sample=50)).questions
    assert 5 < half < 35  # 5 standard deviations
    assert (await judged(store, model, sample=50)).questions == 0
    assert (await judged(store, model, sample=100)).questions == 40 - half


async def test_an_answer_outside_the_list_is_asked_again_once_and_then_an_error_for_good(
    store: Store, model: FakeModelServer
) -> None:
    await responses(store, 2)
    model.scripts["judge"] = Script(tokens=('{"label": "brilliant"}',))
    found = await judged(store, model)
    assert (found.labels, found.failures) == ({}, {"accuracy": {"answer_unusable": 2}})
    assert found.questions == len(model.requests) == 4
    assert (await judged(store, model)).questions == 0
    assert await labels(store) == []


async def test_the_budget_counts_second_questions(store: Store, model: FakeModelServer) -> None:
    await responses(store, 4)
    model.scripts["judge"] = Script(tokens=("No idea.",))
    assert (await judged(store, model, budget=3)).questions == len(model.requests) == 3


async def test_a_second_question_finds_an_answer(store: Store, model: FakeModelServer, after: str) -> None:
    await responses(store, 1)
    model.scripts["judge"] = Script(tokens=("It is fine.",), times=1, then=after)
    assert (await judged(store, model)).labels == {"accuracy": {"accurate": 1}}
    roles = [turn["role"] for turn in model.requests[-1].body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("hang_up", "hung up without an answer"),
        ("busy_for_an_hour", "too much to do"),
        ("unauthorized", "LLAMA_STACK_CLIENT_API_KEY"),
        ("not_found", "set the judge's `model`"),
        ("broken", "failed (500)"),
        ("cut", "broke off"),
    ],
)
async def test_a_model_that_is_down_stops_the_run_and_leaves_everything_to_the_next(
    store: Store, model: FakeModelServer, script: str, sentence: str
) -> None:
    await responses(store, 20)
    model.scripts["judge"] = SCRIPTS[script]
    found = await judged(store, model)
    assert sentence in (found.error or "")
    assert found.questions == 0
    assert len(model.requests) < 6
    model.scripts["judge"] = ACCURATE
    assert (await judged(store, model)).labels == {"accuracy": {"accurate": 20}}


async def test_one_response_that_gets_no_answer_holds_nothing_up(
    store: Store, model: FakeModelServer, after: str
) -> None:
    await responses(store, 5)
    model.scripts["judge"] = Script(status=500, times=1, then=after)
    found = await judged(store, model, concurrency=1)
    assert (found.error, found.failures) == (None, {"accuracy": {"model_error": 1}})
    assert found.labels == {"accuracy": {"accurate": 4}}
    assert (await judged(store, model)).questions == 0


async def test_a_text_that_does_not_fit_and_a_reply_without_a_word_are_errors_of_their_own(
    store: Store, model: FakeModelServer
) -> None:
    await responses(store, 4)
    model.scripts["judge"] = SCRIPTS["too_long"]
    assert (await judged(store, model, JUDGE)).failures == {"accuracy": {"prompt_too_long": 4}}
    model.scripts["judge"] = SCRIPTS["empty"]
    assert (await judged(store, model, JUDGE | {"name": "tone"})).failures == {"tone": {"model_reply_empty": 4}}


async def test_two_runs_at_once_share_the_work(store: Store, model: FakeModelServer) -> None:
    await responses(store, 30)
    model.scripts["judge"] = Script(ACCURATE.tokens, first_token_after=0.01)
    both = await asyncio.gather(*(judged(store, model, concurrency=4) for _ in range(2)))
    assert sum(one.questions for one in both) == len(model.requests) == 30
    assert min(one.questions for one in both) > 0
    assert len(await labels(store)) == 30


async def test_so_many_questions_at_once_and_no_more(store: Store, model: FakeModelServer) -> None:
    await responses(store, 12)
    model.scripts["judge"] = Script(ACCURATE.tokens, first_token_after=0.05)
    await judged(store, model, concurrency=3)
    assert model.connections_made <= 3
