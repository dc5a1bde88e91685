"""The Dockerfile's stage `build`, step by step as it is written, but in folders of this machine.

No image can be built here, so its steps are run without one: the same commands, with other folders in the environment
that the stage sets. The steps that need packages are run ahead of time, into `.cache/image`, by
`python -m tests.support.image`; those from the project's own sources on are run by the test.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
_CACHE = ROOT / ".cache/image"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its name, and the rest of it as one line."""

    name: str
    value: str

    @property
    def words(self) -> list[str]:
        """Without the flags."""
        return [word for word in re.findall(r'(?:"[^"]*"|\S)+', self.value) if not word.startswith("--")]

    @property
    def pairs(self) -> dict[str, str]:
        """What ENV, ARG or LABEL sets."""
        return {name: value.strip('"') for name, _, value in (word.partition("=") for word in self.words)}


def stages() -> dict[str, list[Instruction]]:
    """Each stage's instructions by its name, in order, FROM first; under no name those before the first stage."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if line and not line.startswith("#")]
    found: dict[str, list[Instruction]] = {"": []}
    name = ""
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        instruction = Instruction(*line.split(maxsplit=1))
        name = instruction.words[-1] if instruction.name == "FROM" else name
        found.setdefault(name, []).append(instruction)
    return found


def pairs(stage: str, name: str) -> dict[str, str]:
    """What all instructions of this name set in a stage."""
    return {key: value for one in stages()[stage] if one.name == name for key, value in one.pairs.items()}


def build(folder: Path) -> Path:
    """The virtual environment that the stage makes, below `folder`. Skips the test where its first half isn't there."""
    packages, project = _halves()
    if not _is_done(packages):
        pytest.skip("the image's packages aren't there; `make install-dev` gets them")
    shutil.copytree(_CACHE, folder, symlinks=True, dirs_exist_ok=True, copy_function=_link)
    _run(project, folder)
    return folder / "venv"


def install() -> None:
    """Run the steps that need packages, unless they have been run as they are now."""
    packages, _ = _halves()
    if _is_done(packages):
        return
    print("Installing the image's packages (about 30 s, once) …", flush=True)  # noqa: T201 - make shows it
    shutil.rmtree(_CACHE, ignore_errors=True)
    _run(packages, _CACHE)
    (_CACHE / ".stamp").write_text(_state(packages))


def _halves() -> tuple[list[Instruction], list[Instruction]]:
    steps = stages()["build"][1:]
    sources = next(i for i, step in enumerate(steps) if step.name == "COPY" and "pyproject.toml" in step.words)
    return steps[:sources], steps[sources:]


def _is_done(packages: list[Instruction]) -> bool:
    stamp = _CACHE / ".stamp"
    return stamp.exists() and stamp.read_text() == _state(packages)


def _state(packages: list[Instruction]) -> str:
    """Of all that the outcome depends on."""
    locks = [(ROOT / word).read_text() for step in packages if step.name == "COPY" for word in step.words[:-1]]
    return hashlib.sha256("\n".join([sys.version, repr(packages), *locks]).encode()).hexdigest()


def _run(steps: list[Instruction], folder: Path) -> None:
    """Raises RuntimeError with the output of a command that failed."""
    source = folder / "src"
    source.mkdir(parents=True, exist_ok=True)
    ours = {"PYTHON": sys.executable, "VENV": str(folder / "venv"), "TOOLS": str(folder / "tools")}
    assert ours.keys() == pairs("build", "ENV").keys()
    for step in steps:
        if step.name == "COPY":
            *names, target = step.words
            for name in names:
                _copy(ROOT / name, source / target, is_folder=target.endswith("/"))
        elif step.name == "RUN":
            env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | ours
            done = subprocess.run(
                ["sh", "-c", step.value], cwd=source, env=env, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"{step.value}\n{done.stdout}{done.stderr}")
        else:
            assert step.name in {"ENV", "WORKDIR"}, f"{step.name} isn't run here"


def _copy(path: Path, target: Path, *, is_folder: bool) -> None:
    if path.is_dir():
        # What .dockerignore leaves out.
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        return
    (target if is_folder else target.parent).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target / path.name if is_folder else target)


def _link(path: str, target: str) -> None:
    """Three hundred megabytes that nobody changes need no second copy, where the file system is the same."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copy2(path, target)


if __name__ == "__main__":
    install()
