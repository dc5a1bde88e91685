"""What the pages on evaluations show is what the evaluations read."""

import ast
from pathlib import Path

import yaml

from canopy.evals.run import thresholds
from canopy.evals.suites.cases import load
from tests.support.advice import collected
from tests.support.docs import ROOT


def test_what_the_page_shows_is_read(tmp_path: Path) -> None:
    suite, gate = [it.text for it in collected() if (it.where, it.language) == ("docs/evaluations.md", "yaml")]
    file = tmp_path / "feedback_tests.yaml"
    file.write_text(suite)
    (tmp_path / "judge_prompt.txt").write_text("Answer: A, B, C, D or E.")
    assert load(file).cases
    (tmp_path / "thresholds.yaml").write_text(gate)
    found, read = thresholds.nearest(file, tmp_path)
    assert (found, read.pass_rate) == (tmp_path / "thresholds.yaml", 1)


def test_a_run_of_the_pipeline_is_asked_for_as_it_is_shown() -> None:
    """There is no Kubeflow to ask; the pipeline that is shipped has each argument that is shown, and needs no other."""
    (block,) = [it.text for it in collected() if it.language == "python"]
    (call,) = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call) and node.args]
    package = ast.literal_eval(call.args[0])
    (arguments,) = [ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg == "arguments"]
    pipeline = next(yaml.safe_load_all((ROOT / package).read_text()))
    parameters = pipeline["root"]["inputDefinitions"]["parameters"]
    needed = {name for name, it in parameters.items() if not it.get("isOptional") and "defaultValue" not in it}
    assert needed <= arguments.keys() <= parameters.keys()
