"""The files for Argo Rollouts and Kargo: their forms, and their conditions against every answer of a real server.

Both write conditions in the language of expr-lang/expr, which the package `enchanter-golem` carries as it is, and Argo
Rollouts reads an answer by the JSONPath of Kubernetes' client-go, which kubectl has, too.
"""

import asyncio
import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import golem
import httpx
import pytest
import yaml

from canopy.generation.prompts import prompt_of
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import Preference
from canopy.store.opening import open_store
from tests.contract.store.records import NOON, Clock, a_ballot, a_comparison, an_experiment
from tests.support.docs import ROOT
from tests.support.helm import KUBECTL, require
from tests.support.kubernetes import findings
from tests.support.server import running_server

type Answer = tuple[int, Any]
type Object = dict[str, Any]

FILES = sorted([*(ROOT / "gitops/rollouts").glob("*.yaml"), *(ROOT / "gitops/kargo").glob("*.yaml")])
TOKENS = {"controller": "rollouts-0123456789abcdef", "user": "ben-0123456789abcdef"}
A, B = "Summarize:", "Be brief:"
RULE = DecisionRule(alpha=0.5, prior_strength=1, equivalence_margin=0.49, max_decisive_votes=3)
# Ballots on each feature's experiment, and the rule under which they come to what its name says.
BALLOTS: dict[str, tuple[list[Preference], DecisionRule]] = {
    "collecting": (["a"], RULE),
    "promote-b": (["b"] * 5, RULE),
    "keep-a": (["a"] * 5, RULE),
    "equivalent": (["a", "b"] * 2, RULE),
    "inconclusive": (["a", "b", "a"], RULE._replace(equivalence_margin=0.01)),
    "paused": (["b"] * 5, RULE),
    "over": (["b"] * 5, RULE),
}
# What a controller is to make of each: Argo Rollouts' phases are those of Kargo's verification, too.
EXPECTED = {
    "promote-b": "Successful",
    "keep-a": "Failed",
    "equivalent": "Failed",
    "inconclusive": "Failed",
    "collecting": "Inconclusive",
    "paused": "Successful",  # comparisons were switched off after the decision
    "over": "Inconclusive",
    "never-compared": "Error",
    "unknown": "Error",
    "stranger": "Error",
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """What a real server says of each feature's experiment, of one that there isn't, and without the role."""
    return asyncio.run(_answers(tmp_path_factory.mktemp("controllers")))


async def _answers(folder: Path) -> dict[str, Answer]:
    store = open_store(f"sqlite:///{folder / 'canopy.db'}", clock=Clock())
    await store.start()
    for name, (preferences, rule) in BALLOTS.items():
        one, two = prompt_of(A), prompt_of("In a word:" if name == "over" else B)
        texts = {"prompt_id": one.id, "prompt_text": A, "prompt_b_id": two.id, "prompt_b_text": two.text}
        experiment = an_experiment(id=f"exp_{name}", feature=name, rule=rule, **texts)
        for number, preference in enumerate(preferences):
            asked = {"experiment": experiment, "user_id": f"user {number}", "created_at": NOON}
            await store.comparisons.record_ballot(a_ballot(await a_comparison(store, **asked), preference))
    await store.close()
    compared = {"prompt": A, "prompt_b": B, "model": "llama32", "temperature": 0.9, "max_tokens": 4096}
    values = {
        "LLAMA_STACK_URL": "http://127.0.0.1:9",
        "ab_testing": {"enabled": True},
        "feedback": {"enabled": True},
        "auth": {"mode": "token"},
        "features": {name: dict(compared) for name in (*BALLOTS, "never-compared")},
    }
    tokens = folder / "tokens.yaml"
    tokens.write_text(yaml.safe_dump([{"name": role, "role": role, "token": token} for role, token in TOKENS.items()]))
    async with (
        running_server(folder, values, env={"CANOPY_AUTH_TOKENS_FILE": str(tokens)}) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):

        async def told(feature: str, role: str = "controller") -> Answer:
            answer = await client.get(
                "/experiments/current/decision",
                params={"feature": feature},
                headers={"Authorization": f"Bearer {TOKENS[role]}"},
            )
            return answer.status_code, answer.json()

        found = {name: await told(name) for name in (*BALLOTS, "never-compared", "unknown")}
        found["stranger"] = await told("promote-b", "user")
        server.write_values(values | {"ab_testing": {"enabled": False}})
        await server.event("config_reloaded")
        found["paused"] = await told("paused")
        return found


def documents() -> list[Object]:
    return [one for file in FILES for one in yaml.safe_load_all(file.read_text())]


def named(name: str) -> Object:
    (found,) = (one for one in documents() if one["metadata"]["name"] == name)
    return found


@pytest.mark.parametrize("resource", documents(), ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_each_resource_fits_its_definition(resource: Object) -> None:
    assert findings(resource) == []


def test_what_a_resource_names_is_there() -> None:
    template = named("canopy-experiment")
    declared = {one["name"] for one in template["spec"]["args"]}
    assert set(re.findall(r"{{\s*args\.(\w+)\s*}}", yaml.safe_dump(template))) == declared
    known = {(one["kind"], one["metadata"]["name"]) for one in documents()}
    for stage in (named("canopy-test"), named("canopy-prod")):
        spec = stage["spec"]
        for freight in spec["requestedFreight"]:
            assert ("Warehouse", freight["origin"]["name"]) in known
            assert {("Stage", one) for one in freight["sources"].get("stages", [])} <= known
        verification = spec.get("verification", {"analysisTemplates": [], "args": []})
        assert {("AnalysisTemplate", one["name"]) for one in verification["analysisTemplates"]} <= known
        assert {one["name"] for one in verification["args"]} <= declared
        text = yaml.safe_dump(spec)
        assert set(re.findall(r"vars\.(\w+)", text)) == {one["name"] for one in spec["vars"]}
        steps = {one["as"]: one for one in spec["promotionTemplate"]["spec"]["steps"] if "as" in one}
        for step, output in re.findall(r"outputs\.(\w+)\.(\w+)", text):
            made = {one["name"] for one in steps[step]["config"].get("outputs", [])}
            assert output in made | {"branch", "pr"}, f"{step} has no output {output}"
        assert {path.partition("/gitops/")[2] for path in re.findall(r"\./\w+/gitops/[\w/.-]+", text)} <= {
            str(path.relative_to(ROOT / "gitops")) for path in (ROOT / "gitops").rglob("config.yaml")
        }


def test_the_answers_are_of_every_state(answers: dict[str, Answer]) -> None:
    states = {name: (body["status"], body["stage"]) for name, (status, body) in answers.items() if status == 200}
    running = ("collecting", "promote-b", "keep-a", "equivalent", "inconclusive")
    assert states == {name: (name.replace("-", "_"), "running") for name in running} | {
        "paused": ("promote_b", "paused"),
        "over": ("promote_b", "over"),
    }
    failed = {name: status for name, (status, _) in answers.items() if status != 200}
    assert failed == {"never-compared": 404, "unknown": 422, "stranger": 403}


@pytest.mark.parametrize("state", EXPECTED)
def test_argo_rollouts_makes_of_each_answer_what_it_says(
    answers: dict[str, Answer], state: str, tmp_path: Path
) -> None:
    (metric,) = named("canopy-experiment")["spec"]["metrics"]
    assert phase(metric, answers[state], tmp_path) == EXPECTED[state]


@pytest.mark.parametrize(
    ("status", "expected"), [("harmful", "Failed"), ("invalid", "Failed"), ("new", "Inconclusive")]
)
def test_a_status_that_is_to_come_is_never_a_success(
    answers: dict[str, Answer], status: str, expected: str, tmp_path: Path
) -> None:
    (metric,) = named("canopy-experiment")["spec"]["metrics"]
    answer = 200, answers["promote-b"][1] | {"status": status}
    assert phase(metric, answer, tmp_path) == expected
    assert outcome(http_step("canopy-prod"), answer) == "Failed"


def phase(metric: Object, answer: Answer, folder: Path) -> str:
    """What Argo Rollouts calls a measurement: an answer that isn't 2xx, or an expression that fails, is an error."""
    status, body = answer
    if not 200 <= status < 300:
        return "Error"
    result = by_json_path(metric["provider"]["web"]["jsonPath"], body, folder)
    succeeds, fails = (true_of(metric[key], result=result) for key in ("successCondition", "failureCondition"))
    return "Failed" if fails else "Successful" if succeeds else "Inconclusive"


@cache
def kubectl() -> Path:
    return require(KUBECTL).program


def by_json_path(path: str, body: Object, folder: Path) -> Any:
    """What client-go finds, as kubectl prints it: it takes objects, so the answer is made to look like one."""
    file = folder / "answer.json"
    dressed = {"apiVersion": "example.com/v1", "kind": "Answer", "metadata": {"name": "answer"}}
    file.write_text(json.dumps(dressed | body))
    given = ("--local", "--type", "merge", "--patch", "{}", "--filename", str(file), "--output", f"jsonpath={path}")
    told = subprocess.run([kubectl(), "patch", *given], capture_output=True, text=True, check=True)
    found = json.loads(told.stdout)
    return {key: value for key, value in found.items() if key not in dressed}


def true_of(expression: str, **variables: Any) -> bool:
    found = golem.Engine(strict_vars=False).eval(expression, variables)
    assert isinstance(found, bool)
    return found


def http_step(stage: str) -> Object:
    (step,) = (one for one in named(stage)["spec"]["promotionTemplate"]["spec"]["steps"] if one["uses"] == "http")
    config: Object = step["config"]
    return config


def outcome(config: Object, answer: Answer) -> str:
    """What Kargo makes of an answer: a failure that its expression names ends it, and neither is asked again."""
    response = {"status": answer[0], "body": answer[1]}
    if true_of(config["failureExpression"], response=response):
        return "Failed"
    return "Successful" if true_of(config["successExpression"], response=response) else "Running"


@pytest.mark.parametrize("state", EXPECTED)
def test_kargo_promotes_what_won_and_nothing_else(answers: dict[str, Answer], state: str) -> None:
    config, answer = http_step("canopy-prod"), answers[state]
    won = EXPECTED[state] == "Successful"
    assert outcome(config, answer) == ("Successful" if won else "Failed")
    said = golem.Engine(strict_vars=False).eval(config["errorExpression"], {"response": {"body": answer[1]}})
    assert said == answer[1].get("sentence", answer[1].get("detail"))
    if won:
        outputs = {
            one["name"]: golem.Engine(strict_vars=False).eval(one["fromExpression"], {"response": {"body": answer[1]}})
            for one in config["outputs"]
        }
        assert outputs == {
            "experiment": f"exp_{state}",
            "sentence": answer[1]["sentence"],
            "votes": "5 to 0",
            "promptB": prompt_of(B).id,
        }


@pytest.mark.parametrize("state", EXPECTED)
def test_kargo_waits_until_the_prompts_of_a_commit_are_compared(answers: dict[str, Answer], state: str) -> None:
    expected = {"unknown": "Failed", "stranger": "Failed"} | dict.fromkeys(
        ("paused", "over", "never-compared"), "Running"
    )
    assert outcome(http_step("canopy-test"), answers[state]) == expected.get(state, "Successful")


@pytest.mark.parametrize("answer", [(503, {"detail": "The database doesn't answer."}), (502, None), (500, {})])
def test_a_server_that_is_away_decides_nothing(answer: Answer) -> None:
    assert {outcome(http_step(stage), answer) for stage in ("canopy-test", "canopy-prod")} == {"Running"}
