"""The whole circle as one test: people's votes change the prompt through Git, and it can be checked and taken back.

Real Helm, a real Git host with a bare repository behind it, and one server that is never restarted. What a cluster does
between a merge and the pod is done here as the kubelet does it: rendered, and swapped in by a symbolic link.
"""

import json
import subprocess
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.chart.conftest import find
from tests.support import commands
from tests.support.docs import ROOT
from tests.support.git_hosts import TOKEN, GitHost, git_host
from tests.support.helm import HELMS, require
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer, Request
from tests.support.server import Server, running_server
from tools.loop import people as crowd
from tools.loop.mount import swap

FILE = "gitops/canopy/test/backend/config.yaml"
TEXT = "Revenue of the cooperative rose from 39 to 42 million in 2025, mostly because of the new dairy in Aalen."
A, B = "Summarize the following text in a clear and detailed manner:", "Summarize the text with its main figures."
ANSWERS = {A: "This is a business text.", B: "Revenue rose to 42 million in 2025."}
VOTERS = 48


class Model(FakeModelServer):
    """The model that summarizes does as its prompt says; the one that judges looks for the figure in the answer."""

    def record(self, request: Request) -> Script:
        super().record(request)
        asked = json.dumps(request.body["messages"], ensure_ascii=False)
        if request.body["model"] == "judge":
            return Script(tokens=("Answer: ", "A" if ANSWERS[B] in asked else "E"))
        return Script(tokens=(ANSWERS[B if B in asked else A],))


@pytest.fixture
async def model() -> AsyncGenerator[Model]:
    async with Model() as server:
        server.scripts["judge"] = Script()  # so that it is listed
        yield server


@pytest.fixture
def host(tmp_path: Path) -> Generator[GitHost]:
    """A Gitea with an empty repository."""
    bare = tmp_path / "canopy.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)
    with git_host("gitea", bare=bare) as it:
        yield it


@pytest.fixture
def clone(tmp_path: Path, host: GitHost, model: Model, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's clone: what `gitops/` has, with feedback on and the address of the model."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("CANOPY_GIT_TOKEN", TOKEN)
    folder = tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    values = (ROOT / FILE).read_text()
    values = values.replace("http://llama-stack-service:8321", model.url)
    (folder / FILE).parent.mkdir(parents=True)
    (folder / FILE).write_text(values.replace("feedback:\n  enabled: false", "feedback:\n  enabled: true"))
    git(folder, "remote", "add", "origin", host.remote)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "Begin")
    git(folder, "push", "--quiet", str(host.bare), "main")
    git(folder, "fetch", "--quiet", "origin")
    return folder


def git(where: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=where, capture_output=True, text=True, check=True).stdout.strip()


async def canopy(clone: Path, *arguments: str, fails: bool = False) -> str:
    environment = {"CANOPY_GIT_TOKEN": TOKEN, "CANOPY_STORE_URL": f"sqlite:///{clone.parent}/canopy.db"}
    status, output, errors = await commands.canopy(*arguments, cwd=clone, env=environment)
    assert status == fails, output + errors
    return output


def sync(clone: Path, mount: Path) -> None:
    """Render what is on the branch that Argo CD reads, and swap it in as the kubelet does."""
    helm = require(HELMS[0])
    objects = yaml.safe_load_all(helm.run("template", "canopy-backend", ROOT / "helm/canopy", "--values", clone / FILE))
    config = find(tuple(filter(None, objects)), "ConfigMap")["data"]
    swap(mount, {name: content.encode() for name, content in config.items()})


def figures(response: str) -> int:
    return sum(map(str.isdigit, response))


async def rate(http: httpx.AsyncClient, *, people: int, happy: int) -> None:
    """So many people ask, and so many of them are happy."""
    for number in range(people):
        await crowd.rate(http, TEXT, always(pleased=number < happy))


def always(*, pleased: bool) -> Callable[[str], bool]:
    return lambda _: pleased


async def merged(host: GitHost, clone: Path, server: Server, mount: Path, count: int) -> None:
    """Merge the pull request, pull, and wait until the server that runs has what it says."""
    host.merge(len(host.opened))
    git(clone, "pull", "--quiet", str(host.bare), "main")
    sync(clone, mount)
    await server.event("config_reloaded", count)


async def verdict(http: httpx.AsyncClient, file: str) -> str:
    """What a controller is told that has a commit's values file and nothing else."""
    answer = await http.post("/experiments/decision", json={"values": yaml.safe_load(file)})
    brief = answer.raise_for_status().json()
    return f"{brief['experiment']} {brief['status']} {brief['stage']}"


async def test_votes_change_the_prompt_through_git_and_the_change_can_be_taken_back(
    tmp_path: Path, model: Model, host: GitHost, clone: Path
) -> None:
    mount = tmp_path / "mount"
    sync(clone, mount)
    env = {"CANOPY_CONFIG_PATH": str(mount / "canopy-config.yaml"), "CANOPY_CONFIG_POLL_INTERVAL_SECONDS": "0.05"}
    async with (
        running_server(tmp_path, env=env) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20, headers={"accept": "application/json"}) as http,
    ):
        asked = ("--values", FILE, "--backend", server.url)
        await canopy(clone, "ab", "start", *asked, "--prompt-b", B, "--name", "Figures", "--pull-request")
        await merged(host, clone, server, mount, 1)

        for person in range(VOTERS):  # three of four prefer the figures
            await crowd.choose(http, person, TEXT, figures, contrary=person % 4 == 3)
        await rate(http, people=10, happy=2)
        (experiment,) = (await http.get("/experiments")).json()["experiments"]
        assert experiment["status"] == "promote_b"

        # What people complained of becomes a test, which Prompt A fails and Prompt B passes.
        review = {"prompt": TEXT, "expected_result": "Revenue rose from 39 to 42 million.", "feature": "summarize"}
        assert (await http.put("/feedback/review", json=review)).status_code == 200
        suite = clone.parent / "canopy-evals/Summary"
        suite.mkdir(parents=True)
        for name in ("judge_prompt.txt", "thresholds.yaml"):
            (suite / name).write_bytes((ROOT / "canopy-evals/Summary" / name).read_bytes())
        (suite / "feedback_tests.yaml").write_bytes((await http.get("/feedback/export")).content)
        judge = ("--judge", model.url, "--judge-model", "judge")
        evaluate = ("evals", "run", str(suite.parent), *judge, "--output")
        await canopy(clone, *evaluate, "../before", "--backend", server.url, fails=True)
        candidate = {"LLAMA_STACK_URL": model.url, "summarize": {"model": "llama32", "prompt": B}}
        async with running_server(clone.parent / "canopy-evals", candidate) as preview:
            await canopy(clone, *evaluate, "../after", "--backend", preview.url)

        said = await canopy(clone, "promote", *asked, "--evaluation", "../after", "--pull-request")
        assert host.opened[-1].url in said
        assert host.opened[-1].title == "Promote Prompt B of Figures"
        assert "Evaluation: passed, 100.0% passed." in host.opened[-1].body
        assert (await http.get("/experiments")).json()["experiments"][0]["status"] == "promote_b"
        await merged(host, clone, server, mount, 2)
        promoted = git(clone, "rev-parse", "HEAD")

        # The server that runs serves the winner, and the experiment is over; what it proved of its commit stays true.
        assert await verdict(http, git(clone, "show", f"{promoted}~1:{FILE}")) == f"{experiment['id']} promote_b over"
        answer = (await http.post("/summarize", json={"prompt": TEXT, "stream": False})).json()
        assert ANSWERS[B] in answer.values()
        assert (await http.post("/summarize/ab", json={"prompt": TEXT, "stream": False})).status_code in {403, 404}
        ballots = await canopy(clone, "ab", "export", "--experiment", experiment["id"])
        assert ballots
        (clone / "ballots.jsonl").write_text(ballots)
        await canopy(clone, "verify", promoted, "--ballots", "ballots.jsonl")

        await rate(http, people=10, happy=9)
        before, after = (experiment[name] for name in ("prompt_id", "prompt_b_id"))
        found = await crowd.satisfaction(http)
        assert found[after] > found[before]

        # Had it been worse, it would go back the same way.
        await canopy(clone, "rollback", *asked, "--why", "Trying it out", "--pull-request")
        await merged(host, clone, server, mount, 3)
        answer = (await http.post("/summarize", json={"prompt": TEXT, "stream": False})).json()
        assert ANSWERS[A] in answer.values()
        await canopy(clone, "verify", "--all", FILE)

        counts = (await http.get(f"/experiments/{experiment['id']}")).json()["statistics"]
        assert (counts["voters"], counts["wins_a"], counts["wins_b"]) == (VOTERS, VOTERS // 4, VOTERS * 3 // 4)
    assert len(server.events("canopy_started")) == 1
