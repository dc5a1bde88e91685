"""Under `CI=true` a skipped test is a failed one."""

import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("ci", "expected"),
    [("", "1 passed, 3 skipped, 1 xfailed"), ("true", "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error")],
)
def test_a_missing_tool_fails_and_another_platform_does_not(tmp_path: Path, ci: str, expected: str) -> None:
    (tmp_path / "test_each.py").write_text(TESTS)
    (tmp_path / "test_module.py").write_text("import pytest\npytest.skip('no docker', allow_module_level=True)")
    options = ["-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(tmp_path)]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--continue-on-collection-errors", str(tmp_path)],
        cwd=tmp_path,
        env={"CI": ci, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.splitlines()[-1].rpartition(" in ")[0] == expected, result.stdout
