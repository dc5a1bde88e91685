"""`canopy evals merge`, as a person types it."""

from pathlib import Path

import pytest
import yaml

from tests.cli.test_cli import canopy

HEAD = "name: feedback_eval_tests\nendpoint: /summarize\nscoring_params: {basic::subset_of: null}\n"


def an_export(folder: Path, *prompts: str) -> Path:
    file = folder / "feedback-eval-dataset.yaml"
    tests = "".join(f'- prompt: "{prompt}"\n  expected_result: ""\n' for prompt in prompts)
    file.write_text(f"{HEAD}tests:\n{tests}")
    return file


def test_the_summary_says_what_was_done_and_a_second_merge_touches_nothing(tmp_path: Path) -> None:
    file = tmp_path / "feedback_tests.yaml"
    first = canopy("evals", "merge", str(an_export(tmp_path, "one", "two")), "into", str(file))
    assert first.stdout == f"{file}: 2 added, 0 removed, 0 kept, 0 conflicts.\n"
    file.write_text(file.read_text().replace('"one"\n  expected_result: ""', '"one"\n  expected_result: Mine.'))
    file.chmod(0o640)
    second = canopy("evals", "merge", str(an_export(tmp_path, "three")), str(file))
    assert second.stdout == f"{file}: 1 added, 1 removed, 1 kept, 0 conflicts.\n"
    assert [case["prompt"] for case in yaml.safe_load(file.read_bytes())["tests"]] == ["one", "three"]
    assert file.stat().st_mode & 0o777 == 0o640
    before = file.stat().st_mtime_ns
    canopy("evals", "merge", str(an_export(tmp_path, "three")), str(file))
    assert file.stat().st_mtime_ns == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["feedback-eval-dataset.yaml", "feedback_tests.yaml"]


def test_a_conflict_is_named_and_the_files_text_stays(tmp_path: Path) -> None:
    file, export = tmp_path / "feedback_tests.yaml", an_export(tmp_path, "one")
    file.write_text(export.read_text().replace('""', "Mine."))
    export.write_text(export.read_text().replace('""', '"In the browser."'))
    result = canopy("evals", "merge", str(export), "into", str(file))
    assert "0 added, 0 removed, 1 kept, 1 conflict." in result.stdout
    assert "the file's text stays:\n  one\n" in result.stdout
    assert yaml.safe_load(file.read_bytes())["tests"][0]["expected_result"] == "Mine."


def test_of_many_conflicts_some_are_named(tmp_path: Path) -> None:
    file, export = tmp_path / "feedback_tests.yaml", an_export(tmp_path, *map(str, range(12)))
    file.write_text(export.read_text().replace('""', "Mine."))
    export.write_text(export.read_text().replace('""', '"In the browser."'))
    result = canopy("evals", "merge", str(export), "into", str(file))
    assert "12 conflicts." in result.stdout
    assert result.stdout.endswith("  9\n  and 2 more\n")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "suite").mkdir()
    real, link = tmp_path / "suite" / "real.yaml", tmp_path / "feedback_tests.yaml"
    real.write_text(f"{HEAD}tests: []\n")
    link.symlink_to(real)
    assert canopy("evals", "merge", str(an_export(tmp_path, "one")), str(link)).returncode == 0
    assert link.is_symlink()
    assert len(yaml.safe_load(real.read_bytes())["tests"]) == 1


@pytest.mark.parametrize("content", ["{", '{"detail": "Feedback feature is not enabled", "code": "feature_disabled"}'])
def test_what_is_no_export_is_refused_and_the_file_stays(tmp_path: Path, content: str) -> None:
    file, wrong = tmp_path / "feedback_tests.yaml", tmp_path / "wrong.yaml"
    file.write_text(f"{HEAD}tests: []\n")
    wrong.write_text(content)
    result = canopy("evals", "merge", str(wrong), str(file))
    assert result.returncode == 1
    assert "wrong.yaml" in result.stderr
    assert "Traceback" not in result.stderr
    assert file.read_text() == f"{HEAD}tests: []\n"


def test_cases_of_another_endpoint_are_refused_and_the_file_stays(tmp_path: Path) -> None:
    export, file = an_export(tmp_path, "one"), tmp_path / "feedback_tests.yaml"
    file.write_text(f"{HEAD}tests: []\n".replace("/summarize", "/translate"))
    before = file.read_text()
    result = canopy("evals", "merge", str(export), "into", str(file))
    assert result.returncode == 1
    assert "has cases of /summarize" in result.stderr
    assert file.read_text() == before


def test_it_asks_for_one_file() -> None:
    result = canopy("evals", "merge", "-", "into", "a.yaml", "b.yaml")
    assert result.returncode == 2
    assert "canopy evals merge EXPORT into FILE" in result.stderr
