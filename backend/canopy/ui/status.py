"""What Status shows: parts of the process, each with its state, what is known of it, and its runbook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypedDict
from urllib.parse import urlsplit

from canopy.base.clock import iso

type State = Literal["ok", "trouble", "off", "unknown"]
type FactKind = Literal["text", "code", "sentence", "moment", "bytes"]


class Fact(NamedTuple):
    """Holds one thing that is known. A moment is in microseconds, a None is left out of the page."""

    name: str
    label: str
    value: str | float | bool | Sequence[str] | None
    kind: FactKind = "text"

    @property
    def plain(self) -> Any:
        """Return the value for programs."""
        if self.value is None or self.kind != "moment":
            return list(self.value) if isinstance(self.value, tuple) else self.value
        return iso(int(str(self.value)))


class Runbook(NamedTuple):
    """Names the section of docs/operations.md that says what to do."""

    section: str

    @property
    def anchor(self) -> str:
        """Return the section's name in addresses, as GitHub makes it."""
        return "".join(sign for sign in self.section.lower().replace(" ", "-") if sign.isalnum() or sign == "-")


@dataclass(frozen=True, slots=True)
class StatusPart:
    """Says how one part is, in a sentence; `why` is the cause in people's words, where the sentence hasn't it."""

    name: str
    title: str
    state: State
    sentence: str
    runbook: Runbook
    facts: Sequence[Fact] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class JudgeStatus:
    """Says what a judge does: when it last labelled an answer (microseconds), and how far it agrees with people."""

    name: str
    version: str
    model: str
    sample: float
    last_label: int | None
    agreement: str


@dataclass(frozen=True, slots=True)
class ExperimentStatus:
    """Says what the votes of an experiment in force prove. Without an id nobody has compared these prompts yet."""

    feature: str
    title: str
    id: str | None
    name: str | None
    status: str | None
    label: str
    sentence: str


@dataclass(frozen=True, slots=True)
class FlagStatus:
    """Says whether a feature is on, and why."""

    name: str
    on: bool
    reason: str


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Holds everything that Status shows; `runbooks` is the address of the page with the runbooks, or its path."""

    checked_at: int
    parts: Sequence[StatusPart]
    flags: Sequence[FlagStatus]
    judges: Sequence[JudgeStatus]
    experiments: Sequence[ExperimentStatus]
    runbooks: str

    @property
    def trouble(self) -> list[StatusPart]:
        """Return the parts that need somebody."""
        return [part for part in self.parts if part.state == "trouble"]

    def place_of(self, runbook: Runbook) -> str:
        """Return where a runbook stands: an address, or a path in the project."""
        return f"{self.runbooks}#{runbook.anchor}"

    @property
    def linked(self) -> bool:
        """Return whether runbooks have an address that a browser can follow."""
        return urlsplit(self.runbooks).scheme in {"http", "https"}


class PartPayload(TypedDict):
    """One part: its state, a sentence, what is known of it, and where its runbook stands."""

    state: State
    sentence: str
    runbook: str
    facts: dict[str, str | float | bool | list[str] | None]


class FlagPayload(TypedDict):
    """A flag with its reason."""

    enabled: bool
    reason: str


class JudgePayload(TypedDict):
    """A judge in force; `sample` is in percent."""

    name: str
    version: str
    model: str
    sample: float
    last_label_at: str | None
    agreement: str


class ExperimentStatusPayload(TypedDict):
    """An experiment in force; its id and status are null where nobody has compared the prompts yet."""

    feature: str
    id: str | None
    name: str | None
    status: str | None
    sentence: str


class StatusPayload(TypedDict):
    """How this process is. `status` is `trouble` if any part is."""

    status: Literal["ok", "trouble"]
    checked_at: str
    parts: dict[str, PartPayload]
    flags: dict[str, FlagPayload]
    judges: list[JudgePayload]
    experiments: list[ExperimentStatusPayload]


def status_payload(status: StatusReport) -> StatusPayload:
    """Return the same as the page for programs."""
    return {
        "status": "trouble" if status.trouble else "ok",
        "checked_at": iso(status.checked_at),
        "parts": {part.name: _part(part, status) for part in status.parts},
        "flags": {flag.name: {"enabled": flag.on, "reason": flag.reason} for flag in status.flags},
        "judges": [
            {
                "name": judge.name,
                "version": judge.version,
                "model": judge.model,
                "sample": judge.sample,
                "last_label_at": None if judge.last_label is None else iso(judge.last_label),
                "agreement": judge.agreement,
            }
            for judge in status.judges
        ],
        "experiments": [
            {
                "feature": it.feature,
                "id": it.id,
                "name": it.name,
                "status": it.status,
                "sentence": it.sentence,
            }
            for it in status.experiments
        ],
    }


def _part(part: StatusPart, status: StatusReport) -> PartPayload:
    facts: Mapping[str, Any] = {fact.name: fact.plain for fact in part.facts}
    return {
        "state": part.state,
        "sentence": part.sentence,
        "runbook": status.place_of(part.runbook),
        "facts": dict(facts),
    }
