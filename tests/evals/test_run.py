"""`canopy evals run`, as a person or a pipeline starts it."""

import asyncio
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from canopy.base.errors import ConfigError
from canopy.cli import main
from canopy.evals import results
from canopy.evals.results import CaseResult, Run
from canopy.evals.run.backend import Backend
from canopy.evals.run.evaluation import Evaluation
from canopy.evals.run.plan import make_plan
from tests.support.backend_server import DONE, Answer, FakeBackend, delta, event, running_canopy
from tests.support.commands import canopy
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

GOOD = Answer((delta("Short."), DONE))
LONG = Answer((delta("Much longer than the text that it should make short. " * 9), DONE))
TEXT = "A text of some length, so that a summary of it can be shorter than it is, by more than a half. Number "


def suite(folder: Path, expected: list[str], name: str = "some_tests.yaml", **fields: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    tests = [{"prompt": f"{TEXT}{number}", "expected_result": text} for number, text in enumerate(expected)]
    content = {"name": "some", "endpoint": "/summarize", "scoring_params": {"length": None}, "tests": tests, **fields}
    (folder / name).write_text(yaml.safe_dump(content))
    return folder


async def evaluated(
    folder: Path, backend: FakeBackend, *options: str | Path, env: dict[str, str] | None = None
) -> tuple[int, str, str, Run]:
    """The command's status and output, and the report that it left."""
    output = folder.parent / "results"
    status, out, errors = await canopy(
        "evals", "run", folder, "--backend", backend.url, "--output", output, *options, env=env
    )
    assert "Traceback" not in errors, errors
    return status, out, errors, report(output)


def report(output: Path) -> Run:
    return results.load(output / "results.json")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def test_good_answers_open_the_gate(tmp_path: Path) -> None:
    async with FakeBackend() as backend:
        backend.default = GOOD
        folder = suite(tmp_path / "evals", ["x", "y"])
        status, out, errors, run = await evaluated(folder, backend, "--resume", env={"CANOPY_EVALS_TOKEN": "s3cret"})
        assert status == 0, errors
        assert "holds no run to go on with, so this one begins anew" in errors
        assert "The gate passed: 2 of 2 cases pass." in out
        assert backend.headers["authorization"] == "Bearer s3cret"
    assert [(case.status, case.file, case.suite) for case in run.cases] == [("passed", "some_tests.yaml", "some")] * 2
    assert run.finished_at is not None
    assert (run.target.config_revision, run.scoring, run.judge_url) == ("0123456789ab", "local", None)
    written = {path.name: path.read_bytes() for path in (tmp_path / "results").iterdir()}
    assert written.keys() >= {"results.json", "junit.xml", "report.html"}
    assert not [name for name, content in written.items() if b"s3cret" in content]


async def test_bad_answers_and_faults_close_it_with_their_reasons(tmp_path: Path) -> None:
    async with FakeBackend() as backend:
        backend.default = GOOD
        backend.answers = {
            f"{TEXT}1": [LONG],
            f"{TEXT}2": [Answer((DONE,))],
            f"{TEXT}3": [Answer((event(type="error", error="The model said nothing.", code="model_reply_empty"),))],
        }
        folder = suite(tmp_path / "evals", ["x", "x", "x", "x", "  "])
        status, out, errors, run = await evaluated(folder, backend)
        assert status == 1
        assert f"{TEXT}4" not in backend.asked
    assert [case.status for case in run.cases] == ["passed", "failed", "failed", "failed", "awaiting_review"]
    assert "The gate failed: 1 of 4 cases pass (25.0%); 100.0% is needed." in errors
    for reason in ("length gave 0", "The answer is empty.", "The model said nothing. (model_reply_empty)"):
        assert reason in out
    assert "Awaiting review:\n  " in out


async def test_nothing_reviewed_is_no_yes(tmp_path: Path) -> None:
    async with FakeBackend() as backend:
        status, _, errors, run = await evaluated(suite(tmp_path / "evals", ["", ""]), backend)
        assert backend.asked == []
    assert status == 2
    assert "All await review" in errors
    assert run.gate is not None
    assert run.gate.verdict == "undecided"


async def test_a_baseline_shows_what_became_worse(tmp_path: Path) -> None:
    folder = suite(tmp_path / "evals", ["x", "x", "x"])
    (folder / "thresholds.yaml").write_text("pass_rate: 0.5")
    async with FakeBackend() as backend:
        backend.default = GOOD
        assert (await evaluated(folder, backend))[0] == 0
        baseline = (tmp_path / "results" / "results.json").rename(tmp_path / "baseline.json")
        backend.answers = {f"{TEXT}1": [LONG]}
        assert (await evaluated(folder, backend))[0] == 0
        status, out, errors, run = await evaluated(folder, backend, "--baseline", baseline)
    assert status == 1
    assert "1 passed in the baseline and fail now; at most 0 may." in errors
    assert "worse   passed → failed" in out
    assert run.comparison is not None
    assert (run.comparison.pairs, run.comparison.lost, run.comparison.p_value) == (3, 1, 1)


async def test_a_case_is_decided_by_most_of_its_attempts(tmp_path: Path) -> None:
    async with FakeBackend() as backend:
        backend.answers = {f"{TEXT}0": [GOOD, LONG, GOOD], f"{TEXT}1": [LONG, GOOD, LONG]}
        status, _, _, run = await evaluated(suite(tmp_path / "evals", ["x", "x"]), backend, "--repeat", "3")
        assert len(backend.asked) == 6
    assert status == 1
    assert [(case.status, len(case.attempts)) for case in run.cases] == [("passed", 3), ("failed", 3)]


async def test_as_many_questions_are_asked_at_once_as_are_allowed(tmp_path: Path) -> None:
    held = asyncio.Event()
    async with FakeBackend() as backend:
        backend.default = Answer((delta("Short."), DONE), hold=held)
        running = asyncio.create_task(evaluated(suite(tmp_path / "evals", ["x"] * 9), backend, "--concurrency", "3"))
        await until(lambda: len(backend.asked) == 3)
        held.set()
        assert (await running)[0] == 0
        assert backend.most_at_once == 3


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_run_leaves_its_report_and_goes_on(tmp_path: Path, by: signal.Signals) -> None:
    folder, output = suite(tmp_path / "evals", ["x"] * 6), tmp_path / "results"
    hanging = [f"{TEXT}{number}" for number in (4, 5)]
    async with FakeBackend() as backend:
        backend.default = GOOD
        backend.answers = {prompt: [Answer((delta("Half"),), hang=True)] for prompt in hanging}
        arguments: list[str | Path] = ["evals", "run", folder, "--backend", backend.url, "--output", output]
        async with running_canopy(*arguments) as process:
            await until(lambda: (output / "results.json").exists() and len(report(output).cases) == 4)
            process.send_signal(by)
            _, errors = await process.communicate()
        assert process.returncode == 128 + by
        assert "--resume goes on" in errors.decode()
        assert "Traceback" not in errors.decode()
        left = report(output)
        assert (left.finished_at, len(left.cases)) == (None, 4)
        assert (output / "junit.xml").exists()

        backend.answers.clear()
        backend.asked.clear()
        status, _, errors_, run = await evaluated(folder, backend, "--resume")
        assert status == 0, errors_
        assert sorted(backend.asked) == hanging
        assert "4 of 6 cases are done already." in errors_
    assert (run.id, run.started_at) == (left.id, left.started_at)
    assert [case.prompt for case in run.cases] == [f"{TEXT}{number}" for number in range(6)]


async def test_ctrl_c_before_the_first_question_promises_no_report(tmp_path: Path) -> None:
    folder, output = suite(tmp_path / "evals", ["x"]), tmp_path / "results"
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and never answers
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with running_canopy("evals", "run", folder, "--backend", address, "--output", output) as process:
            connection, _ = await asyncio.to_thread(silent.accept)
            process.send_signal(signal.SIGINT)
            _, errors = await process.communicate()
            connection.close()
    assert process.returncode == 130
    assert errors.decode() == "Ended before the backend was asked for anything; no report was written.\n"
    assert not output.exists()


@pytest.mark.parametrize(("mistake", "status"), [(ZeroDivisionError("ours"), 2), (KeyboardInterrupt(), 130)])
def test_what_is_no_verdict_never_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: BaseException, status: int
) -> None:
    def fail() -> None:
        raise mistake

    monkeypatch.setattr("canopy.cli.evals_run.read_settings", fail)  # no input is known that would do it
    folder = suite(tmp_path / "evals", ["x"])
    result = CliRunner().invoke(main, ["evals", "run", str(folder), "--backend", "http://127.0.0.1:1"])
    assert result.exit_code == status
    assert ("ZeroDivisionError: ours" in result.output) == (status == 2)


async def test_texts_of_users_cannot_command_the_terminal(tmp_path: Path) -> None:
    folder = suite(tmp_path / "evals", [], tests=[{"prompt": "\x1b[31mRed \u202eletters", "expected_result": "x"}])
    async with FakeBackend() as backend:
        backend.default = LONG
        _, out, errors, _ = await evaluated(folder, backend)
    assert "␛[31mRed <U+202E>letters" in out
    assert "\x1b" not in out + errors


async def test_a_run_goes_on_with_the_cases_that_are_as_they_were(tmp_path: Path) -> None:
    async with FakeBackend() as backend:
        backend.default = GOOD
        await evaluated(suite(tmp_path / "evals", ["x", "x", ""]), backend)
        backend.asked.clear()
        _, _, _, run = await evaluated(
            suite(tmp_path / "evals", ["x", "changed", "reviewed", "new"]), backend, "--resume"
        )
        assert sorted(backend.asked) == [f"{TEXT}{number}" for number in (1, 2, 3)]
    assert [case.expected_result for case in run.cases] == ["x", "changed", "reviewed", "new"]


async def test_a_run_of_another_prompt_does_not_go_on(tmp_path: Path) -> None:
    folder = suite(tmp_path / "evals", ["x"])
    async with FakeBackend() as backend:
        backend.default = GOOD
        await evaluated(folder, backend)
        backend.flags = {"config_revision": "ba9876543210", "flags": {}}
        (folder / "thresholds.yaml").write_text("scorers: {length: {minimum: 0.1}}")
        status, _, errors, _ = await evaluated(folder, backend, "--resume", "--repeat", "2")
    assert status == 2
    assert "the backend's configuration and --repeat and what scores" in errors


async def test_a_prompt_that_changes_during_a_run_ends_it(tmp_path: Path) -> None:
    held = asyncio.Event()
    async with FakeBackend() as backend:
        backend.default = Answer((delta("Short."), DONE), hold=held)
        running = asyncio.create_task(evaluated(suite(tmp_path / "evals", ["x"]), backend))
        await until(lambda: len(backend.asked) == 1)
        backend.flags = {"config_revision": "ba9876543210", "flags": {}}
        held.set()
        status, _, errors, run = await running
    assert status == 2
    assert "changed during the run, from 0123456789ab to ba9876543210" in errors
    assert run.gate is None


async def test_a_backend_that_goes_away_ends_the_run_and_fails_no_case(tmp_path: Path) -> None:
    cases = make_plan(suite(tmp_path / "evals", ["x"] * 3)).cases
    done: list[CaseResult] = []
    async with Backend("http://127.0.0.1:1", token=None, timeout=10, retries=0) as backend:
        evaluation = Evaluation(backend, {"some_tests.yaml": []}, repeat=2, concurrency=2)
        with pytest.raises(ConfigError, match="can't be reached"):
            await evaluation.all(cases, done.append)
    assert done == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--backend", "http://127.0.0.1:1"], "The backend at http://127.0.0.1:1 can't be reached"),
        (["--backend", "http://127.0.0.1:99999"], "--backend must be a URL such as"),
        (["--backend", "http://me:s3cret@127.0.0.1:1"], "--backend must hold neither credentials"),
        (
            ["--backend", "http://127.0.0.1:1", "--judge", "http://h/?key=s3cret"],
            "--judge must hold neither credentials",
        ),
        (["--backend", "http://127.0.0.1:1", "--scoring", "llama-stack"], "--judge URL"),
        (["--backend", "http://127.0.0.1:1", "--baseline", "out/results.json"], "is where this run writes its own"),
        (["--backend", "http://127.0.0.1:1", "--baseline", "evals/some_tests.yaml"], "is no JSON"),
        (["--backend", "http://127.0.0.1:1", "--concurrency", "0"], "--concurrency"),
        (["--judge", "http://127.0.0.1:1"], "Missing option '--backend'"),
    ],
)
def test_what_could_not_run_ends_with_status_two_and_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    suite(tmp_path / "evals", ["x"])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.json").write_text("{}")
    ended = CliRunner().invoke(main, ["evals", "run", "evals", "-o", "out", *arguments])
    assert ended.exit_code == 2
    assert sentence in ended.stderr
    assert "s3cret" not in ended.output


async def test_a_judge_that_gives_no_grade_leaves_the_gate_undecided(tmp_path: Path) -> None:
    folder = suite(
        tmp_path / "evals",
        ["x", "x"],
        scoring_params={
            "llm-as-judge::base": {
                "judge_model": "judge",
                "prompt_template": "judge_prompt.txt",
                "type": "llm_as_judge",
                "judge_score_regexes": ["Answer: (A|B|C|D|E)"],
            }
        },
    )
    (folder / "judge_prompt.txt").write_text("{input_query} {expected_answer} {generated_answer} Answer: A to E?")
    async with FakeBackend() as backend, FakeModelServer() as judge:
        backend.default = GOOD
        judge.scripts["judge"] = Script(tokens=("I can't say.",))
        status, _, errors, run = await evaluated(folder, backend, "--judge", judge.url)
        assert status == 2, errors
        assert "2 have no score because a scorer failed; at most 0 may." in errors
        assert [case.status for case in run.cases] == ["unscored"] * 2

        judge.scripts["judge"] = Script(tokens=("Fine. Answer: A",))
        status, _, errors, run = await evaluated(folder, backend, "--judge", judge.url, "--resume")
        assert status == 0, errors
    assert [case.attempts[0].scores[0].grade for case in run.cases] == ["A", "A"]


async def test_a_real_backend_is_evaluated(tmp_path: Path) -> None:
    folder = suite(tmp_path / "evals", ["x", "x"])
    async with FakeModelServer() as model:
        model.scripts["llama32"] = Script(tokens=("A short ", "summary."))
        values = {"LLAMA_STACK_URL": model.url, "summarize": {"prompt": "Summarize."}}
        async with running_server(tmp_path, values) as server:
            status, _, errors = await canopy(
                "evals", "run", folder, "--backend", server.url, "-o", tmp_path / "results"
            )
            assert status == 0, errors
            run = report(tmp_path / "results")
            attempt = run.cases[0].attempts[0]
            assert attempt.answer == "A short summary."
            assert run.target.flags["summarize"]
            recorded = await server.event("generation_finished", 2)
            assert attempt.generation_id in {each["generation_id"] for each in recorded}
