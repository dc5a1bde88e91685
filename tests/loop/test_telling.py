"""What Git's side tells a server of promotions and rollbacks, and the way back that the server offers."""

import json
import shlex
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from canopy.cli.telling import tell_of
from canopy.experiments.assignment import experiment_id
from canopy.generation.prompts import prompt_of
from canopy.gitops.handover import HandedOver
from canopy.gitops.repository import Repository
from canopy.gitops.server import Server as GitServer
from canopy.store.experiments.experiment import Experiment
from tests.contract.store.records import BEGAN, an_experiment
from tests.loop.test_promotion import FILE, A, B, counting, git, promote, repository
from tests.support.commands import canopy
from tests.support.server import Server

__all__ = ["repository"]  # a fixture


def an_experiment_of_both() -> Experiment:
    ids = prompt_of(A).id, prompt_of(B).id
    return an_experiment(
        id=experiment_id(*ids, "llama32", 0.2, 4096), temperature=0.2, prompt_id=ids[0], prompt_text=A,
        prompt_b_id=ids[1], prompt_b_text=B, name="Brief summaries", created_at=BEGAN,
    )  # fmt: skip


def _served(values: str) -> str:
    """What a server takes of a values file in Git: without what is Argo CD's, and with an address that is nobody's."""
    return "\n".join(values.splitlines()[4:]).replace("http://llama-stack-service:8321", "http://127.0.0.1:9")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """It has counted 40 votes for B and 5 for A."""
    async with counting(tmp_path_factory.mktemp("told"), an_experiment_of_both(), 5, 40) as running:
        yield running


async def test_the_server_is_told_and_offers_the_way_back_that_works(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "told"
    folder.mkdir()
    async with (
        counting(folder, an_experiment_of_both(), 5, 40) as running,
        httpx.AsyncClient(base_url=running.url, timeout=20) as http,
    ):
        _, said, _ = await promote(repository, running, "--commit")
        assert f"The server shows its evidence: {running.url}/promotions" in said
        commit = git(repository, "rev-parse", "HEAD")
        (told,) = (await http.get("/promotions")).json()["promotions"]
        assert (told["commit"], told["verified"], told["action"], told["in_force"]) == (commit, True, "promote", False)
        assert told["rollback"] is None  # it isn't in force yet
        revision = (await http.get("/feature-flags?details=true")).json()["config_revision"]
        running.write_values(_served((repository / FILE).read_text()))
        await running.event("config_reloaded")
        (told,) = (await http.get("/promotions")).json()["promotions"]
        assert told["in_force"]
        assert (await http.get("/feature-flags?details=true")).json()["config_revision"] != revision
        status, _, errors = await canopy(*shlex.split(told["rollback"])[1:], "--commit", cwd=repository)
        assert status == 0, errors
        newest, former = (await http.get("/promotions")).json()["promotions"]
        assert (newest["action"], former["taken_back_by"]) == ("rollback", newest["commit"])
        assert former["rollback"] == told["rollback"]  # the server has the promoted prompt still
        # A squashed or rebased commit has the same statement; what is wrong with one is told as well.
        with (repository / FILE).open("a") as file:
            file.write("# and more\n")
        git(repository, "commit", "--quiet", "--all", "--amend", "--no-edit")
        status, said, _ = await canopy("verify", "--all", FILE, "--backend", running.url, cwd=repository)
        assert (status, f"{running.url} was told" in said) == (1, True)
        newest, former = (await http.get("/promotions")).json()["promotions"]
        assert (newest["commit"], newest["verified"]) == (git(repository, "rev-parse", "HEAD"), False)
        assert any("not byte for byte" in it for it in newest["findings"])
        assert (former["commit"], former["verified"], former["taken_back_by"]) == (commit, True, None)
    # Nobody is there any more: a commit is made all the same where no answer is needed, and the way is told.
    git(repository, "reset", "--quiet", "--hard", commit)
    status, said, _ = await canopy("rollback", "--values", FILE, "--commit", cwd=repository)
    made = git(repository, "rev-parse", "HEAD")
    assert (status, f"To show it on the dashboard: canopy verify {made[:10]} --backend URL" in said) == (0, True)
    status, _, errors = await canopy("verify", "HEAD", "--backend", running.url, cwd=repository)
    assert (status, "can't be asked" in errors) == (1, True)


async def test_a_server_that_can_not_be_told_does_not_undo_a_promotion(
    repository: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    await promote(repository, server, "--commit")
    made = HandedOver(git(repository, "rev-parse", "HEAD"), "main", pushed=False)
    tell_of(GitServer("http://127.0.0.1:9", None), Repository.around(repository), made)
    said = capsys.readouterr().out
    assert "The server doesn't know of it yet. The server at http://127.0.0.1:9 can't be asked." in said
    assert f"Tell it later: canopy verify {made.revision[:10]} --backend http://127.0.0.1:9" in said


async def test_a_merge_is_no_second_commit_of_the_evidence_that_it_merges(repository: Path, server: Server) -> None:
    begin = git(repository, "rev-parse", "HEAD")
    await promote(repository, server, "--branch", "brief")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "Meanwhile")
    git(repository, "merge", "--quiet", "--no-ff", "--message", "Merge", "brief")
    status, said, _ = await canopy("verify", "--json", f"{begin}..HEAD", cwd=repository)
    assert (status, [json.loads(line)["commit"] for line in said.splitlines()]) == (
        0, [git(repository, "rev-parse", "brief")]
    )  # fmt: skip
