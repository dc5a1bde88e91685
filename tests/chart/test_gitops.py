"""`gitops/`: what Argo CD would make of it, from the generator's files to the objects in the cluster."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from canopy import __version__
from canopy.api import workshop
from canopy.config.loading import load_config
from tests.chart.conftest import Object, Objects, find
from tests.support.argocd import MissingKey, TwoRevisions, application, generated, rendered
from tests.support.commands import run_canopy
from tests.support.docs import ROOT, fenced
from tests.support.helm import CHART, Helm
from tests.support.kubernetes import VERSIONS, finding, findings, is_custom

GITOPS = ROOT / "gitops"
README = GITOPS / "README.md"
ENVIRONMENTS = ["test", "prod"]
PLACEHOLDER = "your-account"


def read(name: str, repository: Path = ROOT) -> Object:
    parsed: Object = yaml.safe_load((repository / "gitops" / name).read_text())
    return parsed


def group_and_kind(one: Object) -> tuple[str, str]:
    return one["apiVersion"].rpartition("/")[0], one["kind"]


@pytest.fixture(params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def app(each_helm: Helm, environment: str, tmp_path: Path) -> Object:
    """The environment's one Application."""
    spec = read(f"appset-{environment}.yaml")["spec"]
    (parameters,) = generated(spec, ROOT)
    return application(each_helm, spec, parameters, tmp_path / "scratch")


@pytest.fixture
def deployed(each_helm: Helm, app: Object) -> Objects:
    return rendered(each_helm, app, ROOT)


@pytest.mark.parametrize("file", sorted(GITOPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_resource_fits_its_definition(file: Path) -> None:
    assert findings(read(file.name)) == []


def test_each_environment_is_one_application(app: Object, environment: str) -> None:
    assert findings(app) == []
    assert app["metadata"] == {"name": f"canopy-backend-{environment}"}
    assert app["spec"]["destination"]["namespace"] == f"canopy-{environment}"
    values = read(f"canopy/{environment}/backend/config.yaml")
    chart, ref = app["spec"]["sources"]
    assert (chart["repoURL"], chart["targetRevision"]) == (values["repo_url"], values["target_revision"])
    assert ROOT / chart["path"] == CHART
    assert ref["ref"] == "values"


@pytest.mark.parametrize("key", ["repo_url", "chart_path", "target_revision"])
def test_a_file_without_a_key_of_the_template_is_refused(
    helm: Helm, environment: str, key: str, tmp_path: Path
) -> None:
    spec = read(f"appset-{environment}.yaml")["spec"]
    (parameters,) = generated(spec, ROOT)
    del parameters[key]
    with pytest.raises(MissingKey, match=key):
        application(helm, spec, parameters, tmp_path)


def test_the_environments_differ_in_their_names_alone() -> None:
    test, prod = ((GITOPS / f"appset-{name}.yaml").read_text() for name in ENVIRONMENTS)
    assert re.sub(r"\btest\b", "prod", test) == prod


def test_the_server_is_told_the_commit_where_chart_and_values_are_of_one_repository(
    helm: Helm, environment: str, tmp_path: Path
) -> None:
    """Argo CD knows the commit of the chart's source, and takes one commit of one repository."""
    spec = read(f"appset-{environment}.yaml")["spec"]
    (parameters,) = generated(spec, ROOT)
    commit = "0123456789" * 4
    for chart, told in ((parameters["repo_url"], commit), ("https://git.example.com/charts.git", None)):
        app = application(helm, spec, parameters | {"repo_url": chart}, tmp_path / "scratch")
        assert find(rendered(helm, app, ROOT, commit), "ConfigMap")["data"].get("git-revision") == told


def test_a_tag_of_the_repository_that_has_the_values_is_refused(helm: Helm, environment: str, tmp_path: Path) -> None:
    """So `gitops/promote.sh` sets none there: tests/chart/test_promote.py."""
    spec = read(f"appset-{environment}.yaml")["spec"]
    (parameters,) = generated(spec, ROOT)
    app = application(helm, spec, parameters | {"target_revision": "v1.2.3"}, tmp_path / "scratch")
    with pytest.raises(TwoRevisions):
        rendered(helm, app, ROOT)


def test_kubernetes_would_take_what_is_deployed(deployed: Objects) -> None:
    assert {group_and_kind(one) for one in deployed} >= {("", "ConfigMap"), ("", "Service"), ("apps", "Deployment")}
    assert [findings(one) for one in deployed if is_custom(one) and findings(one)] == []
    own = [one for one in deployed if not is_custom(one)]
    assert [found for version in (VERSIONS[0], VERSIONS[-1]) for one in own if (found := finding(one, version))] == []


def test_the_server_takes_the_values(deployed: Objects, environment: str, tmp_path: Path) -> None:
    text = find(deployed, "ConfigMap")["data"]["canopy-config.yaml"]
    assert load_config(text.encode()).flags["feedback"].on is (environment == "prod")
    file = tmp_path / "values.yaml"
    file.write_text(text)
    said = run_canopy("check-values", file)
    assert (said.returncode, "is fine" in said.stdout) == (0, True), said.stdout + said.stderr


def test_a_config_file_holds_no_key_that_only_repeats_a_default(environment: str) -> None:
    """Deltas only, but for the lab's own keys, which an attendee looks for."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    values = read(f"canopy/{environment}/backend/config.yaml")
    lab = {"summarize", "feedback"}
    assert [key for key, value in values.items() if key not in lab and value == defaults[key]] == []


def test_the_project_permits_what_is_deployed(app: Object, deployed: Objects) -> None:
    project = read("appproject.yaml")
    spec = project["spec"]
    assert app["spec"]["project"] == project["metadata"]["name"]
    assert {source["repoURL"] for source in app["spec"]["sources"]} <= set(spec["sourceRepos"])
    assert app["spec"]["destination"] in spec["destinations"]
    permitted = {(one["group"], one["kind"]) for one in spec["namespaceResourceWhitelist"]}
    assert {group_and_kind(one) for one in deployed} - permitted == set()


def test_the_project_permits_the_kinds_that_the_chart_can_make_and_no_others() -> None:
    spec = read("appproject.yaml")["spec"]
    templates = [path for path in CHART.glob("templates/*.yaml") if path.name != "extraobjects.yaml"]  # one's own
    made = {found for path in templates if (found := kind_of(path)) != ("", "Pod")}  # helm test
    assert {(one["group"], one["kind"]) for one in spec["namespaceResourceWhitelist"]} == made
    assert spec["clusterResourceWhitelist"] == []
    assert [text for text in texts(spec) if "*" in text] == []


def kind_of(template: Path) -> tuple[str, str]:
    text = template.read_text()
    version, kind = (re.search(rf"^{key}: (\S+)", text, re.MULTILINE) for key in ("apiVersion", "kind"))
    assert version and kind, template
    return version[1].rpartition("/")[0], kind[1]


def texts(part: Any) -> list[str]:
    if isinstance(part, dict | list):
        return [text for child in (part.values() if isinstance(part, dict) else part) for text in texts(child)]
    return [str(part)]


def test_the_readme_leads_from_a_fork_to_the_first_flag(helm: Helm, tmp_path: Path) -> None:
    """Its commands are run on a copy; Argo CD's part is what the other tests do."""
    fork = tmp_path / "fork"
    shutil.copytree(GITOPS, fork / "gitops")
    (fork / "helm").mkdir()
    (fork / "helm/canopy").symlink_to(CHART)
    url, image = "https://git.example.com/ada/canopy.git", "registry.example.com/ada/canopy-backend"

    def run(script: str) -> None:
        identity = {
            f"GIT_{role}_{part}": "ada@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
        }
        env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "REPO_URL": url, "IMAGE": image, **identity}
        subprocess.run(["bash", "-euc", script], cwd=fork, env=env, capture_output=True, check=True)

    def flags() -> dict[str, bool]:
        spec = read("appset-test.yaml", fork)["spec"]
        (parameters,) = generated(spec, fork)
        app = application(helm, spec, parameters, tmp_path / "scratch")
        assert {source["repoURL"] for source in app["spec"]["sources"]} == {url}
        objects = rendered(helm, app, fork)
        (container,) = find(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"{image}:{__version__}"
        config = load_config(find(objects, "ConfigMap")["data"]["canopy-config.yaml"].encode())
        return workshop.flags({name: flag.on for name, flag in config.flags.items()})

    run("git init --quiet && git add gitops && git commit --quiet --message 'The upstream'")
    make_it_yours, flip = fenced(README, "sh")
    run(make_it_yours)
    left = [path for path in fork.glob("gitops/**/*.yaml") if PLACEHOLDER in path.read_text()]
    assert left == []
    before = flags()
    run(flip)
    after = flags()
    shown = [
        yaml.safe_load(answer) for answer in re.findall(r"^\{\n.*?^\}$", README.read_text(), re.MULTILINE | re.DOTALL)
    ]
    assert [before, after] == shown
    assert (before["feedback"], after["feedback"]) == (False, True)
    changed = subprocess.run(["git", "status", "--porcelain", "gitops"], cwd=fork, capture_output=True, check=True)
    assert changed.stdout == b"", "everything is committed"


def test_what_the_readme_shows_to_add_is_taken(helm: Helm, tmp_path: Path) -> None:
    for number, block in enumerate(fenced(README, "yaml")):
        added = tmp_path / f"{number}.yaml"
        added.write_text(block)
        config = GITOPS / "canopy/test/backend/config.yaml"
        assert helm.render("--values", config, "--values", added, "--set", "feedback.enabled=true")


def test_links_in_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", README.read_text())
    assert links
    assert [link for link in links if not (GITOPS / link).exists()] == []
    named = re.findall(r"\|? `((?:\w+-)?[\w/-]+\.yaml)`", README.read_text().partition("## 1")[0])
    assert [name for name in named if not (GITOPS / name).exists()] == []


def test_the_checker_says_what_the_readme_shows(tmp_path: Path) -> None:
    (shown,) = (block for block in fenced(README, "console") if "canopy check-values" in block)
    command, _, said = shown.partition("\n")
    shutil.copytree(GITOPS, tmp_path / "gitops")
    values = tmp_path / "gitops/canopy/test/backend/config.yaml"
    values.write_text(values.read_text().replace("feedback:\n  enabled: false", "feedback:\n  enabled: true"))
    check = [sys.executable, "-m", *command.removeprefix("$ ").split()]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said.strip()


def test_every_tag_of_an_image_is_the_version() -> None:
    """In files that people run as they are; a tag of another release would deploy another program."""
    named = re.compile(r"(?:(?<!//)canopy-(?:backend|evals):|\$IMAGE:|^ARG VERSION=)(v?\d[\w.-]*)", re.MULTILINE)
    files = [ROOT / "Dockerfile", *ROOT.glob("docs/*.md")]
    files += [path for folder in ("gitops", "canopy-evals", "helm") for path in (ROOT / folder).rglob("*.*")]
    texts = {path: path.read_text() for path in files if path.suffix in {".md", ".yaml", ".py", ".sh", ""}}
    tags = {(path.name, tag) for path, text in texts.items() for tag in named.findall(text)}
    assert {tag for _, tag in tags} == {__version__}
    assert {"Dockerfile", "kubeflow.py", "pipeline.yaml"} <= {name for name, _ in tags}
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
