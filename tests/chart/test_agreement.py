"""The chart, `canopy check-values` and the server say the same of the same values: verdict, sentence and flags."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from click.testing import CliRunner

from canopy.base.errors import ConfigError
from canopy.cli.serve import check_values
from canopy.config.chart.chart_contradictions import CHART_CONTRADICTIONS
from canopy.config.checking import chart_values
from canopy.config.contradictions import SERVER_CONTRADICTIONS
from canopy.config.flags import decide_flags
from canopy.config.loading import load_config
from canopy.config.values import Values
from tests.chart.combinations import Document, combinations
from tests.chart.conftest import find
from tests.support.helm import CHART, HELMS, Helm, HelmError

pytestmark = pytest.mark.long

WITH_ALL = HELMS[-1]  # which takes two thirds of the time of the newest for a file
SERVERS = {field.alias or name for name, field in Values.model_fields.items()}


class Checked(NamedTuple):
    """A file, and what `canopy check-values` makes of it."""

    document: Document
    file: Path
    status: int
    said: str


def by_helm(helm: Helm, file: Path) -> tuple[str, str]:
    """What the chart makes for the server, and why it makes nothing."""
    try:
        rendered = helm.run("template", "canopy", CHART, "--values", file)
    except HelmError as error:
        return "", str(error)
    objects = tuple(filter(None, yaml.load_all(rendered, yaml.CSafeLoader)))
    return find(objects, "ConfigMap")["data"]["canopy-config.yaml"], ""


def by_checker(file: Path) -> tuple[int, str]:
    result = CliRunner().invoke(check_values, [str(file)])
    return result.exit_code, result.output


def fewer(checked: list[Checked]) -> list[Checked]:
    """One of those of which the checker says the same, and every fourth of those that it takes."""
    ones = {one.said.replace(str(one.file), ""): one for one in checked}.values()
    taken = [one for one in checked if one.status == 0]
    return [*ones, *(one for one in taken[::4] if one not in ones)]


def servers_own(document: Document) -> bytes:
    """The part of a file that the server would read, if it got it without the chart."""
    return yaml.safe_dump({key: value for key, value in document.items() if key in SERVERS}).encode()


def sentence(refusal: str) -> str:
    """What `fail` said, without where."""
    said = re.search(r"execution error at \(.*?\): (.*)$", refusal, re.MULTILINE)
    assert said, refusal
    return said[1]


def never_said(refusals: list[str]) -> list[str]:
    """The contradictions of the tables that the chart refused nothing for. It tells the first of a file's alone."""
    sentences = [one.sentence for one in CHART_CONTRADICTIONS] + [one.sentence for one in SERVER_CONTRADICTIONS]
    patterns = [re.escape(text).replace(r"\{\}", ".+") for text in sentences]
    return [pattern for pattern in patterns if not any(re.search(pattern, text) for text in refusals)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Document, Path]]:
    folder = tmp_path_factory.mktemp("values")
    made = []
    for number, document in enumerate(combinations()):
        file = folder / f"{number}.yaml"
        file.write_text(yaml.safe_dump(document))
        made.append((document, file))
    return made


@pytest.fixture(scope="module")
def all_checked(files: list[tuple[Document, Path]]) -> list[Checked]:
    return [Checked(document, file, *by_checker(file)) for document, file in files]


def test_chart_checker_and_server_agree_on_hundreds_of_values(each_helm: Helm, all_checked: list[Checked]) -> None:
    # Helm's own time is all that this takes.
    checked = all_checked if each_helm is WITH_ALL else fewer(all_checked)
    with ThreadPoolExecutor(2) as pool:
        rendered = list(pool.map(lambda one: by_helm(each_helm, one.file), checked))
    disagreed = []
    verdicts = {"taken": 0, "contradiction": 0, "schema": 0}
    for (document, _, status, said), (config, refusal) in zip(checked, rendered, strict=True):
        if not refusal:
            verdicts["taken"] += 1
            flags = load_config(config.encode()).flags
            lines = [f"  {flag.name:<12} {'on ' if flag.on else 'off'}  {flag.reason}" for flag in flags.values()]
            right = status == 0 and all(line in said for line in lines)
        elif "specifications of the schema" in refusal:
            verdicts["schema"] += 1
            right = status == 1
        else:
            verdicts["contradiction"] += 1
            right = status == 1 and sentence(refusal) in said
        if not right:
            disagreed.append((document, refusal, said))
    assert disagreed == []
    assert len(checked) > (450 if each_helm is WITH_ALL else 220)
    assert min(verdicts.values()) > 40, verdicts
    if each_helm is WITH_ALL:
        assert never_said([sentence(refusal) for _, refusal in rendered if "execution error at" in refusal]) == []


def test_the_server_refuses_alone_what_the_chart_refuses_of_its_values(files: list[tuple[Document, Path]]) -> None:
    compared = 0
    for document, _ in files:
        if "proxy" in str(document.get("auth", "")):
            continue  # the chart completes the headers
        try:
            values = chart_values(document)
        except ConfigError as error:
            refusal = error.sentence
        else:
            assert load_config(servers_own(document)).flags == decide_flags(values), document
            continue
        try:
            load_config(servers_own(document))
        except ConfigError as error:
            wrong_types = refusal.startswith("`")  # those are told before any contradiction
            assert wrong_types or error.sentence in refusal, document
            compared += 1
    assert compared > 40
