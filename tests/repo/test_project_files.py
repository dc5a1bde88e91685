"""The files that forges, editors and bots read are what those take, and call what the project has."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.docs import ROOT

PROGRAMS = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]


def run(*command: str | Path, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = os.environ | ({"PRE_COMMIT_HOME": str(home)} if home else {})
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("schema", "file"),
    [*(("vendor.github-workflows", file) for file in WORKFLOWS), ("vendor.renovate", ROOT / ".github/renovate.json")],
    ids=lambda value: getattr(value, "name", value),
)
def test_what_forges_read_has_their_form(schema: str, file: Path, tmp_path: Path) -> None:
    wrong = tmp_path / file.name
    wrong.write_text(file.read_text().replace('"enabled": false', '"enabled": "no"').replace("jobs:", "tasks:"))
    checker: list[str | Path] = [
        PROGRAMS / "check-jsonschema",
        "--verbose",
        "--output-format",
        "json",
        "--builtin-schema",
        schema,
    ]
    found = json.loads(run(*checker, file, wrong).stdout)
    assert found["successes"] == [str(file)], found
    assert {error["filename"] for error in found["errors"]} == {str(wrong)}


def test_a_workflow_runs_what_ci_runs_and_nothing_else() -> None:
    assert WORKFLOWS
    for file in WORKFLOWS:
        steps = [step for job in yaml.safe_load(file.read_text())["jobs"].values() for step in job["steps"]]
        wanted = {
            "ci.yaml": [".ci/run"],
            "evidence.yaml": [
                '.ci/evidence "refs/pull/${{ github.event.number }}/head"',
                '.ci/tell "${{ github.event.before }}" "${{ github.sha }}" "${{ vars.BACKEND_URL }}"',
            ],
        }
        assert [step["run"] for step in steps if "run" in step] == wanted[file.name]
        used = [step["uses"] for step in steps if "uses" in step]
        assert used
        assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one)] == []
        # The comment that names the version of the commit is what a bot brings up to date.
        assert len(re.findall(r"@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", file.read_text(), re.MULTILINE)) == len(used)
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_the_bot_looks_at_each_lock_and_each_package_file() -> None:
    renovate = json.loads((ROOT / ".github/renovate.json").read_text())
    patterns = [re.compile(pattern.strip("/")) for pattern in renovate["pip_requirements"]["managerFilePatterns"]]
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "requirements").iterdir() if path.is_file()}
    seen = {file for file in files if any(pattern.search(file) for pattern in patterns)}
    assert {file for file in files - seen if not file.endswith((".overrides", "README.md"))} == set()
    for rule in renovate["packageRules"]:
        assert all(any(fnmatch(file, pattern) for file in files) for pattern in rule.get("matchFileNames", []))
        assert all(run("make", "-n", *command.split()[1:]).returncode == 0
                   for command in rule.get("postUpgradeTasks", {}).get("commands", []))  # fmt: skip


def test_hooks_are_valid_and_call_the_projects_own_tools(tmp_path: Path) -> None:
    valid = run(PROGRAMS / "pre-commit", "validate-config", ".pre-commit-config.yaml", home=tmp_path)
    assert valid.returncode == 0, valid.stdout
    for hook in HOOKS:
        program = hook["entry"].split()[0]
        assert hook["language"] == "system"
        assert shutil.which(ROOT / program.replace(".venv/bin", str(PROGRAMS))), program
    makefile = (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin").replace("--quiet ", "")
    linters = {hook["entry"].replace(" --force-exclude", "") for hook in HOOKS if hook["entry"].startswith(".venv")}
    assert [linter for linter in linters if linter not in makefile.replace(" --quiet", "")] == []


@pytest.mark.parametrize(
    ("message", "passes"),
    [
        ("Say what changed\n", True),
        (f"{'x' * 72}\n\nAnd why, in a body that may be as long as it likes, line by line, for whoever asks.\n", True),
        (f"{'ü' * 72}\n", True),
        (f"{'x' * 73}\n", False),
        ("Say what changed\nwithout a line between\n", False),
        (f"Say what changed\n# {'x' * 80}\n", True),
        (f"\n# {'x' * 80}\n\n{'x' * 72}\n", True),
        (f"\n{'x' * 73}\n", False),
    ],
)
def test_the_subject_of_a_commit_is_short(message: str, passes: bool, tmp_path: Path) -> None:
    (tmp_path / "message").write_text(message)
    done = run("env", "--unset=GIT_EDITOR", "tools/commit-subject.sh", tmp_path / "message")
    assert (done.returncode == 0) is passes, done.stderr


@pytest.mark.parametrize("subject", ["x" * 72, "x" * 73, f"#12 {'x' * 69}"])
def test_a_commit_is_stopped_by_its_subject(subject: str, tmp_path: Path) -> None:
    for file in (".pre-commit-config.yaml", "tools/commit-subject.sh"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    identity = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PRE_COMMIT_HOME": str(tmp_path / "home"), **identity}
    for command in (["git", "init", "--quiet"], ["git", "add", "tools"], [str(PROGRAMS / "pre-commit"), "install"]):
        subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    commit = ["git", "commit", "--message", subject]
    done = subprocess.run(commit, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is (len(subject) == 72), done.stderr
    assert ("has 73 characters" in done.stderr + done.stdout) is (len(subject) == 73)


def test_everything_that_is_shipped_says_the_licence() -> None:
    assert re.search(r"Apache License\s+Version 2\.0, January 2004", (ROOT / "LICENSE").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (project["license"], project["license-files"]) == ("Apache-2.0", ["LICENSE"])
    chart = yaml.safe_load((ROOT / "helm/canopy/Chart.yaml").read_text())
    assert chart["annotations"]["artifacthub.io/license"] == "Apache-2.0"
    assert 'org.opencontainers.image.licenses="Apache-2.0"' in (ROOT / "Dockerfile").read_text()


def editor_rules() -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser()
    parser.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
    assert parser["top"]["root"] == "true"
    return {name: dict(parser[name]) for name in parser.sections() if name != "top"}


def rules_of(name: str) -> dict[str, str]:
    """What holds for a file: later sections win."""
    found: dict[str, str] = {}
    for pattern, rules in editor_rules().items():
        alternatives = pattern.strip("{}").split(",")
        if any(fnmatch(Path(name).name, alternative) for alternative in alternatives):
            found |= rules
    return found


def test_files_are_as_editors_are_told() -> None:
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout.split("\0")
    texts = [name for name in listed if name and not name.endswith((".png", ".lock", ".json")) and name != "LICENSE"]
    assert len(texts) > 500
    wrong = []
    for name in texts:
        if (ROOT / name).is_file():
            wrong += [f"{name}: {what}" for what in against(rules_of(name), (ROOT / name).read_bytes())]
    assert wrong == []


def against(rules: dict[str, str], content: bytes) -> list[str]:
    found = []
    text = content.decode(rules["charset"])
    if rules["end_of_line"] == "lf" and "\r" in text:
        found.append("a line that ends in CR")
    if rules["insert_final_newline"] == "true" and text and not text.endswith("\n"):
        found.append("no end of the last line")
    if rules["trim_trailing_whitespace"] == "true" and re.search(r"[ \t]$", text, re.MULTILINE):
        found.append("blanks at the end of a line")
    if rules["indent_style"] == "space" and re.search(r"^\t", text, re.MULTILINE):
        found.append("a tab")
    return found


def test_what_editors_are_told_not_to_do_is_found() -> None:
    assert against(rules_of("x.py"), b"a\n") == []
    assert len(against(rules_of("x.py"), b"a \r\n\tb \n\r")) == 4
    assert against(rules_of("Makefile"), b"a:\n\tb\n") == []


def test_what_is_to_be_merged_is_looked_through_for_evidence() -> None:
    """Here with nothing to be merged; tests/loop/test_promotion.py has commits with evidence, right and wrong."""
    ran = subprocess.run(
        [ROOT / ".ci/evidence", "HEAD"], env=os.environ | {"REMOTE": "."}, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "No commit of HEAD..FETCH_HEAD has evidence.\n"), ran.stderr
    told = run(ROOT / ".ci/tell", "HEAD", "HEAD", "http://127.0.0.1:9")
    assert (told.returncode, told.stdout) == (0, "No commit of HEAD..HEAD has evidence.\n"), told.stderr
