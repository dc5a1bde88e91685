"""What nobody should write, for every key of the schema: null, and scalars of all kinds."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from canopy.base.errors import ConfigError
from canopy.config.chart.chart_values import ChartValues
from canopy.config.chart.defaults import Tree, default_tree, with_defaults
from canopy.config.chart.process_settings import refuse_wrong_settings
from canopy.config.checking import chart_values, check
from canopy.config.loading import load_config, parse_values
from canopy.config.values import Values
from tests.chart.conftest import MINIMAL
from tests.chart.test_agreement import by_checker, by_helm, sentence
from tests.support.helm import CHART, Helm, HelmError

pytestmark = pytest.mark.long

type Path_ = tuple[str, ...]

URL = "http://llama-stack-service:8321"
ODD = [
    *("1e3", "100.0", "1.5", "-1", "0", "1000000000", "089", "0o17", "1_000", "true", "y", "2026-01-31", "1:30"),
    *("'100'", "'1e3'", "'true'", "''", "' '", '"\\u00a0"', '"a\\0b"', "' a '", '"a\\n"', "a%41", "[]", "{}"),
]


def leaves(properties: dict[str, Any], above: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Each key of the schema that is no section, and a value for it in which `@` stands for a scalar."""
    for key, part in properties.items():
        path = (*above, key)
        if key in {"summarization", "false", "global"}:  # another name, `no` as YAML reads it, and Helm's own
            continue
        if "properties" in part:
            yield from leaves(part["properties"], path)
        elif part.get("type") == "array" and "properties" not in part["items"]:
            yield path, ["@"]
        elif isinstance(part.get("additionalProperties"), dict):
            yield (*path, part.get("propertyNames", {}).get("enum", ["memory"])[0]), "@"
        else:
            yield path, "@"


def merged(paths: list[tuple[Path_, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for path, value in paths:
        inner = document
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = value
    return document


SCHEMA = json.loads((CHART / "values.schema.json").read_text())["properties"]
LEAVES = list(leaves(SCHEMA))


def refused_by_helm(said: str) -> set[Path_]:
    """Which keys Helm 4 finds wrong."""
    found = re.findall(r"^ *- at '/([^']*)': (?!validation)", said, re.MULTILINE)
    return {tuple(path.split("/")) for path in found}


def refused_by_the_model(document: dict[str, Any]) -> set[Path_]:
    wrong: set[Path_] = set()
    for name, value in document.get("settings", {}).items():
        try:
            refuse_wrong_settings({name: value})
        except ValueError:
            wrong.add(("settings", name))
    try:
        ChartValues.model_validate(
            with_defaults(default_tree(), {key: value for key, value in document.items() if key != "settings"})
        )
    except ValidationError as error:
        wrong |= {tuple(str(part) for part in item["loc"]) for item in error.errors()}
    return wrong


@pytest.mark.parametrize("odd", ODD)
def test_the_schema_and_the_models_refuse_the_same_scalars(helm: Helm, odd: str, tmp_path: Path) -> None:
    def written(paths: list[tuple[Path_, Any]]) -> Path:
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump(merged(paths)).replace("'@'", odd))
        return file

    file = written(LEAVES)
    with pytest.raises(HelmError) as caught:
        helm.run("template", "canopy", CHART, "--values", file)
    by_schema, by_model = refused_by_helm(str(caught.value)), refused_by_the_model(parse_values(file.read_bytes()))

    def refused(path: Path_, by: set[Path_]) -> bool:
        return any(path == wrong[: len(path)] for wrong in by)

    assert [path for path, _ in LEAVES if refused(path, by_schema) and not refused(path, by_model)] == []
    taken = [(path, value) for path, value in LEAVES if not refused(path, by_schema)]
    by_the_model_alone = [one for one in taken if refused(one[0], by_model)]
    for some in [taken, *([one] for one in by_the_model_alone)]:
        file = written([(("LLAMA_STACK_URL",), URL), *some])
        config, refusal = by_helm(helm, file)
        status, said = by_checker(file)
        if refusal:
            assert (status, sentence(refusal) in said) == (1, True), (some, refusal, said)
        else:
            assert status == 0, (some, said)
            load_config(config.encode())


def null_leaves(defaults: Tree, above: Path_ = ()) -> Iterator[Path_]:
    """The keys with a default, but for maps of people's own, which null empties."""
    for key, default in defaults.items():
        if isinstance(default, dict):
            yield from null_leaves(default, (*above, key))
        elif not isinstance(default[0], dict):
            yield (*above, key)


def test_null_is_as_if_a_key_were_not_there(each_helm: Helm, tmp_path: Path) -> None:
    """For all keys at once, and for all keys of the sections; null empties a map of people's own, as Helm has it."""
    maps = [
        key for key, default in default_tree().items() if isinstance(default, list) and isinstance(default[0], dict)
    ]
    sections: dict[str, Any] = dict.fromkeys(set(SCHEMA) - {*maps, "global"})
    keys = merged([(path, None) for path in null_leaves(default_tree())])
    keys["settings"] |= dict.fromkeys(SCHEMA["settings"]["properties"])
    usual = each_helm.render("--values", MINIMAL)
    for document in (sections, dict.fromkeys(maps), keys):
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump(document | {"LLAMA_STACK_URL": URL}))
        assert each_helm.render("--values", MINIMAL, "--values", file) == usual
        each_helm.render.cache_clear()
        assert by_checker(file)[0] == 0
        assert chart_values(parse_values(file.read_bytes())) == chart_values({"LLAMA_STACK_URL": URL})


@pytest.mark.parametrize("key", [field.alias or name for name, field in Values.model_fields.items()])
def test_the_server_takes_null_as_if_a_key_were_not_there(key: str) -> None:
    assert load_config(f"{key}: null".encode()).values == Values()
    part = SCHEMA[key].get("properties", {})
    keys = yaml.safe_dump({key: dict.fromkeys(part)}) if part else "{}"
    assert load_config(keys.encode()).values == Values()


def test_items_of_lists_may_have_null_too(each_helm: Helm, tmp_path: Path) -> None:
    grades = [{"name": "good", "sentiment": None}, {"name": "bad", "sentiment": "negative"}]
    judge = {"name": "tone", "instructions": "Judge.", "labels": grades, "model": None, "sample": None}
    document = {"LLAMA_STACK_URL": URL, "judges": [judge], "summarization": {"model": None, "max_tokens": None}}
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(document))
    config, refusal = by_helm(each_helm, file)
    assert refusal == ""
    assert load_config(config.encode()).values == load_config(file.read_bytes()).values
    assert by_checker(file)[0] == 0


def test_a_key_that_stands_twice_is_helms_silence_and_the_checkers_sentence(helm: Helm, tmp_path: Path) -> None:
    """Helm takes the last of the two before any chart sees them, so that no template could tell."""
    file = tmp_path / "values.yaml"
    file.write_text(f"LLAMA_STACK_URL: {URL}\nreplicas: 0\nreplicas: 1\n")
    assert by_helm(helm, file)[1] == ""
    with pytest.raises(ConfigError, match="`replicas` stands twice"):
        check(file.read_bytes())
