"""A client that a generator made of the API's description, with every route of a running server."""

import asyncio
import importlib
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from jsonschema_rs import Draft202012Validator

from tests.http.conftest import events
from tests.http.signing_in import TOKENS, guarded_server
from tests.support.evidence import a_statement
from tests.support.model_server import FakeModelServer
from tests.support.server import Server
from tests.support.tools import install

pytestmark = pytest.mark.asyncio(loop_scope="session")
# The generator knows no YAML; whoever makes a client says that it is a text.
CONFIG = {"content_type_overrides": {"application/yaml": "text/plain"}, "post_hooks": []}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    features = {"translate": {"prompt": "Translate:", "prompt_b": "Into English:"}}
    async with guarded_server(tmp_path_factory.mktemp("generated"), model, "token", features=features) as (running, _):
        yield running


@pytest.fixture(scope="module")
def described(server: Server) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {TOKENS['ben']}"}
    found: dict[str, Any] = httpx.get(f"{server.url}/openapi.json", headers=headers).raise_for_status().json()
    return found


@pytest.fixture(scope="module")
def generated(described: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the package `canopy_client`."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(described))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    python = install("tools") / "bin/python"
    command = [str(python), "-m", "openapi_python_client", "generate", "--fail-on-warning"]
    command += ["--path", "openapi.json", "--config", "config.json"]
    command += ["--meta", "none", "--output-path", "canopy_client"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


class Client:
    """The generated functions by the names of their operations, and their bodies by the names of their models."""

    def __init__(self, described: dict[str, Any], url: str) -> None:
        package = importlib.import_module("canopy_client")
        self.models = importlib.import_module("canopy_client.models")
        self._described, self._components = described, closed(described["components"])
        self._functions: dict[str, Callable[..., Any]] = {}
        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                tag, name = operation["tags"][0].replace("/", "").replace(" ", "_"), operation["operationId"]
                module = importlib.import_module(f"canopy_client.api.{tag}.{name}")
                self._functions[f"{method.upper()} {path}"] = module.sync_detailed
        options = {"base_url": url, "timeout": httpx.Timeout(20), "headers": {"Origin": url}}
        self._clients: dict[str | None, Any] = {None: package.Client(**options)}
        for name, token in TOKENS.items():
            self._clients[name] = package.AuthenticatedClient(**options, token=token)
        self.used: set[str] = set()

    def close(self) -> None:
        for client in self._clients.values():
            client.get_httpx_client().close()

    @property
    def operations(self) -> set[str]:
        return set(self._functions)

    def __call__(self, operation: str, who: str | None = "ana", **arguments: Any) -> Any:
        """The typed answer. What was sent is compared with its description, in which nothing may be missing."""
        response = self._functions[operation](client=self._clients[who], **arguments)
        method, path = operation.split(" ")
        answers = self._described["paths"][path][method.lower()]["responses"]
        status = str(int(response.status_code))
        content = answers.get(status, answers.get("default"))["content"]
        kind = response.headers["content-type"].partition(";")[0]
        if kind == "application/json":
            schema = content[kind]["schema"] | {"components": self._components}
            Draft202012Validator(schema).validate(json.loads(response.content))
        else:
            assert kind in content, (operation, kind)
        if status == "200":
            self.used.add(operation)
        return response.parsed


def closed(schema: Any) -> Any:
    """The same, with nothing allowed that isn't described."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    shut = {key: closed(value) for key, value in schema.items()}
    if isinstance(shut.get("properties"), dict) and shut.get("type") == "object":
        shut.setdefault("additionalProperties", False)
    return shut


@pytest.fixture(scope="module")
def client(generated: Path, described: dict[str, Any], server: Server) -> Iterator[Client]:
    assert (generated / "canopy_client").is_dir()
    client = Client(described, server.url)
    yield client
    client.close()


async def test_every_route_by_a_generated_client(client: Client) -> None:
    await asyncio.to_thread(_walk, client)  # the model server answers in this thread
    assert client.operations - client.used == set()


def _walk(client: Client) -> None:  # noqa: PLR0915 - it asks every route
    models = client.models
    text = "Ten ships left the harbour."
    # Who one is, and what is on.
    assert client("GET /identity", None).user is None
    assert client("GET /identity", "ben").role is models.Role.USER
    signed_in = client("POST /sign-in", None, body=models.SignInBody(token=TOKENS["ben"]))
    assert (signed_in.user, signed_in.role) == ("ben", models.Role.USER)
    assert client("POST /sign-out", None, body=models.Body()).status == "ok"
    assert client("GET /feature-flags", None)["ab_testing"] is True
    assert client("GET /feature-flags", None, details=True).flags["summarize"].enabled is True
    assert client("GET /healthz", None).status == "ok"
    ready = client("GET /readyz", None)
    assert (ready.status, ready.store) == (models.ReadyStatus.OK, "ok")
    status = client("GET /status")
    assert status.parts["store"].state == "ok"
    assert status.flags["feedback"].enabled is True
    assert "canopy_config_last_reload_successful 1" in client("GET /metrics", None)
    # A summary, a follow-up, votes on both.
    summary = client("POST /summarize", body=models.PromptBody(prompt=text, stream=False))
    assert summary.response and summary.usage.output_tokens > 0
    turns = [
        models.ChatMessage(models.ChatMessageRole.USER, text),
        models.ChatMessage(models.ChatMessageRole.ASSISTANT, summary.response),
    ]
    turns += [models.ChatMessage(models.ChatMessageRole.USER, "Shorter?")]
    follow_up = client("POST /summarize/chat", body=models.ChatBody(messages=turns, stream=False))
    good = models.VoteBody(rating="thumbs_up", generation_id=follow_up.generation_id)
    bad = models.VoteBody(rating="thumbs_down", request_id=summary.request_id, comment="Too long.")
    kept = [client("POST /feedback", body=vote) for vote in (good, bad)]
    # What people said.
    entries = client("GET /feedback", limit=1)
    assert (entries.total, entries.feedback[0].rating, entries.feedback[0].comment) == (2, "thumbs_down", "Too long.")
    assert entries.feedback[0].parameters.max_tokens == 200
    (older,) = client("GET /feedback", cursor=entries.next_).feedback
    assert [turn.content for turn in older.messages] == [text, summary.response, "Shorter?"]
    own = client("GET /generations/{generation_id}", generation_id=summary.generation_id)
    assert (own.text, own.produced.model, own.vote.feedback_id) == (text, summary.model, kept[1].feedback_id)
    assert client("GET /feedback/{feedback_id}", feedback_id=kept[1].feedback_id).input_text == text
    stats = client("GET /feedback/stats")
    assert (stats.total, stats.satisfaction, stats.ratings["thumbs_down"]) == (2, 0.5, 1)
    assert stats.by_prompt[0].prompt_id and stats.over_time[0].hour
    # What a good answer would be, and the tests made of it.
    (case,) = client("GET /feedback/review").cases
    assert (case.prompt, case.answers[0].comment) == (text, "Too long.")
    review = models.ReviewBody(expected_result="Ten ships left.", feedback_id=case.feedback_id)
    assert client("PUT /feedback/review", body=review).outcome is models.ReviewOutcome.CREATED
    assert "Ten ships left." in client("GET /feedback/export")
    assert [it.id for it in client("GET /feedback/file")] == [it.id for it in client("GET /feedback").feedback]
    assert client("DELETE /feedback/{feedback_id}", feedback_id=kept[0].feedback_id).feedback_id == kept[0].feedback_id
    # A comparison and its ballot.
    asked = models.PromptBody(prompt=text, stream=False, session_id="one")
    compared = client("POST /summarize/ab", body=asked)
    assert compared.a.response and compared.b.response
    ballot = models.BallotBody(models.BallotBodyPreference.A, comparison_id=compared.comparison_id, session_id="one")
    revealed = client("POST /feedback/ab", body=ballot)
    assert {revealed.prompt_mapping.a, revealed.prompt_mapping.b} == set(models.Variant)
    assert revealed.prompts.a.text != revealed.prompts.b.text
    results = client("GET /feedback/ab")
    assert (results.total, results.statistics.n, results.decision.status) == (1, 1, models.DecisionStatus.COLLECTING)
    assert results.entries[0].winning_prompt is revealed.winning_prompt
    (listed,) = client("GET /experiments").experiments
    assert (listed.total, listed.status) == (1, models.DecisionStatus.COLLECTING)
    of_it = {"experiment_id": listed.id}
    evidence = a_statement("Summarize:", "Be brief:")
    told = models.PromotionBody(models.PromotionBodyStatement.from_dict(evidence), findings=["A digest is another."])
    assert client("PUT /promotions/{commit}", commit="a" * 40, body=told).status == "ok"
    (promoted,) = client("GET /promotions").promotions
    assert (promoted.verified, promoted.statement.to_dict()) == (False, evidence)
    note = client("POST /experiments/{experiment_id}/notes", body=models.NoteBody("Begun on a Monday."), **of_it)
    in_full = client("GET /experiments/{experiment_id}", **of_it)
    assert client("GET /experiments/current", feature="summarize").experiment.id == listed.id
    assert client("GET /experiments/{experiment_id}/cost", **of_it).prompt_b.answers >= 1
    plan = client("GET /experiments/plan", feature="summarize")
    assert (plan.experiment, plan.n, [it.rate for it in plan.outlooks]) == (listed.id, 1, [0.55, 0.6, 0.7])
    decision = client("GET /experiments/{experiment_id}/decision", **of_it)
    assert (decision, decision.stage) == (
        client("GET /experiments/current/decision", feature="summarize"),
        in_full.stage,
    )
    its = in_full.experiment
    prompts = {"prompt": its.prompt.text, "prompt_b": its.prompt_b.text}
    block = prompts | {"model": its.model, "temperature": its.temperature, "max_tokens": its.max_tokens}
    commit = models.DecisionBodyValues.from_dict({"LLAMA_STACK_URL": "http://m:1", "summarize": block})
    assert client("POST /experiments/decision", body=models.DecisionBody(commit)).experiment == listed.id
    assert (in_full.total, in_full.statistics.n, in_full.notes[0].text) == (1, 1, "Begun on a Monday.")
    assert client("DELETE /experiments/{experiment_id}/notes/{note_id}", note_id=note.id, **of_it).status == "ok"
    # The same under today's workshop's names.
    assert client("POST /summarization", body=models.PromptBody(prompt=text, stream=False)).response
    assert client("POST /summarization/chat", body=models.ChatBody(messages=turns, stream=False)).response
    assert client("POST /summarization/ab", body=asked).comparison_id
    _walk_feature(client, turns)


def _walk_feature(client: Client, turns: list[Any]) -> None:
    """The routes of a feature that the values add."""
    asked = client.models.PromptBody(prompt="A text.", stream=False, session_id="one")
    assert client("POST /{feature}", feature="translate", body=asked).response
    body = client.models.ChatBody(messages=turns, stream=False)
    assert client("POST /{feature}/chat", feature="translate", body=body).response
    assert client("POST /{feature}/ab", feature="translate", body=asked).comparison_id


async def test_errors_are_typed_whatever_they_are(client: Client) -> None:
    models = client.models
    body = models.PromptBody(prompt="A text.", stream=False)
    for who, code in ((None, "unauthenticated"), ("ana", "invalid_input")):
        empty = body if who is None else models.PromptBody(prompt="", stream=False)
        failure = client("POST /summarize", who, body=empty)
        assert (type(failure), failure.code) == (models.Failure, code)
    assert failure.errors[0].loc == ["prompt"]
    assert client("GET /feedback", "ben").code == "forbidden"
    assert client("GET /feedback/{feedback_id}", feedback_id="none").code == "feedback_not_found"
    assert client("GET /feedback", limit=1000).errors[0].loc == ["query", "limit"]


async def test_events_are_described_as_they_are_sent(described: dict[str, Any], server: Server) -> None:
    turns = [{"role": "user", "content": "A text."}]
    seen: dict[str, set[str]] = {}
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
        http.headers["Authorization"] = f"Bearer {TOKENS['ben']}"
        for path in [path for path in described["paths"] if path.startswith(("/summarize", "/summarization"))]:
            body = {"messages": turns} if path.endswith("/chat") else {"prompt": "A text."}
            text = (await http.post(path, json=body | {"session_id": "two"})).text
            content = described["paths"][path]["post"]["responses"]["200"]["content"]["text/event-stream"]
            events_schema = closed(content["itemSchema"]["properties"]["data"]["contentSchema"])
            known = Draft202012Validator(events_schema)
            for event in events(text)[:-1]:
                known.validate(event)
                seen.setdefault(path, set()).add(event.get("type", "delta"))
    assert seen["/summarize/ab"] == {"ab_config", "delta", "done"}
    assert seen["/summarization"] == {"delta", "trace_id", "done"}
    assert len(seen) == 6
