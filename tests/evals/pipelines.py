"""What a pipeline needs to run: a backend whose model says what it is told to, and a repository with suites."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

SUITES = "canopy-evals"  # the folder in the repository
_SUITE = """\
name: small_tests
endpoint: /summarize
scoring_params:
  basic::subset_of: null
tests:
- {prompt: The first text., expected_result: a good summary}
- {prompt: The second text., expected_result: summary}
"""
_THRESHOLDS = "scorers: {'basic::subset_of': {minimum: 1, decides: true}}\n"


@dataclass(frozen=True)
class Target:
    """A running backend and the repository whose suites test it."""

    url: str
    repository: Path
    model: FakeModelServer

    def answer(self, text: str) -> None:
        """What the model says from now on."""
        self.model.scripts["llama32"] = Script(tokens=(text,))


def _repository(folder: Path) -> Path:
    (folder / SUITES).mkdir(parents=True)
    (folder / SUITES / "small_tests.yaml").write_text(_SUITE)
    (folder / SUITES / "thresholds.yaml").write_text(_THRESHOLDS)
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for command in (["init", "--quiet", "-b", "main"], ["add", "."], [*identity, "commit", "--quiet", "-m", "Suites"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Target]:
    """A real Canopy before a scripted model, which at first gives the answers that the suites expect."""
    repository = _repository(folder / "repository")
    async with FakeModelServer() as model:
        values = {"LLAMA_STACK_URL": model.url, "summarize": {"model": "llama32"}}
        async with running_server(folder, values) as server:
            target = Target(server.url, repository, model)
            target.answer("This is a good summary.")
            yield target
