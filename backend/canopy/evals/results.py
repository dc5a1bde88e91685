"""Defines the records of an evaluation run, which are also its JSON report (`results.json`)."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from canopy.base.errors import ConfigError
from canopy.text import yaml_loader

SCHEMA_VERSION: Literal[2] = 2
_LARGEST = 256_000_000  # bytes of a report: thousands of cases, each with long texts

type CaseStatus = Literal["passed", "failed", "awaiting_review", "unscored"]


def _is_moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


type Moment = Annotated[str, AfterValidator(_is_moment)]


class _ResultRecord(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Score(_ResultRecord):
    """One scorer's score of one answer. Without a value the scorer failed, which says nothing of the answer."""

    scorer: str = Field(description="Its name in `scoring_params`, such as `llm-as-judge::base`.")
    value: float | None = Field(None, description="From 0 (worst) to 1 (best); null where the scorer failed.")
    passed: bool | None = Field(
        None, description="Whether the value meets the scorer's threshold; null where it failed or only informs."
    )
    grade: str | None = Field(None, description="What the judge's regular expression found, such as `B`.")
    text: str | None = Field(None, description="What the judge said, whole.")
    error: str | None = Field(None, description="Why the scorer has no value, in a sentence.")


class TestedConfig(_ResultRecord):
    """The configuration that produced an answer, as the backend reports it. Prompt ids are hashes of the text."""

    prompt_id: str | None = None
    model: str | None = None
    parameters: dict[str, Any] = Field({}, description="Such as `temperature` and `max_tokens`.")
    config_revision: str | None = None


class Attempt(_ResultRecord):
    """One request to the backend for a case, and the answer's scores. With `--repeat` a case has several."""

    answer: str = Field(description="What the backend answered; empty or partial where `error` is set.")
    error: str | None = Field(None, description="Why this is no answer: the status, the error event, empty, truncated.")
    unanswered: bool = Field(
        False, description="Whether the reason in `error` isn't the answer's: busy, refused, failed, no connection."
    )
    request_id: str | None = Field(None, description="Under which operators find the call.")
    generation_id: str | None = None
    time_to_first_token: float | None = Field(None, description="Seconds.")
    duration: float | None = Field(None, description="Seconds.")
    output_tokens: int | None = Field(None, description="Of the answer, as the model counted them.")
    tested: TestedConfig | None = Field(None, description="What gave the answer; null where the backend doesn't tell.")
    scores: list[Score] = []


class CaseResult(_ResultRecord):
    """One case. Its id is a hash of endpoint and prompt, so runs can be compared whatever the files' names."""

    id: str
    suite: str = Field(description="The suite's `name`.")
    file: str = Field(description="The suite's file, relative to the folder that was run.")
    prompt: str
    expected_result: str
    status: CaseStatus
    reason: str | None = Field(None, description="Why it isn't `passed`, in a sentence.")
    attempts: list[Attempt] = []


class Target(_ResultRecord):
    """The backend that was evaluated, as it described itself at the time of the run."""

    url: str
    config_revision: str | None = None
    flags: dict[str, bool] = {}
    tested: list[TestedConfig] = Field(
        [], description="What gave the answers: one, unless suites have several endpoints."
    )


class Change(_ResultRecord):
    """How a case changed since the baseline."""

    id: str
    change: Literal["better", "worse", "same"] = Field(
        description="By status, and where both are the same by the mean of the values."
    )
    before: CaseStatus
    after: CaseStatus
    value_before: float | None = Field(None, description="The mean of all values; null where there is none.")
    value_after: float | None = None


class BaselineComparison(_ResultRecord):
    """A run compared with its baseline. Rates are over pairs: cases that passed or failed in both runs."""

    baseline_id: str
    baseline_started_at: Moment
    baseline_revision: str | None = Field(None, description="Of the configuration that was evaluated then.")
    changes: list[Change] = Field(description="Of the cases that are in both runs, in this run's order.")
    added: list[str] = Field([], description="Ids of cases that the baseline doesn't have.")
    removed: list[str] = Field([], description="Ids of cases that only the baseline has.")
    pairs: int
    gained: int = Field(description="Pairs that failed and now pass.")
    lost: int = Field(description="Pairs that passed and now fail: the regressions.")
    rate_before: float | None = Field(None, description="Pass rate of the pairs, 0 to 1; null without pairs.")
    rate_after: float | None = None
    interval: tuple[float, float] | None = Field(
        None, description="95 % interval of `rate_after - rate_before`: Tango's score interval."
    )
    p_value: float | None = Field(None, description="Exact McNemar test, two-sided.")
    sentence: str


class Check(_ResultRecord):
    """One threshold and whether it was met."""

    thresholds: str | None = Field(description="The file, relative to the folder that was run; null: the defaults.")
    name: str = Field(
        description="`pass_rate`, `max_regressions`, `max_unscored`, `unanswered`, or a scorer whose mean is asked for."
    )
    required: float
    found: float | None = Field(description="Null where there was nothing to measure.")
    passed: bool
    sentence: str


class Gate(_ResultRecord):
    """The verdict on a run: whether it is good enough."""

    verdict: Literal["passed", "failed", "undecided"] = Field(
        description="`undecided`: too many cases have no score, or there is none to judge by."
    )
    checks: list[Check]
    sentence: str


class Run(_ResultRecord):
    """A run. `finished_at` is null in the report of an interrupted run, which `--resume` continues."""

    schema_version: Literal[1, 2] = SCHEMA_VERSION
    id: str
    started_at: Moment = Field(description="RFC 3339, UTC.")
    finished_at: Moment | None = None
    canopy_version: str
    target: Target
    judge_url: str | None = None
    scoring: Literal["local", "llama-stack"]
    repeat: int = 1
    rules: str | None = Field(
        None, description="A hash of what scored: scorers, their parameters and files, thresholds. Equal: comparable."
    )
    cases: list[CaseResult]
    comparison: BaselineComparison | None = Field(None, description="With the baseline, if one was given.")
    gate: Gate | None = Field(None, description="Null where the run was interrupted.")


def load(path: Path) -> Run:
    """Read a `results.json`. Raises ConfigError if there is none, or if a newer Canopy wrote it."""
    try:
        content = orjson.loads(yaml_loader.read_bytes(path, _LARGEST))
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}.") from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path} is no JSON: {error}. Name a results.json that `canopy evals run` wrote.") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ConfigError(
            f"{path} is of version {version}, and this Canopy reads up to version {SCHEMA_VERSION}. "
            "Use the Canopy that wrote it, or a newer one."
        )
    try:
        return Run.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise ConfigError(f"{path} is no report of evaluations: {where}: {first['msg']}.") from error


def is_unanswered(case: CaseResult) -> bool:
    """Return whether a case has no verdict because the backend was busy, refused or unreachable."""
    return case.status == "unscored" and any(attempt.unanswered for attempt in case.attempts)
