"""A generation that failed is no answer: nothing that is said of answers is said of it."""

import pytest

from canopy.base.errors import InputError
from canopy.store.store import Store
from tests.contract.store.records import a_generation, a_vote, everything, on_texts


async def test_a_failure_takes_no_vote_by_id(store: Store) -> None:
    failed = a_generation(status="failed", response_text="Half")
    side = a_generation(status="failed", response_text="")
    for each in (failed, side):
        await store.generations.record(each)
    for vote in (a_vote(failed), a_vote(request_id=failed.trace_id), a_vote(side), a_vote(request_id=side.trace_id)):
        with pytest.raises(InputError, match="This response failed"):
            await store.feedback.record(vote)
    assert await everything(store) == []


async def test_a_vote_by_texts_is_on_no_failure(store: Store) -> None:
    failed = a_generation(status="failed", response_text="Half")
    await store.generations.record(failed)
    receipt = await store.feedback.record(on_texts(failed.input_text, "Half"))
    assert (receipt.generation_id, receipt.prompt_id, receipt.model) == (None, None, None)
    answered = a_generation(response_text="Half", input_text=failed.input_text, trace_id=failed.trace_id)
    await store.generations.record(answered)
    for vote in (on_texts(failed.input_text, "Half"), a_vote(request_id=failed.trace_id)):
        assert (await store.feedback.record(vote)).generation_id == answered.id
