"""Remembers when something was last refused, failed or worked, for people who ask how this process is."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

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
from canopy.telemetry.mlflow_events import DeliveryEnded, MlflowSpansLost
from canopy.telemetry.store_events import StoreAtRisk, StoreFailed

# None of these holds a text of a user.
_KEPT = frozenset(
    {
        *(Started, ConfigReloaded, ConfigRejected, JudgementFailed, JudgementRecorded),
        *(TokensReloaded, TokensRejected, ProxySecretReloaded, ProxySecretRejected),
        *(StoreFailed, StoreAtRisk, MlflowSpansLost),
    }
)
_OF_THE_MODEL = "model_"  # begins the codes of the model server's failures


class Seen[E: Event](NamedTuple):
    """Holds an event and its time, in microseconds."""

    at: int
    event: E


class Trouble(NamedTuple):
    """Says what failed and when (microseconds), by a code for programs and a sentence for people."""

    at: int
    code: str
    sentence: str


def _now() -> int:
    return time.time_ns() // 1_000


class LatestEvents:
    """Keeps the latest event of each kind that tells how the process is; it takes a vote no more than a look."""

    def __init__(self, clock: Callable[[], int] = _now) -> None:
        """`clock` gives microseconds since the epoch."""
        self._clock = clock
        self._seen: dict[type[Event], Seen[Event]] = {}
        self.answered: int | None = None  # when a model last completed an answer
        self.model_failed: Trouble | None = None
        self.delivered: int | None = None  # when MLflow last took a delivery
        self.delivery_failed: Trouble | None = None
        self.registry_failures: Mapping[str, str] = {}  # sentences by the prompt that can't be loaded now

    def record(self, event: Event) -> None:
        """Remember the event, if it is of a kind that is kept."""
        kind = type(event)
        if kind in _KEPT:
            self._seen[kind] = Seen(self._clock(), event)
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

    def _record_generation(self, event: GenerationFinished) -> None:
        generation = event.generation
        if generation.status == "completed":
            self.answered = self._clock()
        elif generation.status == "failed" and (generation.error_code or "").startswith(_OF_THE_MODEL):
            self.model_failed = Trouble(self._clock(), generation.error_code or "", event.sentence or "")
