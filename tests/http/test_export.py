"""GET /feedback/export: bad answers as evaluation tests."""

import httpx
import pytest
import yaml

from tests.http.conftest import entries, lab_vote, vote

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_export_has_one_test_per_distinct_prompt_and_is_byte_stable(empty: httpx.AsyncClient) -> None:
    for text in ("one", "two", "one"):
        await vote(empty, lab_vote(input_text=text, rating="thumbs_down"))
    await vote(empty, lab_vote(input_text="three", rating=1))
    await vote(empty, lab_vote(input_text="liked", rating="thumbs_up"))
    first = await empty.get("/feedback/export")
    again = await empty.get("/feedback/export")
    assert first.content == again.content
    assert 'filename="feedback-eval-dataset.yaml"' in first.headers["content-disposition"]
    dataset = yaml.safe_load(first.content)
    assert list(dataset) == ["name", "description", "endpoint", "scoring_params", "tests"]
    assert dataset["scoring_params"]["llm-as-judge::base"]["judge_model"] == "llama32"
    assert dataset["tests"] == [{"prompt": text, "expected_result": ""} for text in ("one", "two", "three")]
    chosen = yaml.safe_load((await empty.get("/feedback/export", params={"rating": 1})).content)
    assert [test["prompt"] for test in chosen["tests"]] == ["three"]


async def test_an_export_without_bad_answers_is_still_a_dataset(empty: httpx.AsyncClient) -> None:
    assert yaml.safe_load((await empty.get("/feedback/export")).content)["tests"] == []


async def test_every_character_that_can_be_stored_survives_vote_and_export(empty: httpx.AsyncClient) -> None:
    text = "".join(map(chr, range(1, 0x250))) + "\u2028\u2029\ufeff\ufffe\uffff👩‍👩‍👧‍👦\n---\n\ttab\r\n\x85"
    await vote(empty, lab_vote(input_text=text))
    assert (await entries(empty))[0]["input_text"] == text
    assert yaml.safe_load((await empty.get("/feedback/export")).content)["tests"][0]["prompt"] == text


async def test_the_export_takes_the_filters_of_the_list(empty: httpx.AsyncClient) -> None:
    await vote(empty, lab_vote(input_text="one", rating="thumbs_down", reasons=["too_long"]))
    await vote(empty, lab_vote(input_text="two", rating=2, comment="Why?"))
    await vote(empty, lab_vote(input_text="one", rating=1, session_id="another"))

    async def texts(**query: str) -> list[str]:
        answer = await empty.get("/feedback/export", params=query)
        assert answer.status_code == 200, answer.text
        return [test["prompt"] for test in yaml.safe_load(answer.content)["tests"]]

    assert await texts() == ["one", "two"]
    assert await texts(reason="too_long") == ["one"]
    assert await texts(comment="with") == ["two"]
    assert await texts(score="1-2") == ["two", "one"]
    assert await texts(model="another") == []
    assert await texts(label="hallucination_detected") == []
