"""The files for Argo Rollouts and Kargo: their forms, and their conditions against every answer of a real server.

What they decide about is a commit, whatever the server has in force when it is asked.
"""

import asyncio
import json
import re
from functools import cache
from pathlib import Path

import httpx
import pytest
import yaml

from canopy.config.features import BUILT_IN
from canopy.experiments.assignment import experiment_id
from canopy.generation.prompts import prompt_of
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import Preference
from canopy.store.opening import open_store
from tests.contract.store.records import NOON, Clock, a_ballot, a_comparison, an_experiment
from tests.support.controllers import Answer, Object, evaluate, filled_in, phase, true_of, updated
from tests.support.docs import ROOT
from tests.support.kubernetes import findings
from tests.support.server import running_server

FILES = sorted([*(ROOT / "gitops/rollouts").glob("*.yaml"), *(ROOT / "gitops/kargo").glob("*.yaml")])
TEST, PROD = (ROOT / f"gitops/canopy/{it}/backend/config.yaml" for it in ("test", "prod"))
TOKENS = {"controller": "rollouts-0123456789abcdef", "user": "ben-0123456789abcdef"}
A, B = "Summarize:", 'Be brief: "in a word" # or two\n\tär'
PARAMETERS: Object = {"model": "llama32", "temperature": 0.9, "max_tokens": 4096}
RULE = DecisionRule(alpha=0.5, prior_strength=1, equivalence_margin=0.49, max_decisive_votes=3)
# Ballots on the prompts of each feature in a commit, and the rule under which they come to what its name says.
BALLOTS: dict[str, tuple[list[Preference], DecisionRule]] = {
    BUILT_IN: (["b"] * 5, RULE),
    "collecting": (["a"], RULE),
    "promote-b": (["b"] * 5, RULE),
    "keep-a": (["a"] * 5, RULE),
    "equivalent": (["a", "b"] * 2, RULE),
    "inconclusive": (["a", "b", "a"], RULE._replace(equivalence_margin=0.01)),
    "paused": (["b"] * 5, RULE),  # comparisons were switched off after the decision
    "paused-early": (["a"], RULE),
    "edited": (["a"], RULE),  # and then another `prompt_b` came
    "edited-late": (["b"] * 5, RULE),
}
# Features of the commit without a ballot, and what the commit says of them beside its prompts.
OTHERS: dict[str, Object] = {
    "never-compared": {},
    "not-served": {},  # the server has this feature with other prompts, and nobody has compared these
    "new": {},  # the server doesn't have this feature yet
    "promoted": {"prompt_b": ""},  # as `canopy promote` leaves it
    "in-registry": {"prompt_b": "", "mlflow_prompt": "summary"},
}
# What the promotion to test, the verification there and the promotion to prod are to make of each. Phases of Argo
# Rollouts are those of Kargo's verification, too.
EXPECTED = {
    BUILT_IN: ("Succeeded", "Successful", "Succeeded"),
    "promote-b": ("Succeeded", "Successful", "Succeeded"),
    "keep-a": ("Failed", "Failed", "Failed"),
    "equivalent": ("Failed", "Failed", "Failed"),
    "inconclusive": ("Failed", "Failed", "Failed"),
    "collecting": ("Succeeded", "Inconclusive", "Failed"),
    "never-compared": ("Succeeded", "Inconclusive", "Failed"),
    "paused": ("Succeeded", "Successful", "Succeeded"),
    "paused-early": ("Running", "Inconclusive", "Failed"),
    "edited": ("Failed", "Failed", "Failed"),
    "edited-late": ("Succeeded", "Successful", "Succeeded"),  # the votes on these very prompts had decided
    "not-served": ("Running", "Error", "Failed"),
    "new": ("Running", "Error", "Failed"),
    "promoted": ("Failed", "Error", "Failed"),
    "in-registry": ("Failed", "Error", "Failed"),
    "stranger": ("Failed", "Error", "Failed"),
}


def of_feature(name: str) -> Object:
    """What the commit says of a feature."""
    return PARAMETERS | {"prompt": A, "prompt_b": B} | OTHERS.get(name, {})


@cache
def in_commit() -> Object:
    """The values file of the Freight's commit, with every feature in it."""
    values: Object = yaml.safe_load(TEST.read_text())
    features = {name: of_feature(name) for name in (*BALLOTS, *OTHERS) if name != BUILT_IN}
    registry = {"mlflow": {"enabled": True, "url": "http://mlflow:5000"}}
    return values | registry | {BUILT_IN: of_feature(BUILT_IN), "features": features}


def id_in_commit(feature: str) -> str:
    """The id of the experiment on a feature's prompts in the commit."""
    its = of_feature(feature)
    ids = prompt_of(its["prompt"]).id, prompt_of(its["prompt_b"]).id
    return experiment_id(*ids, its["model"], its["temperature"], its["max_tokens"], feature)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Answer, Answer]]:
    """What a real server says of the commit's prompts of each feature: asked by the values, and by the id."""
    return asyncio.run(_answers(tmp_path_factory.mktemp("controllers")))


async def _answers(folder: Path) -> dict[str, tuple[Answer, Answer]]:
    store = open_store(f"sqlite:///{folder / 'canopy.db'}", clock=Clock())
    await store.start()
    for name, (preferences, rule) in BALLOTS.items():
        one, two = prompt_of(A), prompt_of(B)
        texts = {"prompt_id": one.id, "prompt_text": one.text, "prompt_b_id": two.id, "prompt_b_text": two.text}
        experiment = an_experiment(id=id_in_commit(name), feature=name, rule=rule, **texts, **PARAMETERS)
        for number, preference in enumerate(preferences):
            asked = {"experiment": experiment, "user_id": f"user {number}", "created_at": NOON}
            await store.comparisons.record_ballot(a_ballot(await a_comparison(store, **asked), preference))
    await store.close()
    other = of_feature("new") | {"prompt_b": "In a word:"}
    served = {name: of_feature(name) for name in (*BALLOTS, "never-compared") if name != BUILT_IN}
    values = {
        "LLAMA_STACK_URL": "http://127.0.0.1:9",
        "ab_testing": {"enabled": True},
        "feedback": {"enabled": True},
        "auth": {"mode": "token"},
        BUILT_IN: of_feature(BUILT_IN),
        "features": served | {"not-served": other, "promoted": other, "in-registry": other},
    }
    tokens = folder / "tokens.yaml"
    tokens.write_text(yaml.safe_dump([{"name": role, "role": role, "token": token} for role, token in TOKENS.items()]))
    async with (
        running_server(folder, values, env={"CANOPY_AUTH_TOKENS_FILE": str(tokens)}) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):

        async def told(feature: str, role: str = "controller") -> tuple[Answer, Answer]:
            headers = {"Authorization": f"Bearer {TOKENS[role]}"}
            by_values = await client.post(
                "/experiments/decision",
                content=body_of("canopy-test", feature),
                headers=headers | {"Content-Type": "application/json"},
            )
            by_id = await client.get(f"/experiments/{id_in_commit(feature)}/decision", headers=headers)
            return (by_values.status_code, by_values.json()), (by_id.status_code, by_id.json())

        late = ("paused", "paused-early", "edited", "edited-late")
        found = {name: await told(name) for name in EXPECTED if name not in (*late, "stranger")}
        found["stranger"] = await told("promote-b", "user")
        assert [outcome("canopy-test", (await told(name))[0]) for name in late] == ["Succeeded"] * 4
        edited = served | dict.fromkeys(("edited", "edited-late"), other)
        server.write_values(values | {"ab_testing": {"enabled": False}, "features": edited})
        await server.event("config_reloaded")
        return found | {name: await told(name) for name in late}


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
    required = {one["name"] for one in template["spec"]["args"] if not one.keys() & {"value", "valueFrom"}}
    assert set(re.findall(r"{{\s*args\.(\w+)\s*}}", yaml.safe_dump(template))) == declared
    known = {(one["kind"], one["metadata"]["name"]) for one in documents()}
    for stage in (named("canopy-test"), named("canopy-prod")):
        spec = stage["spec"]
        for freight in spec["requestedFreight"]:
            assert ("Warehouse", freight["origin"]["name"]) in known
            assert {("Stage", one) for one in freight["sources"].get("stages", [])} <= known
        if verification := spec.get("verification"):
            assert {("AnalysisTemplate", one["name"]) for one in verification["analysisTemplates"]} <= known
            given = {one["name"] for one in verification["args"]}
            assert required <= given <= declared
        text = yaml.safe_dump(spec)
        assert set(re.findall(r"vars\.(\w+)", text)) == {one["name"] for one in spec["vars"]}
        steps = {one["as"]: one for one in spec["promotionTemplate"]["spec"]["steps"] if "as" in one}
        for step, output in re.findall(r"outputs\.(\w+)\.(\w+)", text):
            made = {one["name"] for one in steps[step]["config"].get("outputs", [])}
            assert output in made | {"branch", "pr"}, f"{step} has no output {output}"
        assert {path.partition("/gitops/")[2] for path in re.findall(r"\./\w+/gitops/[\w/.-]+", text)} <= {
            str(path.relative_to(ROOT / "gitops")) for path in (ROOT / "gitops").rglob("config.yaml")
        }


def test_the_answers_are_of_every_state(answers: dict[str, tuple[Answer, Answer]]) -> None:
    states = {name: (body["status"], body["stage"]) for name, ((code, body), _) in answers.items() if code == 200}
    running = ("collecting", "promote-b", "keep-a", "equivalent", "inconclusive")
    assert states == {name: (name.replace("-", "_"), "running") for name in running} | {
        BUILT_IN: ("promote_b", "running"),
        "never-compared": ("collecting", "running"),
        "paused": ("promote_b", "paused"),
        "paused-early": ("collecting", "paused"),
        "edited": ("collecting", "over"),
        "edited-late": ("promote_b", "over"),
    }
    failed = {name: code for name, ((code, _), _) in answers.items() if code != 200}
    assert failed == {"not-served": 404, "new": 404, "promoted": 422, "in-registry": 422, "stranger": 403}
    assert all(by_values == by_id for by_values, by_id in answers.values() if by_values[0] == 200)
    sentences = {name: answers[name][0][1]["detail"] for name in failed}
    assert "Wait until" in sentences["not-served"] == sentences["new"]
    assert "`features.promoted.prompt_b` is not set" in sentences["promoted"]
    assert "MLflow's registry" in sentences["in-registry"]


@pytest.mark.parametrize("state", EXPECTED)
def test_each_answer_passes_fails_or_waits(
    answers: dict[str, tuple[Answer, Answer]], state: str, tmp_path: Path
) -> None:
    by_values, by_id = answers[state]
    (metric,) = named("canopy-experiment")["spec"]["metrics"]
    found = outcome("canopy-test", by_values), phase(metric, by_id, tmp_path), outcome("canopy-prod", by_values)
    assert found == EXPECTED[state]


@pytest.mark.parametrize("stage", ["canopy-test", "canopy-prod"])
def test_a_promotion_that_fails_says_why(answers: dict[str, tuple[Answer, Answer]], stage: str) -> None:
    for answer in (one for one, _ in answers.values() if outcome(stage, one) == "Failed"):
        assert why(stage, answer) == answer[1].get("sentence", answer[1].get("detail"))


@pytest.mark.parametrize(
    ("status", "expected"), [("harmful", "Failed"), ("invalid", "Failed"), ("new", "Inconclusive")]
)
def test_a_status_that_is_to_come_is_never_a_success(
    answers: dict[str, tuple[Answer, Answer]], status: str, expected: str, tmp_path: Path
) -> None:
    (metric,) = named("canopy-experiment")["spec"]["metrics"]
    answer = 200, answers["promote-b"][0][1] | {"status": status}
    assert phase(metric, answer, tmp_path) == expected
    assert outcome("canopy-prod", answer) == "Failed"


def test_a_pull_request_with_a_prompt_is_not_made_where_a_model_won(answers: dict[str, tuple[Answer, Answer]]) -> None:
    won = next(answer for answer, _ in answers.values() if answer[1].get("status") == "promote_b")
    assert outcome("canopy-prod", won) == "Succeeded"
    model = 200, won[1] | {"differs": ["prompt", "model"]}
    assert outcome("canopy-prod", model) == "Failed"
    assert why("canopy-prod", model).endswith("B differs in prompt, model")


@pytest.mark.parametrize("answer", [(503, {"detail": "The database doesn't answer."}), (502, None), (500, {})])
def test_a_server_that_is_away_decides_nothing(answer: Answer) -> None:
    assert {outcome(stage, answer) for stage in ("canopy-test", "canopy-prod")} == {"Running"}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"compared": {"commit": "c1", "experiment": "exp_1"}}, "exp_1"),
        ({"compared": {"commit": "c0", "experiment": "exp_0"}}, "of-another-commit"),
        ({}, "of-another-commit"),
        (None, "of-another-commit"),
    ],
)
def test_a_verification_asks_for_the_experiment_of_its_own_freight(metadata: Object | None, expected: str) -> None:
    stage = named("canopy-test")["spec"]
    (argument,) = (one["value"] for one in stage["verification"]["args"] if one["name"] == "experiment")
    assert filled_in(argument, metadata=metadata, commit="c1") == expected
    (left,) = (one["config"] for one in stage["promotionTemplate"]["spec"]["steps"] if one["uses"] == "set-metadata")
    (update,) = left["updates"]
    values = update["values"]["compared"]
    assert filled_in(values["experiment"], outputs={"comparing": {"experiment": "exp_1"}}) == "exp_1"
    assert (update["kind"], update["name"], values["commit"]) == (
        "Stage",
        "${{ ctx.stage }}",
        "${{ quote(commitFrom(vars.repoURL).ID) }}",
    )


@pytest.mark.parametrize("feature", [BUILT_IN, "promote-b"])
def test_the_pull_request_has_the_prompt_of_the_commit_and_names_its_votes(
    answers: dict[str, tuple[Answer, Answer]], feature: str
) -> None:
    body = answers[feature][0][1]
    decision = {
        one["name"]: evaluate(one["fromExpression"], response={"body": body})
        for one in http_step("canopy-prod")["outputs"]
    }
    assert decision == {
        "experiment": id_in_commit(feature),
        "sentence": body["sentence"],
        "votes": "5 to 0",
        "promptB": prompt_of(B).id,
    }
    (step,) = (one for one in steps("canopy-prod") if one["uses"] == "yaml-update")
    (update,) = step["config"]["updates"]
    known = {"vars": {"feature": feature}, "outputs": {"tested": {"values": in_commit()}, "decision": decision}}
    before = yaml.safe_load(PROD.read_text()) | {"features": {"promote-b": {"prompt": A}}}
    after = updated(
        yaml.safe_dump(before, width=1000), filled_in(update["key"], **known), filled_in(update["value"], **known)
    )
    changed = after[BUILT_IN] if feature == BUILT_IN else after["features"][feature]
    assert changed["prompt"] == B
    changed["prompt"] = A if feature != BUILT_IN else before[BUILT_IN]["prompt"]
    assert after == before


def test_freight_is_what_changes_the_values() -> None:
    (subscription,) = named("canopy-test-values")["spec"]["subscriptions"]
    assert subscription["git"]["includePaths"] == [str(TEST.relative_to(ROOT))]


def steps(stage: str) -> list[Object]:
    found: list[Object] = named(stage)["spec"]["promotionTemplate"]["spec"]["steps"]
    return found


def http_step(stage: str) -> Object:
    (step,) = (one for one in steps(stage) if one["uses"] == "http")
    config: Object = step["config"]
    return config


def body_of(stage: str, feature: str) -> str:
    """What a promotion sends of the commit."""
    (parse,) = (one["config"] for one in steps(stage) if one["uses"] == "yaml-parse")
    (output,) = parse["outputs"]
    values = json.loads(evaluate(f"toJSON({output['fromExpression']})", **in_commit()))
    known = {"vars": {"feature": feature}, "outputs": {"tested": {output["name"]: values}}}
    return filled_in(http_step(stage)["body"], **known)


def test_both_stages_ask_by_the_same_values() -> None:
    assert body_of("canopy-test", "new") == body_of("canopy-prod", "new")


def outcome(stage: str, answer: Answer) -> str:
    """What Kargo makes of an answer: a failure that its expression names ends it, and neither is asked again."""
    config, response = http_step(stage), {"status": answer[0], "body": answer[1]}
    if true_of(config["failureExpression"], response=response):
        return "Failed"
    return "Succeeded" if true_of(config["successExpression"], response=response) else "Running"


def why(stage: str, answer: Answer) -> str:
    return str(evaluate(http_step(stage)["errorExpression"], response={"body": answer[1]}))
