"""What real model servers send, as evaluations and judges meet it: an answer is judged, and a failure is no grade."""

from pathlib import Path

import httpx
import pytest
import yaml

from canopy.base.settings import Settings
from canopy.config.values import Values
from canopy.evals import results
from canopy.inference.opening import open_inference
from canopy.judges.definitions import configured_judges
from canopy.judges.labelling import Budget, JudgeUnanswered, Labeller
from canopy.store.opening import open_store
from canopy.telemetry import Traces
from tests.contract.store.records import a_generation
from tests.support.commands import canopy
from tests.support.judging import JUDGE, labels
from tests.support.model_quirks import ANSWER, ANSWERS, FAILURES, UNOPENED
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

# A judge's answers: the same bodies, as the text of a label.
LABEL = (b"Frogs", rb"{\"label\": \"accurate\", \"rationale\": \"Frogs"), (b" in June.", rb" in June.\"}")


def labelling(body: bytes) -> bytes:
    for words, instead in LABEL:
        body = body.replace(words, instead)
    return body


async def test_every_quirk_goes_through_an_evaluation_and_its_judge(
    model: FakeModelServer, server: Server, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Once as what the backend's model says, and once, on a good answer, as what the judge's says."""
    del client  # has cleared the scripts
    bodies = ANSWERS | {"thoughts that the prompt opens": UNOPENED} | {name: it.body for name, it in FAILURES.items()}
    told = {f"Model: {name}.": Script(body=body) for name, body in bodies.items()}
    judged = {f"Judge: {name}.": Script(body=body) for name, body in bodies.items()}
    model.scripts = told | dict.fromkeys(judged, Script(body=ANSWERS["as OpenAI has it"]))
    model.about = dict.fromkeys(told, Script(body=ANSWERS["as OpenAI has it"])) | judged
    suite = {
        "name": "quirks",
        "endpoint": "/summarize",
        "scoring_params": {
            "llm-as-judge::base": {
                "judge_model": "a-judge",
                "prompt_template": "Of {input_query}:\n{generated_answer}",
                "judge_score_regexes": [ANSWER.replace("June", "(June)")],
                "rubric": {"June": 1},
            }
        },
        "tests": [{"prompt": prompt, "expected_result": ANSWER} for prompt in [*told, *judged]],
    }
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite/quirk_tests.yaml").write_text(yaml.safe_dump(suite))
    asking = ["--backend", server.url, "--judge", model.url, "--scoring", "local", "--output", tmp_path / "results"]
    try:
        _, _, errors = await canopy("evals", "run", tmp_path / "suite", *map(str, asking))
    finally:
        model.about.clear()
    run = results.load(tmp_path / "results/results.json")
    assert len(run.cases) == 2 * len(bodies), errors
    for case in run.cases:
        name = case.prompt.partition(": ")[2].removesuffix(".")
        (attempt,) = case.attempts
        if name not in FAILURES:
            assert (case.status, attempt.answer) == ("passed", ANSWER), (case.prompt, case.reason)
        elif case.prompt in told:
            # What the model says is its answer; what breaks off, or comes from elsewhere, is none of it.
            wrong = FAILURES[name].code in ("model_reply_empty", "model_content_filtered", "prompt_too_long")
            assert case.status == ("failed" if wrong else "unscored"), (case.prompt, case.reason)
            assert attempt.error, case.prompt
        else:
            assert case.status == "unscored", case.prompt


async def test_every_quirk_goes_through_a_judge(model: FakeModelServer, tmp_path: Path) -> None:
    good = ANSWERS | {"thoughts that the prompt opens": UNOPENED}
    bodies = good | {name: failure.body for name, failure in FAILURES.items()}
    store = open_store(f"sqlite:///{tmp_path / 'canopy.db'}")
    inference = open_inference(model.url, Settings(model_retries=0))
    await store.start()
    await inference.start()
    model.about = {f"Text: {name}.": Script(body=labelling(body)) for name, body in bodies.items()}
    (judge,) = configured_judges(Values.model_validate({"judges": [JUDGE]}), inference.model_name)
    labeller = Labeller(store, inference, Traces(), lambda _: None, timeout=20)
    try:
        for name in bodies:
            generation = a_generation(input_text=f"Text: {name}.")
            await store.generations.record(generation)
            try:
                outcome = await labeller.label(judge, generation.id, Budget(2))
            except JudgeUnanswered:
                outcome = "unusable"
            assert outcome == ("labelled" if name in good else "unusable"), name
        assert {(it.value, it.comment) for it in await labels(store)} == {("accurate", ANSWER)}
    finally:
        model.about.clear()
        await inference.close()
        await store.close()
