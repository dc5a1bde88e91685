"""The command `canopy`, as a person types it."""

import os
import socket
import subprocess
from pathlib import Path

import pytest
import yaml

from canopy.store.feedback.query import Filter
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.records import DOWN, a_generation, on_texts
from tests.support.commands import run_canopy
from tests.support.docs import ROOT


def canopy(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CANOPY_")} | env
    return run_canopy(*arguments, env=environment)


async def filled(folder: Path) -> tuple[Store, str]:
    url = f"sqlite:///{folder / 'canopy.db'}"
    store = open_store(url)
    await store.start()
    await store.generations.record(a_generation(session_id="s1"))
    for text, session in (("one", "s1"), ("two", "s2")):
        await store.feedback.record(on_texts(text, voter=f"session:{session}", session_id=session, **DOWN))
    return store, url


@pytest.fixture(scope="module")
def overview() -> str:
    return canopy("--help").stdout


@pytest.mark.parametrize("command", ["serve", "check-values", "export", "prune", "erase"])
def test_each_command_explains_itself(command: str, overview: str) -> None:
    assert f"canopy {command}" in canopy(command, "--help").stdout
    assert f"  {command} " in overview


def test_check_values_says_what_a_file_turns_on(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("ab_testing: {enabled: true}")
    result = canopy("check-values", str(file))
    assert result.returncode == 0
    assert "is fine" in result.stdout
    assert "`summarize.prompt_b`" in result.stdout


def test_check_values_refuses_a_wrong_file_with_the_servers_sentence(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("summarize: {temprature: 1}")
    result = canopy("check-values", str(file))
    assert result.returncode == 1
    assert "`summarize.temprature` is not a known key" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("text", "whose", "flags"),
    [
        ("feedback: {enabled: false}", "It holds values of the server.", "feedback     off"),
        ("LLAMA_STACK_URL: http://a:1\nimage: {tag: v1}", "It holds values of the chart.", "feedback     on "),
        (
            "repo_url: a\nchart_path: b\ntarget_revision: c\nLLAMA_STACK_URL: http://a:1",
            "It holds values of the chart, and tells Argo CD where the chart is.",
            "ab_testing   off",
        ),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
            "spec: {source: {helm: {valuesObject: {LLAMA_STACK_URL: http://a:1}}}}",
            "It is a resource of Argo CD's, with values of the chart in it.",
            "feedback     on ",
        ),
    ],
)
def test_check_values_says_whose_a_file_is(tmp_path: Path, text: str, whose: str, flags: str) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(text)
    result = canopy("check-values", str(file))
    assert result.returncode == 0, result.stderr
    assert whose in result.stdout
    assert flags in result.stdout


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("LLAMA_STACK_URL: http://a:1\nreplicas: 2", "replicas is 2, but SQLite takes one."),
        ("image: {tag: v1}", "LLAMA_STACK_URL is not set."),
        ("LLAMA_STACK_URL: http://a:1\nreplicas: 1\nglobal: 3", "`global` must be a mapping of keys"),
        ("LLAMA_STACK_URL: http://a:1\nsettings: {log_level: loud}", "`settings`: `log_level`"),
        ("LLAMA_STACK_URL: http://a:1\nrepo_url: a", "chart_path and target_revision is missing."),
        ("apiVersion: argoproj.io/v1alpha1\nkind: AppProject", "This is Argo CD's AppProject, which holds no values."),
        (
            (ROOT / "gitops/appset-test.yaml").read_text(),
            "values are in gitops/canopy/test/*/config.yaml: check those.",
        ),
    ],
)
def test_check_values_refuses_what_the_chart_or_argo_cd_would_refuse(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(text)
    result = canopy("check-values", str(file))
    assert result.returncode == 1
    assert sentence in result.stderr


def test_check_values_says_what_keeps_a_file_of_the_server_from_being_the_charts(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("feedback: {enabled: true}")
    said = canopy("check-values", str(file)).stdout
    assert "The chart would not take it as its values: LLAMA_STACK_URL is not set." in said


async def test_export_writes_the_dataset_from_the_store(tmp_path: Path) -> None:
    store, url = await filled(tmp_path)
    await store.close()
    output = tmp_path / "feedback_tests.yaml"
    result = canopy("export", "-o", str(output), CANOPY_STORE_URL=url)
    assert result.returncode == 0, result.stderr
    assert [test["prompt"] for test in yaml.safe_load(output.read_bytes())["tests"]] == ["one", "two"]
    assert canopy("export", CANOPY_STORE_URL=url).stdout.encode() == output.read_bytes()


async def test_erase_reaches_one_session_and_no_other(tmp_path: Path) -> None:
    store, url = await filled(tmp_path)
    result = canopy("erase", "--session", "s1", CANOPY_STORE_URL=url)
    assert result.stdout == "Deleted 1 generation, 1 vote and 0 comparisons.\n"
    assert [entry.input_text for entry in (await store.feedback.page(Filter(), 10, None)).feedback] == ["two"]
    await store.close()


async def test_erase_says_what_stays_in_mlflow(tmp_path: Path) -> None:
    store, url = await filled(tmp_path)
    await store.close()
    values = tmp_path / "values.yaml"
    values.write_text("mlflow: {enabled: true, url: 'http://mlflow'}")
    result = canopy("erase", "--session", "s1", CANOPY_STORE_URL=url, CANOPY_CONFIG_PATH=str(values))
    assert result.stdout.startswith("Deleted 1 generation")
    assert "stay in MLflow" in result.stderr


async def test_prune_deletes_what_is_older(tmp_path: Path) -> None:
    store, url = await filled(tmp_path)
    assert canopy("prune", "--older-than", "90d", CANOPY_STORE_URL=url).returncode == 0
    assert await store.feedback.count(Filter()) == 2
    await store.close()


async def test_commands_that_read_the_values_tell_of_former_names_in_them(tmp_path: Path) -> None:
    store, url = await filled(tmp_path)
    await store.close()
    values = tmp_path / "values.yaml"
    values.write_text("ab_testing: {prior: 20}")
    for command in (["export"], ["ab", "report"], ["judge", "run"], ["erase", "--session", "nobody"]):
        result = canopy(*command, CANOPY_STORE_URL=url, CANOPY_CONFIG_PATH=str(values))
        assert result.stderr.count("`ab_testing.prior` is deprecated: it is `ab_testing.prior_strength` now.\n") == 1


@pytest.mark.parametrize("command", [["export"], ["erase", "--user", "ada"], ["prune", "--older-than", "90d"]])
def test_a_database_that_never_was_is_not_made_up(command: list[str], tmp_path: Path) -> None:
    result = canopy(*command, CANOPY_STORE_URL=f"sqlite:///{tmp_path / 'nowhere' / 'canopy.db'}")
    assert result.returncode == 1
    assert "CANOPY_STORE_URL: there is no database yet" in result.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("age", ["90", "0d", "d", "-1d", "9m"])
def test_prune_asks_for_an_age(age: str) -> None:
    result = canopy("prune", f"--older-than={age}")
    assert result.returncode == 2
    assert "such as 90d" in result.stderr


def test_a_retry_asks_for_ids_or_for_all() -> None:
    assert "either ids or --all" in canopy("outbox", "retry").stderr
    assert "either ids or --all" in canopy("outbox", "retry", "fb_1", "--all").stderr


def test_erase_asks_for_exactly_one_person() -> None:
    assert "either --user or --session" in canopy("erase").stderr
    assert "either --user or --session" in canopy("erase", "--user", "").stderr
    assert "either --user or --session" in canopy("erase", "--user", "a", "--session", "b").stderr


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "sqlite://", "nonsense"])
def test_a_store_that_there_is_not_is_refused_without_its_password(url: str) -> None:
    result = canopy("export", CANOPY_STORE_URL=url)
    assert result.returncode == 1
    assert "CANOPY_STORE_URL" in result.stderr
    assert "secret" not in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        values = tmp_path / "values.yaml"
        values.write_text("LLAMA_STACK_URL: http://127.0.0.1:1")
        result = canopy(
            "serve",
            CANOPY_PORT=port,
            CANOPY_CONFIG_PATH=str(values),
            CANOPY_STORE_URL=f"sqlite:///{tmp_path / 'canopy.db'}",
        )
    assert result.returncode == 1
    assert f"port {port}" in result.stderr
    assert "CANOPY_PORT" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
