"""`canopy evals report` as one runs it."""

from pathlib import Path

from click.testing import CliRunner
from junitparser import JUnitXml

from canopy.cli import main
from tests.support.eval_runs import a_run, failed, passed


def test_the_reports_are_made_again_beside_the_results(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_text(a_run(failed(prompt="Grüße 🌱"), passed()).model_dump_json(), "utf-8")
    done = CliRunner().invoke(main, ["evals", "report", str(results)])
    assert (done.exit_code, done.output) == (0, f"{tmp_path}/report.html\n{tmp_path}/junit.xml\n")
    assert "Grüße 🌱" in (tmp_path / "report.html").read_text("utf-8")
    assert JUnitXml.fromfile(str(tmp_path / "junit.xml")).failures == 1


def test_another_folder_is_made_where_it_is_missing(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_text(a_run().model_dump_json())
    done = CliRunner().invoke(main, ["evals", "report", str(results), "-o", str(tmp_path / "new/folder")])
    assert done.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "new/folder").iterdir()) == ["junit.xml", "report.html"]


def test_results_that_can_not_be_read_are_a_sentence(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_text('{"schema_version": 3}')
    done = CliRunner().invoke(main, ["evals", "report", str(results)])
    assert done.exit_code == 1
    assert "is of version 3, and this Canopy reads up to version 2." in done.output
