"""`gitops/promote.sh`: what test runs goes to prod by one commit, or nothing does."""

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from canopy import __version__
from canopy.evals.results import Gate, Target
from tests.chart.conftest import find
from tests.chart.test_gitops import read
from tests.support.argocd import application, generated, rendered
from tests.support.docs import ROOT
from tests.support.eval_runs import a_run, failed, passed
from tests.support.helm import Helm
from tests.support.server import running_server

pytestmark = pytest.mark.long

DIGEST = "sha256:" + "0123456789abcdef" * 4
TAG = f"v{__version__}"
ADA = {f"GIT_{role}_{part}": "ada@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
CHART = "gitops/canopy/prod/backend/chart"
TEST, PROD = (f"gitops/canopy/{name}/backend/config.yaml" for name in ("test", "prod"))
PROMPT = 'Summarize: "the text"\n\n# no comment\n'
PASSED = Gate(verdict="passed", checks=[], sentence="The gate passed: 1 of 1 cases pass.")
FAILED = Gate(verdict="failed", checks=[], sentence="The gate failed: 0 of 1 cases pass.")


@dataclass(frozen=True)
class Fork:
    """A repository with Canopy's chart and `gitops/`, whose test environment is at an address."""

    folder: Path
    backend: str
    revision: str

    def git(self, *arguments: str) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder.parent)} | ADA
        command = ["git", "-c", "init.defaultBranch=main", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, check=True)
        return done.stdout

    def values(self, name: str) -> dict[str, Any]:
        parsed: dict[str, Any] = yaml.safe_load((self.folder / name).read_text())
        return parsed

    def evaluated(self, gate: Gate = PASSED, revision: str = "") -> Path:
        reports = self.folder.parent / "reports"
        reports.mkdir(exist_ok=True)
        target = Target(url=self.backend, config_revision=revision or self.revision)
        cases = [passed() if gate is PASSED else failed()]
        (reports / "results.json").write_text(a_run(*cases, target=target, gate=gate).model_dump_json())
        return reports

    def promote(self, tag: str = TAG, reports: Path | None = None, **env: str) -> tuple[int, str]:
        command = ["gitops/promote.sh", tag, str(reports or self.evaluated()), self.backend]
        own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.folder.parent)}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=own | ADA | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[str, str]]:
    """The test environment's server, and the revision of its values."""
    folder = tmp_path_factory.mktemp("backend")
    async with running_server(folder, {"LLAMA_STACK_URL": "http://127.0.0.1:1"}) as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            details = (await client.get("/feature-flags", params={"details": "true"})).json()
        yield server.url, details["config_revision"]


@pytest.fixture
def fork(backend: tuple[str, str], tmp_path: Path) -> Fork:
    """Test runs a release by its digest, with a prompt that prod doesn't have."""
    one = Fork(tmp_path / "fork", *backend)
    one.folder.mkdir()
    for name in ("gitops", "helm"):
        shutil.copytree(ROOT / name, one.folder / name)
    test = one.folder / TEST
    text = test.read_text().replace("canopy-backend\n", f"canopy-backend\n  digest: {DIGEST}\n")
    values = yaml.safe_dump({"summarize": {"model": "granite", "prompt": PROMPT}}, default_style='"', width=40)
    start = text.index("summarize:")
    test.write_text(
        text[:start] + values.replace('"summarize":', "summarize:") + "\n" + text[text.index("feedback:") :]
    )
    one.git("init", "--quiet")
    one.git("add", ".")
    one.git("commit", "--quiet", "--message", f"Try {TAG} in test")
    one.git("tag", TAG)
    return one


def test_one_commit_brings_image_chart_and_values_to_prod_and_leaves_the_rest(helm: Helm, fork: Fork) -> None:
    before, test = fork.values(PROD), fork.values(TEST)
    lines = set((fork.folder / PROD).read_text().splitlines())
    status, said = fork.promote()
    assert status == 0, said
    assert "The gate passed: 1 of 1 cases pass." in said
    assert fork.git("log", "-1", "--format=%s").strip() == f"Bring {TAG} to prod"
    assert DIGEST in fork.git("log", "-1", "--format=%b")
    changed = fork.git("diff", "--name-only", "HEAD~1").split()
    assert {it for it in changed if not it.startswith(f"{CHART}/")} == {PROD}
    assert fork.git("rev-parse", f"HEAD:{CHART}") == fork.git("rev-parse", f"{TAG}:helm/canopy")
    after = fork.values(PROD)
    assert after == before | {"summarize": test["summarize"], "image": test["image"], "chart_path": CHART}
    assert after["summarize"]["prompt"] == PROMPT
    comments = {line for line in lines if line.startswith("#")}
    assert comments <= set((fork.folder / PROD).read_text().splitlines())

    spec = read("appset-prod.yaml", fork.folder)["spec"]
    (parameters,) = generated(spec, fork.folder)
    app = application(helm, spec, parameters, fork.folder.parent / "scratch")
    (fork.folder / "helm/canopy/Chart.yaml").write_text("The next chart, of which prod has nothing yet.")
    (container,) = find(rendered(helm, app, fork.folder), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example.com/your-account/canopy-backend@{DIGEST}"

    fork.git("checkout", "--quiet", "helm")
    assert fork.promote() == (1, "The gate passed: 1 of 1 cases pass.\nProd has all of that already.\n")
    fork.git("revert", "--no-edit", "HEAD")
    assert fork.values(PROD) == before
    assert not (fork.folder / CHART).exists()


def test_the_next_release_brings_its_chart(fork: Fork) -> None:
    assert fork.promote()[0] == 0
    fork.git("mv", "helm/canopy/templates/NOTES.txt", "helm/canopy/templates/notes.txt")
    fork.git("commit", "--quiet", "--message", "The next chart")
    fork.git("tag", "--force", TAG)
    status, said = fork.promote()
    assert status == 0, said
    assert fork.git("diff", "--no-renames", "--name-only", "HEAD~1").split() == [
        f"{CHART}/templates/{it}.txt" for it in ("NOTES", "notes")
    ]
    assert fork.git("status", "--porcelain") == ""


def test_the_chart_of_another_repository_is_named_by_its_tag(fork: Fork) -> None:
    file = fork.folder / PROD
    file.write_text(file.read_text().replace("your-account/canopy.git", "your-account/charts.git"))
    fork.git("commit", "--quiet", "--all", "--message", "The chart elsewhere")
    before = fork.values(PROD)
    status, said = fork.promote()
    assert status == 0, said
    assert fork.git("diff", "--name-only", "HEAD~1").split() == [PROD]
    after = fork.values(PROD)
    assert (after["target_revision"], after["chart_path"]) == (TAG, before["chart_path"])


def test_blocks_that_are_named_go_over_too(fork: Fork) -> None:
    status, said = fork.promote(BLOCKS="summarize image feedback")
    assert status == 0, said
    assert fork.values(PROD)["feedback"] == fork.values(TEST)["feedback"] == {"enabled": False}


GRADES = "labels: [{name: good, sentiment: positive}, {name: poor, sentiment: negative}]"
STRAIGHT = f"""\
judges:
# the tone

- name: tone
  instructions: |
    Judge.

    # no comment
  {GRADES}
-
  name: length
  instructions: &text Judge.
  {GRADES}
"""
IN_BRACKETS = f"""\
judges: [
  {{name: tone, instructions: Judge., {GRADES}}},
]
"""


@pytest.mark.parametrize("theirs", [STRAIGHT, IN_BRACKETS])
@pytest.mark.parametrize("ours", [STRAIGHT, IN_BRACKETS])
def test_a_list_goes_over_whole_however_it_is_written(fork: Fork, theirs: str, ours: str) -> None:
    behind = "\n# what stands behind it\njudging: {online: false}\n"
    with (fork.folder / TEST).open("a") as file:
        file.write(ours + behind)
    with (fork.folder / PROD).open("a") as file:
        file.write(theirs.replace("tone", "form") + behind)
    fork.git("commit", "--quiet", "--all", "--message", "Try judges")
    status, said = fork.promote(BLOCKS="summarize image judges")
    assert status == 0, said
    assert fork.values(PROD)["judges"] == fork.values(TEST)["judges"]
    assert (fork.folder / PROD).read_text().endswith(ours + behind)


@pytest.mark.parametrize(
    "block",
    [
        "judges: [\n{name: tone, instructions: Judge., " + GRADES + "}\n]\n",  # nobody indented it
        f"podLabels: &own {{a: test}}\njudges:\n- name: tone\n  instructions: J.\n  {GRADES}\nlabels: *own\n",
    ],
)
def test_what_can_not_be_brought_over_is_refused(fork: Fork, block: str) -> None:
    with (fork.folder / TEST).open("a") as file:
        file.write(block)
    with (fork.folder / PROD).open("a") as file:
        file.write("podLabels: &own {a: prod}\njudges: []\nlabels: {}\n")
    fork.git("commit", "--quiet", "--all", "--message", "Try judges")
    status, said = fork.promote(BLOCKS="summarize image judges labels" if "own" in block else "summarize image judges")
    assert status == 1, said
    assert f"{PROD} stays as it is" in said
    assert_untouched(fork)


def test_nothing_goes_to_prod_where_the_gate_did_not_pass(fork: Fork) -> None:
    status, said = fork.promote(reports=fork.evaluated(FAILED))
    assert (status, "The gate didn't pass, so prod stays as it is." in said) == (1, True), said
    assert_untouched(fork)


def test_nothing_goes_to_prod_where_test_serves_other_values_than_were_evaluated(fork: Fork) -> None:
    status, said = fork.promote(reports=fork.evaluated(revision="sha256:another"))
    assert status == 1
    assert f"What was evaluated (sha256:another) is not what {fork.backend} serves now ({fork.revision})." in said
    assert_untouched(fork)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("tag", "-d", TAG), f"There is no Git tag {TAG}."),
        (("mv", "helm/canopy/values.yaml", "helm/canopy/defaults.yaml"), f"The chart has changed since {TAG}"),
        (("rm", PROD), "There are changes in gitops/"),
    ],
)
def test_nothing_goes_to_prod_that_is_not_what_was_tagged(fork: Fork, change: tuple[str, ...], sentence: str) -> None:
    fork.git(*change)
    if change[0] == "mv":
        fork.git("commit", "--quiet", "--message", "Another chart")
    status, said = fork.promote()
    assert (status, sentence in said) == (1, True), said
    assert fork.git("log", "-1", "--format=%s").strip() != f"Bring {TAG} to prod"


def test_a_tag_that_is_not_the_version_is_refused(fork: Fork) -> None:
    fork.git("tag", "v9")
    assert fork.promote("v9") == (
        1,
        f"The chart of v9 is that of version {__version__}. Tag a release as its version, {TAG}.\n",
    )


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (f"  digest: {DIGEST}\n", "", "names its image by no digest. Set image.digest to what the push printed"),
        ('"model": "granite"', '"temprature": 1', "The values would not be taken in prod"),
    ],
)
def test_values_that_prod_could_not_take_are_not_committed(fork: Fork, old: str, new: str, sentence: str) -> None:
    file = fork.folder / TEST
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    fork.git("commit", "--quiet", "--all", "--message", "A mistake in test")
    status, said = fork.promote()
    assert (status, sentence in said) == (1, True), said
    assert_untouched(fork)


def test_a_backend_that_does_not_answer_leaves_prod_alone(fork: Fork) -> None:
    status, said = Fork(fork.folder, "http://127.0.0.1:9", fork.revision).promote()
    assert status != 0, said
    assert_untouched(fork)


def assert_untouched(fork: Fork) -> None:
    assert fork.git("status", "--porcelain") == ""
    assert fork.git("log", "-1", "--format=%s").strip() != f"Bring {TAG} to prod"
