"""Reads suites of cases: the files `*_tests.yaml` and feedback exports, which have one format."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from canopy.base.errors import ConfigError
from canopy.evals.suites.yaml_files import line_of, read
from canopy.text import yaml_loader

# A downloaded export has a name of its own (with ` (1)` the second time), so a file
# is recognized by its content as well.
_EXPORT = [re.compile(rb"^%b[ \t]*:" % key, re.MULTILINE) for key in (b"endpoint", b"tests")]


@dataclass(frozen=True, slots=True)
class EvalCase:
    """Holds a prompt and the expected answer. Without an expected result it awaits review."""

    id: str
    prompt: str
    expected_result: str

    @property
    def reviewed(self) -> bool:
        """Return whether a person has written the expected result."""
        return bool(self.expected_result.strip())


@dataclass(frozen=True, slots=True)
class Suite:
    """Holds the cases of one endpoint and their scorers: scorer → parameters (None for none)."""

    name: str
    description: str
    endpoint: str
    scoring_params: dict[str, dict[str, Any] | None]
    cases: list[EvalCase]
    placeholders: int = 0  # tests without prompt and expected result, which aren't in `cases`


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank")
    return text


def _path(text: str) -> str:
    if not re.fullmatch(r"/[^/\s?#][^\s?#]*", text):
        raise ValueError("must be a path of the backend, such as `/summarize`")
    return text


type _Name = Annotated[str, AfterValidator(_not_blank)]


class _SuiteEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")


# A key without a value is null.
type _Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class _Test(_SuiteEntry):
    prompt: _Text
    expected_result: _Text = ""

    @property
    def is_placeholder(self) -> bool:
        """Return whether it is an empty example, as in the workshop's suites."""
        return not self.prompt.strip() and not self.expected_result.strip()

    @model_validator(mode="after")
    def _has_a_prompt(self) -> Self:
        if self.expected_result.strip() and not self.prompt.strip():
            raise ValueError("`prompt` is blank, and `expected_result` isn't")
        return self


class _File(_SuiteEntry):
    name: _Name
    description: str = ""
    model: Any = None  # accepted and ignored: the workshop's suites name the backend's model
    endpoint: Annotated[str, AfterValidator(_path)]
    scoring_params: dict[_Name, dict[str, Any] | None] = Field(min_length=1)
    tests: list[_Test]


def case_id(endpoint: str, prompt: str) -> str:
    """Return `case_` and 16 hex digits; equal endpoint and prompt give equal ids in every file and run."""
    # An endpoint holds no line break, so different pairs give different bytes.
    return f"case_{hashlib.sha256(f'{endpoint}\n{prompt}'.encode()).hexdigest()[:16]}"


def find(folder: Path) -> list[Path]:
    """Return the suites below a folder, sorted: `*_tests.yaml`, and other YAML files that hold an export.

    Hidden folders are skipped. For a file it returns that file. Raises ConfigError when there is none.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise ConfigError(f"There is no folder {folder}.")
    files = sorted(path for path in folder.rglob("*.y*ml") if _is_suite(path, folder))
    if not files:
        raise ConfigError(f"{folder} holds no suite: no file `*_tests.yaml`, and no exported dataset.")
    return files


def _is_suite(path: Path, folder: Path) -> bool:
    if any(part.startswith(".") for part in path.relative_to(folder).parts):
        return False
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return False
    return path.stem.endswith("_tests") or _is_export(path)


def _is_export(path: Path) -> bool:
    """Return whether a file has the keys of an export; a file that can't be loaded has none."""
    if path.stat().st_size > yaml_loader.LARGEST:
        return False
    content = yaml_loader.read_bytes(path)
    return all(key.search(content) for key in _EXPORT)


def load(path: Path) -> Suite:
    """Read a suite. Raises ConfigError with the file, the line and the error."""
    file, root = read(path, _File)
    cases: dict[str, EvalCase] = {}
    lines: dict[str, int] = {}
    for number, test in enumerate(file.tests):
        if test.is_placeholder:
            continue
        identifier, line = case_id(file.endpoint, test.prompt), line_of(root, "tests", number)
        if identifier in cases:
            raise ConfigError(
                f"{path}: the prompt on line {line} stands on line {lines[identifier]} as well; keep one of the two."
            )
        cases[identifier], lines[identifier] = EvalCase(identifier, test.prompt, test.expected_result), line
    placeholders = sum(test.is_placeholder for test in file.tests)
    return Suite(file.name, file.description, file.endpoint, file.scoring_params, list(cases.values()), placeholders)
