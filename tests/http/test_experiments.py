"""GET /experiments, one of them, and the notes on it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from canopy.experiments.decision_in_brief import DecisionInBrief
from tests.http.comparing import A, B, ab_values, client, compared, comparing, prefer, session
from tests.http.conftest import ENVIRONMENT
from tests.support.answering import Answer, Question, answering
from tests.support.docs import ROOT, code, fenced, table
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

__all__ = ["client", "comparing"]  # fixtures
pytestmark = pytest.mark.asyncio(loop_scope="session")
PUBLIC = "https://canopy.example.com"
PAGE = {"accept": "text/html"}


async def _voted(client: httpx.AsyncClient) -> str:
    """The id of the experiment that got another ballot."""
    own = session()
    await prefer(client, await compared(client, **own), "a", **own)
    found: str = (await client.get("/feedback/ab")).json()["experiment"]["id"]
    return found


async def test_the_list_and_one_say_the_same_as_the_ballots_do(client: httpx.AsyncClient) -> None:
    experiment_id = await _voted(client)
    (listed,) = (await client.get("/experiments")).json()["experiments"]
    one = (await client.get(f"/experiments/{experiment_id}")).json()
    ballots = (await client.get("/feedback/ab", params={"experiment": experiment_id})).json()
    assert listed["id"] == experiment_id
    for name in ("total", "prompt_a_wins", "prompt_b_wins", "ties", "both_bad"):
        assert listed[name] == one[name] == ballots[name]
    assert one["statistics"] == ballots["statistics"]
    assert one["decision"] == ballots["decision"]
    assert listed["sentence"] == one["decision"]["sentence"]
    assert (one["experiment"]["prompt"]["text"], one["experiment"]["prompt_b"]["text"]) == (A, B)
    assert (await client.get("/experiments", params={"feature": "summarization"})).json()["experiments"] == [listed]
    refused = await client.get("/experiments", params={"feature": "nothing"})
    assert (refused.status_code, "name of a feature" in refused.json()["detail"]) == (422, True)


async def test_the_same_addresses_are_pages(client: httpx.AsyncClient) -> None:
    experiment_id = await _voted(client)
    answer = await client.get("/experiments", headers=PAGE)
    assert answer.headers["vary"] == "Accept"
    assert f'href="/experiments/{experiment_id}"' in answer.text
    page = (await client.get(f"/experiments/{experiment_id}", headers=PAGE)).text
    assert "A/B Prompt Comparison Results" in page
    assert "the ballots as they stand now; the decision takes each person's first choice" in page
    assert f'data-copy-link="/experiments/{experiment_id}"' in page
    for address in ("/experiments/exp_0", "/experiments/exp_0/notes/note_0"):
        method = "DELETE" if "notes" in address else "GET"
        assert (await client.request(method, address)).status_code == 404


async def test_the_cost_of_both_prompts_and_the_page_are_told_to_programs(client: httpx.AsyncClient) -> None:
    address = f"/experiments/{await _voted(client)}"
    cost = (await client.get(f"{address}/cost")).json()
    one = (await client.get(address)).json()
    a, b = cost["prompt"], cost["prompt_b"]
    assert [a["prompt_id"], b["prompt_id"]] == [one["experiment"][name]["id"] for name in ("prompt", "prompt_b")]
    assert a["answers"] == b["answers"] >= one["total"] > 0
    assert b["duration_seconds"]["p95"] >= b["duration_seconds"]["median"] > 0
    assert cost["sentence"].startswith(one["decision"]["sentence"].removesuffix("."))
    drawn = (await client.get(address, headers=PAGE)).text
    assert "What it costs" in drawn
    assert f"By {a['answers']} answer" in drawn
    assert (await client.get("/experiments/exp_0/cost")).status_code == 404
    assert one["page"] is None  # 127.0.0.1 leads nobody else there
    for host, page in (("canopy.example.com", f"https://canopy.example.com{address}"), ("canopy-backend.ns.svc", None)):
        forwarded = {"x-forwarded-host": host, "x-forwarded-proto": "https"}
        assert (await client.get(address, headers=forwarded)).json()["page"] == page


async def test_a_note_is_kept_shown_and_deleted(client: httpx.AsyncClient) -> None:
    experiment_id = await _voted(client)
    address = f"/experiments/{experiment_id}/notes"
    note = (await client.post(address, json={"text": " <b>Monday</b> was a holiday.\n"})).json()
    assert (note["author"], note["text"]) == (None, "<b>Monday</b> was a holiday.")
    assert (await client.get(f"/experiments/{experiment_id}")).json()["notes"] == [note]
    page = (await client.get(f"/experiments/{experiment_id}", headers=PAGE)).text
    assert "&lt;b&gt;Monday&lt;/b&gt;" in page
    assert (await client.delete(f"{address}/{note['id']}")).json() == {"status": "ok"}
    gone = await client.delete(f"{address}/{note['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "note_not_found")
    assert (await client.get(f"/experiments/{experiment_id}")).json()["notes"] == []


@pytest.mark.parametrize("text", ["", " \n", "x" * 4_001, "a\0b", 7])
async def test_a_note_that_is_none_is_refused(client: httpx.AsyncClient, text: object) -> None:
    experiment_id = await _voted(client)
    assert (await client.post(f"/experiments/{experiment_id}/notes", json={"text": text})).status_code == 422


async def test_a_name_and_a_hypothesis_are_kept_and_begin_no_other_experiment(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model.scripts.clear()
    async with (
        running_server(tmp_path_factory.mktemp("named"), ab_values(model), env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        experiment_id = await _voted(client)
        assert (await client.get(f"/experiments/{experiment_id}")).json()["experiment"]["name"] is None
        server.write_values(ab_values(model, ab_testing={"name": "Brevity", "hypothesis": "Shorter is <better>."}))
        await server.event("config_reloaded")
        assert await _voted(client) == experiment_id
        (listed,) = (await client.get("/experiments")).json()["experiments"]
        assert (listed["name"], listed["hypothesis"], listed["total"]) == ("Brevity", "Shorter is <better>.", 2)
        page = (await client.get(f"/experiments/{experiment_id}", headers=PAGE)).text
        assert "<title>Brevity" in page
        assert "Shorter is &lt;better&gt;." in page


async def test_the_decision_has_the_fields_that_are_documented(client: httpx.AsyncClient) -> None:
    found = (await client.get(f"/experiments/{await _voted(client)}/decision")).json()
    (shown,) = fenced(ROOT / "docs/operations.md", "json")
    assert list(found) == list(json.loads(shown)) == list(DecisionInBrief.__annotations__)
    named = {name for row in table("operations.md", "field") for name in code(row["field"])}
    assert named <= found.keys()


async def test_the_current_experiment_is_the_one_of_the_values_and_its_decision_has_no_texts(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model.scripts.clear()
    async with (
        running_server(tmp_path_factory.mktemp("current"), ab_values(model), env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):

        async def decided(whose: str = "current") -> dict[str, Any]:
            answer: dict[str, Any] = (await client.get(f"/experiments/{whose}/decision")).json()
            return answer

        for address in ("/experiments/current", "/experiments/current/decision", "/experiments/exp_0/decision"):
            early = await client.get(address)
            assert (early.status_code, early.json()["code"]) == (404, "experiment_not_found")
        assert "first comparison" in (await decided())["detail"]
        assert "first comparison" in (await client.get("/experiments/current", headers=PAGE)).text

        first = await _voted(client)
        found = await decided()
        in_full = (await client.get("/experiments/current")).json()
        assert found == await decided(first)
        assert (found["experiment"], found["feature"], found["status"]) == (first, "summarize", "collecting")
        assert (found["stage"], in_full["stage"]) == ("running", "running")
        assert found["sentence"] == in_full["decision"]["sentence"]
        assert found.items() >= {key: in_full["statistics"][key] for key in ("voters", "n", "interval", "e_b")}.items()
        assert (await client.get("/experiments/current", headers=PAGE)).text.count("A/B Prompt Comparison Results") > 0
        assert not any(text in json.dumps(found) for text in (A, B))

        server.write_values(ab_values(model, summarize={"prompt_b": "In a word:"}))
        await server.event("config_reloaded")
        assert (await decided())["stage"] == "over"  # nobody has compared the new prompts yet
        second = await _voted(client)
        server.write_values(ab_values(model, ab_testing={"enabled": False}))
        await server.event("config_reloaded", 2)
        stages = {it["id"]: it["stage"] for it in (await client.get("/experiments")).json()["experiments"]}
        assert stages == {second: "over", first: "paused"}
        paused = await decided()
        assert (paused["experiment"], paused["stage"]) == (first, "paused")  # though the other was used last
        assert (await client.get("/feedback/ab")).json()["experiment"]["id"] == first
        assert f'href="/experiments/{first}"' in (await client.get("/feedback", headers=PAGE)).text
        refused = await client.get("/experiments/current/decision", params={"feature": "nothing"})
        assert (refused.status_code, "name of a feature" in refused.json()["detail"]) == (422, True)


async def test_a_ballot_that_decides_is_told_in_the_log_and_the_metrics(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model.scripts.clear()
    values = ab_values(model, ab_testing={"max_decisive_votes": 1})
    async with (
        running_server(tmp_path_factory.mktemp("decided"), values, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        experiment_id = await _voted(client)
        (line,) = await server.event("experiment_decided")
        assert (line["experiment_id"], line["status"], line["voters"]) == (experiment_id, "inconclusive", 1)
        metrics = (await client.get("/metrics")).text
        assert 'canopy_experiment_state{feature="summarize",state="inconclusive"} 1.0' in metrics
        assert 'canopy_experiment_state{feature="summarize",state="collecting"} 0.0' in metrics
        await _voted(client)
        server.write_values(values | {"ab_testing": {"enabled": False}})
        async with asyncio.timeout(20):
            while 'feature="summarize",state="none"} 1.0' not in (await client.get("/metrics")).text:
                await asyncio.sleep(0.2)
        assert len(server.events("experiment_decided")) == 1


async def test_a_webhook_is_told_what_a_ballot_decides(model: FakeModelServer, tmp_path: Path) -> None:
    model.scripts.clear()
    asked: list[Question] = []

    def answer(question: Question) -> Answer:
        asked.append(question)
        return 200, {}, b"ok"

    values = ab_values(model, ab_testing={"max_decisive_votes": 1}) | {"notifications": {"enabled": True}}
    with answering(answer) as address:
        secret = {"CANOPY_NOTIFICATIONS_URL": f"{address}/services/T00-B00", "CANOPY_PUBLIC_URL": f"{PUBLIC}/"}
        async with (
            running_server(tmp_path, values, env=ENVIRONMENT | secret) as server,
            httpx.AsyncClient(base_url=server.url, timeout=20) as client,
        ):
            experiment_id = await _voted(client)
            await server.event("notification_sent")
            assert "T00-B00" not in b"".join(server.lines).decode()
            page = (await client.get(f"/experiments/{experiment_id}")).json()["page"]
    (question,) = asked
    assert (question.target, page) == ("/services/T00-B00", f"{PUBLIC}/experiments/{experiment_id}")
    assert json.loads(question.body)["text"].endswith(f"See {page}")
    with pytest.raises(RuntimeError, match="where the webhook is"):
        async with running_server(tmp_path, values, env=ENVIRONMENT):
            pass
