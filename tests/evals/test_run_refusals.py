"""A run against a backend that is busy or lets nobody in, and one that is asked for in a way that can't be meant."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from canopy.evals.run.backend import Backend
from tests.evals.test_backend import failed_with
from tests.evals.test_run import GOOD, TEXT, evaluated, report, suite
from tests.support.backend_server import FLAGS, Answer, FakeBackend
from tests.support.commands import canopy
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server


async def test_what_was_not_answered_leaves_the_run_undecided_and_is_asked_again(tmp_path: Path) -> None:
    folder = suite(tmp_path / "evals", ["x", "x", "x"])
    (folder / "thresholds.yaml").write_text("max_unscored: 3")
    async with FakeBackend() as backend:
        backend.default = GOOD
        backend.answers = {f"{TEXT}1": [Answer(status=429, headers=(("Retry-After", "3600"),))]}
        status, _, errors, run = await evaluated(folder, backend)
        assert status == 2
        assert "1 have no answer for a reason that isn't the answer's; `--resume` asks again." in errors
        assert [case.status for case in run.cases] == ["passed", "unscored", "passed"]
        backend.asked.clear()
        backend.answers = {}
        status, _, errors, run = await evaluated(folder, backend, "--resume")
        assert (status, backend.asked) == (0, [f"{TEXT}1"]), errors


async def test_a_backend_that_lets_nobody_in_ends_the_run_and_it_goes_on_with_a_token(tmp_path: Path) -> None:
    folder = suite(tmp_path / "evals", ["x"] * 20)
    async with FakeBackend() as backend:
        backend.default = Answer((b'{"detail": "This token is unknown.", "code": "unauthenticated"}',), 401)
        status, _, errors, run = await evaluated(folder, backend, "--concurrency", "2")
        assert status == 2
        assert "This token is unknown. Set CANOPY_EVALS_TOKEN to a token that may ask for answers." in errors
        assert len(backend.asked) <= 4
        assert run.cases == []
        backend.default = GOOD
        assert (await evaluated(folder, backend, "--resume"))[0] == 0


@pytest.mark.parametrize(
    "outage",
    [
        Answer((b"<html>Bad gateway</html>",), 504, (), "text/html"),
        Answer((b"<html>Sign in</html>",), 200, (), "text/html"),
        Answer((b'{"detail": "The model server failed (529).", "code": "model_error"}',), 502),
    ],
)
async def test_an_outage_is_no_wrong_answer_and_the_run_goes_on_behind_it(tmp_path: Path, outage: Answer) -> None:
    folder = suite(tmp_path / "evals", ["x", "x"])
    async with FakeBackend() as backend:
        backend.default, backend.flags = outage, None
        status, _, errors, run = await evaluated(folder, backend)
        assert status == 2, errors
        assert not [case for case in run.cases if case.status != "unscored"]
        page = await asyncio.to_thread((tmp_path / "results" / "report.html").read_text)
        assert "Not answered for a reason that isn" in page or not run.cases
        backend.default, backend.flags = GOOD, FLAGS
        status, _, errors, run = await evaluated(folder, backend, "--resume")
    assert status == 0, errors
    assert [case.status for case in run.cases] == ["passed", "passed"]


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        (
            {},
            "(not_found): There is nothing at this address. The backend answers no prompts at /translate: correct the",
        ),
        (
            {"translate": {"prompt": "Translate.", "enabled": False}},
            "(feature_disabled): Translate feature is not enabled",
        ),
    ],
    ids=["gone", "off"],
)
async def test_a_suite_of_a_feature_that_is_gone_ends_no_other_suite(
    tmp_path: Path, features: dict[str, Any], reason: str
) -> None:
    folder = suite(tmp_path / "evals", ["x", "x"], "summary_tests.yaml")
    suite(folder, ["x", "x"], "a_translation_tests.yaml", endpoint="/translate")
    async with FakeModelServer() as model:
        model.scripts["llama32"] = Script(tokens=("A short ", "summary."))
        async with running_server(tmp_path, {"LLAMA_STACK_URL": model.url, "features": features}) as server:
            command = ("evals", "run", folder, "-o", tmp_path / "results", "--concurrency", "1", "--backend")
            status, out, errors = await canopy(*command, server.url)
            run = report(tmp_path / "results")
            wrong = await canopy(*command, f"{server.url}/summarize")
    assert status == 2
    assert "The gate is undecided" in out + errors
    assert "--backend takes" not in out + errors
    assert {(case.file, case.status) for case in run.cases} == {
        ("summary_tests.yaml", "passed"),
        ("a_translation_tests.yaml", "unscored"),
    }
    untold = [case.attempts[0].error for case in run.cases if case.status == "unscored"]
    assert len(untold) == 2
    assert all(reason in (error or "") for error in untold), untold
    assert wrong[0] == 2
    assert f"--backend takes the address of Canopy's page, such as {server.url}, without /summarize" in wrong[2]


@pytest.mark.parametrize(
    "answer",
    [
        failed_with("not_found", 404),
        failed_with("method_not_allowed", 405),
        Answer((b"<html>Nothing here</html>",), 404, (), "text/html"),
    ],
)
@pytest.mark.parametrize("shown_by", ["flags", "answer"])
async def test_where_canopy_was_found_a_missing_route_is_the_suites(answer: Answer, shown_by: str) -> None:
    async with FakeBackend() as fake, Backend(fake.url, token=None, timeout=10) as backend:
        fake.answers["gone"] = [answer]
        if shown_by == "flags":
            await backend.target()
        else:
            await backend.ask("/summarize", "text")
        attempt = await backend.ask("/translate", "gone")
    assert attempt.unanswered
    assert "answers no prompts at /translate: correct the suite's `endpoint`, or bring the feature" in (
        attempt.error or ""
    )


async def test_a_run_waits_for_a_backend_that_says_how_long_and_says_so(tmp_path: Path) -> None:
    async with FakeBackend() as backend:
        backend.default = GOOD
        backend.answers = {f"{TEXT}0": [Answer(status=429, headers=(("Retry-After", "1"),)), GOOD]}
        status, _, errors, _ = await evaluated(suite(tmp_path / "evals", ["x"]), backend)
    assert status == 0, errors
    assert "Waiting 1 s, as the backend asks, and going on then." in errors


async def test_a_second_baseline_is_refused(tmp_path: Path) -> None:
    folder, one = suite(tmp_path / "evals", ["x"]), tmp_path / "one.json"
    await asyncio.to_thread(one.write_text, "{}")
    status, _, errors = await canopy(
        "evals", "run", folder, "--backend", "http://127.0.0.1:1", "--baseline", one, "--baseline", one
    )
    assert status == 2
    assert "Give one: a run is compared with one earlier run." in errors


async def test_an_unknown_scorer_is_refused_by_list_too(tmp_path: Path) -> None:
    folder = suite(tmp_path / "evals", ["x"], scoring_params={"lenght": None})
    status, _, errors = await canopy("evals", "list", folder)
    assert status == 2
    assert "names `lenght`, which is no scorer. There are" in errors
