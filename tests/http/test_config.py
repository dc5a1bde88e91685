"""Values at start and later, and the flags that they decide."""

import asyncio

import httpx
import pytest

from tests.http.conftest import ENVIRONMENT, drain, events, values
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.scraping import scrape_until
from tests.support.server import running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMMIT = "0a1b2c3d4e" * 4  # of the values


async def test_a_wrong_value_at_start_ends_the_process_with_the_sentence(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wrong = values(model, summarize={"temperature": 9})
    with pytest.raises(RuntimeError, match=r"status 1(.|\n)*`summarize.temperature` should be less than or equal to 2"):
        async with running_server(tmp_path_factory.mktemp("wrong"), wrong):
            pass


async def test_a_wrong_setting_ends_the_process_with_the_sentence(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(RuntimeError, match="CANOPY_MAX_GENERATIONS"):
        async with running_server(tmp_path_factory.mktemp("setting"), {}, env={"CANOPY_MAX_GENERATIONS": "many"}):
            pass


async def test_values_are_live_within_a_second_without_dropping_a_stream_and_wrong_ones_are_not(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "CANOPY_CONFIG_POLL_INTERVAL_SECONDS"}
    await drain(model)
    model.scripts["llama32"] = Script(rate=20, count=60)
    model.scripts["other"] = Script(tokens=("new",))
    async with (
        running_server(tmp_path_factory.mktemp("reload"), values(model), env=environment) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        streams = [asyncio.create_task(client.post("/summarize", json={"prompt": "Text."})) for _ in range(4)]
        for _ in streams:
            await model.next_request()
        said = (await client.get("/feature-flags?details=true")).json()
        old = said["config_revision"]
        assert said["git_revision"] is None

        assert server.config_path
        server.config_path.with_name("git-revision").write_text(COMMIT)
        server.write_values(values(model, summarize={"model": "other", "prompt": "Be brief:"}))
        async with asyncio.timeout(10):
            while (new := (await client.get("/feature-flags?details=true")).json()["config_revision"]) == old:
                await asyncio.sleep(0.01)
        (reloaded,) = await server.event("config_reloaded")
        assert (await client.get("/feature-flags?details=true")).json()["git_revision"] == COMMIT
        assert reloaded["git_revision"] == COMMIT
        page = (await client.get("/status", headers={"accept": "text/html"})).text
        assert (f"<code>{COMMIT[:10]}</code>" in page, f">{COMMIT}</code>" in page) == (True, True)  # footer and fact
        fresh = await client.post("/summarize", json={"prompt": "Text."})
        assert [event.get("delta") for event in events(fresh.text)[:-2]] == ["new"]
        (asked,) = [request.body for request in model.requests if request.body["model"] == "other"]
        assert asked["messages"][0]["content"] == "Be brief:"

        server.write_values(values(model, summarize={"temperature": 9}))
        (rejected,) = await server.event("config_rejected")
        assert "`summarize.temperature`" in rejected["error"]
        assert rejected["config_revision"] == new
        assert (await client.get("/feature-flags?details=true")).json()["config_revision"] == new
        await scrape_until(client, "canopy_config_last_reload_successful 0.0")

        server.write_values(values(model))
        await server.event("config_reloaded", 2)
        await scrape_until(client, "canopy_config_last_reload_successful 1.0")

        for stream in streams:
            *deltas, done, _ = events((await stream).text)
            assert len(deltas) == 60
            assert done["type"] == "done"
        finished = server.events("generation_finished")
        assert {line["config_revision"] for line in finished} == {old, new}


async def test_a_feature_that_is_off_answers_404_with_its_sentence(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    off = values(model, summarize={"enabled": False}, feedback={"enabled": False})
    async with (
        running_server(tmp_path_factory.mktemp("off"), off, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        assert (await client.get("/feature-flags")).json() == {
            "summarize": False,
            "summarization": False,
            "feedback": False,
            "ab_testing": False,
        }
        for method, path, sentence in [
            ("POST", "/summarize", "Summarization feature is not enabled"),
            ("POST", "/summarize/chat", "Summarization feature is not enabled"),
            ("POST", "/summarize/ab", "Summarization feature is not enabled"),
            ("POST", "/feedback", "Feedback feature is not enabled"),
            ("GET", "/feedback", "Feedback feature is not enabled"),
            ("DELETE", "/feedback/x", "Feedback feature is not enabled"),
            ("GET", "/feedback/stats", "Feedback feature is not enabled"),
            ("GET", "/feedback/export", "Feedback feature is not enabled"),
        ]:
            response = await client.request(method, path)
            assert (response.status_code, response.json()["detail"]) == (404, sentence)
            assert response.json()["code"] == "feature_disabled"
        details = (await client.get("/feature-flags?details=true")).json()["flags"]
        assert details["feedback"] == {"enabled": False, "reason": "`feedback.enabled` is false."}


async def test_another_model_server_takes_over_and_streams_of_the_former_go_on(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    await drain(model)
    model.scripts["llama32"] = Script(rate=20, count=40)
    async with (
        FakeModelServer() as other,
        running_server(tmp_path_factory.mktemp("switch"), values(model), env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        other.scripts["llama32"] = Script(tokens=("the other",))
        former = asyncio.create_task(client.post("/summarize", json={"prompt": "Text."}))
        await model.next_request()
        server.write_values(values(model, LLAMA_STACK_URL=other.url))
        await server.event("config_reloaded")
        fresh = await client.post("/summarize", json={"prompt": "Text.", "stream": False})
        assert fresh.json()["response"] == "the other"
        *deltas, done, _ = events((await former).text)
        assert (len(deltas), done["type"]) == (40, "done")


async def test_former_names_work_and_are_logged_once(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = ENVIRONMENT | {"CANOPY_GRACE_PERIOD": "7"}
    given = values(model, ab_testing={"enabled": True, "prior": 20})
    async with running_server(tmp_path_factory.mktemp("former"), given, env=environment) as server:
        await server.event("canopy_started")
        at_start = [
            ("CANOPY_GRACE_PERIOD", "CANOPY_GRACE_PERIOD_SECONDS"),
            ("ab_testing.prior", "ab_testing.prior_strength"),
        ]
        told = await server.event("deprecated_name", len(at_start))
        assert [(it["former"], it["current"], it["level"]) for it in told] == [
            (*names, "warning") for names in at_start
        ]
        server.write_values(values(model, ab_testing={"enabled": True, "prior": 30, "n_max": 9}))
        assert (await server.event("deprecated_name", 3))[-1]["former"] == "ab_testing.n_max"
        await server.event("config_reloaded")
        assert len(server.events("deprecated_name")) == 3


async def test_errors_of_a_features_model_name_the_values_of_its_own_section(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    too_many = b'{"error": {"message": "max_tokens must be a smaller number"}}'
    model.scripts |= {
        "missing": Script(status=404, body=b'{"error": {"message": "no such model", "code": "model_not_found"}}'),
        "thinking": Script(tokens=(), reasoning=("Hm.",), finish_reason="length"),
        "small": Script(status=400, body=too_many),
    }
    features = {name: {"model": name, "prompt": "Say:"} for name in ("missing", "thinking", "small")}
    sections = values(model, features=features)
    sections["summarization"] = {**sections.pop("summarize"), "model": "missing"}
    async with (
        running_server(tmp_path_factory.mktemp("sections"), sections, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        for path, value in (
            ("/missing", "features.missing.model"),
            ("/thinking", "features.thinking.max_tokens"),
            ("/small", "features.small.max_tokens"),
            ("/summarize", "summarization.model"),
        ):
            response = await client.post(path, json={"prompt": "Text.", "stream": False})
            assert (response.status_code, f"`{value}`" in response.json()["detail"]) == (502, True), response.text
        told = [line["error"] for line in await server.event("request_failed", 4)]
        assert [sentence.count("`summarize.") for sentence in told] == [0, 0, 0, 0]
