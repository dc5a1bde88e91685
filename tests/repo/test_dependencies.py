"""What the project declares is what it imports: no package too many, and none that only another one brings."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.docs import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["embedded"]]
DEV = PROJECT["dependency-groups"]["dev"]
IGNORED = PROJECT["tool"]["deptry"]["per_rule_ignores"]["DEP002"]
EVERYWHERE = ("backend", "tests", "bench", "tools", "canopy-evals")
MISSING, UNUSED, INDIRECT = "DEP001", "DEP002", "DEP003"


def found(folder: Path, *places: str, declared: list[str], codes: set[str]) -> list[str]:
    """What deptry finds in the code of these places, if a project declares these dependencies."""
    project, output = folder / "pyproject.toml", folder / "found.json"
    project.write_text(
        f"""
        [project]
        name = "canopy"
        version = "1"
        dependencies = {json.dumps(declared)}
        [tool.deptry]
        exclude = ["__pycache__"]
        known_first_party = {json.dumps(EVERYWHERE)}
        [tool.deptry.per_rule_ignores]
        DEP002 = {json.dumps(IGNORED)}
        """
    )
    deptry = [str(Path(sys.executable).with_name("deptry")), *places, f"--config={project}", f"--json-output={output}"]
    done = subprocess.run(deptry, cwd=ROOT, capture_output=True, text=True, check=False)
    assert output.exists(), done.stderr
    findings = json.loads(output.read_text())
    return sorted({f"{one['error']['code']} {one['module']}" for one in findings if one["error"]["code"] in codes})


def test_the_server_imports_what_it_declares_and_nothing_else(tmp_path: Path) -> None:
    assert found(tmp_path, "backend", declared=RUNTIME, codes={MISSING, UNUSED, INDIRECT}) == []


def test_tests_and_tools_import_what_is_declared_for_them(tmp_path: Path) -> None:
    # What is missing here is imported in environments of their own: the workshop's pages, Kubeflow's components.
    assert found(tmp_path, *EVERYWHERE, declared=RUNTIME + DEV, codes={UNUSED, INDIRECT}) == []


def test_a_package_too_many_or_too_few_is_found(tmp_path: Path) -> None:
    declared = ["ruamel-yaml" if name == "click" else name for name in RUNTIME]
    assert found(tmp_path, "backend", declared=declared, codes={UNUSED, INDIRECT}) == [
        f"{UNUSED} ruamel-yaml",
        f"{INDIRECT} click",
    ]


def test_what_is_let_through_is_still_declared() -> None:
    declared = {name[0] for line in RUNTIME + DEV if (name := re.match(r"[\w-]+", line))}
    assert set(IGNORED) - declared == set()
