"""Remembers when something was last refused, failed or worked, for people who ask how this process is."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

from canopy.base.errors import CanopyError
from canopy.telemetry.access_events import (
    ProxySecretRejected,
    ProxySecretReloaded,
    TokensRejected,
    TokensReloaded,
)
from canopy.telemetry.events import (
    ConfigRejected,
    ConfigReloaded,
    Event,
    GenerationFinished,
    JudgementFailed,
    JudgementRecorded,
    Started,
)
from canopy.telemetry.mlflow_events import DeliveryEnded, MlflowSpansLost, MlflowUntraced
from canopy.telemetry.store_events import StoreAtRisk, StoreFailed

# None of these holds a text of a user.
_KEPT = frozenset(
    {
        *(Started, ConfigReloaded, ConfigRejected, JudgementFailed, JudgementRecorded),
        *(TokensReloaded, TokensRejected, ProxySecretReloaded, ProxySecretRejected),
        *(StoreFailed, StoreAtRisk, MlflowSpansLost, MlflowUntraced),
    }
)
_OF_THE_MODEL = "model_"  # begins the codes of the model server's failures
_NO_MODEL = "model_not_found"


class Seen[E: Event](NamedTuple):
    """Holds an event and its time, in microseconds."""

    at: int
    event: E


class Trouble(NamedTuple):
    """Says what failed and when (microseconds), by a code for programs and a sentence for people.

    `reason` holds the other server's own words.
    """

    at: int
    code: str
    sentence: str
    reason: str | None = None

    @property
    def in_full(self) -> str:
        """Return the sentence with the other server's words."""
        return f"{self.sentence} {CanopyError.reason_format.format(self.reason)}" if self.reason else self.sentence


def _now() -> int:
    return time.time_ns() // 1_000


class LatestEvents:
    """Keeps the latest event of each kind that tells how the process is; it takes a vote no more than a look."""

    def __init__(self, clock: Callable[[], int] = _now) -> None:
        """`clock` gives microseconds since the epoch."""
        self._clock = clock
        self._seen: dict[type[Event], Seen[Event]] = {}
        self._server_since = 0  # what was asked before that, another model server answered
        self.answered: int | None = None  # when a model last completed an answer
        self.answered_by: dict[str, int] = {}  # the same by the model; a judge's label is an answer too
        self.model_failed: Trouble | None = None
        self.delivered: int | None = None  # when MLflow last took a delivery
        self.delivery_failed: Trouble | None = None
        self.spans_taken: int | None = None  # when MLflow last took spans
        self.spans_failed: Trouble | None = None  # why spans wait, or waited, for MLflow
        self.registry_failures: Mapping[str, str] = {}  # sentences by the prompt that can't be loaded now

    def record(self, event: Event) -> None:
        """Remember the event, if it is of a kind that is kept."""
        kind = type(event)
        if kind in _KEPT:
            self._seen[kind] = Seen(self._clock(), event)
        if isinstance(event, JudgementRecorded):
            self.answered_by[event.judge_model] = self._clock()
        elif isinstance(event, GenerationFinished):
            self._record_generation(event)
        elif isinstance(event, DeliveryEnded):
            if event.problem is None:
                self.delivered = self._clock()
            else:
                self.delivery_failed = Trouble(self._clock(), event.outcome, event.problem)

    def of[E: Event](self, kind: type[E]) -> Seen[E] | None:
        """Return the latest event of a kind; None before the first."""
        return cast(Seen[E] | None, self._seen.get(kind))

    def unmended[E: Event](self, wrong: type[E], mended: type[Event]) -> Seen[E] | None:
        """Return the latest event of the kind `wrong`, unless one of the kind `mended` came after it."""
        found, later = self.of(wrong), self._seen.get(mended)
        return None if found is None or (later is not None and later.at >= found.at) else found

    def record_spans(self, problem: str | None) -> None:
        """Remember that MLflow took spans, or why it didn't, so that they wait."""
        if problem is None:
            self.spans_taken = self._clock()
        else:
            self.spans_failed = Trouble(self._clock(), "waiting", problem)

    @property
    def spans_waiting(self) -> Trouble | None:
        """Return why spans wait now; None while MLflow takes them."""
        failed = self.spans_failed
        return failed if failed is not None and failed.at > (self.spans_taken or 0) else None

    def forget_model_server(self) -> None:
        """Forget what the model server did: from now on another one is asked. Streams of the former may still end."""
        self._server_since = self._clock()
        self.answered = self.model_failed = None
        self.answered_by.clear()

    def has_answered(self, model: str) -> bool:
        """Return whether the model server in use has completed an answer of a model, and hasn't denied it since."""
        return model in self.answered_by

    def _record_generation(self, event: GenerationFinished) -> None:
        generation = event.generation
        if generation.created_at < self._server_since:
            return
        if generation.status == "completed":
            self.answered = self.answered_by[generation.model] = self._clock()
        elif generation.status == "failed" and (generation.error_code or "").startswith(_OF_THE_MODEL):
            self.model_failed = Trouble(self._clock(), generation.error_code or "", event.sentence or "", event.reason)
            if generation.error_code == _NO_MODEL:
                self.answered_by.pop(generation.model, None)
