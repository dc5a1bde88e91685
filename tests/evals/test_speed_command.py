"""`canopy evals speed` against a real Canopy in front of a model server that answers at a known pace."""

import json
import re
from pathlib import Path

from canopy.evals.run.speed import Speed
from tests.support import commands
from tests.support.backend_server import Answer, FakeBackend
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

SUITE = """\
name: speed
endpoint: /summarize
scoring_params: {rouge: null}
tests:
- prompt: The council voted on Tuesday.
- prompt: The yard becomes a park.
"""


async def canopy(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    return await commands.canopy("evals", "speed", *arguments, env={"NO_COLOR": "1"})


async def test_a_backends_speed_is_measured_token_by_token(tmp_path: Path) -> None:
    (tmp_path / "a_tests.yaml").write_text(SUITE)
    async with FakeModelServer() as model:
        model.scripts["llama32"] = Script(count=11, rate=100, first_token_after=0.1)
        values = {"LLAMA_STACK_URL": model.url, "summarize": {"model": "llama32"}}
        async with running_server(tmp_path, values) as server:
            report = tmp_path / "out/speed.json"
            status, out, err = await canopy(
                *(str(tmp_path), "--backend", server.url, "--requests", "6", "--concurrency", "3"), "-o", str(report)
            )
    assert (status, err.strip()) == (0, "")
    found = Speed.model_validate(json.loads(report.read_text()))
    assert (found.answers, found.failures, found.prompts, found.concurrency) == (6, {}, 2, 3)
    assert found.target.config_revision
    assert found.time_to_first_token
    assert found.time_to_first_token.p50 >= 0.1  # no faster than the model
    assert found.time_per_token
    assert found.time_per_token.p50 >= 0.005  # 100 tokens a second, some of which arrive together
    assert found.tokens_per_second
    assert re.search(r"^time to first token +0\.\d{3}", out, re.MULTILINE)
    assert re.search(r"^throughput: [\d.]+ answers/s, [\d.]+ tokens/s$", out, re.MULTILINE)
    assert len(model.requests) == 6 + 2  # two to warm up


async def test_a_backend_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a_tests.yaml").write_text(SUITE)
    status, out, err = await canopy(str(tmp_path), "--backend", "http://127.0.0.1:9")
    assert (status, out) == (2, "")
    assert "can't be reached" in err


async def test_a_measurement_without_an_answer_is_none(tmp_path: Path) -> None:
    (tmp_path / "a_tests.yaml").write_text(SUITE)
    async with FakeBackend() as backend:
        backend.default = Answer((b'{"detail": "The model server failed (500).", "code": "model_error"}',), 502)
        status, out, err = await canopy(str(tmp_path), "--backend", backend.url, "--requests", "2")
    assert status == 2
    assert "2 failures: The backend answered with status 502" in out
    assert "Nothing was answered" in err


async def test_an_address_that_is_not_canopys_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a_tests.yaml").write_text(SUITE)
    async with FakeBackend() as backend:
        backend.default, backend.flags = Answer((b'{"detail": "Not Found"}',), 404), None
        status, out, err = await canopy(str(tmp_path), "--backend", backend.url, "--requests", "2")
    assert (status, out) == (2, "")
    assert "--backend takes the address of Canopy's page" in err
    assert "Traceback" not in err


async def test_a_folder_without_suites_is_a_sentence(tmp_path: Path) -> None:
    status, _, err = await canopy(str(tmp_path), "--backend", "http://127.0.0.1:9")
    assert status == 2
    assert "holds no suite" in err
    suite = (
        "{name: x, description: x, model: m, endpoint: /summarize, scoring_params: {basic::subset_of: null}, tests: []}"
    )
    (tmp_path / "some_tests.yaml").write_text(suite)
    status, _, err = await canopy(str(tmp_path), "--backend", "http://127.0.0.1:9")
    assert (status, "holds no cases" in err) == (2, True), err
