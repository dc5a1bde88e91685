"""What Argo CD makes of an ApplicationSet with a Git file generator: Applications, and what their Helm source renders.

Argo CD itself can't be had here. Its template language is Go's with Sprig's functions, and so is Helm's: each text of
the template goes through the real Helm's `tpl`. Helm puts nothing where a key is missing, Argo CD fails because of
`missingkey=error`; so that is looked at here, and expressions are held to forms in which it can be seen: a path,
alone or compared with a text.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.helm import Helm

_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PATH = re.compile(r" (?:(?P<path>(?:\.[A-Za-z_]\w*)+)|if eq (?P<compared>(?:\.[A-Za-z_]\w*)+) \"[^\"]*\"|end) ")
_COMMIT = "$ARGOCD_APP_REVISION"
_TPL = "texts:{{ range .Values.texts }}\n- {{ tpl . $.Values.parameters | toJson }}{{ end }}"


class MissingKey(Exception):  # noqa: N818 - named as Argo CD's option is
    """The template asks for what the generator's parameters don't have."""


class TwoRevisions(Exception):  # noqa: N818 - as above
    """Sources of one repository name different revisions, which Argo CD refuses: it has one checkout of each."""


def generated(spec: dict[str, Any], repository: Path) -> Iterator[dict[str, Any]]:
    """The parameters of each file that the generators find in a repository's checkout."""
    for generator in spec["generators"]:
        for pattern in generator["git"]["files"]:
            for file in sorted(repository.glob(pattern["path"])):
                folder = file.parent.relative_to(repository)
                path = {"path": str(folder), "basename": folder.name, "filename": file.name}
                yield {**yaml.safe_load(file.read_text()), "path": path}


def application(helm: Helm, spec: dict[str, Any], parameters: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """The Application that the template makes of these parameters. Raises MissingKey."""
    assert spec["goTemplate"] is True
    assert spec["goTemplateOptions"] == ["missingkey=error"]
    texts = list(dict.fromkeys(_texts(spec["template"])))
    for text in texts:
        for expression in _EXPRESSION.findall(text):
            form = _PATH.fullmatch(expression)
            assert form, f"{expression} is more than a path"
            if path := form["path"] or form["compared"]:
                _look_up(parameters, path)
    (scratch / "templates").mkdir(parents=True, exist_ok=True)
    (scratch / "Chart.yaml").write_text("apiVersion: v2\nname: scratch\nversion: 0.0.0\n")
    (scratch / "values.yaml").write_text(json.dumps({"texts": texts, "parameters": parameters}))
    (scratch / "templates/texts.yaml").write_text(_TPL)
    results = yaml.safe_load(helm.run("template", "scratch", scratch))["texts"]
    made: dict[str, Any] = _replaced(spec["template"], dict(zip(texts, results, strict=True)))
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **made}


def rendered(helm: Helm, app: dict[str, Any], repository: Path, commit: str = "") -> tuple[dict[str, Any], ...]:
    """The objects that Argo CD would apply: a chart's source, with values from the source that `ref` names.

    `commit` is what Argo CD resolved the chart's revision to. It puts that into parameters, and nowhere else in values.
    Argo CD has no equivalent of the `test` hook and leaves such objects out.
    """
    revisions: dict[str, str] = {}
    for source in app["spec"]["sources"]:
        repository_url, revision = source["repoURL"].lower().removesuffix(".git"), source["targetRevision"]
        if revisions.setdefault(repository_url, revision) != revision:
            raise TwoRevisions(repository_url)
    (chart,) = (source for source in app["spec"]["sources"] if "path" in source)
    refs = {f"${source['ref']}" for source in app["spec"]["sources"] if "ref" in source}
    values: list[str | Path] = []
    for file in chart["helm"]["valueFiles"]:
        ref, _, path = file.partition("/")
        assert ref in refs
        values += ["--values", repository / path]
    for parameter in chart["helm"].get("parameters", ()):
        assert parameter["forceString"] is True  # as a number, some commits would become others
        values += ["--set-string", f"{parameter['name']}={parameter['value'].replace(_COMMIT, commit)}"]
    namespace = app["spec"]["destination"]["namespace"]
    arguments = ("--namespace", namespace, "--include-crds", "--skip-tests", *values)
    text = helm.run("template", chart["helm"]["releaseName"], repository / chart["path"], *arguments)
    return tuple(filter(None, yaml.load_all(text, yaml.CSafeLoader)))  # as in Helm.render


def _look_up(parameters: dict[str, Any], path: str) -> Any:
    found: Any = parameters
    for key in path.removeprefix(".").split("."):
        if not isinstance(found, dict) or key not in found:
            raise MissingKey(path)
        found = found[key]
    return found


def _texts(part: Any) -> Iterator[str]:
    """Every text of the template; Argo CD renders keys as well, and ours have no expression in them."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict | list):
        for child in part.values() if isinstance(part, dict) else part:
            yield from _texts(child)


def _replaced(part: Any, texts: dict[str, str]) -> Any:
    if isinstance(part, str):
        return texts[part]
    if isinstance(part, dict):
        return {key: _replaced(child, texts) for key, child in part.items()}
    return [_replaced(child, texts) for child in part] if isinstance(part, list) else part
