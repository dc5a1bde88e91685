"""From the votes to the commit: promote, verify, roll back, with a real server, a real Git and a bare remote."""

import json
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from jsonschema_rs import Draft202012Validator

from canopy.experiments.assignment import experiment_id
from canopy.generation.prompts import prompt_of
from canopy.store.experiments.experiment import Experiment, Preference
from canopy.store.opening import open_store
from tests.contract.store.records import BEGAN, Clock, a_ballot, a_comparison, an_experiment
from tests.support.commands import canopy
from tests.support.server import Server, empty_database, running_server
from tools.schemas import EVIDENCE, schema

A, B = "Summarize the text in detail:", "Be brief & kind: # no more than\ntwo sentences.\n"
VALUES = """\
# The test environment.
repo_url: https://git.example.com/ada/canopy.git
chart_path: helm/canopy
target_revision: main
LLAMA_STACK_URL: http://llama-stack-service:8321   # in the cluster

summarize:
  enabled: true
  model: llama32
  temperature: 0.2
  prompt: "Summarize the text in detail:"  # since May
  # the candidate
  prompt_b: |
    Be brief & kind: # no more than
    two sentences.
ab_testing: {enabled: true, percentage: 50}
feedback:
  enabled: true
"""
MLFLOW = "mlflow: {enabled: true, url: 'http://127.0.0.1:9'}\n"
FILE = "gitops/canopy/test/backend/config.yaml"


def experiment_on(prompt_b: str = B) -> Experiment:
    ids = prompt_of(A).id, prompt_of(prompt_b).id
    return an_experiment(
        id=experiment_id(*ids, "llama32", 0.2, 4096), temperature=0.2, prompt_id=ids[0], prompt_text=A,
        prompt_b_id=ids[1], prompt_b_text=prompt_b, name="Brief summaries", created_at=BEGAN,
    )  # fmt: skip


async def fill(url: str, experiment: Experiment, wins_a: int, wins_b: int) -> None:
    """So many people prefer A and B, three find them equal, and one finds both bad."""
    store = open_store(url, clock=Clock())
    await store.start()
    of_each: dict[Preference, int] = {"a": wins_a, "b": wins_b, "tie": 3, "both_bad": 1}
    preferences = [preference for preference, n in of_each.items() for _ in range(n)]
    for number, preference in enumerate(preferences):
        asked = {"experiment": experiment, "user_id": f"user {number}", "created_at": experiment.created_at}
        await store.comparisons.record_ballot(a_ballot(await a_comparison(store, **asked), preference))
    await store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """It has counted 40 votes for B and 5 for A."""
    async with counting(tmp_path_factory.mktemp("votes"), experiment_on(), 5, 40) as running:
        yield running


def test_the_shipped_schema_is_the_models() -> None:
    assert EVIDENCE.read_text() == schema(EVIDENCE), "run `make schema`"


def git(where: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=where, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a bare remote, with the values committed."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    git(tmp_path, "clone", "--quiet", "remote.git", "clone")
    clone = tmp_path / "clone"
    git(clone, "symbolic-ref", "HEAD", "refs/heads/main")
    file = clone / FILE
    file.parent.mkdir(parents=True)
    file.write_text(VALUES)
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "Begin")
    git(clone, "push", "--quiet", "origin", "main")
    return clone


@asynccontextmanager
async def counting(folder: Path, experiment: Experiment, wins_a: int, wins_b: int) -> AsyncGenerator[Server]:
    """A server with the values, that has counted so much."""
    (folder / "canopy.db").write_bytes(empty_database())
    await fill(f"sqlite:///{folder / 'canopy.db'}", experiment, wins_a, wins_b)
    served = "\n".join(VALUES.splitlines()[4:]).replace("http://llama-stack-service:8321", "http://127.0.0.1:9")
    async with running_server(folder, served) as running:
        yield running


async def promote(repository: Path, server: Server, *more: str) -> tuple[int, str, str]:
    return await canopy("promote", "--values", FILE, "--backend", server.url, *more, cwd=repository)


async def verified(repository: Path, commit: str = "HEAD") -> list[dict[str, Any]]:
    status, said, _ = await canopy("verify", "--json", commit, cwd=repository)
    found = json.loads(said)
    assert status == (0 if found["right"] else 1)
    return [it for it in found["findings"] if not it["right"]]


async def test_what_the_votes_decided_is_a_commit_that_anybody_can_check(repository: Path, server: Server) -> None:
    status, said, errors = await promote(repository, server, "--commit", "--force", "--why", "To be sure")
    assert status == 0, errors
    assert all(it in said for it in ("Nothing has to be forced: the votes allow it", "Committed"))
    after = (repository / FILE).read_text()
    assert after == VALUES.replace(
        'prompt: "Summarize the text in detail:"  # since May',
        "prompt: |  # since May\n    Be brief & kind: # no more than\n    two sentences.",
    ).replace("  prompt_b: |\n    Be brief & kind: # no more than\n    two sentences.\n", "").replace(
        "{enabled: true, percentage", "{enabled: false, percentage"
    )
    message = git(repository, "log", "-1", "--format=%B")
    assert message.startswith("Promote Prompt B of Brief summaries\n\n")
    assert "A 5, B 40, ties 3, both bad 1" in message
    assert "\nCost, by 49 answers each to the same texts:\n  A 12 tokens in, 3 out; first token 0.25 s" in message
    assert not any(it in message for it in (server.url, "FORCED"))  # the address leads nobody else there
    changed = git(repository, "show", "--name-only", "--format=", "HEAD").splitlines()
    (evidence,) = (it for it in changed if it != FILE)
    assert evidence.startswith("gitops/canopy/test/backend/evidence/")
    Draft202012Validator(json.loads(EVIDENCE.read_text())).validate(
        statement := json.loads((repository / evidence).read_text())
    )
    assert await verified(repository) == []
    statement["predicate"]["cost"]["prompt"]["prompt_id"] = "sha256:another"
    for cost, wrong in (
        (statement["predicate"]["cost"], ["The cost is not that of the prompts that were compared."]),
        (None, []),
    ):
        statement["predicate"]["cost"] = cost
        (repository / evidence).write_text(
            json.dumps(
                {**statement, "predicate": {k: v for k, v in statement["predicate"].items() if v or k != "cost"}}
            )
        )
        git(repository, "commit", "--quiet", "--all", "--amend", "--message", "Brief summaries (#7)")
        assert [it["sentence"] for it in await verified(repository)] == wrong


async def test_a_dry_run_writes_nothing(repository: Path, server: Server) -> None:
    status, said, _ = await promote(repository, server)
    assert status == 0
    assert '-  prompt: "Summarize the text in detail:"  # since May\n' in said
    assert "Nothing was written." in said
    assert git(repository, "status", "--porcelain") == ""


async def test_a_branch_is_pushed_and_the_working_copy_stays(repository: Path, server: Server) -> None:
    status, _, errors = await promote(repository, server, "--branch", "brief", "--push")
    assert status == 0, errors
    assert (repository / FILE).read_text() == VALUES
    assert git(repository, "rev-parse", "origin/main") == git(repository, "rev-parse", "brief^")
    assert git(repository, "ls-remote", "origin", "brief").split()[0] == git(repository, "rev-parse", "brief")
    assert await verified(repository, "brief") == []
    again, _, errors = await promote(repository, server, "--branch", "brief", "--push")
    assert (again, "There is a branch brief already." in errors) == (1, True)


async def test_what_argo_cd_reads_is_not_pushed_to_unless_told(repository: Path, server: Server) -> None:
    status, _, errors = await promote(repository, server, "--commit", "--push")
    assert (status, "is the branch that Argo CD reads" in errors) == (1, True)
    assert git(repository, "log", "--format=%s") == "Begin"
    assert (await promote(repository, server, "--commit", "--push", "--push-live"))[0] == 0
    assert git(repository, "rev-parse", "origin/main") == git(repository, "rev-parse", "HEAD")


async def test_a_promotion_is_taken_back_and_what_changed_since_stays(repository: Path, server: Server) -> None:
    await promote(repository, server, "--commit")
    file = repository / FILE
    file.write_text(file.read_text().replace("enabled: true\n", "enabled: false\n"))
    git(repository, "commit", "--quiet", "--all", "--message", "Feedback off")
    status, _, errors = await canopy(
        "rollback", "--values", FILE, "--backend", server.url, "--why", "Too brief", "--commit", cwd=repository
    )
    assert status == 0, errors
    values = file.read_text()
    assert f'prompt: "{A}"' in values
    assert "feedback:\n  enabled: false" in values
    assert "Reverts: " in git(repository, "log", "-1", "--format=%B")
    assert await verified(repository) == []
    status, _, errors = await canopy("rollback", "--values", FILE, cwd=repository)
    assert (status, "Nothing was promoted" in errors) == (1, True)
    assert (await canopy("verify", "--all", FILE, cwd=repository))[0] == 0
    _, said, _ = await canopy("verify", "HEAD~3..HEAD", cwd=repository)
    assert "2 commits, none wrong." in said


def edit(repository: Path, what: str, to: str, *, commit: bool = True) -> None:
    file = repository / FILE
    text = file.read_text()
    assert what in text
    file.write_text(text.replace(what, to))
    if commit:
        git(repository, "commit", "--quiet", "--all", "--message", "Edit")


def _move_the_remote_on(repository: Path) -> None:
    git(repository.parent, "clone", "--quiet", "remote.git", "other")
    git(repository.parent / "other", "commit", "--quiet", "--allow-empty", "--message", "On")
    git(repository.parent / "other", "push", "--quiet")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (partial(edit, what="# since May", to="# since June", commit=False), "has changes that no commit has"),
        (partial(edit, what="in detail", to="at length"), "is another prompt"),
        (partial(edit, what="0.2", to="0.3"), "`summarize.temperature`"),
        (partial(edit, what="prompt_b: |", to="other: |"), "summarize.other"),
        (
            partial(edit, what=VALUES[VALUES.index("  # the candidate") : VALUES.index("ab_")], to=""),
            "has no candidate",
        ),
        (partial(edit, what=VALUES, to="a: list\n"), "not a known key"),
        (partial(edit, what="  model: llama32", to="  model: llama32\n  mlflow_prompt: s"), "mlflow.enabled is false"),
        (partial(edit, what="summarize:\n", to=f"{MLFLOW}summarize:\n  mlflow_prompt: s\n"), "MLflow does not answer"),
        (_move_the_remote_on, "moved on"),
    ],
)
async def test_it_stops_with_a_sentence_and_changes_nothing(
    repository: Path, server: Server, change: Callable[[Path], None], sentence: str
) -> None:
    change(repository)
    before = (repository / FILE).read_bytes(), git(repository, "rev-parse", "HEAD")
    status, _, errors = await promote(repository, server, "--branch", "new", "--push")
    assert (status, sentence in errors) == (1, True), errors
    assert ((repository / FILE).read_bytes(), git(repository, "rev-parse", "HEAD")) == before
    assert git(repository, "branch", "--list", "new") == ""


@pytest.mark.parametrize(
    ("what", "to", "finding"),
    [
        ('"wins_b": 40', '"wins_b": 41', "E against"),
        ('"ties": 3', '"ties": 4', "voters:"),
        ('"alpha": 0.05', '"alpha": 0.06', "interval"),
        ('"e_b": ', '"e_b": 1', "E for B"),
        ('"status": "promote_b"', '"status": "keep_a"', "By its rule"),
        ('"max_tokens": 4096', '"max_tokens": 4097', "have the id"),
        ('"sha256": "', '"sha256": "00', "no evidence of Canopy's"),
        ('"action": "promote"', '"action": "keep"', "byte for byte"),
    ],
)
async def test_one_figure_changed_is_found_and_named(
    repository: Path, server: Server, what: str, to: str, finding: str
) -> None:
    await promote(repository, server, "--commit")
    (evidence,) = (repository / FILE).parent.glob("evidence/*.json")
    text = evidence.read_text()
    assert what in text
    evidence.write_text(text.replace(what, to, 1))
    git(repository, "commit", "--quiet", "--all", "--amend", "--no-edit")
    wrong = await verified(repository)
    assert any(finding in it["sentence"] for it in wrong), wrong


async def test_one_byte_of_the_file_changed_is_found(repository: Path, server: Server) -> None:
    await promote(repository, server, "--commit")
    with (repository / FILE).open("a") as file:
        file.write("# and more\n")
    git(repository, "commit", "--quiet", "--all", "--amend", "--no-edit")
    sentences = [it["sentence"] for it in await verified(repository)]
    assert any("not byte for byte" in it for it in sentences)
    assert any("after: SHA-256" in it for it in sentences)


async def test_the_next_round_begins_the_same_way_and_says_how_long_it_may_take(
    repository: Path, server: Server
) -> None:
    await promote(repository, server, "--commit")
    candidate = ("--prompt-b", "One sentence:", "--name", "One sentence", "--backend", server.url)
    status, said, errors = await canopy("ab", "start", "--values", FILE, *candidate, "--commit", cwd=repository)
    assert status == 0, errors
    began = f"That is experiment {experiment_id(prompt_of(B).id, prompt_of('One sentence:').id, 'llama32', 0.2, 4096)}."
    assert began in said
    takes = "If 60 % of the people prefer the candidate, a decision takes about 180 votes (60 to 420), at your 45 votes"
    assert takes in " ".join(said.split())
    values = (repository / FILE).read_text()
    assert '  prompt_b: "One sentence:"\n' in values
    assert 'ab_testing: {enabled: true, percentage: 50, name: "One sentence"}\n' in values
    same = ("--prompt-b", B)
    status, _, errors = await canopy("ab", "start", "--values", FILE, *same, "--commit", cwd=repository)
    assert (status, "current prompt, to the letter" in errors) == (1, True)


async def test_what_the_votes_do_not_decide_is_left_to_people_who_say_so(repository: Path, tmp_path: Path) -> None:
    short = replace(experiment_on(), rule=experiment_on().rule._replace(max_decisive_votes=4))
    edit(repository, "50}", "50, max_decisive_votes: 4}")
    begin = git(repository, "rev-parse", "HEAD")
    for name, experiment, wins_a, wins_b in (
        ("early", experiment_on(), 5, 6),
        ("lost", experiment_on(), 40, 5),
        ("used up", short, 2, 2),
    ):
        (folder := tmp_path / name).mkdir()
        async with counting(folder, experiment, wins_a, wins_b) as server:
            forced = ("--force", "--why", "The licence of A ends", "--keep", "b", "--commit")
            status, said, errors = await promote(repository, server)
            if name == "early":
                assert (status, "There is no decision yet. " in errors) == (1, True)
            elif name == "lost":
                assert (status, "-  prompt_b: |" in said) == (0, True)
                assert "+  prompt:" not in said
                _, _, errors = await promote(repository, server, "--keep", "b")
                assert "The votes decided for Prompt A." in errors
            else:
                assert (status, "The votes prefer neither." in errors) == (1, True)
                assert (await promote(repository, server, "--keep", "b"))[0] == 1
                assert (await promote(repository, server, "--keep", "a", "--commit"))[0] == 0
                assert await verified(repository) == []
                git(repository, "reset", "--quiet", "--hard", begin)
            assert (await promote(repository, server, *forced))[0] == 0
            assert "FORCED, although the votes say" in git(repository, "log", "-1", "--format=%B")
            assert await verified(repository) == []
            git(repository, "reset", "--quiet", "--hard", begin)


async def test_a_hook_that_refuses_leaves_everything_as_it_was(repository: Path, server: Server) -> None:
    hook = repository / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'Not on a Friday.' >&2\nexit 1\n")
    hook.chmod(0o755)
    status, _, errors = await promote(repository, server, "--commit")
    assert (status, "Not on a Friday." in errors) == (1, True)
    assert git(repository, "status", "--porcelain", "--untracked-files=all") == ""
    assert (repository / FILE).read_text() == VALUES
