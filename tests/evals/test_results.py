"""The report of a run as a file: its schema, and what is read back from it."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from canopy.base.errors import ConfigError
from canopy.evals.results import SCHEMA_VERSION, Run, load
from tests.support.eval_runs import a_run, awaiting, failed, passed, unscored
from tools.schemas import RESULTS, schema

RUN = a_run(failed(), passed(prompt="Grüße 🌱 שלום\u2028"), awaiting(), unscored(), repeat=3)


def written(path: Path, run: Run, **changes: Any) -> Path:
    file = path / "results.json"
    file.write_text(json.dumps(run.model_dump(mode="json") | changes))
    return file


def test_the_shipped_schema_is_the_models() -> None:
    assert RESULTS.read_text() == schema(RESULTS), "run `make schema`"


@pytest.mark.parametrize("run", [RUN, a_run(), a_run(passed(), finished_at=None)])
def test_a_report_fits_the_shipped_schema(run: Run) -> None:
    shipped = json.loads(RESULTS.read_text())
    Draft202012Validator(shipped).validate(json.loads(run.model_dump_json()))  # which looks at the schema, too


def test_a_report_is_read_back_whole(tmp_path: Path) -> None:
    assert load(written(tmp_path, RUN)) == RUN


def test_a_report_of_a_newer_version_is_refused_with_a_way_out(tmp_path: Path) -> None:
    file = written(tmp_path, RUN, schema_version=SCHEMA_VERSION + 1, something_new=[])
    with pytest.raises(ConfigError, match="is of version 3, and this Canopy reads up to version 2"):
        load(file)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is no JSON"),
        (b"\xff{}", "is no JSON"),
        (b"[]", "is no report of evaluations: the whole: Input should be"),
        (b"{}", "is no report of evaluations: id: Field required"),
        (b'{"cases": [{"status": "fine"}]}', "is no report of evaluations"),
    ],
)
def test_what_is_no_report_is_refused_with_the_place(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=complaint):
        load(file)


def test_a_report_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.json can't be read: No such file"):
        load(tmp_path / "nothing.json")
