"""The system prompt from the registry of a real MLflow."""

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from canopy.generation.prompts import prompt_of
from tests.support.mlflow import MlflowServer
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

OWN = "The values' own prompt."
ENV = {"CANOPY_PROMPT_REFRESH_INTERVAL_SECONDS": "0.1", "CANOPY_CONFIG_POLL_INTERVAL_SECONDS": "0.05"}


@pytest.fixture
async def model() -> AsyncGenerator[FakeModelServer]:
    async with FakeModelServer() as server:
        yield server


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A prompt of this test's own."""
    return str(request.node.name)[:100].replace("[", ".").replace("]", "")


def values(mlflow: MlflowServer, model: FakeModelServer, name: str, **summarize: Any) -> dict[str, Any]:
    return {
        "LLAMA_STACK_URL": model.url,
        "summarize": {"prompt": OWN, "mlflow_prompt": name, **summarize},
        "ab_testing": {"enabled": True},
        "mlflow": {"enabled": True, "url": mlflow.url},
    }


async def system_prompt(server: Server, model: FakeModelServer) -> str:
    """What the model is told when somebody asks for a summary."""
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        answer = await client.post("/summarize", json={"prompt": "A text.", "stream": False})
    assert answer.status_code == 200, answer.text
    text: str = model.requests[-1].body["messages"][0]["content"]
    return text


async def parameters(server: Server) -> dict[str, Any]:
    """What is recorded of the generation that is voted on."""
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        asked = await client.post("/summarize", json={"prompt": "A text.", "stream": False})
        vote = {"generation_id": asked.json()["generation_id"], "rating": 5}
        assert (await client.post("/feedback", json=vote)).status_code == 200
        recorded: dict[str, Any] = (await client.get("/feedback")).json()["feedback"][0]["parameters"]
        return recorded


async def compared(server: Server, model: FakeModelServer) -> set[str]:
    """The prompts of both sides of a comparison."""
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        assert (await client.post("/summarize/ab", json={"prompt": "A text."})).status_code == 200
    return {request.body["messages"][0]["content"] for request in list(model.requests)[-2:]}


async def get(server: Server, path: str) -> str:
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        return (await client.get(path)).text


async def test_the_champions_text_serves_and_its_version_is_recorded(
    tmp_path: Path, mlflow: MlflowServer, model: FakeModelServer, name: str
) -> None:
    first, second = mlflow.add_prompt(name, "First text. 🌱"), mlflow.add_prompt(name, "Second text.")
    mlflow.set_alias(name, "champion", first)
    async with running_server(tmp_path, values(mlflow, model, name), env=ENV) as server:
        assert await system_prompt(server, model) == "First text. 🌱"
        assert (await parameters(server))["mlflow_prompt"] == f"{name}/{first}"
        mlflow.set_alias(name, "champion", second)
        await server.event("prompts_loaded", count=2)
        assert await system_prompt(server, model) == "Second text."
        assert (await parameters(server))["mlflow_prompt"] == f"{name}/{second}"
        server.write_values(values(mlflow, model, name, mlflow_prompt_version=first))
        await server.event("prompts_loaded", count=3)
        assert await system_prompt(server, model) == "First text. 🌱"
        server.write_values({"LLAMA_STACK_URL": model.url, "summarize": {"prompt": OWN}})
        await server.event("config_reloaded", count=2)
        assert await system_prompt(server, model) == OWN
        assert "mlflow_prompt" not in await parameters(server)


async def test_a_version_is_a_number_or_the_latest_or_an_aliass_for_either_prompt(
    tmp_path: Path, mlflow: MlflowServer, model: FakeModelServer, name: str
) -> None:
    first, second = mlflow.add_prompt(name, "First text."), mlflow.add_prompt(name, "Second text.")
    mlflow.set_alias(name, "candidate", first)
    newest = values(mlflow, model, name, mlflow_prompt_version="latest", mlflow_prompt_b_version="candidate")
    async with running_server(tmp_path, newest, env=ENV) as server:
        assert await system_prompt(server, model) == "Second text."
        assert (await parameters(server))["mlflow_prompt"] == f"{name}/{second}"
        assert await compared(server, model) == {"Second text.", "First text."}
        third = mlflow.add_prompt(name, "Third text.")
        await server.event("prompts_loaded", count=2)
        assert await system_prompt(server, model) == "Third text."
        mlflow.set_alias(name, "candidate", second)
        await server.event("prompts_loaded", count=3)
        assert await compared(server, model) == {"Third text.", "Second text."}
        server.write_values(
            values(mlflow, model, name, mlflow_prompt_version=str(first), mlflow_prompt_b_version="Latest")
        )
        await server.event("prompts_loaded", count=4)
        assert await compared(server, model) == {"First text.", "Third text."}
        server.write_values(
            values(mlflow, model, name, mlflow_prompt_version="candidate", mlflow_prompt_b_version=third)
        )
        loaded = (await server.event("prompts_loaded", count=5))[-1]
        assert (loaded["feature"], loaded["prompt"]) == ("summarize", f"{name}/{second}")
        assert loaded["prompt_b"] == f"{name}/{third}"
        assert await compared(server, model) == {"Second text.", "Third text."}


async def test_a_challenger_that_is_named_and_missing_is_told_and_holds_up_nothing(
    tmp_path: Path, mlflow: MlflowServer, model: FakeModelServer, name: str
) -> None:
    mlflow.add_prompt(name, "First text.")
    wanted = values(mlflow, model, name, mlflow_prompt_version="latest", mlflow_prompt_b_version="nobodys")
    async with running_server(tmp_path, wanted, env=ENV) as server:
        (failure,) = await server.event("prompt_registry_failed")
        assert (failure["prompt"], failure["version"]) == (f"{name}@nobodys", None)
        assert "has no alias `nobodys`" in failure["error"]
        assert await system_prompt(server, model) == "First text."
        mlflow.add_prompt(name, "Second text.")
        await server.event("prompts_loaded", count=2)
        assert await system_prompt(server, model) == "Second text."
        server.write_values(values(mlflow, model, name, mlflow_prompt_version="latest", mlflow_prompt_b_version=99))
        failure = (await server.event("prompt_registry_failed", count=2))[-1]
        assert f"no prompt `{name}`/`99`" in failure["error"]
        server.write_values(values(mlflow, model, name, mlflow_prompt_version="latest", mlflow_prompt_b_version=1))
        await server.event("prompts_loaded", count=3)
        assert await compared(server, model) == {"Second text.", "First text."}
        assert "canopy_prompt_registry_up 1.0" in await get(server, "/metrics")


async def test_the_challenger_is_prompt_b_for_as_long_as_there_is_one(
    tmp_path: Path, mlflow: MlflowServer, model: FakeModelServer, name: str
) -> None:
    mlflow.set_alias(name, "champion", mlflow.add_prompt(name, "The champion."))
    async with running_server(tmp_path, values(mlflow, model, name), env=ENV) as server:
        assert '"ab_testing":false' in await get(server, "/feature-flags")
        mlflow.set_alias(name, "challenger", mlflow.add_prompt(name, "The challenger."))
        await server.event("prompts_loaded", count=2)
        assert '"ab_testing":true' in await get(server, "/feature-flags")
        metrics = await get(server, "/metrics")
        assert 'canopy_flag{flag="ab_testing"} 1.0' in metrics
        for text in ("The champion.", "The challenger."):  # before anybody has voted, so that the first vote counts
            assert re.search(rf'canopy_ab_preferences_total{{[^}}]*"{prompt_of(text).id}"[^}}]*}} 0.0', metrics)
        assert await compared(server, model) == {"The champion.", "The challenger."}
        mlflow.delete_alias(name, "challenger")
        await server.event("prompts_loaded", count=3)
        assert '"ab_testing":false' in await get(server, "/feature-flags")


async def test_a_prompt_that_is_deleted_and_made_anew_has_its_new_text(
    tmp_path: Path, mlflow: MlflowServer, model: FakeModelServer, name: str
) -> None:
    mlflow.set_alias(name, "champion", mlflow.add_prompt(name, "The former."))
    async with running_server(tmp_path, values(mlflow, model, name), env=ENV) as server:
        assert await system_prompt(server, model) == "The former."
        mlflow.delete_prompt(name)
        mlflow.set_alias(name, "champion", mlflow.add_prompt(name, "The present."))
        await server.event("prompts_loaded", count=2)
        assert await system_prompt(server, model) == "The present."
        assert (await parameters(server))["mlflow_prompt"] == f"{name}/1"


async def test_each_feature_has_its_own_prompts_and_one_that_is_missing_holds_up_no_other(
    tmp_path: Path, mlflow: MlflowServer, model: FakeModelServer, name: str
) -> None:
    other = f"{name}.other"
    first = mlflow.add_prompt(name, "Summarize it.")
    feature = {"enabled": True, "title": "Translation", "prompt": OWN, "mlflow_prompt": other}
    wanted = values(mlflow, model, name, mlflow_prompt_version=first) | {"features": {"translate": feature}}

    async def recorded(path: str) -> tuple[str, str | None]:
        """What the model is told, and of which version of the registry the record is."""
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
            asked = await client.post(path, json={"prompt": "A text.", "stream": False})
            vote = {"generation_id": asked.json()["generation_id"], "rating": 5}
            assert (await client.post("/feedback", json=vote)).status_code == 200
            parameters = (await client.get("/feedback")).json()["feedback"][0]["parameters"]
        text: str = model.requests[-1].body["messages"][0]["content"]
        return text, parameters.get("mlflow_prompt")

    async with running_server(tmp_path, wanted, env=ENV) as server:
        (failure,) = await server.event("prompt_registry_failed")
        assert failure["prompt"] == f"{other}@champion"
        assert await recorded("/summarize") == ("Summarize it.", f"{name}/{first}")
        assert await recorded("/translate") == (OWN, None)
        mlflow.set_alias(other, "champion", mlflow.add_prompt(other, "Translate it."))
        loaded = await server.event("prompts_loaded", count=2)
        assert [line["feature"] for line in loaded] == ["summarize", "translate"]
        assert await recorded("/translate") == ("Translate it.", f"{other}/1")
        assert await recorded("/summarize") == ("Summarize it.", f"{name}/{first}")
        assert "canopy_prompt_registry_up 1.0" in await get(server, "/metrics")


async def test_the_last_known_text_serves_while_mlflow_is_away_and_after_a_restart(
    tmp_path: Path, mlflow: MlflowServer, model: FakeModelServer, name: str
) -> None:
    mlflow.set_alias(name, "champion", mlflow.add_prompt(name, "Known well."))
    try:
        async with running_server(tmp_path, values(mlflow, model, name), env=ENV) as server:
            mlflow.stop()
            (failure,) = await server.event("prompt_registry_failed")
            assert failure["version"] == 1
            assert "does not answer" in failure["error"]
            assert await system_prompt(server, model) == "Known well."
            assert "canopy_prompt_registry_up 0.0" in await get(server, "/metrics")
        async with running_server(tmp_path, values(mlflow, model, name), env=ENV) as server:
            assert await system_prompt(server, model) == "Known well."
            assert (await parameters(server))["mlflow_prompt"] == f"{name}/1"
            await asyncio.to_thread(mlflow.start)
            mlflow.set_alias(name, "champion", mlflow.add_prompt(name, "Back again."))
            await server.event("prompts_loaded")
            assert await system_prompt(server, model) == "Back again."
            assert "canopy_prompt_registry_up 1.0" in await get(server, "/metrics")
            assert len(server.events("prompt_registry_failed")) == 1
    finally:
        mlflow.start()


@pytest.mark.parametrize(
    ("text", "tags", "complaint"),
    [
        ("Summarize {{ text }}!", {}, "variable"),
        ('[{"role": "system", "content": "Hi"}]', {"_mlflow_prompt_type": "chat"}, "chat prompt"),
        (" \n", {}, "white space"),
        ("x" * 20_001, {}, "20000"),
    ],
)
async def test_a_text_that_cannot_be_used_leaves_the_one_before_in_force(
    tmp_path: Path, mlflow: MlflowServer, model: FakeModelServer, text: str, tags: dict[str, str], complaint: str
) -> None:
    name = f"refused-{complaint.replace(' ', '-')}"
    mlflow.set_alias(name, "champion", mlflow.add_prompt(name, "A good one."))
    async with running_server(tmp_path, values(mlflow, model, name), env=ENV) as server:
        mlflow.set_alias(name, "champion", mlflow.add_prompt(name, text, **tags))
        (failure,) = await server.event("prompt_registry_failed")
        assert complaint in failure["error"]
        assert await system_prompt(server, model) == "A good one."


async def test_without_any_version_the_values_own_text_serves(
    tmp_path: Path, mlflow: MlflowServer, model: FakeModelServer, name: str
) -> None:
    async with running_server(tmp_path, values(mlflow, model, name), env=ENV) as server:
        (failure,) = await server.event("prompt_registry_failed")
        assert (failure["version"], failure["prompt"]) == (None, f"{name}@champion")
        assert await system_prompt(server, model) == OWN


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<p/>", "is not MLflow"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n" + b'{"registered_model":1}', "is not MLflow"),
        (b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", "status 401"),
        (b"", "does not answer"),
    ],
)
async def test_whatever_else_answers_is_a_sentence_and_the_token_goes_nowhere_but_there(
    tmp_path: Path, model: FakeModelServer, answer: bytes, complaint: str
) -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as other:
        url = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"
        wanted = {"summarize": {"mlflow_prompt": "p"}, "mlflow": {"enabled": True, "url": url}}
        env = {**ENV, "CANOPY_MLFLOW_TOKEN": "t0ken-of-mlflow"}
        async with running_server(tmp_path, {"LLAMA_STACK_URL": model.url, **wanted}, env=env) as server:
            (failure,) = await server.event("prompt_registry_failed")
            assert complaint in failure["error"]
            assert b"authorization: bearer t0ken-of-mlflow" in seen[0].lower()
            assert all(b"t0ken" not in line for line in server.lines)


async def test_a_prompt_from_the_registry_without_a_registry_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"Set mlflow.enabled to true and mlflow.url"):
        async with running_server(tmp_path, {"summarize": {"mlflow_prompt": "p"}}):
            pass
