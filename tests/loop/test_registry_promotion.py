"""A promotion where MLflow's registry has the prompts: a real MLflow, a server that follows it, and a real Git."""

import asyncio
from pathlib import Path

import pytest
import yaml

from canopy.base.errors import ConfigError
from canopy.experiments.assignment import experiment_id
from canopy.generation.prompts import prompt_of
from canopy.gitops.handover import Destination, deliver
from canopy.gitops.repository import Repository
from canopy.mlflow.prompt_aliases import PromptAliases
from tests.contract.store.records import BEGAN, an_experiment
from tests.loop.test_promotion import FILE, fill, git, repository
from tests.loop.test_prompt_registry import ENV, get, model, name, system_prompt, values
from tests.support.commands import canopy
from tests.support.mlflow import MlflowServer
from tests.support.model_server import FakeModelServer
from tests.support.server import empty_database, running_server

__all__ = ["model", "name", "repository"]  # fixtures


async def test_a_promotion_moves_the_alias_and_its_evidence_alone_is_committed(
    tmp_path: Path, repository: Path, mlflow: MlflowServer, model: FakeModelServer, name: str
) -> None:
    """And `canopy rollback` moves it back; the server that counted serves what the alias leads to."""
    a, b = mlflow.add_prompt(name, "The former."), mlflow.add_prompt(name, "The winner.")
    mlflow.set_alias(name, "champion", a)
    mlflow.set_alias(name, "challenger", b)
    ids = prompt_of("The former.").id, prompt_of("The winner.").id
    experiment = an_experiment(
        id=experiment_id(*ids, "llama32", 0.9, 4096), prompt_id=ids[0], prompt_text="The former.",
        prompt_b_id=ids[1], prompt_b_text="The winner.", created_at=BEGAN,
    )  # fmt: skip
    (tmp_path / "canopy.db").write_bytes(empty_database())
    await fill(f"sqlite:///{tmp_path / 'canopy.db'}", experiment, 5, 40)
    served = values(mlflow, model, name)
    file = repository / FILE
    file.write_text(yaml.safe_dump(served))
    git(repository, "commit", "--quiet", "--all", "--message", "Use the registry")
    begun = git(repository, "rev-parse", "HEAD")

    async def said(status: int, command: str, *more: str) -> str:
        found, out, errors = await canopy(command, *more, cwd=repository)
        assert found == status, out + errors
        return out + errors

    async def serves(text: str) -> None:
        while await system_prompt(server, model) != text:  # a refresh may see one of both changes first
            await asyncio.sleep(0.05)

    async with running_server(tmp_path, served, env=ENV) as server:
        promote = ("promote", "--values", FILE, "--backend", server.url)
        assert f"+{name}@champion: version {b} ({ids[1]})" in await said(0, *promote)
        assert "no merge could hold it back" in await said(1, *promote, "--pull-request")
        assert "MLflow does not answer" in await said(1, *promote, "--mlflow", "http://127.0.0.1:9", "--commit")
        assert (await system_prompt(server, model), git(repository, "rev-parse", "HEAD")) == ("The former.", begun)
        await said(0, *promote, "--commit")
        await serves("The winner.")
        assert '"ab_testing":false' in await get(server, "/feature-flags")
        (evidence,) = git(repository, "show", "--name-only", "--format=", "HEAD").splitlines()
        assert f"{name}@champion leads to version {b}, to {a} before" in git(repository, "log", "-1", "--format=%b")
        await said(0, "verify", "HEAD")
        assert f"leads to version {b} already, which is Prompt B" in await said(1, *promote, "--commit")
        await said(0, "rollback", "--values", FILE, "--backend", server.url, "--commit")
        await serves("The former.")
        await said(0, "verify", "--all", FILE)
        assert "Nothing was promoted" in await said(1, "rollback", "--values", FILE)
    git(repository, "reset", "--quiet", "--hard", "HEAD~1")
    text = (repository / evidence).read_text()
    for what, to, finding in (
        # Which version that was MLflow alone knows; the message says another.
        (f'"version": {b}', f'"version": {a}', "the evidence makes it “In MLflow's registry"),
        ('"removed": "challenger"', '"removed": null', "by the file it is challenger"),
        ('"alias": "champion"', '"alias": "live"', "the evidence is about"),
        (f'"prompt_id": "{ids[1]}"\n      }}', f'"prompt_id": "{ids[0]}"\n      }}', "not the prompts that it says"),
    ):
        assert what in text
        (repository / evidence).write_text(text.replace(what, to))
        git(repository, "commit", "--quiet", "--all", "--amend", "--no-edit")
        assert finding in await said(1, "verify", "HEAD")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("401 No", "status 401. Put a token that may do this into CANOPY_MLFLOW_TOKEN"),
        ("403 No", "status 403. Put a token that may do this into CANOPY_MLFLOW_TOKEN"),
        ("409 Conflict", "status 409. It says: Somebody else did"),
        ("404 No", "has no prompt `summary`/`champion`"),
        ("503 Later", "status 503"),
    ],
)
async def test_what_mlflow_refuses_to_a_promotion_is_a_sentence(answer: str, sentence: str) -> None:
    body = b'{"error_code": "REFUSED", "message": "Somebody else did"}'

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as other:
        aliases = PromptAliases(f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}", {}, "--mlflow")
        with pytest.raises(ConfigError) as found:
            await asyncio.to_thread(aliases.give, "summary", "champion", 2)
        assert sentence in str(found.value)
        assert "Whether `summary@champion` was changed can't be told now." in str(found.value)


@pytest.mark.parametrize("branch", [None, "evidence"])
def test_a_change_elsewhere_that_fails_takes_its_commit_back(repository: Path, branch: str | None) -> None:
    def fail() -> None:
        assert git(repository, "log", "-1", "--format=%s", branch or "HEAD") == "Tell of it"
        raise ConfigError("MLflow is down.")

    (repository / "mine.txt").write_text("My work.")
    before = git(repository, "rev-parse", "HEAD")
    files, to = {"gitops/evidence/one.json": b"{}"}, Destination(branch, None, None)
    with pytest.raises(ConfigError, match="MLflow is down"):
        deliver(Repository(repository), files, "Tell of it", to, fail)
    assert git(repository, "rev-parse", "HEAD") == before
    assert git(repository, "status", "--porcelain") == "?? mine.txt"
    assert git(repository, "branch", "--list", "evidence") == ""
