"""The base class for recording votes, ballots and reviews: check the flag, commit, then log, count and trace."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from canopy.config.loading import Config
from canopy.config.source import ConfigSource
from canopy.telemetry import Event, Telemetry

# The trace id and span id of a model call, as far as they are known, and the attributes of OpenTelemetry's event
# `gen_ai.evaluation.result` about its response, without a comment's text.
type EvaluationResult = tuple[tuple[str | None, str | None], dict[str, str | int]]


class _Receipt(Protocol):
    @property
    def outcome(self) -> str:
        """`repeated` if the same was stored before, and nothing was written."""


class Recorder:
    """Records feedback of people while the flag `feedback` is on. Events are emitted after the commit."""

    def __init__(self, config: ConfigSource, telemetry: Telemetry) -> None:
        self._config = config
        self._telemetry = telemetry

    def check(self) -> Config:
        """Return the config in force. Raises FeatureDisabled if its flag `feedback` is off."""
        return self._config.current.require_flag("feedback", "Feedback")

    async def _commit[R: _Receipt](
        self,
        writing: Awaitable[R],
        event: Callable[[R, str], Event],
        trace_id: str,
        evaluations: Callable[[R], Iterable[EvaluationResult]] = lambda _: (),
    ) -> R:
        """Await `writing`, and emit the event and the evaluations unless nothing was written. Return the receipt.

        Raises what the store raises.
        """
        receipt = await writing
        if receipt.outcome != "repeated":
            self._telemetry.emit(event(receipt, trace_id))
            for call, result in evaluations(receipt):
                self._telemetry.traces.record_evaluation(call, result)
        return receipt
