"""What taking votes, ballots and reviews has in common: check the flag, commit, and only then tell of it."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from canopy.config.loading import Config
from canopy.config.source import ConfigSource
from canopy.telemetry import Event, Telemetry

# A model call, by its trace id and its span id as far as they are known, and what a person says of its response by
# OpenTelemetry's conventions for `gen_ai.evaluation.result`, without a comment's text.
type Evaluation = tuple[tuple[str | None, str | None], dict[str, str | int]]


class _Receipt(Protocol):
    @property
    def outcome(self) -> str:
        """`repeated` when what was sent is there already, and nothing was written."""


class Recorder:
    """Takes what people say of responses while feedback is enabled. Events are of what the store has committed."""

    def __init__(self, config: ConfigSource, telemetry: Telemetry) -> None:
        self._config = config
        self._telemetry = telemetry

    def check(self) -> Config:
        """Return the config in force. Raises FeatureDisabled when it has feedback off."""
        return self._config.current.require_flag("feedback", "Feedback")

    async def _commit[R: _Receipt](
        self,
        writing: Awaitable[R],
        event: Callable[[R, str], Event],
        trace_id: str,
        evaluations: Callable[[R], Iterable[Evaluation]] = lambda _: (),
    ) -> R:
        """Return the store's receipt after telling of it, unless nothing was written. Raises what the store raises."""
        receipt = await writing
        if receipt.outcome != "repeated":
            self._telemetry.emit(event(receipt, trace_id))
            for call, result in evaluations(receipt):
                self._telemetry.traces.evaluated(call, result)
        return receipt
