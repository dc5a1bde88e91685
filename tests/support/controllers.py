"""What Argo Rollouts and Kargo make of their files and of an answer, by the code that they run themselves.

Both write conditions in the language of expr-lang/expr, which the package `enchanter-golem` carries as it is, and Argo
Rollouts reads an answer by the JSONPath of Kubernetes' client-go, which kubectl has, too.
"""

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import golem
import yaml

from tests.support.helm import KUBECTL, require

type Answer = tuple[int, Any]
type Object = dict[str, Any]


def evaluate(expression: str, **variables: Any) -> Any:
    return golem.Engine(strict_vars=False).eval(expression, variables)


def true_of(expression: str, **variables: Any) -> bool:
    found = evaluate(expression, **variables)
    assert isinstance(found, bool)
    return found


def filled_in(template: str, **variables: Any) -> str:
    """A text with Kargo's expressions evaluated, and without the quotes that keep it from being a number or an object.

    Kargo's own functions aren't here: their results are variables.
    """
    own = {"quote(": "toJSON(", "stageMetadata(ctx.stage)": "metadata", "commitFrom(vars.repoURL).ID": "commit"}

    def value(match: re.Match[str]) -> str:
        expression = match[1]
        for name, stand_in in own.items():
            expression = expression.replace(name, stand_in)
        return str(evaluate(expression, **variables))

    result = re.sub(r"\${{(.*?)}}", value, template, flags=re.DOTALL)
    return result[1:-1] if len(result) > 1 and result[0] == result[-1] == '"' else result


def updated(file: str, key: str, value: str) -> Object:
    """What Kargo's yaml-update makes of a file: the value takes the rest of the key's line, in quotes if it's JSON."""
    node = yaml.compose(file)
    for part in key.split("."):
        assert isinstance(node, yaml.MappingNode)
        (node,) = (its for name, its in node.value if name.value == part)
    assert node is not None
    lines = file.splitlines()
    line = lines[node.start_mark.line][: node.start_mark.column]
    try:
        json.loads(value)
    except ValueError:
        lines[node.start_mark.line] = line + value
    else:
        lines[node.start_mark.line] = line + json.dumps(value)
    changed: Object = yaml.safe_load("\n".join(lines))
    return changed


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
