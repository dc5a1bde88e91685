"""Status: what is in force, what was refused and what is down, for reviewers, while other parts don't answer."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.http.conftest import ENVIRONMENT, lab_vote, summarize, values
from tests.http.signing_in import guarded_server, people
from tests.support.docs import ROOT
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")
HTML = {"Accept": "text/html"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server whose values each test changes."""
    async with running_server(tmp_path_factory.mktemp("status"), values(model), env=ENVIRONMENT) as server:
        yield server


async def status(server: Server) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
        answer = await http.get("/status")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_it_tells_what_is_in_force(own: Server) -> None:
    found = await status(own)
    parts = found["parts"]
    assert parts["values"]["facts"]["path"] == str(own.config_path)
    assert parts["values"]["facts"]["revision"] == own.events("canopy_started")[0]["config_revision"]
    assert parts["values"]["facts"]["loaded_at"] is not None
    assert found["flags"]["feedback"] == {"enabled": True, "reason": "`feedback.enabled` is true."}
    assert parts["store"]["state"] == "ok"
    assert parts["store"]["facts"]["place"].startswith("SQLite, ")
    assert parts["store"]["facts"]["schema"] == parts["store"]["facts"]["newest_schema"]
    assert parts["store"]["facts"]["bytes"] > 0
    assert parts["outbox"]["state"] == "off"
    assert [judge["name"] for judge in found["judges"]] == ["accuracy", "quality"]
    assert found["experiments"] == []
    assert parts["process"]["facts"]["version"] == own.events("canopy_started")[0]["version"]


async def test_it_tells_a_refusal_with_its_sentence_until_the_values_are_mended(
    own: Server, model: FakeModelServer
) -> None:
    refused = len(own.events("config_rejected"))
    own.write_values("summarize: {temperature: hot}\n")
    await own.event("config_rejected", count=refused + 1)
    found = await status(own)
    part = found["parts"]["values"]
    assert (found["status"], part["state"]) == ("trouble", "trouble")
    assert part["facts"]["last_refusal"] == own.events("config_rejected")[-1]["error"]
    assert part["runbook"].endswith("#canopyconfigrejected")
    reloads = len(own.events("config_reloaded"))
    own.write_values(values(model))
    await own.event("config_reloaded", count=reloads + 1)
    part = (await status(own))["parts"]["values"]
    assert part["state"] == "ok"
    assert "temperature" in part["facts"]["last_refusal"]  # still there to read


async def test_it_tells_the_last_answer_and_the_last_failure_of_the_model(own: Server, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script(status=500, error={"message": "out of memory"})
    async with httpx.AsyncClient(base_url=own.url, timeout=20) as http:
        assert (await http.post("/summarize", json={"prompt": "A text.", "stream": False})).status_code == 502
        part = (await status(own))["parts"]["model_server"]
        assert part["state"] == "trouble"
        assert part["facts"]["last_failure_code"] == "model_error"
        assert "out of memory" in part["facts"]["last_failure"]
        model.scripts.clear()
        await summarize(http)
    part = (await status(own))["parts"]["model_server"]
    assert part["state"] == "ok"
    assert part["facts"]["last_answer_at"] > part["facts"]["last_failure_at"]


async def test_a_failure_of_a_former_model_server_is_not_told_of_the_next(own: Server, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script(status=500, error={"message": "out of memory"})
    async with httpx.AsyncClient(base_url=own.url, timeout=20) as http, FakeModelServer() as other:
        other.scripts["llama32"] = Script()  # so that it lists that model
        assert (await http.post("/summarize", json={"prompt": "A text.", "stream": False})).status_code == 502
        assert (await status(own))["parts"]["model_server"]["state"] == "trouble"
        for changed in (values(other), values(model)):
            reloads = len(own.events("config_reloaded"))
            own.write_values(changed)
            await own.event("config_reloaded", count=reloads + 1)
            part = (await status(own))["parts"]["model_server"]
            assert (part["state"], part["facts"]["last_failure"]) == ("ok", None)


async def test_it_answers_while_the_model_server_is_down(tmp_path: Path) -> None:
    down = {"LLAMA_STACK_URL": "http://127.0.0.1:9"}
    async with running_server(tmp_path, down, env=ENVIRONMENT) as server:
        found = await status(server)
    part = found["parts"]["model_server"]
    assert part["state"] == "trouble"
    assert "127.0.0.1:9" in part["facts"]["server"]
    assert part["runbook"].endswith("#canopymodelmissing")


async def test_it_answers_while_the_database_does_not(model: FakeModelServer, tmp_path: Path) -> None:
    async with running_server(tmp_path, values(model), env=ENVIRONMENT) as server:
        for path in tmp_path.glob("canopy.db*"):
            with path.open("r+b") as file:  # nothing is cut off: SQLite maps one of them into memory
                file.write(b"not a database" * (1_000 + path.stat().st_size // 14))
        found = await status(server)
    part = found["parts"]["store"]
    assert part["state"] == "trouble"
    assert part["sentence"] != "ok"
    assert found["parts"]["experiments"]["state"] == "unknown"
    assert found["parts"]["values"]["state"] == "ok"


async def test_a_database_whose_file_was_moved_away_is_told_by_its_place(
    model: FakeModelServer, tmp_path: Path
) -> None:
    async with running_server(tmp_path, values(model), env=ENVIRONMENT) as server:
        assert (await status(server))["parts"]["store"]["state"] == "ok"
        (tmp_path / "canopy.db").rename(tmp_path / "elsewhere.db")
        part = (await status(server))["parts"]["store"]
    assert part["state"] == "trouble"
    assert str(tmp_path / "canopy.db") in part["sentence"]


async def test_looking_again_asks_the_model_server_again(own: Server, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script()
    assert (await status(own))["parts"]["model_server"]["facts"]["not_listed"] is None
    model.scripts.clear()
    model.scripts["another"] = Script()  # the only one in its list
    async with httpx.AsyncClient(base_url=own.url, timeout=20) as http:
        part = (await http.get("/status")).json()["parts"]["model_server"]
    assert part["facts"]["not_listed"] == ["llama32"]


async def test_feedback_that_mlflow_never_gets_is_trouble(model: FakeModelServer, tmp_path: Path) -> None:
    wanted = values(model, mlflow={"enabled": True, "url": "http://127.0.0.1:9"})
    async with running_server(tmp_path, wanted, env=ENVIRONMENT) as server:
        await server.event("mlflow_untraced")
        found = await status(server)
    assert (found["status"], found["parts"]["outbox"]["state"]) == ("trouble", "trouble")
    assert "OpenTelemetry SDK" in found["parts"]["outbox"]["sentence"]


async def test_the_page_has_times_that_the_browser_can_make_its_own(own: Server) -> None:
    async with httpx.AsyncClient(base_url=own.url, timeout=20) as http:
        page = (await http.get("/status", headers=HTML)).text
    assert "/times.js" in page
    assert "data-time-zone" in page


async def test_experiments_and_judges_in_force_are_told(model: FakeModelServer, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "summarize": {"prompt_b": "Be brief:"},
        "ab_testing": {"enabled": True, "name": "Briefer"},
    }
    async with running_server(tmp_path, values(model, **changes), env=ENVIRONMENT) as server:
        (before,) = (await status(server))["experiments"]
        assert (before["id"], before["status"]) == (None, None)
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
            empty = (await http.get("/feedback", headers=HTML)).text
            outcome = (await http.post("/summarize/ab", json={"prompt": "A text.", "stream": False})).json()
            ballot = {"comparison_id": outcome["comparison_id"], "preference": "a", "session_id": "s"}
            assert (await http.post("/feedback/ab", json=ballot)).status_code == 200
            page = (await http.get("/status", headers=HTML)).text
            overview = (await http.get("/feedback", headers=HTML)).text
        (it,) = (await status(server))["experiments"]
        server.write_values(values(model, **changes | {"summarize": {"prompt_b": "Be brief:", "temperature": 0.1}}))
        await server.event("config_reloaded")
        (other,) = (await status(server))["experiments"]
    assert (it["name"], it["status"], it["feature"]) == ("Briefer", "collecting", "summarize")
    assert (other["id"], other["status"]) == (None, None)  # another temperature begins another experiment
    assert it["id"] in page
    # No such question is on the page of a comparison.
    assert "Was this" not in empty + overview
    assert "<strong>A is better</strong>" in empty
    assert "1 ballot on comparisons" in overview


async def test_an_experiment_that_is_enabled_and_cannot_work_is_trouble(model: FakeModelServer, tmp_path: Path) -> None:
    async with running_server(tmp_path, values(model, ab_testing={"enabled": True}), env=ENVIRONMENT) as server:
        found = await status(server)
    assert found["parts"]["flags"]["state"] == "trouble"
    assert found["parts"]["flags"]["sentence"] == found["flags"]["ab_testing"]["reason"]


async def test_the_page_says_the_same_and_every_runbook_it_names_exists(own: Server) -> None:
    found = await status(own)
    async with httpx.AsyncClient(base_url=own.url, timeout=20) as http:
        await http.post("/feedback", json=lab_vote())
        page = (await http.get("/status", headers=HTML)).text
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert re.findall(r"Runbook: “(.+?)”", page)
    assert set(re.findall(r"Runbook: “(.+?)”", page)) - set(headings) == set()
    for part in found["parts"].values():
        assert part["runbook"].startswith("docs/operations.md#")
    assert found["parts"]["values"]["facts"]["revision"] in page
    assert "Model server" in page


async def test_runbooks_are_links_where_they_have_an_address(model: FakeModelServer, tmp_path: Path) -> None:
    env = ENVIRONMENT | {"CANOPY_RUNBOOKS": "https://git.example.com/canopy/docs/operations.md"}
    async with (
        running_server(tmp_path, values(model), env=env) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as http,
    ):
        page = (await http.get("/status", headers=HTML)).text
    assert 'href="https://git.example.com/canopy/docs/operations.md#canopyconfigrejected"' in page


async def test_it_works_with_feedback_off_and_is_found_in_the_navigation(
    model: FakeModelServer, tmp_path: Path
) -> None:
    off = values(model, feedback={"enabled": False})
    async with (
        running_server(tmp_path, off, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as http,
    ):
        first = (await http.get("/", headers=HTML)).text
        page = await http.get("/status", headers=HTML)
    assert page.status_code == 200
    assert '<a href="/status">Status</a>' in first
    assert '<a href="/status" aria-current="page">Status</a>' in page.text
    assert '<nav class="sections"' not in page.text


async def test_only_reviewers_see_it(model: FakeModelServer, tmp_path: Path) -> None:
    async with (
        guarded_server(tmp_path, model, "token") as (server, tokens),
        people(server, "token") as (ana, ben, _, nobody),
    ):
        assert (await nobody.get("/status")).status_code == 401
        refused = await ben.get("/status")
        assert refused.status_code == 403
        assert "how this server is" in refused.json()["detail"]
        assert "what people wrote" in (await ben.get("/feedback")).json()["detail"]
        assert 'href="/status"' not in (await ben.get("/", headers=HTML)).text
        tokens.write_text("- nonsense")
        await server.event("tokens_rejected")
        part = (await ana.get("/status")).json()["parts"]["access"]
    assert (part["state"], part["facts"]["mode"]) == ("trouble", "token")
    assert part["facts"]["last_refusal"] == server.events("tokens_rejected")[-1]["error"]


async def test_probes_know_nothing_of_the_model(tmp_path: Path) -> None:
    async with (
        running_server(tmp_path, {"LLAMA_STACK_URL": "http://127.0.0.1:9"}, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as http,
    ):
        assert (await http.get("/status")).json()["status"] == "trouble"
        assert (await http.get("/readyz")).status_code == 200
