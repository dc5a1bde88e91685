"""How tests are run: what is chosen, what a skip means, and what is told in the end."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.distributing import together

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest

def test_fine(): pass

def test_missing_tool(): pytest.skip("there is no chromium")

@pytest.mark.skipif(True, reason="platform: only Linux has /proc")
def test_other_platform(): pass

@pytest.mark.xfail(reason="not yet", strict=True)
def test_expected_failure(): raise AssertionError
"""


def run(folder: Path, *more: str, ci: str = "") -> str:
    """What pytest writes about the tests in a folder, with the project's own conftest and no settings."""
    options = ["-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(folder)]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--continue-on-collection-errors", *more, str(folder)],
        cwd=folder,
        env={"CI": ci, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout


@pytest.mark.parametrize(
    ("ci", "expected"),
    [("", "1 passed, 3 skipped, 1 xfailed"), ("true", "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error")],
)
def test_a_missing_tool_fails_and_another_platform_does_not(tmp_path: Path, ci: str, expected: str) -> None:
    (tmp_path / "test_each.py").write_text(TESTS)
    (tmp_path / "test_module.py").write_text("import pytest\npytest.skip('no docker', allow_module_level=True)")
    said = run(tmp_path, ci=ci)
    assert said.splitlines()[-1].rpartition(" in ")[0] == expected, said


def test_what_takes_longest_comes_first(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_it(): pass")
    (tmp_path / "test_b.py").write_text("import pytest\npytestmark = pytest.mark.long\ndef test_it(): pass")
    collected = [line for line in run(tmp_path, "--collect-only").splitlines() if "::" in line]
    assert collected == ["test_b.py::test_it", "test_a.py::test_it"]


@pytest.mark.parametrize("folders", [{"quick": 0, "slow": 0.3}, {"slow": 0.3}], ids=["several", "one"])
def test_where_the_time_went_is_told_by_folder(folders: dict[str, float], tmp_path: Path) -> None:
    for folder, seconds in folders.items():
        (tmp_path / "tests" / folder).mkdir(parents=True)
        (tmp_path / "tests" / folder / f"test_{folder}.py").write_text(
            f"import time\ndef test_it(): time.sleep({seconds})"
        )
    told = [line.split() for line in run(tmp_path).splitlines() if "tests/" in line]
    assert told == [["0.3s", "tests/slow"], ["0.0s", "tests/quick"]][: len(folders)]


def test_without_postgresql_what_needs_it_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "test_both.py").write_text("def test_one(postgres): pass\ndef test_other(): pass")
    said = run(tmp_path, "--sqlite")
    assert said.splitlines()[-1].startswith("1 passed, 1 deselected"), said


def pytest_of(*goal: str) -> str:
    """What follows the usual options in the line that a goal of the Makefile runs."""
    make = shutil.which("make")
    assert make
    said = subprocess.run([make, "-n", *goal], cwd=ROOT, capture_output=True, text=True, check=True)
    (command,) = [line for line in said.stdout.splitlines() if "-m pytest" in line]
    return command.partition(" --dist loadfile")[2].strip()


def test_the_order_is_drawn_and_told_and_comes_back_with_its_seed(tmp_path: Path) -> None:
    pytest.importorskip("pytest_randomly", reason="run `make install-dev`")
    (tmp_path / "test_many.py").write_text("\n".join(f"def test_{n}(): pass" for n in range(30)))

    def order(*more: str) -> tuple[list[str], list[str]]:
        """The option that brings the order back, and the tests in it."""
        command = [sys.executable, "-m", "pytest", "-v", "-p", "pytest_randomly", "-p", "no:cacheprovider", *more]
        done = subprocess.run(
            [*command, "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)],
            env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return re.findall(r"^Using (--randomly-seed=\d+)$", done.stdout, re.MULTILINE), re.findall(
            r"::(test_\d+) PASSED", done.stdout
        )

    seed, tests = order()
    assert len(tests) == 30
    assert tests != [f"test_{n}" for n in range(30)]
    assert order(*seed) == (seed, tests)


def test_files_that_need_the_same_large_server_go_to_the_same_worker() -> None:
    def asking_for(fixture: str) -> set[Path]:
        files = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
        return {
            path for path in files if re.search(rf"^(?:async )?def .*\b{fixture}\b.*:$", path.read_text(), re.MULTILINE)
        }

    for fixture in ("mlflow", "stacks"):
        files = asking_for(fixture)
        assert len(files) > 1
        assert {together(file) for file in files} == {fixture}
    assert together(Path(__file__)) == __file__


def test_a_check_runs_unit_and_http_tests() -> None:
    assert pytest_of("check") == "--sqlite tests/unit tests/http"


@pytest.mark.parametrize(
    ("only", "chosen"),
    [
        ("", ""),
        ("unit", "tests/unit"),
        ("tests/unit", "tests/unit"),
        ("./tests/unit", "tests/unit"),
        (f"{ROOT}/tests/unit", "tests/unit"),
        ("http --randomly-seed=1", "tests/http --randomly-seed=1"),
        ("tests/unit/test_limits.py::test_x", "tests/unit/test_limits.py::test_x"),
        (f"{ROOT}/tests/unit/test_limits.py::test_x", "tests/unit/test_limits.py::test_x"),
        ("sign_in and not slow", "-k 'sign_in and not slow'"),
        ("http and not slow", "-k 'http and not slow'"),
        ("helm", "-k 'helm'"),  # a folder without tests
        ("docs", "-k 'docs'"),
    ],
)
def test_only_takes_a_place_or_an_expression(only: str, chosen: str) -> None:
    assert pytest_of("test", f"ONLY={only}") == chosen
