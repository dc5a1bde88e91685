"""What is advised for a cluster is taken by the real programs; without a cluster they come as far as asking for one."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from canopy.config.checking import check
from canopy.config.loading import load_config
from canopy.experiments.report import report_on
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import BallotCounts, Experiment, FirstBallot, FirstBallots
from tests.chart.conftest import MINIMAL, Object, find
from tests.support.advice import collected, spoken
from tests.support.docs import ROOT
from tests.support.helm import CHART, KUBECTL, Helm, HelmError, require
from tests.support.kubernetes import VERSIONS, finding, findings, is_custom

NOWHERE = "http://127.0.0.1:9"  # nobody listens there
MODEL = {"LLAMA_STACK_URL": "http://llama-stack-service:8321"}
POSTGRESQL = {"engine": "postgresql", "existingSecret": {"name": "canopy-db"}}
LAB = MINIMAL.with_name("lab.yaml")


@pytest.mark.parametrize("text", spoken("kubectl"))
def test_kubectl_takes_the_command(text: str, tmp_path: Path) -> None:
    """No flag is unknown and no argument is missing: it makes the object, or asks the cluster that isn't there."""
    kubectl = require(KUBECTL).program
    (tmp_path / "tokens.yaml").write_text("[]")
    for folder in ("gitops", "canopy-evals"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    _, *words = shlex.split(
        re.sub(r"\$\w+", "value", text[:-1] + "gitops/appproject.yaml" if text.endswith(" -f -") else text)
    )
    makes = words[0] == "create" and not any(word == "-f" or word.startswith("--from=") for word in words)
    named = len(words) == 1 or words == ["rollout", "restart"]  # in a sentence, without what it is for
    command = [str(kubectl), "--server", NOWHERE, *words]
    command += ["--dry-run=client"] if makes else ["--help"] if named else []
    done = subprocess.run(
        command, cwd=tmp_path, env={"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 if makes or named else "connection refused" in done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize("text", spoken("helm"))
def test_helm_takes_the_command(each_helm: Helm, text: str) -> None:
    """It renders, or asks the cluster that isn't there."""
    _, *words = shlex.split(text.replace("FILE", str(MINIMAL)).replace("YOUR/IMAGE", "yours/image").replace(" N", " 1"))
    if len(words) == 1:
        words += ["--help"]
    elif words[0] == "install":
        words += ["--dry-run=client"]
    try:
        each_helm.run(*words)
    except HelmError as error:
        assert words[0] in {"install", "upgrade", "rollback", "test"}  # Helm 3 asks before it installs, even dry
        assert "cluster unreachable" in str(error), error


SHOWN_VALUES = [
    advice.text.replace("YOUR/OAUTH-PROXY", "yours/oauth-proxy")
    for advice in collected()
    if advice.language == "yaml"
    and advice.where in {"README.md", "docs/operations.md", "helm/canopy/README.md"}
    and not advice.text.startswith(("- ", "rules:"))  # a file of tokens, and another chart's values
]


@pytest.mark.parametrize("block", SHOWN_VALUES, ids=lambda block: block.split(":")[0])
def test_values_that_are_shown_are_taken(each_helm: Helm, block: str, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    base = MODEL | ({"store": POSTGRESQL} if block.startswith("autoscaling:") else {})
    file.write_text(yaml.safe_dump(base | yaml.safe_load(block)))
    check(file.read_bytes())
    each_helm.run("template", "canopy", CHART, "--values", file)


def decided(wins_a: int, wins_b: int, n_max: int, section: str) -> tuple[str, str | None]:
    """The decision on so many votes, and what it says to write."""
    prompts: dict[str, Any] = {"prompt_id": "a", "prompt_text": "Long: 1\n2", "prompt_b_id": "b", "prompt_b_text": "#B"}
    rule = DecisionRule(alpha=0.05, prior_strength=10, equivalence_margin=0.05, max_decisive_votes=n_max)
    experiment = Experiment("exp", 0, **prompts, model="llama32", temperature=0.9, max_tokens=10, rule=rule)
    ballots = [FirstBallot("cmp", 0, "a", "prompt")] * wins_a + [FirstBallot("cmp", 0, "b", "prompt_b")] * wins_b
    report = report_on(
        experiment, BallotCounts(len(ballots), wins_a, wins_b, 0, 0, 0), FirstBallots.of(ballots), section
    )
    return report.decision.status, report.next_step.snippet


@pytest.mark.parametrize(
    ("votes", "status"),
    [
        ((60, 140, 2000), "promote_b"),
        ((140, 60, 2000), "keep_a"),
        ((900, 900, 2000), "equivalent"),
        ((20, 20, 40), "inconclusive"),
    ],
)
@pytest.mark.parametrize("section", ["summarize", "summarization"])
def test_what_a_decision_says_to_write_is_taken_by_chart_checker_and_server(
    helm: Helm, votes: tuple[int, int, int], status: str, section: str, tmp_path: Path
) -> None:
    """Comparisons are still enabled then, and merely off: nothing has to be changed in the same commit."""
    values = yaml.safe_load(LAB.read_text())
    values[section] = values.pop("summarize")
    former, file = tmp_path / "former.yaml", tmp_path / "config.yaml"
    former.write_text(yaml.safe_dump(values))
    before = load_config(find(helm.render("--values", former), "ConfigMap")["data"]["canopy-config.yaml"].encode())
    reached, snippet = decided(*votes, before.section)
    assert (reached, bool(snippet)) == (status, True)
    values[section] |= yaml.safe_load(snippet or "")[section]
    file.write_text(yaml.safe_dump(values))
    checked = check(file.read_bytes())
    served = load_config(find(helm.render("--values", file), "ConfigMap")["data"]["canopy-config.yaml"].encode())
    assert checked.kind == "gitops"
    assert served.flags == checked.flags
    assert not served.flags["ab_testing"].on
    assert served.values.summarize.prompt == ("#B" if status == "promote_b" else values[section]["prompt"])


RESOURCES = [
    resource
    for advice in collected()
    if advice.language in {"yml", "yaml"}
    for resource in yaml.safe_load_all(advice.text)
    if isinstance(resource, dict) and "apiVersion" in resource
]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda one: one["kind"])
def test_a_resource_that_is_shown_fits_its_definition(resource: Object) -> None:
    assert findings(resource) == [] if is_custom(resource) else finding(resource, VERSIONS[-1]) is None
    if resource["kind"] == "OGXServer":
        rules = {"podSelector": {}, "ingress": resource["spec"]["network"]["policy"]["ingress"]}
        policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "of-ogx"}}
        assert [finding(policy | {"spec": rules}, version) for version in VERSIONS] == [None] * len(VERSIONS)


def test_ogx_is_told_whom_to_let_in(helm: Helm) -> None:
    """The labels in the example are those of Canopy's pods as Argo CD makes them, in the namespace that it makes."""
    (block,) = [advice.text for advice in collected() if advice.language == "yml"]
    server = yaml.safe_load(block)
    assert (server["apiVersion"], server["kind"]) == ("ogx.io/v1beta1", "OGXServer")
    (rule_,) = server["spec"]["network"]["policy"]["ingress"]
    (peer,) = rule_["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "canopy-test"}
    test = ROOT / "gitops/canopy/test/backend/config.yaml"
    objects = helm.render("--values", test, release="canopy-backend")
    pod = find(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert peer["podSelector"]["matchLabels"].items() <= pod.items()
    # Where the page says that it is, the chart's policy lets Canopy out to it.
    (port,) = rule_["ports"]
    url = f"http://{server['metadata']['name']}-service:{port['port']}"
    assert f"`LLAMA_STACK_URL: {url}`" in (ROOT / "gitops/README.md").read_text()
    policy = helm.render("--values", test, "--set", f"LLAMA_STACK_URL={url}", release="canopy-backend")
    egress = find(policy, "NetworkPolicy")["spec"]["egress"]
    assert port in [one for out in egress for one in out["ports"]]
