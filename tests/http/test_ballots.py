"""POST /feedback/ab and GET /feedback/ab."""

import itertools
import json
import re
import uuid
from typing import Any

import httpx
import pytest

from tests.attack.test_nasty import ODD
from tests.http.comparing import A, B, ab_values, client, compare, compared, comparing, prefer, session
from tests.http.conftest import ENVIRONMENT
from tests.support.model_scripts import TOKENS
from tests.support.model_server import FakeModelServer
from tests.support.scraping import scrape
from tests.support.server import Server, running_server

__all__ = ["client", "comparing"]  # fixtures
pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_vote_reveals_the_prompts_and_counts_the_winner(client: httpx.AsyncClient) -> None:
    own = session()
    comparison_id = await compared(client, **own)
    answer = await prefer(client, comparison_id, "a", **own)
    assert answer.keys() == {
        "status",
        "comparison_id",
        "preference",
        "winning_prompt",
        "prompt_mapping",
        "prompts",
        "models",
    }
    assert sorted(answer["prompt_mapping"].values()) == ["prompt", "prompt_b"]
    assert answer["winning_prompt"] == answer["prompt_mapping"]["a"]
    texts = {"prompt": A, "prompt_b": B}
    for side, variant in answer["prompt_mapping"].items():
        assert answer["prompts"][side]["text"] == texts[variant]
    found = (await client.get("/feedback/ab")).json()
    entry = found["entries"][0]
    assert (entry["id"], entry["preference"]) == (comparison_id, "a")
    assert entry["winning_prompt"] == answer["winning_prompt"]
    assert entry["input_text"] == "A long text."
    assert entry["response_a"] == entry["response_b"] == "".join(TOKENS)


async def test_a_ballot_can_be_repeated_and_changed_and_is_still_one(client: httpx.AsyncClient) -> None:
    own = session()
    comparison_id = await compared(client, **own)
    before = (await client.get("/feedback/ab")).json()
    await prefer(client, comparison_id, "a", **own)
    await prefer(client, comparison_id, "a", **own)
    changed = await prefer(client, comparison_id, "b", comment="clearer", **own)
    after = (await client.get("/feedback/ab")).json()
    assert after["total"] == before["total"] + 1
    assert own["session_id"] not in str(after)  # with it anybody could change the ballot
    assert changed["winning_prompt"] == changed["prompt_mapping"]["b"]
    assert after["entries"][0]["comment"] == "clearer"


async def test_the_older_pages_body_names_the_comparison_by_its_mapping(client: httpx.AsyncClient) -> None:
    config = (await compare(client))[0]
    body = {
        "prompt_mapping": config["mapping"],
        "preference": "b",
        "input_text": "A long text.",
        "response_a": "one",
        "response_b": "two",
        "feature": "summarize",
    }
    response = await client.post("/feedback/ab", json=body)
    assert response.status_code == 200, response.text
    assert response.json()["comparison_id"] == config["comparison_id"]


async def test_a_mapping_that_was_changed_is_refused(client: httpx.AsyncClient) -> None:
    first, second = (await compare(client))[0], (await compare(client))[0]
    for mapping in (
        {},
        {"a": first["mapping"]["a"]},
        {"a": first["mapping"]["b"], "b": first["mapping"]["a"]},
        {"a": first["mapping"]["a"], "b": second["mapping"]["b"]},
        {"a": "prompt", "b": "prompt_b"},
    ):
        response = await client.post("/feedback/ab", json={"prompt_mapping": mapping, "preference": "a"})
        assert response.status_code == 422
        assert "`prompt_mapping` must be" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"preference": "a"}, "`comparison_id` is missing"),
        ({"comparison_id": "cmp_x"}, "`preference` is missing."),
        ({"comparison_id": "cmp_x", "preference": "prompt_b"}, "`preference` should be"),
        ({"comparison_id": "cmp_x", "preference": "a", "winning_prompt": "prompt"}, "`winning_prompt` is not a field"),
        ({"comparison_id": "cmp_x", "preference": "both_bad", "reasons": ["nope"]}, "`reasons` may hold"),
    ],
)
async def test_a_wrong_ballot_is_refused_with_a_sentence(
    client: httpx.AsyncClient, body: dict[str, Any], sentence: str
) -> None:
    response = await client.post("/feedback/ab", json=body)
    assert response.status_code == 422
    assert sentence in response.json()["detail"]


async def test_an_unknown_comparison_and_somebody_elses_are_refused(client: httpx.AsyncClient) -> None:
    unknown = await client.post("/feedback/ab", json={"comparison_id": "cmp_" + 32 * "0", "preference": "a"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "comparison_not_found")
    comparison_id = await compared(client, **session())
    for other in (session(), {"user_id": "somebody"}, {}):
        response = await client.post("/feedback/ab", json={"comparison_id": comparison_id, "preference": "a", **other})
        assert (response.status_code, response.json()["code"]) == (403, "comparison_foreign")
        assert "prompt_mapping" not in response.json()


async def test_a_comparison_expires(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    env = {**ENVIRONMENT, "CANOPY_BALLOT_WINDOW_SECONDS": "0.000001"}
    async with (
        running_server(tmp_path_factory.mktemp("late"), ab_values(model), env=env) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        comparison_id = await compared(client)
        response = await client.post("/feedback/ab", json={"comparison_id": comparison_id, "preference": "a"})
        assert (response.status_code, response.json()["code"]) == (410, "comparison_expired")


async def test_a_vote_on_one_side_alone_waits_for_the_ballot(client: httpx.AsyncClient) -> None:
    own = session()
    config, *rest, _ = await compare(client, text=f"text {uuid.uuid4()}", **own)
    side = next(event for event in rest if "generation_id" in event)
    vote = {"generation_id": side["generation_id"], "rating": "thumbs_up", **own}
    refused = await client.post("/feedback", json=vote)
    assert (refused.status_code, refused.json()["code"]) == (422, "still_blind")
    await prefer(client, config["comparison_id"], "tie", **own)
    assert (await client.post("/feedback", json=vote)).status_code == 200


async def test_a_change_after_the_reveal_is_counted_as_a_ballot_and_not_in_the_statistics(
    client: httpx.AsyncClient,
) -> None:
    own = session()
    comparison_id = await compared(client, **own)
    first = (await prefer(client, comparison_id, "a", **own))["winning_prompt"]
    before = (await client.get("/feedback/ab")).json()["statistics"]
    await prefer(client, comparison_id, "b", **own)
    after = (await client.get("/feedback/ab")).json()
    assert after["statistics"]["wins_b"] == before["wins_b"]
    assert after["entries"][0]["winning_prompt"] != first


async def test_both_bad_becomes_an_evaluation_candidate_with_its_reasons(client: httpx.AsyncClient) -> None:
    text, own = f"text {uuid.uuid4()}", session()
    comparison_id = await compared(client, text=text, **own)
    answer = await prefer(client, comparison_id, "both_bad", reasons=["inaccurate"], comment="made up", **own)
    assert answer["winning_prompt"] is None
    assert text in (await client.get("/feedback/export")).text
    found = (await client.get("/feedback", params={"q": text})).json()["feedback"]
    assert [entry["rating"] for entry in found] == ["both_bad", "both_bad"]
    assert {entry["prompt"] for entry in found} == {A, B}
    assert all((entry["reasons"], entry["comment"]) == (["inaccurate"], "made up") for entry in found)
    overview = (await client.get("/feedback", headers={"accept": "text/html"})).text
    assert re.search(r"[1-9]\d* of the entries are no vote on one response: the ballot found both bad", overview)
    await prefer(client, comparison_id, "a", **own)
    assert text not in (await client.get("/feedback/export")).text


async def test_a_change_begins_another_experiment_and_the_newest_is_shown(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model.scripts.clear()
    async with (
        running_server(tmp_path_factory.mktemp("next"), ab_values(model), env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        none = (await client.get("/feedback/ab")).json()
        assert (none["total"], none["experiment"], none["statistics"], none["entries"]) == (0, None, None, [])
        own = session()
        await prefer(client, await compared(client, **own), "a", **own)
        await prefer(client, await compared(client, **own), "b", **own)
        first = (await client.get("/feedback/ab")).json()
        assert (first["total"], first["statistics"]["voters"], first["statistics"]["n"]) == (2, 1, 1)
        assert first["decision"]["status"] == "collecting"
        assert first["experiment"]["rule"] == {"alpha": 0.05, "prior": 10.0, "delta": 0.05, "n_max": 2000}

        server.write_values(ab_values(model, summarize={"temperature": 0.1}))
        await server.event("config_reloaded")
        await prefer(client, await compared(client, **own), "tie", **own)
        second = (await client.get("/feedback/ab")).json()
        assert second["experiment"]["id"] != first["experiment"]["id"]
        assert (second["total"], second["ties"], second["statistics"]["ties"]) == (3, 1, 1)
        assert [it["id"] for it in second["experiments"]] == [second["experiment"]["id"], first["experiment"]["id"]]
        old = (await client.get("/feedback/ab", params={"experiment": first["experiment"]["id"]})).json()
        assert (old["total"], old["statistics"]) == (2, first["statistics"])
        unknown = await client.get("/feedback/ab", params={"experiment": "exp_none"})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "experiment_not_found")


async def test_the_page_tells_the_experiments_of_several_features_apart(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two features compare at once; then the one that the values add loses its Prompt B, and is removed."""
    model.scripts.clear()
    added = {"title": "German into English", "prompt": "T:", "prompt_b": "U:"}
    async with (
        running_server(
            tmp_path_factory.mktemp("several"), ab_values(model, features={"de-en": added}), env=ENVIRONMENT
        ) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):

        async def page(path: str = "/feedback", **params: str) -> str:
            """Its words: tags left out, white space as one space."""
            answer = await client.get(path, params=params, headers={"accept": "text/html"})
            assert answer.status_code == 200, answer.text
            return " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())

        assert "on the page “German into English”" in await page(feature="de-en")
        for feature in ("summarize", "de-en"):
            body = {"prompt": "A text.", "stream": False, **session()}
            comparison = (await client.post(f"/{feature}/ab", json=body)).json()
            await prefer(client, comparison["comparison_id"], "a", session_id=body["session_id"])
        both = await page("/experiments")
        assert "German into English, begun" in both
        assert "Summarization, begun" in both
        assert "Undecided" not in both
        ids = {it["feature"]: it["id"] for it in (await client.get("/experiments")).json()["experiments"]}
        assert "German into English, the present experiment" in await page(f"/experiments/{ids['de-en']}")
        assert "Summarization, the present experiment" in await page(f"/experiments/{ids['summarize']}")
        for name in ("summarize", "summarization"):
            assert "German into English, begun" not in await page("/experiments", feature=name)

        texts = {"input_text": "A text.", "response_text": "Its translation."}
        voted = await client.post("/feedback", json={**texts, "feature": "de-en", "rating": "thumbs_up"})
        entry = voted.json()["feedback_id"]
        assert "Feature German into English" in await page(feature="de-en")
        whole = await client.get(f"/feedback/{entry}", headers={"accept": "text/html"})
        assert "<dd>German into English</dd>" in whole.text

        server.write_values(ab_values(model, features={"de-en": {**added, "prompt_b": ""}}))
        await server.event("config_reloaded")
        assert "a prompt in features.de-en.prompt_b as well" in await page(f"/experiments/{ids['de-en']}")
        server.write_values(ab_values(model))
        await server.event("config_reloaded", 2)
        assert "De en, the present experiment" in await page(f"/experiments/{ids['de-en']}")


async def test_nasty_values_in_a_ballot_on_a_real_comparison_are_no_error_of_the_server(
    client: httpx.AsyncClient,
) -> None:
    body = {"comparison_id": await compared(client), "preference": "both_bad", "comment": "c", "reasons": []}
    for key, value in itertools.product(body, ODD):
        content = json.dumps({**body, key: value}).encode()
        response = await client.post("/feedback/ab", content=content, headers={"content-type": "application/json"})
        assert response.status_code in {200, 404, 422}, (key, value, response.text)


async def test_ballots_page_by_cursor(client: httpx.AsyncClient) -> None:
    ids = []
    for _ in range(3):
        own = session()
        ids.append(await compared(client, **own))
        await prefer(client, ids[-1], "tie", **own)
    found: list[str] = []
    cursor = None
    while len(found) < 3:
        page = (await client.get("/feedback/ab", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        found += [entry["id"] for entry in page["entries"]]
        cursor = page["next"]
    assert found[:3] == ids[::-1]


async def test_a_ballot_is_logged_and_counted_by_the_winning_prompt(
    comparing: Server, client: httpx.AsyncClient
) -> None:
    own = session()
    comparison_id = await compared(client, **own)
    answer = await prefer(client, comparison_id, "b", **own)
    line = (await comparing.event("ab_preference_submitted"))[-1]
    assert line["comparison_id"] == comparison_id
    winner = answer["prompts"]["b"]["id"]
    assert (line["preference"], line["winning_prompt_id"]) == ("b", winner)
    assert not any(text in str(line) for text in ("A long text.", "".join(TOKENS), A, B))
    metrics = await scrape(client)
    labels = f'feature="summarize",prompt_id="{winner}",winner="{answer["winning_prompt"]}"'
    assert re.search(rf"^canopy_ab_preferences_total{{{re.escape(labels)}}} [1-9]", metrics, re.MULTILINE)
